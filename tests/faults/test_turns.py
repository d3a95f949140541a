"""Whose answer may leave next, without sockets."""

import threading

import pytest

from kafkalab.faults.errors import FrameError
from kafkalab.faults.turns import Exchange, Turns


class Desk:
    """Turns, with a list of what left."""

    def __init__(self, *exchanges):
        self.left = []
        self.turns = Turns(
            lambda each: self.left.append(each.correlation_id), lambda each: self.left.append("dead")
        )
        for each in exchanges:
            self.turns.expect(each)

    def broker_answers(self, correlation_id):
        exchange = self.turns.begin(correlation_id)
        if exchange is not None:
            self.left.append(exchange.correlation_id)
            self.turns.finish()
        return exchange


def real(number):
    return Exchange(0, 9, number)


def own(number, ready=True):
    return Exchange(0, 9, number, answer=b"", ready=ready)


def dropped(number):
    return Exchange(0, 9, number, dropped=True)


def test_own_answers_leave_as_soon_as_it_is_their_turn():
    desk = Desk(real(0), own(1), own(2), real(3), own(4))
    desk.turns.go_on()
    assert desk.left == []
    desk.broker_answers(0)
    assert desk.left == [0, 1, 2]
    desk.broker_answers(3)
    assert desk.left == [0, 1, 2, 3, 4]


def test_nothing_leaves_while_an_answer_is_under_way():
    desk = Desk(real(0), own(1))
    desk.turns.begin(0)
    desk.turns.go_on()
    assert desk.left == []
    desk.turns.finish()
    assert desk.left == [1]


def test_a_brokers_answer_waits_for_an_own_one_that_is_not_ready():
    late = own(0, ready=False)
    desk = Desk(late, real(1))
    thread = threading.Thread(target=desk.broker_answers, args=(1,))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    late.ready = True
    desk.turns.go_on()
    thread.join(5)
    assert desk.left == [0, 1]


def test_at_the_turn_of_a_dropped_request_all_is_over():
    desk = Desk(real(0), dropped(1), own(2), real(3))
    desk.broker_answers(0)
    assert desk.left == [0, "dead"]
    assert desk.broker_answers(3) is None
    desk.turns.go_on()
    assert desk.left == [0, "dead"]


def test_the_end_wakes_who_waits():
    desk = Desk(own(0, ready=False), real(1))
    thread = threading.Thread(target=desk.broker_answers, args=(1,))
    thread.start()
    desk.turns.end()
    thread.join(5)
    assert not thread.is_alive()
    assert desk.left == []


@pytest.mark.parametrize("expected", [[], [real(4)]])
def test_a_broker_that_does_not_keep_the_order_is_found_out(expected):
    with pytest.raises(FrameError):
        Desk(*expected).turns.begin(5)
