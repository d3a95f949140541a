from __future__ import annotations

import base64
import re
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest

from kafkalab.course import visual_language
from kafkalab.course.cards import Picture
from kafkalab.course.markup import html
from kafkalab.course.views import cluster, journey, language, style
from kafkalab.course.views.live import Explorer

SVG = "{http://www.w3.org/2000/svg}"


class Event(NamedTuple):
    name: str
    data: dict[str, Any]


class Timed(NamedTuple):
    name: str
    data: dict[str, Any]
    at: float


def life(record: int, batch: int, *, opens: bool = True) -> list[Event]:
    where = {"topic": "orders", "partition": 1}
    return [
        Event("send", {"record": record, "topic": "orders"}),
        Event("intercepted", {"record": record}),
        Event("serialized", {"record": record, "key": b"ann", "value": b"books"}),
        Event("partitioned", {"record": record, **where}),
        *([Event("new_batch", {"batch": batch, **where})] if opens else []),
        Event("appended", {"record": record, "batch": batch, **where}),
    ]


def sent(batch: int, *, error: int = 0, why: str = "linger") -> list[Event]:
    end = Event("retried", {"batch": batch, "error": "NotEnoughReplicasError"}) if error else None
    return [
        Event("drained", {"batch": batch, "why": why}),
        Event("request", {"node": 2, "batches": [batch, 7]}),
        Event("response", {"batch": batch, "error": error, "base_offset": -1 if error else 41}),
        end or Event("completed", {"batch": batch, "base_offset": 41}),
    ]


EVENTS = [*life(0, 0), *life(1, 0, opens=False), *life(2, 1), *sent(0)]


def root(picture: Picture | Explorer) -> ET.Element:
    data = html((picture if isinstance(picture, Picture) else picture.picture).markup)
    match = re.search(r"base64,([^\"]+)", data)
    assert match is not None
    return ET.fromstring(base64.b64decode(match[1]))


def titles(picture: Explorer) -> list[str]:
    return [line.split(". ", 1)[1].split(", ")[0] for line in picture.equivalent.splitlines()]


def test_journey_tells_one_record_and_its_batch_in_order() -> None:
    assert journey.journey(EVENTS).equivalent.splitlines() == [
        "1. Your thread: send(), to topic orders",
        "2. Your thread: Interceptors, each may change the record",
        "3. Your thread: Serializers, key 3 B, value 5 B",
        "4. Your thread: Partitioner, partition 1",
        "5. Your thread: A batch is opened, for orders-1",
        "6. Your thread: Accumulator, joins a batch of orders-1",
        "7. I/O thread: The batch is drained, linger.ms is over",
        "8. I/O thread: Produce request, to broker 2, 2 batches",
        "9. Broker 2: Appended to the log, at offset 41",
        "10. I/O thread: Future and callback, at offset 41",
    ]


def test_an_answer_to_acks_all_speaks_for_the_followers() -> None:
    for acks, error, copied in [(-1, 0, True), (1, 0, False), (-1, 19, False)]:
        events = [*life(0, 0), *sent(0, error=error)]
        asked = next(event for event in events if event.name == "request")
        asked.data["acks"] = acks
        assert ("Copied by followers" in journey.journey(events).equivalent) is copied


def test_a_later_record_joins_an_open_batch_and_has_its_own_offset() -> None:
    words = journey.journey(EVENTS, record=1).equivalent
    assert "opened" not in words
    assert words.endswith("at offset 42")


def test_a_batch_has_a_journey_of_its_own() -> None:
    picture = journey.journey(EVENTS, batch=0)
    assert "send()" not in picture.equivalent
    assert picture.equivalent.endswith("from offset 41")
    assert "batch 0" in picture.alt


def test_a_refused_batch_is_drawn_with_its_error_and_its_second_try() -> None:
    events = [*life(0, 0), *sent(0, error=19), *sent(0, why="retry")]
    words = journey.journey(events).equivalent
    assert "Broker 2: Refused, NotEnoughReplicas" in words
    assert "Back into the queue, NotEnoughReplicasError" in words
    assert "once more, after an error" in words


def test_a_record_still_waiting_is_drawn_up_to_there() -> None:
    assert titles(journey.journey(EVENTS, record=2))[-1] == "Your thread: Accumulator"


