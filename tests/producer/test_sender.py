"""What an answer means for a batch: the real Sender and accumulator on a scripted network."""

import time

import pytest
from kafka import errors as kafka_errors
from kafka.protocol.metadata import MetadataResponse
from kafka.protocol.producer import ProduceResponse
from records import Raw, put_record

from kafkalab.producer import (
    DeliveryTimeoutError,
    ProducerClosedError,
    ProducerConfig,
    RecordAccumulator,
    Sender,
    TopicPartition,
    Trace,
)
from kafkalab.producer.errors import Remedy, remedy
from kafkalab.producer.metadata import Metadata
from kafkalab.producer.transactions import ordering_of

LEADERS = {0: 1, 1: 2, 2: 1}
CODES = {
    each.errno: each for each in vars(kafka_errors).values() if isinstance(getattr(each, "errno", None), int)
}


class ScriptedNetwork:
    """Stands in for NetworkClient: remembers what was sent, answers when told."""

    trouble = None

    def __init__(self):
        self.sent = []
        self.on_lost = None
        self.slept = []

    def can_send(self, node, now):
        return len(self.sent) < 5

    def any_node(self, now):
        return 1

    def send(self, node, request, handler, now, timeout):
        self.sent.append((node, request, handler))
        if not request.expect_response():
            self.sent.pop()
            handler(None, None)
        return len(self.sent)

    def poll(self, timeout):
        self.slept.append(timeout)

    def learn(self, snapshot):
        pass

    def close(self):
        pass

    give_up_late = learn
    wakeup = close


class Bench:
    """A sender that knows topic `t`, and the clock in our hands."""

    def __init__(self, **settings):
        settings = {
            "linger_ms": 0,
            "batch_size": 0,
            "retry_backoff_ms": 100,
            "enable_idempotence": False,
            **settings,
        }
        config = ProducerConfig(**settings)
        self.trace, self.network = Trace(), ScriptedNetwork()
        self.accumulator = RecordAccumulator(config, self.trace)
        self.metadata = Metadata(config)
        self.ordering = ordering_of(config)
        self.sender = Sender(config, self.accumulator, self.metadata, self.network, self.ordering, self.trace)
        self.now = time.monotonic()
        self.metadata._used["t"] = self.now
        self.turn()
        self.answer_metadata()

    def answer_metadata(self, leaders=LEADERS):
        _, request, handler = self.network.sent.pop(0)
        assert [topic.name for topic in request.topics] == ["t"]
        topic = MetadataResponse.MetadataResponseTopic
        brokers = [MetadataResponse.MetadataResponseBroker(node_id=n, host="h", port=n) for n in (1, 2)]
        partitions = [
            topic.MetadataResponsePartition(error_code=0, partition_index=p, leader_id=n)
            for p, n in leaders.items()
        ]
        topics = [topic(error_code=0, name="t", partitions=partitions)]
        handler(MetadataResponse(brokers=brokers, topics=topics), None)

    def turn(self, seconds=0.01):
        self.now = max(self.now, time.monotonic()) + seconds  # back-offs are counted by the real clock
        self.sender.run_once(self.now)

    def put(self, partition=0, value=b"x"):
        target = TopicPartition("t", partition)
        return put_record(self.accumulator, target, Raw(0, None, value), self.now).future

    def answer(self, *errors, base_offset=0, log_append_time_ms=-1):
        """Answer the oldest request: one code for each of its partitions, in order."""
        _, request, handler = self.network.sent.pop(0)
        topic = ProduceResponse.TopicProduceResponse
        sent = [each for data in request.topic_data for each in data.partition_data]
        answers = [
            topic.PartitionProduceResponse(
                index=data.index,
                error_code=error,
                base_offset=base_offset,
                log_append_time_ms=log_append_time_ms,
                error_message=None,
            )
            for data, error in zip(sent, errors, strict=False)
        ]
        handler(ProduceResponse(responses=[topic(name="t", partition_responses=answers)]), None)


def test_a_request_per_leader_with_the_partitions_it_leads():
    bench = Bench()
    for partition in LEADERS:
        bench.put(partition)
    bench.turn()
    sent = {
        node: [each.index for data in request.topic_data for each in data.partition_data]
        for node, request, _ in bench.network.sent
    }
    assert sent == {1: [0, 2], 2: [1]}


def test_an_acknowledgement_tells_the_offset():
    bench = Bench()
    future = bench.put()
    bench.turn()
    bench.answer(0, base_offset=41)
    assert future.result(0).offset == 41
    assert bench.accumulator.incomplete() == []
    assert bench.trace.names(batch=0) == ["new_batch", "drained", "response", "completed"]


@pytest.mark.parametrize(
    "code", sorted(code for code in CODES if code), ids=lambda code: CODES[code].__name__
)
def test_every_error_is_either_tried_again_or_told(code):
    bench, error = Bench(), kafka_errors.for_code(code)
    future = bench.put()
    bench.turn()
    bench.answer(code)
    retriable = remedy(error) in {Remedy.RETRY, Remedy.REFRESH}
    assert future.done() is not retriable
    assert bool(bench.accumulator.incomplete()) is retriable
    if retriable:
        bench.turn(0.2)
        assert any(request.API_KEY == 0 for _, request, _ in bench.network.sent)
    else:
        assert isinstance(future.exception(0), error)
    asked = any(request.API_KEY == 3 for _, request, _ in bench.network.sent)
    assert asked is (remedy(error) is Remedy.REFRESH)


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_retries_are_counted(retries):
    bench = Bench(retries=retries, enable_idempotence=False)
    future = bench.put()
    for _ in range(retries):
        bench.turn(2)
        bench.answer(19)
        assert not future.done()
    bench.turn(2)
    bench.answer(19)
    assert isinstance(future.exception(0), kafka_errors.NotEnoughReplicasError)
    assert len(bench.trace.find("request")) == retries + 1


