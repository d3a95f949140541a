"""Reading a log: who wrote what, and what a consumer would see."""

from types import SimpleNamespace

import pytest
from kafka import KafkaProducer

from kafkalab.cluster.reading import LogRecord, visible


@pytest.mark.cluster
def test_records_show_key_headers_and_producer(cluster):
    cluster.recreate_topic("reading-fields", partitions=2)
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks="all")
    for number in range(3):
        producer.send(
            "reading-fields", b"v%d" % number, b"k", [("h", b"x")], partition=1, timestamp_ms=1000 + number
        ).get(timeout=20)
    producer.close()
    records = cluster.read("reading-fields")
    assert [(r.partition, r.offset, r.sequence, r.timestamp_ms) for r in records] == [
        (1, 0, 0, 1000),
        (1, 1, 1, 1001),
        (1, 2, 2, 1002),
    ]
    assert {(r.key, tuple(r.headers), r.producer_epoch) for r in records} == {(b"k", (("h", b"x"),), 0)}
    assert records[0].producer_id >= 0
    assert cluster.read("reading-fields", partition=0) == []


@pytest.mark.cluster
def test_no_key_no_value_no_producer_id(cluster):
    cluster.recreate_topic("reading-null")
    producer = KafkaProducer(
        bootstrap_servers=cluster.bootstrap_servers, enable_idempotence=False, acks="all"
    )
    producer.send("reading-null", b"v", timestamp_ms=5).get(timeout=20)
    producer.send("reading-null", None, b"k", timestamp_ms=6).get(timeout=20)
    producer.close()
    assert cluster.read("reading-null") == [
        LogRecord(0, 0, None, b"v", [], 5, -1, -1, -1),
        LogRecord(0, 1, b"k", None, [], 6, -1, -1, -1),
    ]


@pytest.mark.cluster
def test_aborted_transactions_show_only_uncommitted_and_open_ones_end_the_stable_part(cluster):
    cluster.recreate_topic("reading-txn")
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, transactional_id="reading-txn")
    producer.init_transactions()
    for value, end in ((b"aborted", "abort_transaction"), (b"committed", "commit_transaction")):
        producer.begin_transaction()
        producer.send("reading-txn", value).get(timeout=20)
        getattr(producer, end)()
    producer.begin_transaction()
    producer.send("reading-txn", b"open").get(timeout=20)
    uncommitted = [(r.offset, r.value) for r in cluster.read("reading-txn")]
    assert uncommitted == [(0, b"aborted"), (2, b"committed"), (4, b"open")]
    committed = [(r.offset, r.value) for r in cluster.read("reading-txn", "read_committed")]
    assert committed == [(2, b"committed")]
    offsets = cluster.offsets("reading-txn", 0)
    assert (offsets.last_stable, offsets.high_watermark) == (4, 5)
    producer.abort_transaction()
    producer.close()


@pytest.mark.cluster
def test_a_long_log_is_read_in_full(cluster):
    cluster.recreate_topic("reading-long")
    producer = KafkaProducer(
        bootstrap_servers=cluster.bootstrap_servers, acks="all", enable_idempotence=False
    )
    for number in range(6000):
        producer.send("reading-long", number.to_bytes(2, "big") + bytes(1000), partition=0)
    producer.close()
    values = [int.from_bytes(record.value[:2], "big") for record in cluster.read("reading-long")]
    assert values == list(range(6000))


@pytest.mark.cluster
def test_batches_are_read_as_they_lie_in_the_log(cluster):
    cluster.recreate_topic("reading-batches", partitions=2)
    sent = [b"tea, please " * 20, b"coffee, please " * 20]
    for kind in (None, "gzip"):
        with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, compression_type=kind) as producer:
            for value in sent:
                producer.send("reading-batches", value, partition=1).get(timeout=20)
    batches = cluster.batches("reading-batches", 1)
    assert [(each.base_offset, each.records, each.codec) for each in batches] == [
        (0, 1, "none"),
        (1, 1, "none"),
        (2, 1, "gzip"),
        (3, 1, "gzip"),
    ]
    assert set(cluster.stored("reading-batches").values()) == {sum(len(each.raw) for each in batches)}
    assert [int.from_bytes(each.raw[:8], "big") for each in batches] == [0, 1, 2, 3]
    assert sent[0] in batches[0].raw
    assert cluster.batches("reading-batches", 0) == []


class FakeBatch:
    """As much of a record batch as visible() looks at."""

    def __init__(self, name, producer, last_offset, transactional=True, marker=None):
        self.name = name
        self.producer_id = producer
        self.last_offset = last_offset
        self.is_transactional = transactional
        self.is_control_batch = marker is not None
        self._marker = marker

    def __iter__(self):
        return iter([SimpleNamespace(type=self._marker)])


def test_an_abort_marker_ends_only_its_own_producer():
    batches = [
        FakeBatch("a1", 7, 0),
        FakeBatch("b1", 8, 1),
        FakeBatch("plain", 7, 2, transactional=False),
        FakeBatch("abort-a", 7, 3, marker=0),
        FakeBatch("a2", 7, 4),
        FakeBatch("commit-b", 8, 5, marker=1),
    ]
    aborted = [SimpleNamespace(producer_id=7, first_offset=0)]
    assert [batch.name for batch in visible(batches, aborted)] == ["b1", "plain", "a2"]
    assert [batch.name for batch in visible(batches, [])] == ["a1", "b1", "plain", "a2"]


def test_a_producer_may_abort_twice():
    batches = [
        FakeBatch("a1", 7, 0),
        FakeBatch("abort", 7, 1, marker=0),
        FakeBatch("a2", 7, 2),
        FakeBatch("commit", 7, 3, marker=1),
        FakeBatch("a3", 7, 4),
    ]
    aborted = [SimpleNamespace(producer_id=7, first_offset=o) for o in (4, 0)]
    assert [batch.name for batch in visible(batches, aborted)] == ["a2"]


@pytest.mark.cluster
def test_the_log_itself_has_markers(cluster):
    cluster.recreate_topic("reading-log")
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, transactional_id="reading-log")
    producer.init_transactions()
    for value, end in ((b"a", "abort_transaction"), (b"b", "commit_transaction")):
        producer.begin_transaction()
        producer.send("reading-log", value).get(timeout=20)
        getattr(producer, end)()
    producer.close()
    log = cluster.log("reading-log", 0)
    assert [(r.offset, r.control or r.value) for r in log] == [
        (0, b"a"),
        (1, "abort"),
        (2, b"b"),
        (3, "commit"),
    ]
    assert len({r.producer_id for r in log}) == 1


@pytest.mark.cluster
def test_the_log_itself_has_what_no_consumer_may_read_yet(cluster):
    cluster.recreate_topic("reading-above", assignment=[[1, 2]], config={"min.insync.replicas": "2"})
    cluster.kill(2)
    cluster.wait_isr("reading-above", 0, ids=[1])
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks=1, enable_idempotence=False)
    producer.send("reading-above", b"early").get(timeout=20)
    producer.close()
    assert cluster.read("reading-above") == []
    assert [record.value for record in cluster.log("reading-above", 0)] == [b"early"]
    cluster.heal()
