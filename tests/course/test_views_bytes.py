from __future__ import annotations

import itertools
import re
import time
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.producer import ProduceRequest
from kafka.record.default_records import DefaultRecordBatch

from kafkalab.course.markup import html, xml
from kafkalab.course.views.bytes import MOST_CELLS, bytes_view
from kafkalab.course.views.compare import bytes_compare
from kafkalab.course.views.fields import Field, is_request, parse, record_batches
from kafkalab.course.views.folding import condense
from kafkalab.course.views.live import Explorer
from kafkalab.producer.compression import compressor
from kafkalab.producer.record_batch import (
    NOBODY,
    Payload,
    ProducerState,
    RawRecord,
    encode_batch,
    encode_records,
)

ALPHABET = bytes(range(97, 122))
NOON = 1_700_000_000_000
CRC_AT, COUNT_AT, RECORDS_AT = 17, 57, 61
TOPIC_ID = "12345678-1234-5678-1234-567812345678"


def batch(
    records: Sequence[RawRecord], state: ProducerState = NOBODY, codec: Any = None, level: Any = None
) -> bytes:
    data = encode_records(records)
    packer = compressor(codec, level)
    times = [record[0] for record in records]
    packed = packer.compress(data) if packer else data
    return encode_batch(
        Payload(packed, len(records), times[0], max(times), packer.id if packer else 0), state
    )


def simple(count: int = 2, at: int = NOON, value: bytes = b"hello") -> list[RawRecord]:
    return [(at, b"k%d" % number, value, ()) for number in range(count)]


def request(version: int, batches: Sequence[bytes], transactional_id: str | None = None) -> bytes:
    topic = ProduceRequest.TopicProduceData
    data = [topic.PartitionProduceData(index=at, records=each) for at, each in enumerate(batches)]
    named = {"topic_id": TOPIC_ID} if version > 12 else {"name": "orders"}
    message = ProduceRequest(
        transactional_id=transactional_id,
        acks=-1,
        timeout_ms=30_000,
        topic_data=[topic(partition_data=data, **named)],
        version=version,
    )
    message.with_header(correlation_id=7, client_id="me")
    return bytes(message.encode(header=True, framed=True))


def leaves(fields: Sequence[Field]) -> list[Field]:
    return [field for field in fields if field.leaf]


def values(fields: Sequence[Field]) -> dict[str, str]:
    return {field.name: field.value for field in fields}


def faults(raw: bytes) -> dict[str, str]:
    return {field.name: field.meaning for field in parse(raw) if field.kind == "failure"}


def assert_tiled(raw: bytes) -> None:
    at = 0
    for field in leaves(parse(raw)):
        assert field.start == at, field
        at = field.end
    assert at == len(raw)


contents = st.none() | st.binary(max_size=80)
headers = st.lists(st.tuples(st.text(max_size=5), contents), max_size=2)
raw_records = st.tuples(st.integers(NOON, NOON + 10_000), contents, contents, headers)


@given(st.lists(raw_records, min_size=1, max_size=5), st.integers(-1, 2**40))
def test_every_byte_belongs_to_one_field_and_values_are_kafka_pythons(
    records: list[RawRecord], producer_id: int
) -> None:
    raw = batch(records, ProducerState(producer_id, 3, 17))
    assert_tiled(raw)
    theirs = DefaultRecordBatch(raw)
    ours = values(parse(raw))
    assert int(ours["producer id"]) == theirs.producer_id == producer_id
    assert int(ours["base sequence"]) == theirs.base_sequence
    assert int(ours["crc"]) == theirs.crc
    assert int(ours["max timestamp"]) == theirs.max_timestamp
    told = [field for field in parse(raw) if field.name in {"key", "value"}]
    expected = [part for record in theirs for part in (record.key, record.value) if part is not None]
    assert [raw[field.start : field.end] for field in told] == expected
    assert faults(raw) == {}


@pytest.mark.parametrize("version", range(3, 14))
def test_a_produce_request_is_walked_in_every_version(version: int) -> None:
    batches = [batch(simple(), ProducerState(4000, 0, 5)), batch(simple(3))]
    raw = request(version, batches, "tx")
    assert is_request(raw)
    assert_tiled(raw)
    told = values(parse(raw))
    assert told["client id"] == "'me'"
    assert told["transactional id"] == "'tx'"
    assert told["acks"] == "-1"
    assert told["topic id" if version > 12 else "name"] == (TOPIC_ID if version > 12 else "'orders'")
    assert record_batches(raw) == batches
    assert faults(raw) == {}


