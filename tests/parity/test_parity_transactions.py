"""Transactions: the same markers, epochs and numbers on disk, the same refusals, the same fencing."""

import operator
from functools import partial

import disk
import pytest
from sides import Outcome, Record, same_error

from kafkalab.cluster.polling import wait_until

pytestmark = pytest.mark.cluster
WHEN = 1_700_000_000_000


def value(text):
    return Record(text.encode(), None, 0, (), WHEN)


@pytest.fixture
def opened(both, request):
    """A factory of transactional producers that end with the test; each side has names of its own."""
    made = []

    def open_one(side, cluster, name="t", **settings):
        own = f"{cluster.prefix}{request.node.name}-{side.name}-{name}"
        given = {"bootstrap.servers": cluster.bootstrap_servers, "transactional.id": own, "linger.ms": 60_000}
        producer = side.open(**given | {"delivery.timeout.ms": 120_000} | settings)
        assert not isinstance(producer, Outcome), producer
        made.append(producer)
        return producer

    yield open_one
    for producer in made:
        producer.call("close", timeout_ms=0)


def transact(producer, topic, end, *values):
    """Run one transaction; return the names of the errors of begin and end, and the outcomes."""
    told = [producer.call("begin_transaction")]
    producer.send(topic, *map(value, values))
    producer.call("flush")
    told.append(producer.call(end))
    return told, producer.outcomes()


_KEPT = ("baseOffset", "lastOffset", "count", "baseSequence", "isTransactional", "isControl", "marker")


def shape(batches):
    """Return what two producers have in common, and epochs as counted from the first."""
    first = int(batches[0]["producerEpoch"])
    return [
        {name: each[name] for name in _KEPT} | {"epoch": int(each["producerEpoch"]) - first}
        for each in batches
    ]


def test_commit_and_abort_leave_the_same_log(both, on_disk, make_topic, opened):
    """Commit, abort, commit: batches, markers, epochs (KIP-890: a new one with each end) and sequences."""
    topics = []
    for side in both:
        topics.append(topic := make_topic(on_disk, side.name))
        producer = opened(side, on_disk)
        assert producer.call("init_transactions") is None
        for end, values in (("commit", "ab"), ("abort", "xyz"), ("commit", "c")):
            told, outcomes = transact(producer, topic, f"{end}_transaction", *values)
            assert told == [None, None]
            assert [each.error for each in outcomes] == [None] * len(values)
        seen = both[0].read(on_disk.bootstrap_servers, topic, "read_committed")
        assert [each.value for each in seen] == [b"a", b"b", b"c"]
        everything = both[0].read(on_disk.bootstrap_servers, topic)
        assert len(everything) == 6, "the control: who reads everything sees the aborted"
    java, ours = map(shape, disk.batches(on_disk, *topics))
    assert ours == java
    assert [each["marker"] for each in java] == ["", "COMMIT", "", "ABORT", "", "COMMIT"]
    assert len({each["epoch"] for each in java}) > 1, "the second generation of the protocol"


def test_an_empty_transaction_writes_nothing(both, cluster, make_topic, opened):
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, cluster)
        producer.call("init_transactions")
        for end in ("commit_transaction", "abort_transaction"):
            assert transact(producer, topic, end)[0] == [None, None]
        assert cluster.offsets(topic, 0).log_end == 0


def test_an_abort_before_the_batch_left_takes_it_back(both, cluster, make_topic, opened):
    told = []
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, cluster)
        producer.call("init_transactions")
        producer.call("begin_transaction")
        producer.send(topic, value("never"))
        assert producer.call("abort_transaction") is None
        (outcome,) = producer.outcomes()
        told.append(outcome.error)
        assert cluster.offsets(topic, 0).log_end == 0
        assert transact(producer, topic, "commit_transaction", "after")[0] == [None, None]
    assert same_error(*told), told


