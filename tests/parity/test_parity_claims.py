"""What the course claims of "the client" is true of Kafka's Java client: every such claim has its test."""

import ast
import operator
import threading
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from sides import Outcome, Record

from kafkalab import Producer
from kafkalab.cluster import tools
from kafkalab.cluster.polling import wait_until
from kafkalab.faults import FaultProxy

HERE = Path(__file__).parent
PROVED_BY = {
    "4.1.1-returns-at-once": "test_send_returns_before_the_answer",
    "4.1.1-interceptor": "test_the_steps_and_their_order",
    "4.1.1-serializer": "test_the_steps_and_their_order",
    "4.1.1-round-robin": "test_few_records_without_keys_stick_to_one_partition",
    "4.1.1-key-hash": "test_every_key_goes_where_java_puts_it",
    "4.1.1-value-in-hash": "test_the_value_takes_no_part_and_more_partitions_move_keys",
    "4.1.1-explicit-partition": "test_the_steps_and_their_order",
    "4.1.1-batch-size-is-the-buffer": "test_a_partition_queues_many_batches",
    "4.1.1-io-thread": "test_one_request_carries_batches_of_several_partitions",
    "4.2.4-order-of-choice": "test_the_steps_and_their_order",
    "4.2.4-sticky": "test_a_burst_without_keys_fills_batches_and_reaches_every_partition",
    "4.2.4-key-stays": "test_the_value_takes_no_part_and_more_partitions_move_keys",
    "4.2.5-only-the-value": "test_odd_records_take_the_same_room_on_disk",
    "4.2.6-metadata": "test_acks_0_tells_no_offset",
    "4.2.6-gives-up-after-retries": "test_no_answer_until_the_delivery_timeout",
    "4.3.1-acks-0": "test_acks_0_never_hears_of_a_lost_request",
    "4.8.2-ack-is-the-name": "test_ours_is_stricter_on_purpose",
    "4.3.3-full-batch-goes": "test_a_full_batch_goes_and_the_rest_waits",
    "4.7.1-three-ways": "test_the_steps_and_their_order",
    "4.7.2-partitioner-sees-value": "test_the_steps_and_their_order",
}


