"""The producer against three real brokers that are well."""

import asyncio
import threading
import time

import psutil
import pytest
import readers
from cluster_helpers import make_topic, wait_until
from kafka import KafkaProducer
from kafka import errors as kafka_errors
from kafka.admin import KafkaAdminClient

from kafkalab import Producer
from kafkalab.producer import MetadataTimeoutError, RecordTooLargeError, Trace, UnknownPartitionError

pytestmark = pytest.mark.cluster
SECOND_OF_2024 = 1_704_067_200_000


@pytest.fixture
def topic(cluster, request):
    return make_topic(cluster, request, partitions=3)


@pytest.mark.parametrize("acks", [0, 1, "all"])
def test_two_other_consumers_read_exactly_what_was_sent(cluster, topic, acks):
    sent = []
    settings = {"acks": acks, "enable_idempotence": acks == "all", "batch_size": 500}
    with Producer(bootstrap_servers=cluster.bootstrap_servers, **settings) as producer:
        for i in range(200):
            key = None if i % 3 == 0 else b"key %d" % (i % 7)
            value = None if i % 11 == 0 else b"value %d" % i
            headers = [("n", b"%d" % i), ("again", None), ("n", b"")] if i % 2 else []
            timestamp = None if i % 5 == 0 else SECOND_OF_2024 + i
            sent.append((producer.send(topic, value, key, i % 3, headers, timestamp), key, value, headers))
        producer.flush()
    expected = [(f.result(0), key, value, headers) for f, key, value, headers in sent]
    for read in (readers.by_kafka_python, readers.by_librdkafka):
        records = read(cluster.bootstrap_servers, topic, 200)
        assert len(records) == 200
        if acks == 0:
            assert {at.offset for at, *_ in expected} == {None}
            found = sorted((r.partition, r.timestamp_ms, r.key or b"", r.value or b"") for r in records)
            assert found == sorted(
                (at.partition, at.timestamp_ms, key or b"", value or b"") for at, key, value, _ in expected
            )
        else:
            assert records == sorted(
                readers.Read(at.partition, at.offset, at.timestamp_ms, key, value, headers)
                for at, key, value, headers in expected
            )


def test_log_append_time_is_the_brokers(cluster, request):
    topic = make_topic(cluster, request, config={"message.timestamp.type": "LogAppendTime"})
    with Producer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        told = producer.send(topic, b"x", timestamp_ms=SECOND_OF_2024).result(10)
    (record,) = readers.by_kafka_python(cluster.bootstrap_servers, topic, 1)
    assert told.timestamp_ms == record.timestamp_ms > SECOND_OF_2024


def test_what_only_the_broker_finds_too_large_fails_through_the_future(cluster, request):
    topic = make_topic(cluster, request, config={"max.message.bytes": "1000"})
    with Producer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        small = producer.send(topic, b"x" * 500)
        producer.flush()
        error = producer.send(topic, b"x" * 5000).exception(10)
        assert small.result(0).offset == 0
    assert isinstance(error, kafka_errors.MessageSizeTooLargeError)
    assert not isinstance(error, RecordTooLargeError)


# --- metadata -------------------------------------------------------------------------------------


def test_an_unknown_topic_fails_through_the_future_after_max_block_ms(cluster):
    with Producer(bootstrap_servers=cluster.bootstrap_servers, max_block_ms=400) as producer:
        started = time.monotonic()
        future = producer.send(cluster.prefix + "no-such-topic", b"x")
        assert 0.4 <= time.monotonic() - started < 2
        assert isinstance(future.exception(0), MetadataTimeoutError)
        assert "UnknownTopicOrPartition" in str(future.exception(0))


def test_a_topic_created_while_send_waits_is_found(cluster):
    name = cluster.prefix + "producer-late"
    cluster.delete_topic(name)
    futures = []
    with Producer(bootstrap_servers=cluster.bootstrap_servers, max_block_ms=30_000) as producer:
        sender = threading.Thread(target=lambda: futures.append(producer.send(name, b"x")))
        sender.start()
        wait_until(lambda: name in producer.metadata.snapshot.errors)
        cluster.create_topic(name)
        sender.join(20)
        assert futures[0].result(10).offset == 0


def test_an_unknown_partition_is_looked_for_once_and_a_new_one_found(cluster, request):
    topic = make_topic(cluster, request, partitions=2)
    with Producer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        producer.send(topic, b"x").result(10)
        updates = producer.metadata._updates
        with pytest.raises(UnknownPartitionError, match="has no partition 3: it has 2, numbered from 0"):
            producer.send(topic, b"x", partition=3)
        assert producer.metadata._updates == updates + 1
        add_partitions(cluster, topic, 4)
        assert producer.send(topic, b"x", partition=3).result(10).partition == 3


