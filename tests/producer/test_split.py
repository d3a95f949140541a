"""Batches that a broker finds too large are halved, until it takes them or a record is alone (KIP-126)."""

import random
import threading

import pytest
from kafka import errors as kafka_errors
from kafka.protocol.producer import InitProducerIdResponse, ProduceResponse
from model_broker import TOO_LARGE, ModelLog
from test_idempotence import proven
from test_sender import Bench

from kafkalab.producer.compression import compressor
from kafkalab.producer.record_batch import decode_records

HEADER = 61


class Leader:
    """Answers what a bench has sent to partition 0, as a leader with a limit would."""

    def __init__(self, most_bytes, **settings):
        self.bench = Bench(batch_size=16_384, linger_ms=1000, **settings)
        self.log, self.sizes, self.sequences = ModelLog(), [], []
        self.log.most_bytes = most_bytes

    def put(self, *values):
        return [self.bench.put(0, value) for value in values]

    def settle(self, most=3000):
        """Let turns and answers follow each other until nothing is left; the producer is flushing."""
        with self.bench.accumulator.flushing():
            while self.bench.accumulator.incomplete():
                most -= 1
                assert most, "stalled"
                self.bench.turn(0.05)
                while self.bench.network.sent:
                    self.answer()

    def answer(self):
        _, request, handler = self.bench.network.sent.pop(0)
        if request.API_KEY != 0:
            return handler(InitProducerIdResponse(error_code=0, producer_id=7, producer_epoch=0), None)
        (data,) = request.topic_data[0].partition_data
        self.sizes.append(len(data.records))
        self.sequences.append(int.from_bytes(data.records[53:57], "big"))
        code, offset = self.log.append(data.records)
        topic = ProduceResponse.TopicProduceResponse
        answer = topic.PartitionProduceResponse(
            index=0, error_code=code, base_offset=offset, log_append_time_ms=-1, error_message=None
        )
        return handler(ProduceResponse(responses=[topic(name="t", partition_responses=[answer])]), None)


ORDERED = [{"enable_idempotence": True}, {"max_in_flight_requests_per_connection": 1}]


@pytest.mark.parametrize("ordered", ORDERED)
@pytest.mark.parametrize(("most_bytes", "splits"), [(900, 1), (500, 3), (300, 7), (130, 19)])
def test_every_record_learns_its_offset_after_any_number_of_splits(most_bytes, splits, ordered):
    leader = Leader(most_bytes, **ordered)
    values = [b"%02d" % number + b"x" * 48 for number in range(20)]
    futures, told = leader.put(*values), []
    for future in futures:
        future.add_done_callback(lambda done: told.append(done.result(0).offset))
    leader.settle()
    assert leader.log.values == values
    assert [future.result(0).offset for future in futures] == list(range(20)) == told
    assert leader.bench.sender.counted["batch_split_total"] == splits == len(leader.bench.trace.find("split"))
    assert leader.bench.accumulator.pool.available == leader.bench.accumulator.pool.total
    assert leader.bench.accumulator.queued() == {}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", [None, "gzip", "zstd"])
def test_records_of_any_size_compressed_or_not_arrive_if_they_fit_alone(seed, kind):
    dice = random.Random(seed)
    most, codec = dice.randrange(200, 1500), compressor(kind)
    leader = Leader(most, enable_idempotence=True)
    sizes = [dice.randrange(0, 600) for _ in range(dice.randrange(2, 40))]
    values = [dice.randbytes(size) for size in sizes]
    leader.bench.accumulator.codec = codec
    if codec:
        leader.log = CompressedLog(codec, most)
    futures = leader.put(*values)
    leader.settle()
    fits = [future.exception(0) is None for future in futures]
    assert leader.log.values == [value for value, fit in zip(values, fits, strict=True) if fit]
    assert {type(future.exception(0)) for future in futures} <= {
        type(None),
        kafka_errors.MessageSizeTooLargeError,
    }
    alone = [value for value, fit in zip(values, fits, strict=True) if not fit]
    assert all(len(value) + HEADER + 8 > most - 30 for value in alone)  # gzip adds some bytes to noise
    assert [future.result(0).offset for future, fit in zip(futures, fits, strict=True) if fit] == list(
        range(sum(fits))
    )
    assert leader.bench.accumulator.pool.available == leader.bench.accumulator.pool.total


class CompressedLog(ModelLog):
    """Unpacks a batch after its size was looked at."""

    def __init__(self, codec, most_bytes):
        super().__init__()
        self._codec, self._most = codec, most_bytes

    def append(self, data):
        if len(data) > self._most:
            return TOO_LARGE, -1
        return super().append(data[:HEADER] + self._codec.decompress(data[HEADER:]))


def test_a_record_too_large_fails_alone_and_callbacks_come_in_order_once_each():
    leader = Leader(400, enable_idempotence=True)
    values = [b"a" * 50, b"b" * 50, b"c" * 500, b"d" * 50, b"e" * 50]
    futures, told = leader.put(*values), []
    for value, future in zip(values, futures, strict=True):
        future.add_done_callback(lambda done, value=value: told.append((value[:1], done.exception(0))))
    leader.settle()
    assert leader.log.values == [value for value in values if len(value) == 50]
    assert [name for name, _ in told] == [b"a", b"b", b"c", b"d", b"e"]
    assert [type(error) for _, error in told] == [
        type(None),
        type(None),
        kafka_errors.MessageSizeTooLargeError,
        type(None),
        type(None),
    ]
    with pytest.raises(kafka_errors.MessageSizeTooLargeError):
        futures[2].result(0)
    assert leader.bench.sender.counted["record_error_total"] == 1


