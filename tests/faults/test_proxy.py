"""The proxy between a client in frames and a broker that echoes: what passes, when, and what does not."""

import socket
import struct
import sys
import threading
import time

import pytest
from kafka.protocol.metadata import MetadataRequest
from kafka.protocol.producer import ProduceRequest, ProduceResponse
from upstream import ANY, Peer, Upstream

from kafkalab import FaultProxy
from kafkalab.cluster import UnreachableError
from kafkalab.cluster.wire import Address, call
from kafkalab.faults import FaultError, FrameError, RuleError, RuleTimeoutError

NAME = b"peer"


def body_seen(body):
    """The echo has the client id in front: what follows the correlation id comes back."""
    return struct.pack(">h", len(NAME)) + NAME + body


@pytest.fixture
def broker():
    with Upstream() as one:
        yield one


@pytest.fixture
def proxy(broker):
    with FaultProxy(broker.address) as one:
        yield one


@pytest.fixture
def peer(proxy):
    with Peer(proxy.bootstrap_servers) as one:
        yield one


def produce(acks=-1, version=9, topic="t", partition=0):
    """The body of a Produce request, with the tags of its header."""
    kind = ProduceRequest.TopicProduceData
    part = kind.PartitionProduceData(index=partition, records=b"")
    message = ProduceRequest(
        version=version,
        transactional_id=None,
        acks=acks,
        timeout_ms=1,
        topic_data=[kind(name=topic, partition_data=[part])],
    )
    return (b"\0" if version >= 9 else b"") + bytes(message.encode())


def test_frames_pass_both_ways_whatever_their_size(broker, peer):
    bodies = [b"", b"x", b"y" * 300_000, b"z" * 3_000_000]
    sender = threading.Thread(target=lambda: [peer.send(i, body) for i, body in enumerate(bodies)])
    sender.start()
    assert [peer.receive() for _ in bodies] == [(i, body_seen(body)) for i, body in enumerate(bodies)]
    sender.join()


def test_addresses_lead_back_to_the_proxy(broker, proxy):
    host, port = proxy.bootstrap_servers.split(":")
    answer = call(Address(host, int(port)), MetadataRequest(topics=[], version=1))
    assert [(each.node_id, each.host, each.port) for each in answer.brokers] == [(1, host, int(port))]
    assert proxy.bootstrap_servers != broker.address


def test_a_dropped_answer_was_work_done_and_ends_the_connection_silently(broker, proxy, peer):
    lost = proxy.drop_response(nth=2)
    for number in range(2):
        peer.send(number)
    assert peer.receive() == (0, body_seen(b""))
    assert lost.wait(5).correlation_id == 1
    peer.send(2)
    assert peer.silent_for(0.2)
    assert len(broker.seen) == 2


def test_requests_behind_a_lost_answer_never_reach_the_broker(broker, proxy, peer):
    broker.may_answer.clear()
    lost = proxy.drop_response(nth=2)
    for number in range(5):
        peer.send(number)
    broker.may_answer.set()
    lost.wait(5)
    assert peer.receive() == (0, body_seen(b""))
    assert peer.silent_for(0.2)
    assert len(broker.seen) == 2


def test_a_lost_answer_with_reset_is_an_error_after_the_earlier_answers(proxy, peer):
    lost = proxy.drop_response(nth=2, reset=True)
    peer.send(0)
    assert peer.receive() == (0, body_seen(b""))
    peer.send(1)
    lost.wait(5)
    with pytest.raises(ConnectionResetError):
        peer.receive()


def test_several_answers_are_lost_on_one_connection_when_times_says_so(broker, proxy, peer):
    broker.may_answer.clear()
    lost = proxy.drop_response(times=3)
    for number in range(5):
        peer.send(number)
    broker.may_answer.set()
    lost.wait(5)
    assert peer.silent_for(0.1)
    assert 1 <= len(broker.seen) <= 3


def test_a_dropped_request_never_reaches_the_broker_and_earlier_answers_still_come(broker, proxy, peer):
    broker.may_answer.clear()
    lost = proxy.drop_request(nth=2)
    for number in range(4):
        peer.send(number)
    lost.wait(5)
    broker.may_answer.set()
    assert peer.receive() == (0, body_seen(b""))
    assert peer.silent_for(0.2)
    assert len(broker.seen) == 1


def test_another_connection_is_untouched(proxy, peer):
    lost = proxy.drop_request()
    peer.send(0)
    lost.wait(5)
    with Peer(proxy.bootstrap_servers) as other:
        other.send(7, b"still")
        assert other.receive() == (7, body_seen(b"still"))
    assert peer.silent_for(0.1)


def test_the_dead_connection_closes_upstream_when_the_client_gives_up(proxy, peer):
    proxy.drop_request()
    peer.send(0)
    peer.socket.close()
    end = time.monotonic() + 5
    while any(link.alive for link in proxy._links):
        assert time.monotonic() < end
        threading.Event().wait(0.005)