def add_partitions(cluster, topic, count):
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers, reconnect_backoff_max_ms=100)
    try:
        admin.create_partitions({topic: count})
    finally:
        admin.close()
    wait_until(lambda: len(cluster.partitions(topic)) == count)
    for partition in range(count):
        cluster.wait_leader(topic, partition)


@pytest.mark.parametrize("first", ["127.0.0.1:1", "no-such-host.invalid:9092", "localhost"])
def test_one_good_bootstrap_address_is_enough(cluster, topic, first):
    good = cluster.bootstrap_servers.split(",")[0]
    servers = good.replace("127.0.0.1", "localhost") if first == "localhost" else f"{first},{good}"
    with Producer(bootstrap_servers=servers, max_block_ms=15_000) as producer:
        assert producer.send(topic, b"x").result(10).offset == 0


# --- threads --------------------------------------------------------------------------------------


def test_eight_threads_send_and_flush_and_everything_flushed_is_done(cluster, topic):
    undone, numbers = [], range(40)

    def work(thread):
        for i in numbers:
            future = producer.send(topic, b"%d %d" % (thread, i), key=b"%d" % thread)
            if i % 8 == 0:
                producer.flush()
                if not future.done():
                    undone.append(future)

    with Producer(bootstrap_servers=cluster.bootstrap_servers, linger_ms=50) as producer:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert undone == []
    read = readers.by_kafka_python(cluster.bootstrap_servers, topic, 8 * len(numbers))
    for thread in range(8):
        mine = [r.value for r in read if r.key == b"%d" % thread]
        assert mine == [b"%d %d" % (thread, i) for i in numbers]


def test_callbacks_run_on_the_io_thread_in_order_and_once(cluster, request):
    topic, seen = make_topic(cluster, request), []
    waits = {
        "linger_ms": 10_000,
        "batch_size": 100_000,
    }  # or a batch could be acknowledged before its callbacks
    with Producer(bootstrap_servers=cluster.bootstrap_servers, client_id="mine", **waits) as producer:
        for _ in range(500):
            future = producer.send(topic, b"x")
            future.add_done_callback(
                lambda done: seen.append((done.result(0).offset, threading.current_thread().name))
            )
    assert seen == [(i, "mine-network-thread") for i in range(500)]


def test_results_can_be_awaited(cluster, topic):
    async def send_some(producer):
        return await asyncio.gather(*[wait(producer.send(topic, b"x", partition=0)) for _ in range(20)])

    async def wait(future):
        return await future

    with Producer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        offsets = [told.offset for told in asyncio.run(send_some(producer))]
    assert offsets == list(range(20))


def test_close_delivers_and_leaves_no_thread_and_no_socket(cluster, topic):
    process, name = psutil.Process(), "leak-test"
    sockets, files = len(process.net_connections()), process.num_fds() if psutil.POSIX else 0
    producer = Producer(bootstrap_servers=cluster.bootstrap_servers, linger_ms=10_000, client_id=name)
    futures = [producer.send(topic, b"x", partition=i % 3) for i in range(300)]
    assert not any(future.done() for future in futures)
    producer.close()
    assert all(future.result(0).offset is not None for future in futures)
    assert not [t for t in threading.enumerate() if t.name.startswith(name)]
    assert len(process.net_connections()) <= sockets
    assert not psutil.POSIX or process.num_fds() <= files


# --- where records go -----------------------------------------------------------------------------


def test_keys_go_where_kafka_pythons_go(cluster, request):
    topic, keys = (
        make_topic(cluster, request, partitions=7),
        [b"key-%d" % i * (i % 5 + 1) for i in range(200)],
    )
    stock = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)
    with Producer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        ours = [producer.send(topic, b"", key) for key in keys]
        theirs = [stock.send(topic, b"", key) for key in keys]
        assert [f.result(10).partition for f in ours] == [f.get(10).partition for f in theirs]
    stock.close()


def test_without_keys_flushed_records_stick_to_one_partition_until_a_batch_is_full(cluster, request):
    topic = make_topic(cluster, request, partitions=6)
    with Producer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        partitions = set()
        for _ in range(24):
            future = producer.send(topic, b"x" * 100)
            producer.flush()
            partitions.add(future.result(0).partition)
    assert len(partitions) == 1


def test_a_flood_for_one_partition_does_not_starve_the_others(cluster, request):
    topic, trace = make_topic(cluster, request, partitions=12), Trace(records=False)
    with Producer(bootstrap_servers=cluster.bootstrap_servers, batch_size=200, trace=trace) as producer:
        for _ in range(300):
            producer.send(topic, b"x" * 100, partition=0)
        for partition in range(1, 12):
            producer.send(topic, b"x", partition=partition)
    drained = [event.data["partition"] for event in trace.find("drained")]
    assert set(drained) == set(range(12))
    last_of_others = max(place for place, partition in enumerate(drained) if partition != 0)
    assert drained[last_of_others:].count(0) > drained.count(0) / 20
