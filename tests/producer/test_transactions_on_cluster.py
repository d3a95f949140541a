"""Transactions on real brokers, read back by consumers that are not ours."""

import itertools
import threading

import pytest
import readers
from cluster_helpers import make_topic, wait_until
from kafka import KafkaConsumer
from kafka import TopicPartition as StockPartition
from kafka import errors as kafka_errors
from kafka.admin import KafkaAdminClient
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from kafkalab import Producer
from kafkalab.producer import DeliveryTimeoutError, Trace
from kafkalab.producer.errors import TransactionStateError

pytestmark = pytest.mark.cluster
_names = itertools.count()


@pytest.fixture
def topic(cluster, request):
    return make_topic(cluster, request, partitions=2, replication_factor=3)


@pytest.fixture
def make(cluster, request):
    """A factory of transactional producers that end with the test; `init` False leaves them uninitialized."""
    made = []
    own = f"{cluster.prefix}{request.node.name}-{next(_names)}"

    def make(name="", *, on=cluster, init=True, **settings):
        settings = {"linger_ms": 0, "transactional_id": own + name, **settings}
        made.append(Producer(bootstrap_servers=on.bootstrap_servers, **settings))
        if init:
            made[-1].init_transactions()
        return made[-1]

    yield make
    for producer in made:
        producer.close(5)


def transact(producer, topic, *values, end="commit_transaction"):
    """Send `values` to partitions 0, 1, 0, ... in a transaction, and end it once they are stored."""
    producer.begin_transaction()
    futures = [producer.send(topic, value, partition=number % 2) for number, value in enumerate(values)]
    producer.flush()
    getattr(producer, end)()
    return [future.result(0).offset for future in futures]


def committed(cluster, topic):
    return [(r.partition, r.offset, r.value) for r in cluster.read(topic, isolation="read_committed")]


def batches(cluster, topic, partition=0):
    """Return (epoch, sequence) of each record of the partition, committed or not, relative to the first."""
    read = [record for record in cluster.read(topic) if record.partition == partition]
    return [(record.producer_epoch - read[0].producer_epoch, record.sequence) for record in read]


def test_all_or_nothing_over_partitions_for_every_reader(cluster, topic, make):
    producer = make()
    assert transact(producer, topic, b"a0", b"b0", b"a1") == [0, 0, 1]
    assert transact(producer, topic, b"x0", b"y0", b"x1", end="abort_transaction") == [3, 2, 4]
    assert transact(producer, topic, b"a2", b"b1") == [6, 4]
    everything = [b"a0", b"a1", b"x0", b"x1", b"a2", b"b0", b"y0", b"b1"]
    assert [record.value for record in cluster.read(topic)] == everything
    expected = [(0, 0, b"a0"), (0, 1, b"a1"), (0, 6, b"a2"), (1, 0, b"b0"), (1, 4, b"b1")]
    assert committed(cluster, topic) == expected
    for read in (readers.by_kafka_python, readers.by_librdkafka):
        seen = read(cluster.bootstrap_servers, topic, 5, isolation="read_committed")
        assert [(each.partition, each.offset, each.value) for each in seen] == expected
        seen = read(cluster.bootstrap_servers, topic, 8, isolation="read_uncommitted")
        assert [each.value for each in seen] == everything, (
            "the control: who reads everything sees the aborted"
        )
    assert cluster.offsets(topic, 0).high_watermark == 8, "five records, and three markers"
    assert cluster.offsets(topic, 1).high_watermark == 6


def test_each_end_brings_a_new_epoch_and_numbers_from_0(cluster, topic, make):
    producer = make()
    for number in range(3):
        transact(producer, topic, b"%d" % number)
    assert batches(cluster, topic) == [(0, 0), (1, 0), (2, 0)]


def test_an_empty_transaction_asks_nobody_and_writes_nothing(cluster, topic, make):
    trace = Trace()
    producer = make(trace=trace)
    asked = len(trace.find("coordinator_request"))
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        end()
    assert len(trace.find("coordinator_request")) == asked
    assert transact(producer, topic, b"a") == [0]


def test_an_open_transaction_holds_back_what_others_wrote_after_it(cluster, topic, make):
    producer = make()
    producer.begin_transaction()
    producer.send(topic, b"open", partition=0).result(10)
    with Producer(bootstrap_servers=cluster.bootstrap_servers) as plain:
        plain.send(topic, b"plain", partition=0).result(10)
    offsets = cluster.offsets(topic, 0)
    assert (offsets.last_stable, offsets.high_watermark) == (0, 2)
    assert committed(cluster, topic) == []
    producer.commit_transaction()
    wait_until(lambda: cluster.offsets(topic, 0).last_stable == 3)
    assert committed(cluster, topic) == [(0, 0, b"open"), (0, 1, b"plain")]


def test_an_abort_refuses_what_has_not_left(cluster, topic, make):
    producer = make(linger_ms=60_000, delivery_timeout_ms=120_000)
    producer.begin_transaction()
    queued = producer.send(topic, b"lingers", partition=0)
    producer.abort_transaction()
    assert isinstance(queued.exception(0), kafka_errors.TransactionAbortedError)
    assert cluster.offsets(topic, 0).log_end == 0


