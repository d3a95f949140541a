"""Partition choice, held against kafka-python's murmur2 and Java's published vectors."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner as StockPartitioner
from kafka.partitioner.default import murmur2 as stock_murmur2

from kafkalab.producer import DefaultPartitioner, Partitions, RoundRobinPartitioner, TopicPartition, murmur2


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


def move(partitioner, partition, appended, partitions, size=10, **waiting):
    """Tell of a record that needs a new batch; `waiting` is p0=3 for three batches queued in partition 0."""
    load = {int(name[1:]): batches for name, batches in waiting.items()}
    target = TopicPartition("t", partition)
    moved = partitioner.on_new_batch(target, size, partitions, lambda _: appended, lambda _: load)
    return moved.partition


def test_without_a_key_it_sticks_until_its_share_is_used_and_counts_anew_where_it_moves_to():
    partitioner, six = DefaultPartitioner(seed=1, sticky_bytes=1000), Partitions(range(6))
    first = partitioner.partition("t", None, b"", six)
    partitioner._random.choice = lambda choices: (first + 1) % 6
    assert move(partitioner, first, 0, six) == first
    assert move(partitioner, first, 980, six) == first
    assert partitioner.partition("t", None, b"", six) == first
    had = {first: 990, (first + 1) % 6: 5000}
    target = TopicPartition("t", first)
    second = partitioner.on_new_batch(target, 10, six, lambda to: had[to.partition], lambda _: {})
    assert second.partition == partitioner.partition("t", None, b"", six) == (first + 1) % 6
    assert move(partitioner, second.partition, 5980, six) == second.partition
    partitioner._random.choice = lambda choices: first
    assert move(partitioner, second.partition, 5990, six) == first


def test_a_partition_that_is_not_the_sticky_one_is_kept():
    partitioner, six = DefaultPartitioner(seed=1, sticky_bytes=1), Partitions(range(6))
    first = partitioner.partition("t", None, b"", six)
    other = (first + 1) % 6
    assert [move(partitioner, other, 10_000, six) for _ in range(20)] == [other] * 20


def drawn(count=600, seed=7, partitions=None, **waiting):
    partitioner = DefaultPartitioner(seed=seed, sticky_bytes=1)
    partitions = partitions or Partitions(range(6))
    chosen = partitioner.partition("t", None, b"", partitions)
    for number in range(count):
        chosen = move(partitioner, chosen, 10 * number, partitions, **waiting)
        yield chosen


def test_a_seed_repeats_the_draws_and_draws_are_spread():
    assert list(drawn()) == list(drawn()) != list(drawn(seed=8))
    counts = Counter(drawn())
    assert set(counts) == set(range(6))
    assert min(counts.values()) > 60


def test_partitions_with_waiting_batches_are_drawn_less_often():
    counts = Counter(drawn(6000, p0=9, p1=4))
    shares = [counts[p] / 6000 * 36 for p in range(6)]  # of 1 + 6 + 4 x 10 = 47 parts: 0.8, 4.6, 7.7 of 36
    assert 0.3 < shares[0] < 1.5
    assert 3.5 < shares[1] < 6 < min(shares[2:])


def test_without_adaptive_partitioning_waiting_batches_do_not_matter():
    partitioner = DefaultPartitioner(seed=7, sticky_bytes=1, adaptive=False)
    plain = DefaultPartitioner(seed=7, sticky_bytes=1)
    six = Partitions(range(6))
    chosen, other = (each.partition("t", None, b"", six) for each in (partitioner, plain))
    for number in range(100):
        chosen = move(partitioner, chosen, 10 * number, six, p0=9)
        other = move(plain, other, 10 * number, six)
        assert chosen == other


def test_partitions_without_a_leader_are_not_drawn():
    assert set(drawn(50, partitions=Partitions(range(6), available=[2, 4]))) == {2, 4}


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
