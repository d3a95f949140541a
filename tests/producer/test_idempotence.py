"""Idempotence against a model of the leader: every schedule of refusals, lost answers and late arrivals."""

import random
import time

import pytest
from model_broker import INVALID_RECORD, NOT_ENOUGH_REPLICAS, StormyNetwork
from records import Raw, put_record

from kafkalab.producer import ProducerConfig, RecordAccumulator, Sender, TopicPartition, Trace
from kafkalab.producer.idempotence import MAX_EPOCH, Idempotence, LineState, sequence_after
from kafkalab.producer.metadata import Metadata
from kafkalab.producer.ordering import Ordering
from kafkalab.producer.transactions import ordering_of


class Storm:
    """The real Sender, accumulator and ordering on a stormy network, until every outcome is known."""

    def __init__(self, seed, partitions=2, ordering=ordering_of, **settings):
        settings = {"linger_ms": 0, "batch_size": 0, "retry_backoff_ms": 0, **settings}
        config = ProducerConfig(**settings)
        self.dice = random.Random(seed)
        self.network = StormyNetwork(self.dice, partitions)
        self.trace = Trace()
        self.accumulator = RecordAccumulator(config, self.trace)
        self.metadata = Metadata(config)
        self.ordering = ordering(config)
        self.sender = Sender(config, self.accumulator, self.metadata, self.network, self.ordering, self.trace)
        self.now = time.monotonic()
        self.metadata.use("t", self.now)
        self.sent = []

    def put(self, partition=0, value=None):
        value = b"%d" % len(self.sent) if value is None else value
        put = put_record(self.accumulator, TopicPartition("t", partition), Raw(0, None, value))
        self.sent.append((partition, value, put.future))
        return put

    def turn(self, seconds=0.001):
        self.now += seconds
        self.sender.run_once(self.now)

    def expire(self):
        """Let all that waits or is in flight exceed delivery_timeout_ms."""
        for batch in self.accumulator.incomplete():
            batch.created -= 1000
        self.sender._next_expiry = 0.0
        self.turn()

    def settle(self, most=5000):
        """Go on, calmly, until everything has an outcome."""
        self.network.calm = True
        while not all(future.done() for _, _, future in self.sent):
            most -= 1
            assert most, f"stalled: {self.accumulator.incomplete()}"
            self.turn()
            self.network.step()

    def line(self, partition=0):
        return self.ordering._lines[TopicPartition("t", partition)]

    def damage(self):
        """Name what is wrong with the logs: acknowledged and missing, there twice, or out of order."""
        found = set()
        for partition, log in enumerate(self.network.logs):
            mine = [(value, future) for number, value, future in self.sent if number == partition]
            stored, once = set(log.values), list(dict.fromkeys(log.values))
            if any(future.exception(0) is None and value not in stored for value, future in mine):
                found.add("lost")
            if once != log.values:
                found.add("duplicated")
            if once != [value for value, _ in mine if value in stored]:
                found.add("reordered")
        return found


def storm(seed, **settings):
    it = Storm(seed, **settings)
    for _ in range(400):
        if it.dice.random() < 0.3:
            it.put(it.dice.randrange(2))
        if it.dice.random() < 0.004:
            it.expire()
        it.turn()
        it.network.step()
    it.settle()
    return it.damage()


@pytest.mark.parametrize("seed", range(150))
def test_in_any_storm_each_record_is_stored_once_and_in_order(seed):
    assert storm(seed) == set()


def storm_of_splits(seed):
    """Batches of up to nine records; brokers take two, or four, or all; now and then not even one."""
    it = Storm(seed, batch_size=130, linger_ms=10)
    for turn in range(600):
        if it.dice.random() < 0.5:
            value = b"%d" % len(it.sent)
            it.put(it.dice.randrange(2), value + b"x" * 90 if it.dice.random() < 0.05 else value)
        if it.dice.random() < 0.003:
            it.expire()
        if turn % 100 == 0:
            for log in it.network.logs:
                log.most_bytes = it.dice.choice([80, 100, 2**31]) if turn else 80
        it.turn()
        it.network.step()
    it.settle()
    return it


@pytest.mark.parametrize("seeds", [range(start, start + 10) for start in range(0, 60, 10)])
def test_nor_does_splitting_in_a_storm_lose_double_or_reorder_anything(seeds):
    splits = 0
    for seed in seeds:
        it = storm_of_splits(seed)
        splits += it.sender.counted["batch_split_total"]
        assert (seed, it.damage()) == (seed, set())
        assert it.accumulator.pool.available == it.accumulator.pool.total
    assert splits > 20


def test_the_storm_is_one_without_idempotence_it_duplicates_and_reorders():
    damage = set().union(*(storm(seed, enable_idempotence=False) for seed in range(20)))
    assert damage == {"duplicated", "reordered"}