def test_a_commit_does_not_linger(cluster, topic, make):
    producer = make(linger_ms=60_000, delivery_timeout_ms=120_000)
    producer.begin_transaction()
    sent = producer.send(topic, b"in time", partition=0)
    producer.commit_transaction()
    assert sent.result(0).offset == 0
    assert committed(cluster, topic) == [(0, 0, b"in time")]


def test_closing_aborts_an_open_transaction(cluster, topic, make):
    producer = make()
    producer.begin_transaction()
    producer.send(topic, b"open", partition=0).result(10)
    producer.close()
    wait_until(lambda: cluster.offsets(topic, 0).last_stable == 2)
    assert committed(cluster, topic) == []
    with pytest.raises(kafka_errors.IllegalStateError):
        producer.begin_transaction()


@pytest.mark.parametrize("first", ["send", "commit"])
def test_a_zombie_is_fenced_and_its_records_are_never_seen(cluster, topic, make, first):
    zombie = make()
    zombie.begin_transaction()
    zombie.send(topic, b"zombie", partition=0).result(10)
    heir = make()
    transact(heir, topic, b"heir")
    if first == "send":
        with pytest.raises(kafka_errors.InvalidProducerEpochError):
            zombie.send(topic, b"again", partition=0).result(10)
        with pytest.raises(TransactionStateError, match="ABORTABLE_ERROR"):
            zombie.commit_transaction()
        with pytest.raises(kafka_errors.ProducerFencedError):
            zombie.abort_transaction()
    else:
        with pytest.raises(kafka_errors.ProducerFencedError):
            zombie.commit_transaction()
    for verb in (zombie.begin_transaction, zombie.abort_transaction, lambda: zombie.send(topic, b"x")):
        with pytest.raises(kafka_errors.ProducerFencedError):
            verb()
    assert [value for _, _, value in committed(cluster, topic)] == [b"heir"]
    transact(heir, topic, b"goes on")
    assert [value for _, _, value in committed(cluster, topic)] == [b"heir", b"goes on"]


def test_without_an_heir_the_same_commits(cluster, topic, make):
    """The control of the zombie: nobody took over its name."""
    producer, other = make(), make("-other")
    producer.begin_transaction()
    producer.send(topic, b"alive", partition=0).result(10)
    transact(other, topic, b"other")
    producer.send(topic, b"again", partition=0).result(10)
    producer.commit_transaction()
    assert [value for _, _, value in committed(cluster, topic)] == [b"alive", b"other", b"again"]


def offsets_of(cluster, group, topic):
    consumer = KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers, group_id=group)
    try:
        return consumer.committed(StockPartition(topic, 0))
    finally:
        consumer.close()


@pytest.mark.parametrize("end", ["commit_transaction", "abort_transaction"])
def test_consumed_offsets_end_with_the_transaction(cluster, topic, make, end):
    group, producer = f"{topic}-group", make()
    producer.begin_transaction()
    producer.send(topic, b"out", partition=1)
    producer.send_offsets_to_transaction({StockPartition(topic, 0): OffsetAndMetadata(7, "note", -1)}, group)
    getattr(producer, end)()
    done = end == "commit_transaction"
    # The coordinator of the group learns of the end a moment after the producer.
    wait_until(lambda: offsets_of(cluster, group, topic) == (7 if done else None))
    assert committed(cluster, topic) == ([(1, 0, b"out")] if done else [])


def test_a_consumer_that_lost_its_group_cannot_commit_through_us(cluster, topic, make):
    group, producer = f"{topic}-group", make()
    producer.begin_transaction()
    stale = ConsumerGroupMetadata(group, 1, "nobody", None)
    with pytest.raises(kafka_errors.IllegalGenerationError):
        producer.send_offsets_to_transaction({StockPartition(topic, 0): 7}, stale)
    with pytest.raises(TransactionStateError, match=r"ABORTABLE_ERROR.*allowed: abort_transaction"):
        producer.commit_transaction()
    producer.abort_transaction()
    assert transact(producer, topic, b"goes on") == [0]


def test_a_record_that_ran_out_of_time_spoils_its_transaction_but_not_the_next(cluster, topic, make):
    producer = make(delivery_timeout_ms=1500, request_timeout_ms=1000)
    leader = cluster.leader(topic, 0)
    producer.begin_transaction()
    producer.send(topic, b"fine", partition=0).result(10)
    cluster.pause(leader)
    late = producer.send(topic, b"late", partition=0)
    assert isinstance(late.exception(10), DeliveryTimeoutError)
    cluster.resume(leader)
    cluster.heal()
    with pytest.raises(TransactionStateError, match=r"ABORTABLE_ERROR.*DeliveryTimeoutError"):
        producer.commit_transaction()
    producer.abort_transaction()
    transact(producer, topic, b"goes on")
    assert [value for _, _, value in committed(cluster, topic)] == [b"goes on"]