@given(st.binary(max_size=200) | st.just(batch(simple())), st.data())
def test_no_bytes_at_all_make_it_raise(raw: bytes, data: st.DataObject) -> None:
    changed = bytearray(raw)
    for _ in range(data.draw(st.integers(0, 3))) if changed else ():
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(changed[: data.draw(st.integers(0, len(changed)))])
    assert_tiled(cut)
    xml(bytes_view(cut).picture.svg)


@pytest.mark.parametrize(
    ("change", "field", "why"),
    [
        (lambda raw: raw[:-2], "cannot be read", "header count|goes beyond the end|in the middle"),
        (lambda raw: raw[:-2], "batch length", r"says \d+, but \d+ bytes follow"),
        (lambda raw: raw + b"\0", "cannot be read", "nothing should follow here"),
        (lambda raw: raw[:-1] + b"\7", "crc", "does not fit the bytes that follow it"),
        (lambda raw: raw[:16] + b"\1" + raw[17:], "magic", "not a record batch of format 2"),
        (lambda raw: raw[:RECORDS_AT] + b"\2" + raw[62:], "cannot be read", "record 0 has length 1, but"),
        (lambda raw: raw[:22] + b"\1" + raw[23:], "cannot be read", "cannot be unpacked"),
        (lambda _: b"", "cannot be read", "in the middle of a field"),
    ],
)
def test_what_is_wrong_is_marked(change: Any, field: str, why: str) -> None:
    raw = change(batch(simple()))
    assert re.search(why, faults(raw)[field])
    assert "✕ " + field in "".join(bytes_view(raw).picture.svg.itertext())
    assert f"WRONG {field}" in bytes_view(raw).equivalent


def test_a_check_can_point_at_a_byte() -> None:
    raw = batch(simple())
    view = bytes_view(raw, wrong={COUNT_AT + 3: "there are three records"})
    assert "WRONG record count = 2 - there are three records" in view.equivalent
    with pytest.raises(LookupError, match=f"byte {len(raw)}; there are only {len(raw)} bytes"):
        bytes_view(raw, wrong={len(raw): "beyond"})


def test_what_differs_between_runs_is_masked() -> None:
    one = request(13, [batch(simple(at=NOON), ProducerState(4000, 0, 5))])
    other = request(13, [batch(simple(at=NOON + 999), ProducerState(8123, 0, 5))])
    other = other.replace(bytes.fromhex("1234567812345678"), bytes.fromhex("8765432187654321"))
    assert one != other
    assert stored(bytes_view(one)) == stored(bytes_view(other))
    assert stored(bytes_view(one, mask=False)) != stored(bytes_view(other, mask=False))
    assert "producer id = -1" in bytes_view(batch(simple())).equivalent, (
        "nobody's id is the same in every run"
    )


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_records_are_masked_whatever_their_size(codec: str) -> None:
    levels = {"gzip": (1, 9), "zstd": (1, 19), "lz4": (9, 12), "snappy": (None, None)}[codec]
    records = [(NOON, None, ALPHABET * (1 + number % 7) + b"%d" % number, ()) for number in range(40)]
    one, other = (request(9, [batch(records, codec=codec, level=level)]) for level in levels)
    assert (len(one) == len(other)) == (codec == "snappy")
    assert stored(bytes_view(one)) == stored(bytes_view(other))
    assert (
        f"40 records, {len(encode_records(records))} bytes unpacked; smaller: True"
        in bytes_view(one).equivalent
    )
    assert_tiled(one)


@pytest.mark.alone
def test_a_thousand_records_are_drawn_quickly_and_stored_small() -> None:
    raw = batch(simple(1_000, value=b"x" * 100))
    began = time.perf_counter()
    view = bytes_view(raw)
    bundle = view.static()._repr_mimebundle_()
    assert time.perf_counter() - began < 1
    assert sum(len(part) for part in bundle.values()) < 100_000
    assert "records 2 to 998" in view.equivalent


def test_in_a_long_batch_the_wrong_record_is_not_left_out() -> None:
    raw = batch(simple(100))
    (at,) = [field.start for field in parse(raw) if field.value == "'k50'"]
    words = bytes_view(raw, wrong={at: "not this one"}).equivalent
    assert "not this one" in words
    assert "records 2 to 49" in words
    assert "records 51 to 98" in words


