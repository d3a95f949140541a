"""Partition choice, held against kafka-python's murmur2 and Java's published vectors."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner as StockPartitioner
from kafka.partitioner.default import murmur2 as stock_murmur2

from kafkalab.producer import DefaultPartitioner, Partitions, RoundRobinPartitioner, murmur2


@given(st.binary(max_size=100))
def test_murmur2_equals_kafka_python(data):
    assert murmur2(data) == stock_murmur2(data) & 0xFFFFFFFF


@pytest.mark.parametrize(  # Kafka's own UtilsTest
    ("data", "java"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_equals_java(data, java):
    assert murmur2(data) == java & 0xFFFFFFFF


def test_a_key_stays_where_it_is_even_if_its_partition_has_no_leader():
    partitioner = DefaultPartitioner()
    home = partitioner.partition("t", b"key", None, Partitions(range(5)))
    others = [p for p in range(5) if p != home]
    assert partitioner.partition("t", b"key", None, Partitions(range(5), available=others)) == home


def test_without_a_key_it_sticks_until_the_share_is_used_and_the_batch_is_full():
    partitioner, six = DefaultPartitioner(seed=1, sticky_bytes=1000), Partitions(range(6))
    first = partitioner.partition("t", None, b"", six)
    partitioner.on_append("t", first, 1100, False, six)
    assert partitioner.partition("t", None, b"", six) == first
    partitioner._random.choice = lambda choices: (first + 1) % 6
    partitioner.on_append("t", first, 10, True, six)
    assert partitioner.partition("t", None, b"", six) == (first + 1) % 6


def test_it_moves_on_after_twice_the_share_even_if_the_batch_is_not_full():
    partitioner, six = DefaultPartitioner(sticky_bytes=1000), Partitions(range(6))
    first = partitioner.partition("t", None, b"", six)
    partitioner._random.choice = lambda choices: (first + 1) % 6
    partitioner.on_append("t", first, 2000, False, six)
    assert partitioner.partition("t", None, b"", six) != first


def test_a_seed_repeats_the_draws_and_draws_are_spread():
    def draws(seed):
        partitioner, six = DefaultPartitioner(seed=seed, sticky_bytes=1), Partitions(range(6))
        for _ in range(600):
            chosen = partitioner.partition("t", None, b"", six)
            partitioner.on_append("t", chosen, 1, True, six)
            yield chosen

    assert list(draws(7)) == list(draws(7))
    counts = Counter(draws(7))
    assert set(counts) == set(range(6))
    assert min(counts.values()) > 60


def test_partitions_without_a_leader_are_not_drawn():
    partitioner = DefaultPartitioner(sticky_bytes=1)
    some = Partitions(range(6), available=[2, 4])
    for _ in range(50):
        chosen = partitioner.partition("t", None, b"", some)
        assert chosen in {2, 4}
        partitioner.on_append("t", chosen, 1, True, some)


def test_keys_can_be_ignored():
    partitioner = DefaultPartitioner(ignore_keys=True)
    chosen = {partitioner.partition("t", b"%d" % i, None, Partitions(range(6))) for i in range(200)}
    assert len(chosen) == 1


def test_round_robin_ignores_keys_and_skips_the_leaderless():
    partitioner = RoundRobinPartitioner()
    some = Partitions(range(3), available=[0, 2])
    assert [partitioner.partition("t", b"same", None, some) for _ in range(4)] == [0, 2, 0, 2]


class StockCluster:
    """As much of kafka-python's ClusterMetadata as its partitioner looks at: one topic, `t`."""

    def __init__(self, count):
        self._partitions = set(range(count))

    def topics(self):
        return {"t"}

    def partitions_for_topic(self, topic):
        return self._partitions

    available_partitions_for_topic = partitions_for_topic


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12])
def test_keys_go_where_kafka_python_sends_them(count):
    ours, theirs = DefaultPartitioner(), StockPartitioner()
    for key in (b"", *(b"key %d" % i for i in range(200))):
        expected = theirs.partition("t", key, key, None, None, StockCluster(count))
        assert ours.partition("t", key, None, Partitions(range(count))) == expected