def test_an_answer_of_the_proxys_own_waits_for_its_turn(broker, proxy, peer):
    broker.may_answer.clear()
    refused = proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS")
    peer.send(0)
    peer.send(1, produce(), key=0, version=9)
    peer.send(2)
    assert peer.silent_for(0.1)
    assert not refused.fired
    broker.may_answer.set()
    assert peer.receive() == (0, body_seen(b""))
    correlation_id, body = peer.receive()
    message = ProduceResponse.decode(body[1:], version=9)
    part = message.responses[0].partition_responses[0]
    assert (correlation_id, part.error_code, part.base_offset) == (1, 19, -1)
    assert peer.receive() == (2, body_seen(b""))
    assert refused.fired
    assert len(broker.seen) == 2


def test_after_next_lets_the_next_request_pass_first(broker, proxy, peer):
    refused = proxy.answer_with("Produce", 19, after_next=True)
    peer.send(0, produce(), key=0, version=9)
    assert peer.silent_for(0.1)
    peer.send(1, produce(), key=0, version=9)
    at_broker = refused.wait(5)
    assert peer.receive()[0] == 0
    assert at_broker.correlation_id == 0
    assert peer.receive()[0] == 1
    assert len(broker.seen) == 1


@pytest.mark.alone
def test_after_next_gives_up_when_no_next_comes(proxy, peer):
    proxy.answer_with("Produce", 19, after_next=True)
    started = time.monotonic()
    peer.send(0, produce(), key=0, version=9)
    assert peer.receive()[0] == 0
    assert 0.9 < time.monotonic() - started < 4


def test_held_answers_come_in_order_when_released(broker, proxy, peer):
    held = proxy.hold(nth=2)
    for number in range(3):
        peer.send(number)
    held.wait(5)
    assert peer.receive()[0] == 0
    assert peer.silent_for(0.1)
    assert len(broker.seen) >= 2
    held.release()
    assert [peer.receive()[0] for _ in range(2)] == [1, 2]


def test_a_held_request_does_not_reach_the_broker(broker, proxy, peer):
    held = proxy.hold(forward=False)
    peer.send(0)
    held.wait(5)
    assert broker.seen == []
    proxy.release()
    assert peer.receive()[0] == 0


@pytest.mark.alone
def test_a_delay_is_latency_not_a_queue(proxy, peer):
    """Three requests at once, each 0.3 s late: all are there after 0.3 s, not after 0.9 s."""
    proxy.delay(seconds=0.3, times=None)
    started = time.monotonic()
    for number in range(3):
        peer.send(number)
    assert [peer.receive()[0] for _ in range(3)] == [0, 1, 2]
    assert 0.3 <= time.monotonic() - started < 0.7


@pytest.mark.alone
def test_a_throttle_slows_down_and_ends(proxy, peer):
    slow = proxy.throttle(200_000)
    started = time.monotonic()
    peer.send(0, b"x" * 50_000)
    assert peer.receive()[0] == 0
    assert time.monotonic() - started >= 0.4  # a quarter of a second there, and back
    slow.stop()
    started = time.monotonic()
    peer.send(1, b"x" * 50_000)
    assert peer.receive()[0] == 1
    assert time.monotonic() - started < 0.4


def test_reset_cuts_at_once(broker, proxy, peer):
    cut = proxy.reset(nth=2)
    peer.send(0)
    assert peer.receive()[0] == 0
    peer.send(1)
    with pytest.raises(ConnectionResetError):
        peer.receive()
    assert cut.fired
    assert len(broker.seen) == 1


def test_acks_0_leaves_no_gap_in_the_order_and_is_nothing_to_a_rule_that_needs_an_answer(broker, proxy, peer):
    for number in range(2):
        peer.send(number, produce(acks=0), key=0, version=9)
    peer.send(2)
    assert peer.receive()[0] == 2
    rule = proxy.drop_response("Produce")
    peer.send(3, produce(acks=0), key=0, version=9)
    peer.send(4)
    assert peer.receive()[0] == 4
    assert (rule.seen, len(broker.seen)) == (0, 5)


TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00"


