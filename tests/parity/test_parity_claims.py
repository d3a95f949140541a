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
    "4.2.6-retries-counts": "test_as_many_tries_as_retries_allow",
    "4.3.2-every-error": "test_an_error_is_retried_or_told_alike",
    "4.3.2-second-copy": "test_what_is_lost_is_sent_again",
    "4.3.2-retries-reorder": "test_a_refused_record_and_the_next_one",
    "4.3.2-one-in-flight": "test_a_refused_record_and_the_next_one",
    "4.3.2-five-in-flight": "test_a_refused_record_and_the_next_one",
    "4.3.2-one-in-flight-price": "test_one_in_flight_waits_for_every_answer",
    "4.3.2-since-1.1": "test_both_refuse",
    "4.3.2-request-timeout": "test_silence_costs_the_connection",
    "4.3.2-delivery-timeout": "test_no_answer_until_the_delivery_timeout",
    "4.3.2-retries-backoff-name": "test_the_wait_doubles_up_to_its_maximum",
    "4.3.2-knob": "test_time_outlives_any_count",
    "4.3.3-bytes": "test_odd_records_take_the_same_room_on_disk",
    "4.3.3-batch-size": "test_batches_on_disk_are_cut_and_numbered_alike",
    "4.3.3-linger": "test_records_within_the_linger_share_a_request",
    "4.3.3-linger-costs": "test_lingering_saves_requests_and_may_save_time",
    "4.3.3-oversize": "test_a_record_larger_than_batch_size_goes_alone",
    "4.3.4-total": "test_one_pool_for_all_partitions",
    "4.3.4-per-partition": "test_one_pool_for_all_partitions",
    "4.3.4-max-block": "test_metadata_and_memory_share_max_block_ms",
    "4.3.4-throws": "test_one_pool_for_all_partitions",
    "4.3.4-memory-ends-linger": "test_who_waits_for_memory_ends_the_linger",
    "4.8.1-batch-size-per-send": "test_a_request_carries_a_batch_of_each_partition",
    "4.3.1-acks-0": "test_acks_0_never_hears_of_a_lost_request",
    "4.8.2-ack-is-the-name": "test_ours_is_stricter_on_purpose",
    "4.3.3-full-batch-goes": "test_a_full_batch_goes_and_the_rest_waits",
    "4.3.5-codecs": "test_five_codecs_and_no_other",
    "4.3.5-larger-batches": "test_larger_batches_need_fewer_bytes_and_some_batches_grow",
    "4.3.5-always-smaller": "test_larger_batches_need_fewer_bytes_and_some_batches_grow",
    "4.3.5-cpu": "test_cpu_time",
    "4.8.1-snappy": "test_larger_batches_need_fewer_bytes_and_some_batches_grow",
    "4.3.5-buffer-memory": "test_a_batch_takes_its_size_from_the_pool_and_full_ones_stretch_it",
    "4.3.5-estimated-batches": "test_the_first_batches_take_no_more_records_than_without_compression",
    "4.3.5-latency": "test_compression_is_sooner_where_the_line_is_the_bottleneck",
    "4.4.1-at-least-once": "test_what_is_lost_is_sent_again",
    "4.4.1-retries-bound": "test_no_answer_until_the_delivery_timeout",
    "4.4.2-at-most-once": "test_one_try_is_once_or_not_at_all_and_the_error_never_tells",
    "4.4.2-same-error": "test_one_try_is_once_or_not_at_all_and_the_error_never_tells",
    "4.5.2-switch-on": "test_idempotence_is_on_unless_settings_rule_it_out",
    "4.5.2-implies": "test_both_refuse",
    "4.5.2-silently-off": "test_idempotence_is_on_unless_settings_rule_it_out",
    "4.5.3-sequence-per-message": "test_batches_on_disk_are_cut_and_numbered_alike",
    "4.8.3-acks-0-or-1": "test_both_refuse",
    "4.8.3-default-on": "test_idempotence_is_on_unless_settings_rule_it_out",
    "4.8.3-storm": "test_what_is_lost_is_sent_again",
    "4.8.3-acks-1-alone": "test_idempotence_is_on_unless_settings_rule_it_out",
    "4.5.1-first-batch": "test_a_first_batch_refused_costs_java_an_error_and_ours_nothing",
    "4.6.2-before-0.11": "test_the_old_recipe_keeps_the_order_and_stores_twice",
    "4.6.2-memory-leaks": "test_memory_runs_out_and_comes_back_in_full",
    "4.6.2-slow-network": "test_a_slow_network_costs_time_and_impatience_certainty",
    "4.4.3-needs-idempotence": "test_both_refuse",
    "4.4.3-abort-unsent": "test_an_abort_before_the_batch_left_takes_it_back",
    "4.4.3-fenced-raises": "test_the_older_of_two_is_fenced",
    "4.8.1-defaults": "test_a_default_is_javas",
    "4.8.1-more-memory": "test_twice_the_memory_takes_twice_the_records_in_a_pause",
    "4.8.1-linger-throughput": "test_linger_joins_sparse_records_and_leaves_full_batches_alone",
    "4.8.1-latency-or-throughput": "test_lingering_saves_requests_and_may_save_time",
    "4.3.2-in-flight-differs": "test_five_requests_are_under_way",
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