def test_every_claim_about_the_client_is_proved_on_java_too():
    """Of the chapters that exist; what a chapter to come will claim may be proved already."""
    root = HERE.parents[1]
    claims = tomllib.loads((root / "kafkalab/course/claims.toml").read_text(encoding="utf-8"))
    chapters = {path.name[:2] for path in (root / "notebooks").glob("*.ipynb")}
    about_clients = {name: row["chapter"] for name, row in claims.items() if row["subject"] == "client"}
    executed = {name for name, chapter in about_clients.items() if chapter in chapters}
    assert executed <= PROVED_BY.keys() <= about_clients.keys()
    tests = {
        node.name
        for path in HERE.glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert set(PROVED_BY.values()) <= tests


def opened(side, servers, **settings):
    producer = side.open(**{"bootstrap.servers": servers, **settings})
    assert not isinstance(producer, Outcome), producer
    return producer


@pytest.mark.cluster
def test_send_returns_before_the_answer(both, cluster, make_topic):
    topic = make_topic(cluster, "")
    for side in both:
        with FaultProxy(cluster.bootstrap_servers) as proxy:
            producer = opened(side, proxy.bootstrap_servers)
            held = proxy.hold("Produce")
            producer.send(topic, Record(b"v"))
            held.wait()
            assert producer.done() == [False]
            proxy.release()
            assert [each.error for each in producer.outcomes()] == [None]
            producer.call("close")


@pytest.mark.cluster
def test_a_partition_queues_many_batches(both, cluster, make_topic):
    """batch.size is no limit of a partition: thirty batches wait while nothing is answered."""
    topic = make_topic(cluster, "")
    settings = {"batch.size": 1000, "max.block.ms": 2000, "linger.ms": 0}
    for side in both:
        with FaultProxy(cluster.bootstrap_servers) as proxy:
            producer = opened(side, proxy.bootstrap_servers, **settings)
            held = proxy.hold("Produce")
            producer.send(topic, *[Record(b"x" * 800, None, 0)] * 30)
            held.wait()
            assert producer.done() == [False] * 30
            proxy.release()
            assert [each.error for each in producer.outcomes()] == [None] * 30
            producer.call("close")


@pytest.mark.cluster
def test_one_request_carries_batches_of_several_partitions(both, cluster, make_topic):
    topic = make_topic(cluster, "", partitions=6)
    for side in both:
        with FaultProxy(cluster.bootstrap_servers, record=True) as proxy:
            producer = opened(side, proxy.bootstrap_servers, **{"linger.ms": 300})
            producer.send(topic, *[Record(b"v", None, number) for number in range(6)])
            assert [each.error for each in producer.outcomes()] == [None] * 6
            producer.call("close")
            requests = proxy.recorder.find(api="Produce", direction="request")
            carried = [len(frame.partitions) for frame in requests]
        assert carried == [2, 2, 2]


@pytest.mark.cluster
def test_a_burst_without_keys_fills_batches_and_reaches_every_partition(both, cluster, make_topic):
    topic = make_topic(cluster, "", partitions=3)
    for side in both:
        producer = opened(side, cluster.bootstrap_servers, **{"linger.ms": 1000})
        producer.send(topic, *[Record(b"x" * 1000)] * 1500)
        partitions = [each.partition for each in producer.outcomes()]
        producer.call("close")
        changes = sum(before != after for before, after in pairwise(partitions))
        assert set(partitions) == {0, 1, 2}
        assert changes <= 2 * 1500 * 1000 / 16_384


@pytest.mark.cluster
def test_the_value_takes_no_part_and_more_partitions_move_keys(both, cluster, make_topic):
    topic = make_topic(cluster, "", partitions=6)
    keys = [f"key-{number}".encode() for number in range(200)]

    def places(side, value):
        producer = opened(side, cluster.bootstrap_servers)
        producer.send(topic, *[Record(value or key, key) for key in keys])
        told = [each.partition for each in producer.outcomes()]
        producer.call("close")
        return told

    before = [places(side, value) for side in both for value in (b"v", None)]
    assert all(each == before[0] for each in before)
    cluster.add_partitions(topic, 12)
    after = [places(side, b"v") for side in both]
    assert after[0] == after[1]
    assert 50 < sum(old != new for old, new in zip(before[0], after[0], strict=True)) < 150


@pytest.mark.cluster
def test_a_full_batch_goes_and_the_rest_waits(both, cluster, make_topic):
    topic = make_topic(cluster, "")
    for side in both:
        producer = opened(
            side, cluster.bootstrap_servers, **{"linger.ms": 60_000, "delivery.timeout.ms": 120_000}
        )
        producer.send(topic, *[Record(b"x" * 1000, None, 0)] * 20)
        wait_until("the full batch is acknowledged", producer.done, operator.itemgetter(0))
        assert producer.done() == [True] * 16 + [False] * 4
        producer.call("flush")
        assert producer.done() == [True] * 20
        producer.call("close")


@pytest.mark.cluster
def test_acks_0_never_hears_of_a_lost_request(both, cluster, make_topic):
    """With acks=1 it is sent again: see test_what_is_lost_is_sent_again."""
    settings = {"acks": "0", "enable.idempotence": False, "linger.ms": 0}
    for side in both:
        topic = make_topic(cluster, side.name)
        with FaultProxy(cluster.bootstrap_servers) as proxy:
            producer = opened(side, proxy.bootstrap_servers, **settings)
            lost = proxy.drop_request("Produce", nth=2, reset=True)
            told = []
            for value in (b"a", b"b"):
                producer.send(topic, Record(value, None, 0))
                told += producer.outcomes()
            lost.wait()
            producer.call("close")
        assert [each.error for each in told] == [None, None]
        wait_until("a is stored", lambda topic=topic: cluster.offsets(topic, 0).high_watermark)
        assert [record.value for record in cluster.read(topic)] == [b"a"]


# --- the steps, each one ours ---------------------------------------------------------------------


class Steps:
    """The steps of ParitySteps.java in Python."""

    def __init__(self):
        self.seen = []
        self._application = threading.current_thread()

    def saw(self, step, value):
        elsewhere = "" if threading.current_thread() is self._application else " elsewhere"
        self.seen.append(f"{step} {value}{elsewhere}")

    def on_send(self, record):
        self.saw("interceptor", record.value)
        return record._replace(value=record.value + "!")

    def on_acknowledgement(self, metadata, error):
        self.saw("acknowledged", metadata.partition)

    def close(self):
        pass

    def serializer(self, step):
        def serialize(topic, data):
            self.saw(step, data)
            return data.encode()

        return serialize

    def partition(self, topic, key, value, partitions):
        self.saw("partitioner", value.decode())
        return 2 if value.startswith(b"hot") else 1


@pytest.mark.cluster
def test_the_steps_and_their_order(cluster, make_topic):
    """Interceptor, serializers, partitioner (unless a partition is named); the outcome on the I/O thread.

    Not compared: Java's serializers are asked about None, too; ours are not.
    """
    topic = make_topic(cluster, "", partitions=3)
    classes = tools.compiled(HERE / "ParitySteps.java")
    told = tools.run("ParitySteps", cluster.bootstrap_servers, topic, classes=classes).splitlines()
    steps = Steps()
    with Producer(
        bootstrap_servers=cluster.bootstrap_servers,
        interceptors=[steps],
        key_serializer=steps.serializer("key"),
        value_serializer=steps.serializer("value"),
        partitioner=steps,
    ) as producer:
        future = producer.send(topic, "hot", key="k")
        future.add_done_callback(lambda done: steps.saw("callback", done.result(0).partition))
        future.result(10)
        producer.send(topic, "cold", key="c", partition=0).result(10)
    assert steps.seen == told
    assert told[:4] == ["interceptor hot", "key k", "value hot!", "partitioner hot!"]
    assert "callback 2 elsewhere" in told
    assert "partitioner cold!" not in told
    assert sorted(record.value for record in cluster.read(topic)) == [b"cold!", b"cold!", b"hot!", b"hot!"]