def test_offsets_travel_with_the_transaction(both, cluster, make_topic, opened):
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, cluster)
        producer.call("init_transactions")
        group = f"{topic}-group"
        for end, offset, committed in (("commit", 5, 5), ("abort", 9, 5), ("commit", 11, 11)):
            producer.call("begin_transaction")
            given = {"topic": topic, "offset": offset, "group": group}
            assert producer.call("send_offsets_to_transaction", **given) is None
            assert producer.call(f"{end}_transaction") is None
            at = partial(committed_offset, cluster, group, topic)
            # The group's coordinator learns of the end a moment later.
            wait_until(f"the group is at {committed}", at, partial(operator.eq, committed))


def committed_offset(cluster, group, topic):
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=cluster.bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    try:
        return consumer.committed(TopicPartition(topic, 0))
    finally:
        consumer.close()


def test_the_older_of_two_is_fenced(both, cluster, make_topic, opened):
    told = []
    for side in both:
        topic = make_topic(cluster, side.name)
        older, newer = opened(side, cluster), opened(side, cluster)
        older.call("init_transactions")
        older.call("begin_transaction")
        older.send(topic, value("old"))
        older.call("flush")
        assert [each.error for each in older.outcomes()] == [None]
        assert newer.call("init_transactions") is None
        older.send(topic, value("zombie"))
        older.call("flush")
        (zombie,) = older.outcomes()
        verbs = ("commit_transaction", "begin_transaction", "abort_transaction")
        told.append((zombie.error, *map(older.call, verbs)))
        assert transact(newer, topic, "commit_transaction", "new")[0] == [None, None]
        seen = cluster.read(topic, isolation="read_committed")
        assert [each.value for each in seen] == [b"new"]
    java, ours = told
    assert same_error(java[0], ours[0]), told
    # Java says the same again of every verb; ours says, with that as the cause, that only abort is left.
    assert java[1:3] == ("InvalidProducerEpochException",) * 2
    assert ours[1:3] == ("TransactionStateError",) * 2
    assert (java[3], ours[3]) == ("ProducerFencedException", "ProducerFencedError")


OUT_OF_TURN = {
    "begin before init": ["begin_transaction"],
    "commit before init": ["commit_transaction"],
    "abort before init": ["abort_transaction"],
    "commit without begin": ["init_transactions", "commit_transaction"],
    "abort without begin": ["init_transactions", "abort_transaction"],
    "begin twice": ["init_transactions", "begin_transaction", "begin_transaction"],
    "init twice": ["init_transactions", "init_transactions"],
    "commit twice": ["init_transactions", "begin_transaction", "commit_transaction", "commit_transaction"],
    "abort after commit": [
        "init_transactions",
        "begin_transaction",
        "commit_transaction",
        "abort_transaction",
    ],
}


@pytest.mark.parametrize("case", OUT_OF_TURN)
def test_verbs_out_of_turn(both, cluster, opened, case):
    *before, last = OUT_OF_TURN[case]
    told = []
    for side in both:
        producer = opened(side, cluster)
        assert [producer.call(verb) for verb in before] == [None] * len(before)
        told.append(producer.call(last))
    assert told[0] is not None, "not a mistake to Java"
    assert same_error(*told), told


def test_sending_outside_of_a_transaction(both, cluster, make_topic, opened):
    told = []
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, cluster)
        producer.call("init_transactions")
        producer.send(topic, value("stray"))
        told += producer.outcomes()
    java, ours = told
    assert same_error(java.error, ours.error), told
    assert java.thrown == ours.thrown


@pytest.mark.parametrize("verb", ["init_transactions", "begin_transaction", "commit_transaction"])
def test_transactional_verbs_without_an_id(both, cluster, verb):
    told = []
    for side in both:
        producer = side.open(**{"bootstrap.servers": cluster.bootstrap_servers})
        told.append(producer.call(verb))
        producer.call("close")
    assert told[0] is not None
    assert same_error(*told), told
