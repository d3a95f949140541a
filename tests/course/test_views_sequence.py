from __future__ import annotations

import time
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kafkalab.course.markup import html, xml
from kafkalab.course.views import sequence
from kafkalab.course.views.exchange import MOST_LINES, Message, tell
from kafkalab.course.views.live import Explorer
from kafkalab.course.views.sequence import Gap, sequence_diagram
from kafkalab.faults.frames import PartitionSeen
from kafkalab.faults.recorder import Frame

NOT_ENOUGH_REPLICAS = 19


class Wire:
    """Makes frames as a proxy records them."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def request(self, number: int, *, fate: str = "passed", **fields: Any) -> None:
        self._add("request", number, fate, fields, records=1, producer_id=fields.get("pid", 4000))

    def answer(self, number: int, *, fate: str = "passed", error: int = 0, **fields: Any) -> None:
        self._add("response", number, fate, fields, base_offset=-1 if error else number, error=error)

    def exchange(self, number: int, *, error: int = 0, **fields: Any) -> None:
        self.request(number, **fields)
        self.answer(number, error=error, **fields)

    def _add(self, direction: Any, number: int, fate: str, fields: dict[str, Any], **seen: Any) -> None:
        sequence_number = fields.pop("sequence", number)
        fields.pop("pid", None)
        if direction == "request":
            seen |= {"producer_epoch": 0, "sequence": sequence_number, "crc": 77 + sequence_number}
        partitions = [PartitionSeen("orders", n, **seen) for n in fields.pop("partitions", [0])]
        values: dict[str, Any] = {"connection": 1, "client_id": "me", "broker": 2, "api": "Produce"} | fields
        self.frames.append(
            Frame(
                at=time.monotonic(),
                direction=direction,
                version=9,
                correlation_id=number,
                size=100,
                partitions=tuple(partitions),
                error=seen.get("error", 0),
                fate=fate,
                **values,
            )
        )


def messages(wire: Wire) -> list[Message]:
    return tell(wire.frames, wire.frames)


def stored(view: Explorer) -> str:
    return html(view.static().markup)


def lines(view: Explorer) -> list[str]:
    return [line.strip() for line in view.equivalent.splitlines()[1:]]


def lost_answer() -> Wire:
    wire = Wire()
    wire.exchange(0)
    wire.request(1)
    wire.answer(1, fate="dropped")
    wire.request(9, sequence=1, connection=2)
    wire.answer(9, connection=2)
    return wire


def test_a_lost_answer_and_its_retry_are_told_in_order() -> None:
    assert lines(sequence_diagram(lost_answer().frames)) == [
        "1. me -> broker 2: Produce; orders-0 (p1, 0, 0) 1 record",
        "2. broker 2 -> me: Produce answer; orders-0 base offset 0",
        "3. me -> broker 2: Produce; orders-0 (p1, 0, 1) 1 record",
        "4. broker 2 -> me: Produce answer lost; orders-0 base offset 1; [lost]",
        "5. me -> broker 2: Produce, retry 1; orders-0 (p1, 0, 1) 1 record (on a new connection)",
        "6. broker 2 -> me: Produce answer; orders-0 base offset 9",
        "(p1, 0, 5): producer id (p1 is the first one seen), epoch, sequence number of the first record",
    ]


def test_what_is_lost_ends_at_the_proxy_in_a_cross() -> None:
    wire = lost_answer()
    told = messages(wire)
    lanes = sequence.arrange(told)
    client, broker = lanes.clients["me"], lanes.brokers[2]
    proxy = lanes.ends(told[3])[1]
    assert [lanes.ends(each) for each in told[2:5]] == [(client, broker), (broker, proxy), (client, broker)]
    assert client < proxy < broker
    svg = xml(sequence_diagram(wire.frames).picture.svg)
    assert svg.count("failure-line thick") == 1
    assert svg.count("dashed") >= 2, "the retry and the line of the new connection"


def test_an_answer_of_the_proxy_begins_at_the_proxy_and_names_its_error() -> None:
    wire = Wire()
    wire.request(0, fate="not forwarded")
    wire.answer(0, fate="made", error=NOT_ENOUGH_REPLICAS)
    wire.request(1, sequence=0)
    told = messages(wire)
    lanes = sequence.arrange(told)
    assert lanes.ends(told[0])[1] == lanes.ends(told[1])[0] not in lanes.brokers.values()
    words = lines(sequence_diagram(wire.frames))
    assert words[0].endswith("[stopped here]")
    assert words[1] == "2. proxy -> me: Produce answer; orders-0 NOT_ENOUGH_REPLICAS; [made by the proxy]"
    assert "Produce, retry 1" in words[2]


def test_the_same_bytes_after_a_success_are_no_retry() -> None:
    wire = Wire()
    wire.exchange(0)
    wire.request(1, sequence=0)
    assert not messages(wire)[-1].retry


def test_every_further_try_is_counted() -> None:
    wire = Wire()
    for number in range(3):
        wire.request(number, sequence=0, fate="dropped", connection=number + 1)
    assert [each.title for each in messages(wire)] == ["Produce", "Produce, retry 1", "Produce, retry 2"]


def test_producer_ids_are_relative_to_the_whole_recording() -> None:
    wire = Wire()
    wire.exchange(0, pid=7001, client_id="old")
    wire.exchange(1, pid=7005, client_id="new")
    assert "(p2, 0, 1)" in sequence_diagram(wire.frames, client="new").equivalent
    assert "7005" not in sequence_diagram(wire.frames).equivalent


def test_messages_are_chosen_by_client_api_and_topic() -> None:
    wire = Wire()
    wire.exchange(0)
    wire.exchange(1, api="Metadata")
    assert len(lines(sequence_diagram(wire.frames, apis=None))) == 5
    assert len(lines(sequence_diagram(wire.frames))) == 3
    assert len(lines(sequence_diagram(wire.frames, topic="orders", client=["me"]))) == 3
    with pytest.raises(LookupError, match=r"none of Produce \(client='you', topic=None\) among 4 frames"):
        sequence_diagram(wire.frames, client="you")


def test_brokers_that_nobody_assigned_need_no_name() -> None:
    one, other = Wire(), Wire()
    one.exchange(0, broker=1)
    other.exchange(0, broker=3)
    views = [sequence_diagram(wire.frames, brokers="together") for wire in (one, other)]
    assert xml(views[0].picture.svg) == xml(views[1].picture.svg)
    assert views[0].equivalent == views[1].equivalent
    with pytest.raises(ValueError, match="brokers='none'"):
        sequence_diagram(one.frames, brokers="none")


def test_conversations_with_several_brokers_can_be_drawn_one_after_the_other() -> None:
    one, other = Wire(), Wire()
    one.exchange(0, broker=1, connection=1)
    one.exchange(0, broker=2, connection=2)
    other.exchange(0, broker=2, connection=1)
    other.exchange(0, broker=1, connection=2)
    words = [sequence_diagram(wire.frames, by_broker=True).equivalent for wire in (one, other)]
    assert words[0] == words[1]


def test_a_request_for_many_partitions_says_how_many_more() -> None:
    wire = Wire()
    wire.request(0, partitions=range(9))
    (told,) = messages(wire)
    assert len(told.lines) == MOST_LINES
    assert told.lines[-1] == "and 6 more partitions"


def test_equal_input_gives_equal_bytes_and_no_time() -> None:
    first, second = lost_answer(), lost_answer()
    assert first.frames[0].at != second.frames[0].at
    assert stored(sequence_diagram(first.frames)) == stored(sequence_diagram(second.frames))


def test_a_long_recording_keeps_its_ends_and_what_went_wrong() -> None:
    wire = Wire()
    for number in range(250):
        wire.exchange(number)
    wire.request(250, fate="dropped")
    for number in range(251, 500):
        wire.exchange(number)
    rows = sequence.shorten(messages(wire))
    assert [row.messages for row in rows if isinstance(row, Gap)] == [480, 478]
    assert sum(isinstance(row, Message) and row.lost for row in rows) == 1


@pytest.mark.alone
def test_a_thousand_messages_are_drawn_quickly_and_stored_small() -> None:
    wire = Wire()
    for number in range(500):
        wire.exchange(number, fate="dropped")
    began = time.perf_counter()
    bundle = sequence_diagram(wire.frames).static()._repr_mimebundle_()
    assert time.perf_counter() - began < 1
    assert sum(len(part) for part in bundle.values()) < 100_000


def test_labels_stay_between_the_lanes() -> None:
    wire = Wire()
    for client in ("one-with-a-very-long-name-indeed", "b", "c"):
        wire.exchange(0, client_id=client, error=NOT_ENOUGH_REPLICAS, broker=1)
    for node in ET.fromstring(xml(sequence_diagram(wire.frames).picture.svg)).iter(
        "{http://www.w3.org/2000/svg}g"
    ):
        for label in node.findall("{http://www.w3.org/2000/svg}text"):
            if "mono" in str(label.get("class")):
                assert float(str(label.get("x"))) + 7.6 * len(str(label.text)) < 452


def test_the_live_form_tells_milliseconds_of_every_message_drawn() -> None:
    view = sequence_diagram(lost_answer().frames)
    assert len(view.details) == 6
    assert view.details[0].startswith("0.0 ms: me -> broker 2: Produce; orders-0 (p1, 0, 0) 1 record")
    assert view.details[1].endswith(" ms after its request; 100 bytes")
    assert " ms" not in view.equivalent


def test_in_a_long_recording_details_belong_to_the_messages_drawn() -> None:
    wire = Wire()
    for number in range(500):
        wire.exchange(number)
    view = sequence_diagram(wire.frames)
    parts = {int(node.get("data-part", -1)) for node in view.picture.svg.iter()} - {-1}
    assert parts == set(range(len(view.details)))
    assert "seq" not in view.details[-1]
    assert "base offset 499" in view.details[-1]