def test_nothing_is_told_before_the_last_part_is_settled_and_flush_waits_for_it():
    leader = Leader(2**31)
    leader.log.most_bytes = 200
    futures, called = leader.put(b"a" * 100, b"b" * 100), []
    futures[0].add_done_callback(called.append)
    flusher = threading.Thread(target=leader.bench.accumulator.flush)
    flusher.start()
    while not leader.bench.network.sent:
        leader.bench.turn(0.01)
    leader.answer()  # too large
    assert len(leader.bench.accumulator.incomplete()) == 2
    leader.bench.turn(0.01)
    leader.answer()  # the first half
    assert (futures[0].done(), called, flusher.is_alive()) == (False, [], True)
    leader.bench.turn(0.01)
    leader.answer()
    flusher.join(5)
    assert not flusher.is_alive()
    assert called == [futures[0]]
    assert [future.result(0).offset for future in futures] == [0, 1]


def test_the_sequences_of_the_parts_are_those_of_the_whole():
    leader = Leader(500, enable_idempotence=True)
    leader.put(*[b"x" * 50] * 20)
    leader.settle()
    whole, *_ = leader.sequences
    assert whole == 0
    assert leader.sequences == [0, 0, 0, 5, 10, 10, 15]  # 20 records; 10, 5 and 5; 10, 5 and 5
    assert leader.bench.ordering.epoch == 0


def test_parts_keep_their_place_before_what_was_queued_behind_them():
    leader = Leader(300, max_in_flight_requests_per_connection=1)
    leader.put(*[b"%d" % n + b"x" * 100 for n in range(4)])
    with leader.bench.accumulator.flushing():
        leader.bench.turn(0.01)
    leader.put(b"behind")
    leader.settle()
    assert [value[:1] for value in leader.log.values] == [b"0", b"1", b"2", b"3", b"b"]


def test_a_half_goes_at_once_and_keeps_the_time_of_the_whole():
    leader = Leader(300, delivery_timeout_ms=2000, request_timeout_ms=1000)
    futures = leader.put(b"a" * 200, b"b" * 200)
    with leader.bench.accumulator.flushing():
        leader.bench.turn(0.5)
        leader.answer()
        leader.bench.turn(0.0)
    assert leader.bench.network.sent  # no back-off: nothing is wrong with the broker
    leader.bench.turn(2.0)
    assert {type(future.exception(0)).__name__ for future in futures} == {"DeliveryTimeoutError"}
    assert leader.bench.accumulator.pool.available == leader.bench.accumulator.pool.total


def test_splitting_is_no_retry():
    leader = Leader(130, retries=0)
    futures = leader.put(*[b"x" * 50] * 8)
    leader.settle()
    assert [future.result(0).offset for future in futures] == list(range(8))
    assert leader.bench.sender.counted["record_retry_total"] == 0


# --- with others in flight ------------------------------------------------------------------------


def large(it, count=4):
    """Put a batch of `count` records that partition 0 takes only in halves."""
    it.accumulator.config.__dict__["batch_size"] = 1000
    puts = [it.put(0, b"L%d" % number + b"x" * 20) for number in range(count)]
    it.network.logs[0].most_bytes = HEADER + 35 * 2
    it.accumulator.config.__dict__["batch_size"] = 0
    return puts


def test_others_in_flight_behind_it_keep_their_place():
    it = proven()
    large(it)
    it.turn()
    for number in range(3):
        it.put(0, b"behind %d" % number)
    it.turn()
    assert len(it.network.queues[1]) + len(it.network.queues[2]) == 4
    it.settle()
    assert it.damage() == set()
    assert it.network.logs[0].values[1:5] == [b"L%d" % n + b"x" * 20 for n in range(4)]
    assert it.network.logs[0].values[5:] == [b"behind 0", b"behind 1", b"behind 2"]
    assert it.line().epoch == 0


def test_what_may_have_been_stored_whole_is_not_stored_again_in_parts():
    """The answer is lost, then max.message.bytes is lowered: the log has the whole already."""
    it = proven()
    large(it)
    it.network.logs[0].most_bytes = 2**31
    it.turn()
    node = next(node for node, queue in it.network.queues.items() if queue)
    request, handler = it.network.queues[node].popleft()
    it.network._process(request)  # stored; the answer is lost
    handler(None, kafka_errors.KafkaConnectionError("lost"))
    it.network.logs[0].most_bytes = HEADER + 35 * 2
    it.settle()
    it.put(0, b"next")
    it.settle()
    assert it.sender.counted["batch_split_total"] == 1
    assert "duplicated" not in it.damage()
    assert it.network.logs[0].values[-1] == b"next"


def test_parts_are_what_they_were_made_of():
    leader = Leader(2**31)
    leader.put(b"a", b"b", b"c")
    (batch,) = leader.bench.accumulator.incomplete()
    halves = batch.split()
    again = halves[1].split()
    read = [
        [value for _, _, value, _ in decode_records(each.payload.data, len(each), 0)]
        for each in (*halves, *again)
    ]
    assert read == [[b"a"], [b"b", b"c"], [b"b"], [b"c"]]
    assert [each.part for each in (*halves, *again)] == [0, 1, 1, 2]
    assert sum(each.reserved for each in halves) == batch.reserved
    assert sum(each.reserved for each in again) == halves[1].reserved
    assert all(len(each.encode()) == each.size for each in (*halves, *again))