def test_a_refused_first_batch_loses_nothing_and_nothing_overtakes_it():
    it = Storm(1, partitions=1)
    it.network.calm = True
    it.network.refuse[b"0"] = NOT_ENOUGH_REPLICAS
    for _ in range(5):
        it.put()
    it.settle()
    assert it.damage() == set()
    assert it.network.logs[0].values == [b"0", b"1", b"2", b"3", b"4"]
    assert it.line().epoch == 0


class Careless(Idempotence):
    """Pipelines before the leader knows the producer id."""

    def admits(self, batch):
        if self.producer_id >= 0:
            self._line(batch).known = True
        return super().admits(batch)


def test_without_that_rule_the_first_batch_cannot_keep_its_place():
    it = Storm(1, partitions=1, ordering=Careless)
    it.network.calm = True
    it.network.refuse[b"0"] = NOT_ENOUGH_REPLICAS
    for _ in range(5):
        it.put()
    it.settle()
    assert it.network.logs[0].values != [b"0", b"1", b"2", b"3", b"4"]


def proven(partitions=1, **settings):
    it = Storm(1, partitions=partitions, **settings)
    it.network.calm = True
    for partition in range(partitions):
        it.put(partition)
    it.settle()
    return it


def test_a_proven_line_has_five_batches_out_and_no_more():
    it = proven()
    assert it.line().state is LineState.PROVEN
    it.network.most_in_flight = 100
    for _ in range(9):
        it.put()
    it.turn()
    assert len(it.network.queues[1]) + len(it.network.queues[2]) == 5
    assert [batch.stamp.base_sequence for batch in it.line().out] == [1, 2, 3, 4, 5]


def test_a_batch_refused_for_good_breaks_its_line_and_no_other():
    it = proven(partitions=2)
    it.network.refuse[b"a0"] = INVALID_RECORD
    for number in range(4):
        it.put(0, b"a%d" % number)
    it.turn()
    it.put(1, b"b")
    it.settle()
    assert it.damage() == set()
    assert it.network.logs[0].values == [b"0", b"a1", b"a2", b"a3"]
    assert (it.line(0).epoch, it.line(1).epoch) == (1, 0)
    assert it.line(0).state is LineState.PROVEN


def test_what_may_have_been_stored_gets_no_second_number():
    it = proven()
    it.put(0, b"late")
    it.turn()
    node = next(node for node, queue in it.network.queues.items() if queue)
    it.put(0, b"behind")
    (late, _) = it.accumulator.incomplete()
    it.turn()
    (_, fail_late), (unsent, fail_behind) = it.network.queues[node]
    late.created -= 1000
    it.sender._next_expiry = 0.0
    it.turn()
    assert late.delivery.done
    it.network.queues[node].clear()
    from kafka.errors import KafkaConnectionError, OutOfOrderSequenceNumberError

    fail_late(None, KafkaConnectionError("lost"))
    fail_behind(None, KafkaConnectionError("lost"))
    it.settle()
    behind = it.sent[-1][2]
    assert isinstance(behind.exception(0), OutOfOrderSequenceNumberError)
    it.network.logs[0].append(unsent.topic_data[0].partition_data[0].records)
    it.put(0, b"next")
    it.settle()
    assert it.damage() == set()
    assert it.network.logs[0].values == [b"0", b"next"]


@pytest.mark.parametrize("code", [3, 6, 7, 20, 56])
def test_an_error_told_after_the_append_does_not_rule_it_out(code):
    """Found by the campaign: a leader may lose its office, or its disk, while it waits for followers."""
    it = proven(retries=1)
    it.network.spoil = {b"a": code, b"b": code}
    for value in (b"a", b"b"):
        it.put(0, value)
        it.turn()
    it.settle()
    assert it.damage() == set()
    assert it.network.logs[0].values == [b"0", b"a", b"b"]


def test_sequences_wrap_around():
    assert sequence_after(2**31 - 1, 1) == 0
    assert sequence_after(2**31 - 3, 5) == 2
    it = proven()
    line = it.line()
    line.next_sequence = 2**31 - 2
    it.network.logs[0]._known[line.producer_id] = (0, 2**31 - 2, [])
    for _ in range(4):
        it.put()
    it.settle()
    assert it.damage() == set()
    assert line.next_sequence == 2


def test_after_the_last_epoch_comes_another_producer_id():
    it = proven()
    line = it.line()
    line.epoch = MAX_EPOCH
    it.network.logs[0]._known.clear()
    it.network.refuse[b"bad"] = INVALID_RECORD
    first_id = line.producer_id
    it.put(0, b"bad")
    it.settle()
    it.put()
    it.settle()
    assert (it.line().producer_id, it.line().epoch) == (first_id + 1, 0)


def test_the_seam_is_quiet_without_idempotence():
    assert type(ordering_of(ProducerConfig(enable_idempotence=False))) is Ordering
    it = Storm(3, enable_idempotence=False)
    it.network.calm = True
    it.put()
    it.settle()
    assert it.network.logs[0].values == [b"0"]