def test_one_partition_fails_and_its_neighbour_in_the_request_does_not():
    bench = Bench()
    failing, fine = bench.put(0), bench.put(2)
    bench.turn()
    bench.answer(10, 0)
    assert isinstance(failing.exception(0), kafka_errors.MessageSizeTooLargeError)
    assert fine.result(0).partition == 2


def test_a_partition_the_broker_forgot_to_answer_is_not_forgotten():
    bench = Bench()
    answered, forgotten = bench.put(0), bench.put(2)
    bench.turn()
    bench.answer(0)
    assert answered.done()
    assert isinstance(forgotten.exception(0), kafka_errors.UnknownError)


def test_a_lost_connection_is_tried_again_and_asks_who_leads_now():
    bench = Bench()
    future = bench.put()
    bench.turn()
    bench.network.sent.pop()[2](None, kafka_errors.KafkaConnectionError("gone"))
    assert not future.done()
    bench.turn(0.2)
    assert sorted(request.API_KEY for _, request, _ in bench.network.sent) == [0, 3]


def test_a_dead_broker_found_out_without_a_request_in_flight_asks_who_leads_now():
    bench = Bench()
    bench.network.on_lost()
    bench.turn(0.2)
    assert [request.API_KEY for _, request, _ in bench.network.sent] == [3]


def test_delivery_timeout_ends_a_batch_in_flight_and_its_late_answer_is_ignored():
    bench = Bench(delivery_timeout_ms=1000, request_timeout_ms=900)
    future = bench.put()
    bench.turn()
    bench.turn(0.9)
    assert not future.done()
    bench.turn(0.2)
    assert isinstance(future.exception(0), DeliveryTimeoutError)
    assert "1 records for t-0 exceeded delivery_timeout_ms=1000: 1 attempts" in str(future.exception(0))
    bench.answer(0)
    assert isinstance(future.exception(0), DeliveryTimeoutError)
    assert bench.accumulator.pool.available == bench.accumulator.pool.total


def test_delivery_timeout_ends_a_batch_that_never_left_and_wakes_for_it():
    bench = Bench(delivery_timeout_ms=1000, request_timeout_ms=900)
    bench.turn()
    bench.network.sent = [None] * 5  # nobody can take a request
    future = bench.put()
    bench.turn()
    assert bench.network.slept[-1] <= 1.0
    bench.turn(1.1)
    assert "it was never sent" in str(future.exception(0))


def test_acks_0_is_done_when_it_has_left():
    bench = Bench(acks=0, enable_idempotence=False)
    future = bench.put()
    bench.turn()
    assert future.result(0).offset is None


def test_without_a_leader_it_waits_and_asks():
    bench = Bench()
    bench.sender._metadata.want_update()
    bench.turn(0.2)
    bench.answer_metadata({0: -1, 1: 2, 2: 1})
    future = bench.put(0)
    bench.turn(0.2)
    assert [request.API_KEY for _, request, _ in bench.network.sent] == [3]
    bench.answer_metadata()
    bench.turn(0.2)
    bench.answer(0)
    assert future.result(0).offset == 0


def test_aborting_tells_everybody():
    bench = Bench()
    sent = bench.put(0)
    bench.turn()
    bench.network.sent += [None] * 4  # nobody can take another request
    queued = bench.put(0)
    bench.turn()
    bench.sender.abort()
    bench.sender.run()
    for future in (sent, queued):
        assert isinstance(future.exception(0), ProducerClosedError)


def test_an_open_batch_behind_a_full_one_goes_on_lingering():
    bench = Bench(linger_ms=10_000, batch_size=1000)
    for _ in range(12):
        bench.put(0, b"x" * 100)
    for _ in range(3):
        bench.turn()
    ((_, request, _),) = bench.network.sent
    assert len(request.topic_data[0].partition_data[0].records) == 61 + 8 * 109
    assert [len(batch) for batch in bench.accumulator.queued()[TopicPartition("t", 0)]] == [4]


def test_batches_go_to_a_leader_one_request_after_the_other_up_to_the_limit():
    bench = Bench()
    for value in b"abcdefg":
        bench.put(0, bytes([value]))
    for _ in range(8):
        bench.turn(0.0)
    sent = [request.topic_data[0].partition_data[0].records[-2:-1] for _, request, _ in bench.network.sent]
    assert sent == [b"a", b"b", b"c", b"d", b"e"]  # five: what the network took


def test_one_turn_sends_everything_that_is_ready():
    bench = Bench()
    for partition in (0, 0, 1):
        bench.put(partition)
    bench.turn(0.0)
    assert sorted(node for node, *_ in bench.network.sent) == [1, 1, 2]
    assert bench.network.slept[-1] > 0


def test_the_brokers_time_is_told():
    bench = Bench()
    future = bench.put()
    bench.turn()
    bench.answer(0, log_append_time_ms=77)
    assert future.result(0).timestamp_ms == 77
