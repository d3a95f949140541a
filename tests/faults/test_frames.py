"""Bytes cut into frames, and what is read in them by hand, against kafka-python."""

import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.producer import ProduceRequest
from kafka.record.memory_records import MemoryRecordsBuilder
from upstream import frame_of

from kafkalab.faults import frames
from kafkalab.faults.errors import FrameError
from kafkalab.faults.frames import PartitionSeen, Request, batch_header, produce_has_answer, split

ID = uuid.UUID(int=3)


class Pieces:
    """A source that hands out bytes in pieces of the sizes given, over and over."""

    def __init__(self, data, sizes):
        self._data = data
        self._sizes = sizes
        self._turn = 0

    def recv_into(self, buffer, size=0, flags=0):
        count = min(self._sizes[self._turn % len(self._sizes)], len(buffer), len(self._data))
        self._turn += 1
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        return count


@given(
    bodies=st.lists(st.binary(max_size=60), max_size=12),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    whole=st.sets(st.integers(0, 11)),
)
def test_every_byte_comes_out_once_and_in_order_however_it_arrives(bodies, sizes, whole):
    sent = [frame_of(number, body) for number, body in enumerate(bodies)]
    out, begun = [], []

    def starts(arrived):
        begun.append(struct.unpack_from(">ihhi", arrived)[3])
        return begun[-1] in whole

    split(
        Pieces(b"".join(sent), sizes),
        12,
        starts,
        lambda part, more: out.append((bytes(part), more)),
        lambda frame: out.append((frame, False)),
    )
    assert b"".join(part for part, _ in out) == b"".join(sent)
    assert begun == list(range(len(bodies)))
    assert sum(not more for _, more in out) == len(bodies)
    assert {frame for frame, _ in out} >= {sent[number] for number in whole if number < len(sent)}


def test_a_frame_larger_than_the_buffer_is_cut_through():
    frame = frame_of(0, b"x" * (2 * frames.BUFFER))
    parts = []
    split(
        Pieces(frame, [1 << 16]),
        12,
        lambda _: False,
        lambda part, more: parts.append((len(part), more)),
        print,
    )
    assert sum(size for size, _ in parts) == len(frame)
    assert max(size for size, _ in parts) <= frames.BUFFER
    assert [more for _, more in parts] == [True] * (len(parts) - 1) + [False]


@pytest.mark.parametrize("size", [-1, 3, 1 << 29])
def test_an_impossible_size_is_refused(size):
    with pytest.raises(FrameError, match=str(size)):
        split(Pieces(struct.pack(">i", size) + b"." * 20, [64]), 12, print, print, print)


def test_an_end_in_the_middle_of_a_frame_is_a_broken_connection():
    with pytest.raises(ConnectionResetError):
        split(Pieces(frame_of(0, b"abc")[:-1], [64]), 12, lambda _: True, print, print)


def records(*, producer_id=-1, epoch=-1, sequence=-1, values=(b"v",)):
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 14)
    for value in values:
        builder.append(timestamp=1, key=None, value=value, headers=[])
    builder.close()
    data = bytearray(builder.buffer())
    struct.pack_into(">qhi", data, 43, producer_id, epoch, sequence)
    return bytes(data)


def produce_frame(version, acks=-1, transactional_id=None, client_id=b"me", **batch):
    topic = ProduceRequest.TopicProduceData
    message = ProduceRequest(
        version=version,
        transactional_id=transactional_id,
        acks=acks,
        timeout_ms=1,
        topic_data=[
            topic(
                version=version,
                **({"topic_id": ID} if version >= 13 else {"name": "t"}),
                partition_data=[topic.PartitionProduceData(index=3, records=records(**batch))],
            )
        ],
    )
    tags = b"\0" if version >= 9 else b""
    return frame_of(7, tags + bytes(message.encode()), 0, version, client_id)


@pytest.mark.parametrize("version", range(3, 14))
def test_a_produce_request_is_read_as_kafka_python_reads_it(version):
    frame = produce_frame(version, producer_id=4000, epoch=2, sequence=17, values=[b"a", b"b"])
    request = Request(frame, 1, {})
    assert (request.api_key, request.version, request.correlation_id, request.client_id) == (
        0,
        version,
        7,
        "me",
    )
    (seen,) = request.partitions
    assert seen == PartitionSeen("t" if version < 13 else str(ID), 3, seen.size, 2, 4000, 2, 17, crc=seen.crc)
    assert Request(frame, 1, {ID: "t"}).partitions[0].topic == "t"
    assert request.has_answer


@pytest.mark.parametrize("version", range(3, 14))
@pytest.mark.parametrize("name", [None, "", "tx"])
@pytest.mark.parametrize("acks", [-1, 0, 1])
def test_acks_is_found_in_the_beginning_or_more_is_asked_for(version, name, acks):
    frame = produce_frame(version, acks, name)
    seen = [produce_has_answer(memoryview(frame)[:end], version) for end in range(12, len(frame))]
    known = seen.index(bool(acks))
    assert seen[:known] == [None] * known
    assert set(seen[known:]) == {bool(acks)}
    assert known < 30


def test_a_batch_header_that_is_none_says_nothing():
    assert batch_header(b"short") == (5, 0, -1, -1, -1)
