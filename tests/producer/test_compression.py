"""Codecs, read back by kafka-python's decoders; and the estimate of what fits into a batch."""

import random
import time

import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from kafka.record import MemoryRecords
from records import Raw, encode

from kafkalab.producer.compression import CompressionRatioEstimator, compressor
from kafkalab.producer.record_batch import encode_records

DECODE = {"gzip": gzip_decode, "snappy": snappy_decode, "lz4": lz4_decode, "zstd": zstd_decode}
LEVELS = {
    "gzip": [-1, *range(1, 10)],
    "snappy": [],
    "lz4": range(1, 18),
    "zstd": [-131072, -5, 0, *range(1, 23)],
}
EVERY = [(name, level) for name, levels in LEVELS.items() for level in (None, *levels)]


def like_json(size, seed=0):
    """Records as applications write them: the same names, different values."""
    pick = random.Random(seed)
    records = []
    for n in range(size // 50 + 1):  # a record takes more than 50 bytes
        user, amount = pick.randrange(5000), pick.random()
        value = f'{{"id":{pick.randrange(10**9)},"user":"user-{user}","amount":{amount:.4f}}}'
        records.append(Raw(1_700_000_000_000 + n, b"%d" % pick.randrange(99), value.encode()))
    return encode_records(records)


TEXT = like_json(70_000)
NOISE = random.Random(1).randbytes(70_000)  # 70 kB: more than one block of snappy and LZ4


@pytest.mark.parametrize(("name", "level"), EVERY)
def test_every_level_of_every_codec_is_read_by_kafka_python(name, level):
    codec = compressor(name, level)
    assert codec.name == name
    for data in (TEXT, NOISE, b"x", b"\0" * 200_000):
        assert DECODE[name](codec.compress(data)) == data
    assert len(codec.compress(TEXT)) < len(TEXT) or level == -131072


@pytest.mark.parametrize("name", list(DECODE))
@settings(max_examples=50, deadline=None)
@given(
    batch=st.lists(
        st.builds(
            Raw,
            st.integers(0, 2**41),
            st.none() | st.binary(max_size=40),
            st.none() | st.binary(max_size=400),
            st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=2),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_compressed_batches_are_read_by_kafka_python(name, batch):
    codec = compressor(name)
    memory = MemoryRecords(encode(batch, codec=codec))
    (read,) = iter(memory.next_batch, None)
    assert read.validate_crc()
    assert read.compression_type == codec.id
    found = [Raw(each.timestamp, each.key, each.value, each.headers) for each in read]
    assert found == [record._replace(headers=list(record.headers)) for record in batch]


def test_without_compression_there_is_no_codec():
    assert compressor("none") is compressor(None) is None
    assert [compressor(name).id for name in DECODE] == [1, 2, 3, 4]


def test_levels_reach_the_library():
    sizes = {(name, level): len(compressor(name, level).compress(TEXT)) for name, level in EVERY}
    assert sizes["gzip", 9] < sizes["gzip", 1]
    assert sizes["zstd", 19] < sizes["zstd", 3] == sizes["zstd", None] < sizes["zstd", -5]
    assert sizes["lz4", 12] < sizes["lz4", 4] < sizes["lz4", 9] == sizes["lz4", None]  # 9 is the fast mode


def test_frames_are_those_that_java_writes():
    data = compressor("lz4").compress(NOISE)
    info = lz4.frame.get_frame_info(data)
    assert (info["block_size_id"], info["block_linked"]) == (lz4.frame.BLOCKSIZE_MAX64KB, False)
    assert (info["content_size"], info["content_checksum"], info["block_checksum"]) == (0, False, False)
    assert compressor("snappy").compress(NOISE)[:16] == b"\x82SNAPPY\0" + b"\0\0\0\1" * 2
    assert compressor("gzip").compress(NOISE)[:3] == b"\x1f\x8b\x08"
    assert zstandard.get_frame_parameters(compressor("zstd").compress(NOISE)).has_checksum is False


# --- the estimator --------------------------------------------------------------------------------

BATCH = 16_384


def fill(estimator, codec, batches, size=BATCH, data=like_json):
    """Send `batches` full batches; return how full they came out, as shares of `size`."""
    shares = []
    for number in range(batches):
        payload = data(estimator.raw_limit("t", size), seed=number)[: estimator.raw_limit("t", size)]
        compressed = len(codec.compress(payload))
        estimator.observe("t", len(payload), compressed)
        shares.append(compressed / size)
    return shares


@pytest.mark.parametrize("size", [4_000, BATCH, 131_072])
@pytest.mark.parametrize("name", list(DECODE))
def test_batches_come_out_full_from_the_third_on(name, size):
    shares = fill(CompressionRatioEstimator(), compressor(name), 8, size)
    later = shares[3:]
    assert 0.75 < min(later) <= max(later) < 1.05


@pytest.mark.parametrize("name", list(DECODE))
def test_a_lonely_first_record_does_not_make_later_batches_small(name):
    """Java's estimate goes up to this record's ratio and then comes down by 0.005 per batch."""
    codec = compressor(name)
    alone = CompressionRatioEstimator()
    lonely = like_json(1)
    for _ in range(20):
        alone.observe("t", len(lonely), len(codec.compress(lonely)))
    assert len(codec.compress(lonely)) > 0.9 * len(lonely)
    without, after = fill(CompressionRatioEstimator(), codec, 4), fill(alone, codec, 4)
    assert after == pytest.approx(without, rel=0.05)
    assert fill(java(lonely, codec), codec, 4)[-1] < 0.6 * after[-1]  # the control


def java(first, codec):
    """Return what Java's rules make of it, with the same interface."""

    class Java(CompressionRatioEstimator):
        current = 1.0

        def ratio(self, topic):
            return self.current

        def observe(self, topic, raw, compressed):
            seen = compressed / raw
            up, down = max(self.current + 0.05, seen), max(self.current - 0.005, seen)
            self.current = up if seen > self.current else down

    estimator = Java()
    estimator.observe("t", len(first), len(codec.compress(first)))
    return estimator


def test_when_data_stops_compressing_a_few_batches_are_too_large():
    estimator, codec = CompressionRatioEstimator(), compressor("zstd")
    fill(estimator, codec, 5)
    shares = fill(estimator, codec, 6, data=lambda size, seed: random.Random(seed).randbytes(size))
    assert 2 < shares[0] < 6  # the batch was full before anybody could know
    assert shares[1] < 2
    assert max(shares[4:]) < 1.2


def test_limits():
    estimator = CompressionRatioEstimator()
    assert estimator.raw_limit("never seen", BATCH) == BATCH
    for _ in range(50):
        estimator.observe("zeros", 100_000, 100)
        estimator.observe("noise", 100_000, 110_000)
    assert estimator.raw_limit("zeros", BATCH) == 20 * BATCH
    assert estimator.raw_limit("noise", BATCH) == BATCH
    assert estimator.raw_limit("zeros", 0) == 0


def test_the_table():
    """Print ratio and time per codec for 16 KiB of records like JSON: `pytest -s -k the_table`."""
    data = like_json(BATCH)
    ratios = {}
    for name, level in [("gzip", -1), ("gzip", 1), ("snappy", None), ("lz4", 9), ("lz4", 4), ("zstd", 3)]:
        codec = compressor(name, level)
        started = time.perf_counter()
        for _ in range(20):
            compressed = codec.compress(data)
        micros = (time.perf_counter() - started) / 20 * 1e6
        ratios[name, level] = len(compressed) / len(data)
        print(f"{name:8}{level or '':>4}{ratios[name, level]:8.2f}{micros:8.0f} us")  # noqa: T201
    assert ratios["zstd", 3] < ratios["gzip", 1] < ratios["lz4", 4] < ratios["snappy", None] < 0.6