def test_a_record_nobody_sent_is_an_error() -> None:
    with pytest.raises(LookupError, match="knows nothing of record 9"):
        journey.journey(EVENTS, record=9)


def test_hand_overs_stay_on_their_row() -> None:
    places = journey.place([journey.Step(lane, "batch", "", "") for lane in (0, 0, 1, 1, 2, 1)])
    assert [place.row for place in places] == [0, 1, 1, 2, 2, 3]


def test_the_picture_has_a_box_a_step_and_no_time_in_it() -> None:
    svg = root(journey.journey(EVENTS))
    boxes = [node for node in svg.iter(f"{SVG}rect") if str(node.get("class")).endswith("-box")]
    assert len(boxes) == 10


def test_times_are_for_the_live_form_only() -> None:
    timed = [Timed(event.name, event.data, at / 1000) for at, event in enumerate(EVENTS)]
    view = journey.journey(timed)
    plain = journey.journey(EVENTS)
    assert html(view.picture.markup) == html(plain.picture.markup)
    assert "data-part" not in html(view.picture.markup)
    assert view.drawing.count("data-part") == len(view.details) == 10
    assert view.details[1] == ("2. Your thread: Interceptors, each may change the record (1.000 ms later)")
    assert plain.details[1] == "2. Your thread: Interceptors, each may change the record"


def test_a_refused_record_ends_on_the_callers_thread() -> None:
    events = [*life(0, 0)[:1], Event("refused", {"record": 0, "error": "MetadataTimeoutError"})]
    words = journey.journey(events).equivalent
    assert words.endswith("2. Your thread: Refused by send(), MetadataTimeoutError")


def test_cluster_picture_looks_at_the_cluster(fake_cluster: Any) -> None:
    class Node(NamedTuple):
        node_id: int
        role: str
        state: str

    class Status(NamedTuple):
        nodes: list[Node]

    brokers = [Node(1, "broker", "dead"), Node(2, "broker", "running")]
    fake_cluster.status = lambda: Status([Node(100, "controller", "running"), *brokers])
    fake_cluster.leader = lambda topic, partition: None
    fake_cluster.isr = lambda topic, partition: [1]
    fake_cluster.replicas = lambda topic, partition: [1, 2]
    words = cluster.cluster_picture(fake_cluster, "orders").equivalent
    assert words.splitlines()[:2] == [
        "broker 1 dead; broker 2 running",
        "  orders-0: broker 1 in sync, broker 2 behind; no leader",
    ]
    del brokers[1]
    assert cluster.cluster_picture(fake_cluster, "orders").equivalent == "broker 1 dead"


def test_cluster_says_who_leads_who_is_behind_and_who_is_dead() -> None:
    rows = [
        cluster.Replicas("orders-0", 1, (1, 2), (1,)),
        cluster.Replicas("orders-1", None, (2,), (2,)),
    ]
    picture = cluster.draw({1: "running", 2: "dead", 3: "paused"}, rows)
    assert picture.equivalent.splitlines() == [
        "broker 1 running; broker 2 dead; broker 3 paused",
        "  orders-0: broker 1 leader, broker 2 behind",
        "  orders-1: broker 2 in sync; no leader",
    ]
    drawn = [node.text for node in root(picture).iter(f"{SVG}text")]
    assert "✕ dead" in drawn
    assert drawn.count("leader") == 1


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    bright, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize("kind", style.KINDS)
def test_text_is_readable_in_both_schemes(kind: str, scheme: int) -> None:
    colours = {name: pair[scheme] for name, pair in style.COLOURS.items()}
    for ink in ("ink", "muted", kind):
        assert contrast(colours[ink], colours[f"{kind}-wash"]) >= 4.5, ink
    assert contrast(colours[kind], colours["ground"]) >= 4.5
    assert contrast(colours["muted"], colours["lane"]) >= 4.5


def test_the_legend_has_every_sign() -> None:
    picture = visual_language()
    assert len(picture.equivalent.splitlines()) == 1 + len(style.KINDS) + len(language.STROKES)
    assert set(language.SIGNS) == set(language.SHAPES) == set(style.KINDS)
    drawn = {str(node.get("class")) for node in root(picture).iter()}
    assert {f"{kind}-box" for kind in style.KINDS} <= drawn


def test_long_words_are_cut() -> None:
    assert style.fit("abcdefghij", 40, 8) == "abcd…"
    assert style.fit("abc", 40, 8) == "abc"