@pytest.mark.parametrize("junk", [TLS_HELLO, b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_not_kafka_is_refused_with_a_reason(proxy, junk):
    with Peer(proxy.bootstrap_servers) as peer:
        peer.socket.sendall(junk)
        assert peer.receive() is None
    with pytest.raises(FrameError, match="not Kafka's protocol"):
        proxy.__exit__(None, None, None)
    proxy.failures.clear()


def test_a_broker_that_is_gone_ends_the_connection(proxy, broker, peer):
    peer.send(0)
    assert peer.receive()[0] == 0
    broker.__exit__()
    with Peer(proxy.bootstrap_servers) as late:
        assert late.receive() is None


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(UnreachableError, match=f"127.0.0.1:{port}"):
        FaultProxy(f"127.0.0.1:{port}")


def test_close_ends_threads_and_sockets_whatever_goes_on(broker):
    before = set(threading.enumerate())
    proxy = FaultProxy(broker.address)
    proxy.hold(times=None)
    with Peer(proxy.bootstrap_servers) as held, Peer(proxy.bootstrap_servers) as idle:
        held.send(0)
        next(iter(proxy.rules)).wait(5)
        address = proxy.bootstrap_servers
        proxy.close()
        proxy.close()
        assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("kafkalab-proxy")]
        with pytest.raises(ConnectionRefusedError):
            Peer(address)
        assert idle.receive() is None


def test_threads_switch_quickly_while_a_proxy_is_open(broker):
    before = sys.getswitchinterval()
    with FaultProxy(broker.address):
        with FaultProxy(broker.address):
            assert sys.getswitchinterval() == pytest.approx(0.0005)
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    assert sys.getswitchinterval() == pytest.approx(before)
    with FaultProxy(broker.address):
        sys.setswitchinterval(0.002)
    try:
        assert sys.getswitchinterval() == pytest.approx(0.002)
    finally:
        sys.setswitchinterval(before)


def test_a_recorder_tells_everything_in_order(broker):
    with FaultProxy(broker.address, record=True) as proxy, Peer(proxy.bootstrap_servers) as peer:
        lost = proxy.drop_response(nth=2, api=ANY)
        peer.send(0, produce(), key=0, version=9)
        proxy.recorder.wait(lambda seen: len(seen.frames) == 2)
        for number in range(1, 4):
            peer.send(number)
        lost.wait(5)
        proxy.recorder.wait(lambda seen: seen.find(fate="discarded"))
        told = [(f.direction, f.api, f.correlation_id, f.fate) for f in proxy.frames]
    assert ("request", "Produce", 0, "passed") in told
    assert ("response", "api 99", 2, "dropped") in told
    assert ("request", "api 99", 3, "discarded") in told
    assert "t-0" in str(proxy.recorder)


def test_without_a_recorder_there_is_nothing_to_tell(proxy):
    with pytest.raises(FaultError, match="record=True"):
        _ = proxy.frames


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda p: p.drop_response("Produse"), "did you mean Produce"),
        (lambda p: p.drop_request("produce"), "did you mean Produce"),
        (lambda p: p.answer_with("Produce", "NOT_ENOUGH_REPLICA"), "did you mean NOT_ENOUGH_REPLICAS"),
        (lambda p: p.answer_with("Produce", "NotEnoughReplicasError"), "did you mean NOT_ENOUGH_REPLICAS"),
        (lambda p: p.answer_with("Produce", 4711), "no protocol error 4711"),
        (lambda p: p.answer_with("Metadata", 19), "forward=True"),
        (lambda p: p.answer_with("Produce", 19, forward=True, after_next=True), "leave out forward"),
        (lambda p: p.drop_response("Produce", nth=0), "first request is number 1"),
        (lambda p: p.drop_response("Produce", times=0), "times=0"),
        (lambda p: p.drop_response("Produce", topics="t"), "has no topics"),
        (lambda p: p.delay("Produce", -1), "must not be negative"),
        (lambda p: p.throttle(0), "above 0"),
    ],
)
def test_a_rule_that_cannot_be_says_what_is_right(proxy, wrong, hint):
    with pytest.raises(RuleError, match=hint):
        wrong(proxy)
    assert not proxy.rules.armed


def test_errors_have_three_names():
    import kafka.errors

    from kafkalab.faults.names import error_code

    assert {error_code(e) for e in (19, "NOT_ENOUGH_REPLICAS", kafka.errors.NotEnoughReplicasError)} == {19}


def test_a_rule_that_does_not_fire_says_what_it_saw(proxy, peer):
    rule = proxy.drop_request("Produce", nth=3)
    peer.send(0, produce(), key=0, version=9)
    assert peer.receive()
    with pytest.raises(RuleTimeoutError, match=r"drop_request\(Produce.*number 3.*saw 1 fitting"):
        rule.wait(0.05)


@pytest.mark.parametrize(
    ("which", "fits"),
    [
        ({"topic": "t"}, True),
        ({"topic": "other"}, False),
        ({"topic": "t", "partition": 0}, True),
        ({"topic": "t", "partition": 1}, False),
        ({"partition": 0}, True),
        ({"broker": 1}, True),
        ({"broker": 2}, False),
        ({"client_id": "peer"}, True),
        ({"client_id": "somebody"}, False),
    ],
)
def test_a_rule_meets_only_what_it_names(proxy, peer, which, fits):
    rule = proxy.answer_with("Produce", 19, **which)
    peer.send(0, produce(), key=0, version=9)
    assert peer.receive()[0] == 0
    assert rule.fired == fits


def test_a_request_that_two_rules_claim_goes_to_the_earlier_and_the_later_takes_its_next(proxy, peer):
    first = proxy.answer_with("Produce", 19)
    second = proxy.answer_with("Produce", 20)
    for number in range(3):
        peer.send(number, produce(), key=0, version=9)
        assert peer.receive()[0] == number
    assert (first.firings[0].correlation_id, second.firings[0].correlation_id) == (0, 1)
    assert (first.seen, second.seen) == (2, 2)
    assert not proxy.rules.armed


def test_several_proxies_before_one_broker(broker):
    with FaultProxy(broker.address) as one, FaultProxy(broker.address) as two:
        one.drop_request(times=None)
        with Peer(two.bootstrap_servers) as peer:
            peer.send(0)
            assert peer.receive()[0] == 0