def test_batches_of_one_request_are_folded_each_for_itself() -> None:
    raw = request(9, [batch(simple(9)), batch(simple(9))])
    names = [field.name for field in condense(parse(raw))]
    assert names.count("records 2 to 7") == 2
    assert names.count("record batch") == 2
    assert names[-1] == "tagged fields"


def test_words_stay_in_their_columns() -> None:
    long = [(NOON, b"k" * 50, "ä".encode() * 99, [("h" * 40, b"x")])]
    for view in (bytes_view(request(9, [batch(long)])), bytes_compare(batch(long), batch(simple(1)))):
        for group in ET.fromstring(xml(view.picture.svg)).iter("{http://www.w3.org/2000/svg}g"):
            assert_no_overlap(group)


def assert_no_overlap(group: ET.Element) -> None:
    spans = []
    for word in group.findall("{http://www.w3.org/2000/svg}text"):
        x, style = float(str(word.get("x"))), str(word.get("class"))
        width = 7.6 * len(str(word.text)) if "mono" in style else 6.5 * len(str(word.text))
        width = float(word.get("textLength", width))
        spans.append((x - width, x) if "end" in style.split() else (x, x + width))
    spans.sort()
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert end <= start, [str(word.text) for word in group]
    assert spans[-1][1] <= 850


def stored(view: Explorer) -> str:
    return html(view.static().markup)


def lines(view: Explorer) -> list[str]:
    return [line.strip() for line in view.equivalent.splitlines()]


def test_an_idempotent_batch_differs_in_three_fields() -> None:
    view = bytes_compare(batch(simple()), batch(simple(), ProducerState(4000, 0, 5)), ("plain", "idempotent"))
    told = lines(view)
    assert told[0] == "plain and idempotent: 3 fields differ"
    assert [line for line in told if "DIFFERENT" in line] == [
        "DIFFERENT producer id: -1 | (varies)",
        "DIFFERENT producer epoch: -1 | 0",
        "DIFFERENT base sequence: -1 | 5",
    ]
    assert xml(view.picture.svg).count("≠") == 3
    assert told[-1] == f"plain: {len(batch(simple()))} bytes; idempotent: {len(batch(simple()))} bytes"


def test_a_compressed_batch_differs_in_its_records_and_says_so() -> None:
    records = simple(50, value=b"hello " * 5)
    told = lines(bytes_compare(batch(records), batch(records, codec="gzip")))
    assert f"DIFFERENT records: {len(encode_records(records))} bytes | (varies)" in told
    assert "DIFFERENT attributes: 0 | 1" in told
    assert told[-1] == "after: fewer bytes than before"


def test_equal_batches_do_not_differ() -> None:
    told = lines(bytes_compare(batch(simple(at=NOON)), batch(simple(at=NOON + 1))))
    assert told[0] == "before and after: 0 fields differ"


def test_a_record_more_is_shown_on_one_side() -> None:
    told = lines(bytes_compare(batch(simple(1)), batch(simple(2))))
    assert "DIFFERENT key: not there | 'k1'" in told
    assert "DIFFERENT record count: 1 | 2" in told


def test_long_values_show_their_beginning() -> None:
    view = bytes_view(batch(simple(1, value=b"0123456789")))
    shown = [line for line in lines(view) if ": value = " in line]
    assert shown[0].split(":")[0].count(" ") == MOST_CELLS
    assert "…" in shown[0]


def test_the_live_form_hides_nothing_and_links_every_byte() -> None:
    raw = batch(simple(), ProducerState(4000, 0, 5))
    view = bytes_view(raw)
    assert "Bytes 43 to 50, producer id = 4000: who wrote it; -1: not idempotent" in view.details
    assert bytes.fromhex(view.bytes) == raw
    linked = [at for part, start, end in view.ranges for at in range(start, end)]
    assert linked == list(range(len(raw)))
    assert all(f"@{start} " in view.equivalent for _, start, _ in view.ranges)


def test_a_long_dump_is_cut() -> None:
    raw = batch(simple(100))
    view = bytes_view(raw)
    assert len(view.bytes) // 2 + view.left_out == len(raw)
    assert len(view.bytes) <= 2 * 512
