"""The bytes, held against kafka-python's encoder and decoder."""

import struct

import pytest
from crc32c import crc32c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from records import Raw, encode

from kafkalab.producer.record_batch import (
    HEADER_SIZE,
    VARINT,
    ProducerState,
    decode_records,
    encode_records,
    record_size,
)

headers = st.lists(st.tuples(st.text(max_size=40), st.none() | st.binary(max_size=80)), max_size=4)
# Where a length starts to take one more byte, and beyond.
big = (st.integers(60, 66) | st.integers(8185, 8195) | st.just(1_048_577)).map(lambda size: b"x" * size)
data = st.none() | st.binary(max_size=400) | big
timestamps = st.integers(0, 2**41) | st.integers(1_700_000_000_000, 1_700_000_000_200)
records = st.lists(st.builds(Raw, timestamps, data, data, headers), min_size=1, max_size=80)


def stock_encoder(batch):
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=2**30)
    for record in batch:
        builder.append(record.timestamp_ms, record.key, record.value, list(record.headers))
    builder.close()
    return bytes(builder.buffer())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(records)
def test_bytes_equal_those_of_kafka_python(batch):
    assert encode(batch) == stock_encoder(batch)


@settings(max_examples=100, deadline=None)
@given(records)
def test_size_is_known_without_encoding(batch):
    base = batch[0].timestamp_ms
    sizes = [record_size(record.body, i, record.timestamp_ms - base) for i, record in enumerate(batch)]
    assert HEADER_SIZE + sum(sizes) == len(encode(batch))


def test_sizes_and_bytes_are_exact_where_offsets_take_one_more_byte():
    batch = [Raw(1000 - 70 * number, None, b"") for number in range(8300)]
    sizes = [record_size(record.body, i, -70 * i) for i, record in enumerate(batch)]
    assert HEADER_SIZE + sum(sizes) == len(encode(batch))
    assert encode(batch) == stock_encoder(batch)
    assert sizes[0] < sizes[1] < sizes[64] < sizes[8192]


@settings(max_examples=100, deadline=None)
@given(records, st.integers(0, 2**62), st.integers(0, 2**15 - 1), st.integers(0, 2**31 - 1))
def test_kafka_python_reads_everything_back(batch, producer_id, epoch, sequence):
    encoded = encode(batch, ProducerState(producer_id, epoch, sequence))
    read = MemoryRecords(encoded).next_batch()
    assert read.validate_crc()
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == (producer_id, epoch, sequence)
    assert [Raw(r.timestamp, r.key, r.value, r.headers) for r in read] == batch


@pytest.mark.parametrize("flip", [21, 40, 60, HEADER_SIZE + 3])
def test_the_checksum_covers_everything_from_the_attributes_on(flip):
    encoded = bytearray(encode([Raw(1, b"key", b"value")]))
    (stated,) = struct.unpack_from(">I", encoded, 17)
    assert crc32c(encoded[21:]) == stated
    encoded[flip] ^= 1
    assert crc32c(encoded[21:]) != stated


def test_offset_and_leader_epoch_may_be_written_by_the_broker():
    encoded = bytearray(encode([Raw(1, None, b"value")]))
    encoded[0:8] = struct.pack(">q", 4711)
    encoded[12:16] = struct.pack(">i", 7)
    assert MemoryRecords(bytes(encoded)).next_batch().validate_crc()


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "00"),
        (-1, "01"),
        (1, "02"),
        (63, "7e"),
        (64, "8001"),
        (-64, "7f"),
        (-65, "8101"),
        (8191, "fe7f"),
        (8192, "808001"),
    ],
)
def test_varints(number, expected):
    assert VARINT[number].hex() == expected


@settings(max_examples=100, deadline=None)
@given(records)
def test_records_are_read_back_as_they_were(batch):
    found = list(decode_records(encode_records(batch), len(batch), batch[0].timestamp_ms))
    assert found == [record._replace(headers=tuple(record.headers)) for record in batch]