def test_the_coordinator_dies_within_a_transaction(cluster, topic, make):
    trace = Trace()
    producer = make(trace=trace, request_timeout_ms=5000)
    transact(producer, topic, b"before", b"before")
    producer.begin_transaction()
    for partition in (0, 1):
        producer.send(topic, b"during", partition=partition).result(10)
    coordinator = trace.find("coordinator_request", api="EndTxn")[-1].data["node"]
    cluster.kill(coordinator)
    producer.commit_transaction()
    transact(producer, topic, b"after", b"after")
    cluster.heal()
    assert trace.find("coordinator_request", api="EndTxn")[-1].data["node"] != coordinator
    for partition in (0, 1):
        values = [value for number, _, value in committed(cluster, topic) if number == partition]
        assert values == [b"before", b"during", b"after"]


def test_a_verb_that_ran_out_of_time_is_called_again(cluster, topic, make):
    trace = Trace()
    producer = make(trace=trace, max_block_ms=500)
    transact(producer, topic, b"before")
    coordinator = trace.find("coordinator_request", api="EndTxn")[-1].data["node"]
    producer.begin_transaction()
    producer.send(topic, b"during", partition=0).result(10)
    cluster.pause(coordinator)
    with pytest.raises(kafka_errors.KafkaTimeoutError, match="call it again"):
        producer.commit_transaction()
    with pytest.raises(TransactionStateError, match="COMMITTING_TRANSACTION"):
        producer.begin_transaction()
    cluster.resume(coordinator)
    wait_until(lambda: _commits(producer))
    assert [value for _, _, value in committed(cluster, topic)] == [b"before", b"during"]


def _commits(producer):
    try:
        producer.commit_transaction()
    except kafka_errors.KafkaTimeoutError:
        return False
    return True


def test_threads_send_into_one_transaction(cluster, topic, make):
    producer = make()
    producer.begin_transaction()

    def send(name):
        for number in range(200):
            producer.send(topic, b"%d-%d" % (name, number))

    threads = [threading.Thread(target=send, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    producer.commit_transaction()
    assert len(committed(cluster, topic)) == 800


def test_the_older_generation(private_cluster, request, make):
    """transaction.version 1: partitions are announced, and the epoch stays, unless something failed."""
    old = private_cluster(brokers=1)
    set_transaction_version(old, 1)
    topic = make_topic(old, request, partitions=2)
    trace = Trace()
    producer = make(on=old, trace=trace, delivery_timeout_ms=1500, request_timeout_ms=1000)
    transact(producer, topic, b"a", b"b", b"c")
    transact(producer, topic, b"x", b"y", end="abort_transaction")
    transact(producer, topic, b"d")
    producer.begin_transaction()
    producer.send_offsets_to_transaction({StockPartition(topic, 0): 7}, "g")
    producer.commit_transaction()
    assert offsets_of(old, "g", topic) == 7
    asked = [event.data["api"] for event in trace.find("coordinator_request")]
    assert asked.count("InitProducerId") >= 1
    assert {"AddPartitionsToTxn", "AddOffsetsToTxn"} <= set(asked)
    assert batches(old, topic) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert [value for _, _, value in committed(old, topic)] == [b"a", b"c", b"d", b"b"]

    producer.begin_transaction()
    old.pause(1)
    late = producer.send(topic, b"late", partition=0)
    assert isinstance(late.exception(10), DeliveryTimeoutError)
    old.resume(1)
    producer.abort_transaction()
    transact(producer, topic, b"e")
    assert [value for _, _, value in committed(old, topic)] == [b"a", b"c", b"d", b"e", b"b"]
    assert batches(old, topic)[-1] == (1, 0), "after a failure, a new epoch"

    heir = make(on=old)
    with pytest.raises(kafka_errors.ProducerFencedError):
        transact_quietly(producer, topic)
    transact(heir, topic, b"heir")

    set_transaction_version(old, 2)
    newer = make("-newer", on=old)
    transact(newer, topic, b"f")
    assert newer.ordering.generation == 2


def set_transaction_version(cluster, level):
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers)
    try:
        change = "SAFE_DOWNGRADE" if level < 2 else "UPGRADE"
        assert admin.update_features({"transaction.version": (change, level)}) == {
            "transaction.version": "OK"
        }
        wait_until(lambda: admin.describe_features()["transaction.version"]["finalized"][1] == level)
    finally:
        admin.close()


def transact_quietly(producer, topic):
    producer.begin_transaction()
    producer.send(topic, b"zombie", partition=0).exception(10)
    producer.abort_transaction()


def test_a_coordinator_back_from_the_dead_is_reached_although_metadata_forgot_it(cluster, topic, make):
    """Its address is not known then, and without a new look nobody learned it for metadata_max_age_ms."""
    producer = make(max_block_ms=15_000)
    (coordinator,) = producer.ordering._courier._nodes.values()
    producer.begin_transaction()
    producer.send(topic, b"a", partition=0).result(30)

    def forgotten():
        producer.metadata.want_update()
        producer.metadata.wakeup()
        return coordinator not in producer.metadata.snapshot.brokers

    cluster.kill(coordinator)
    wait_until(forgotten)
    cluster.heal()
    producer.commit_transaction()
    assert [value for _, _, value in committed(cluster, topic)] == [b"a"]
