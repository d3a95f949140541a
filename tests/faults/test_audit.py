"""The audit on made logs: each anomaly alone, together, and what only looks like one."""

import pytest

from kafkalab import Sent, audit
from kafkalab.cluster import LogRecord
from kafkalab.faults.auditing import judge

ACKED = "acked"


def log(*values, partition=0, producer=None, first=0):
    """Records with these values at ascending offsets; `producer` is (id, epoch)."""
    who, epoch = producer or (-1, -1)
    return [
        LogRecord(partition, first + n, None, v, [], 0, who, epoch, n if producer else -1)
        for n, v in enumerate(values)
    ]


def sent(*ids, outcome=ACKED, **more):
    return [Sent(each, outcome, **more) for each in ids]


def kinds(result):
    """The ids found under each kind."""
    return {
        name: [finding.sent.id for finding in found]
        for name in ("lost", "duplicated", "reordered", "aborted_but_visible", "unacknowledged_but_present")
        if (found := getattr(result, name))
    }


CASES = {
    "clean": (sent(b"a", b"b"), log(b"a", b"b"), {}),
    "nothing at all": ([], [], {}),
    "lost": (sent(b"a", b"b"), log(b"a"), {"lost": [b"b"]}),
    "duplicated": (sent(b"a", b"b"), log(b"a", b"b", b"a"), {"duplicated": [b"a"]}),
    "three copies are one finding": (sent(b"a"), log(b"a", b"a", b"a"), {"duplicated": [b"a"]}),
    "two batches written twice are not out of order": (
        sent(b"a", b"b"),
        log(b"a", b"b", b"a", b"b"),
        {"duplicated": [b"a", b"b"]},
    ),
    "reordered": (sent(b"a", b"b", b"c"), log(b"b", b"c", b"a"), {"reordered": [b"a"]}),
    "one that comes early is not to blame": (
        sent(b"a", b"b", b"c"),
        log(b"c", b"a", b"b"),
        {"reordered": [b"a", b"b"]},
    ),
    "partitions have no common order": (
        sent(b"a", b"b"),
        log(b"b") + log(b"a", partition=1),
        {},
    ),
    "producers have no common order": (
        [Sent(b"a", ACKED, producer=1), Sent(b"b", ACKED, producer=2)],
        log(b"b", b"a"),
        {},
    ),
    "one that failed may be late": (
        [Sent(b"a", "failed"), Sent(b"b", ACKED)],
        log(b"b", b"a"),
        {"unacknowledged_but_present": [b"a"]},
    ),
    "failed and absent": (sent(b"a", outcome="failed"), [], {}),
    "unknown and absent": (sent(b"a", outcome="unknown"), [], {}),
    "failed but present": (sent(b"a", outcome="failed"), log(b"a"), {"unacknowledged_but_present": [b"a"]}),
    "failed but present twice": (
        sent(b"a", outcome="failed"),
        log(b"a", b"a"),
        {"unacknowledged_but_present": [b"a"], "duplicated": [b"a"]},
    ),
    "aborted and absent": (sent(b"a", outcome="aborted"), [], {}),
    "aborted but visible": (sent(b"a", outcome="aborted"), log(b"a"), {"aborted_but_visible": [b"a"]}),
    "sent twice by the program and there twice": (sent(b"a", b"a"), log(b"a", b"a"), {}),
    "of somebody else": (sent(b"a"), log(b"x", b"a", b"x"), {}),
    "everything at once": (
        [*sent(b"a", b"b", b"c"), Sent(b"d", "failed"), Sent(b"e", "aborted"), Sent(b"f", ACKED)],
        log(b"b", b"b", b"a", b"c", b"d", b"e"),
        {
            "lost": [b"f"],
            "duplicated": [b"b"],
            "reordered": [b"a"],
            "aborted_but_visible": [b"e"],
            "unacknowledged_but_present": [b"d"],
        },
    ),
}


@pytest.mark.parametrize(("told", "records", "expected"), CASES.values(), ids=CASES)
def test_every_anomaly_is_named_and_nothing_else(told, records, expected):
    result = judge("t", told, records)
    assert kinds(result) == expected
    assert bool(result) == (not expected.keys() - {"unacknowledged_but_present"})


def test_the_id_is_in_the_header_or_else_the_value():
    (record,) = log(b"payload")
    with_header = record._replace(headers=[("other", b"x"), ("lab-id", b"7")])
    assert judge("t", sent("7"), [with_header])
    assert judge("t", sent("payload"), [record])
    assert kinds(judge("t", sent("payload"), [with_header])) == {"lost": ["payload"]}
    assert judge("t", sent(b""), [record._replace(value=None)])


def test_text_and_bytes_are_the_same_id():
    assert judge("t", sent("é"), log("é".encode()))


def test_a_wrong_outcome_is_an_error_that_suggests_the_right_one():
    with pytest.raises(ValueError, match="did you mean 'acked'"):
        judge("t", sent(b"a", outcome="ackd"), [])


def test_the_table_shows_offsets_and_who_wrote():
    told = [Sent(b"m0", ACKED, 0, 2), Sent("m1", ACKED, 0, 1), Sent("m2", "failed"), Sent("m3", ACKED, 0, 9)]
    written = log(b"m1", b"m1", b"m0", producer=(5003, 1)) + log(b"m2", first=3)
    assert str(judge("orders", told, written)) == TABLE.strip()


TABLE = """
orders: 4 sent, 3 acknowledged, 4 in the log
what                            record  the program was told            the log says
------------------------------  ------  ------------------------------  -------------------------------------------------------------------------------------------
LOST                            m3      acked, offset 9 of partition 0  nowhere
DUPLICATED                      m1      acked, offset 1 of partition 0  partition 0: offset 0 (pid P1, epoch 1, sequence 0); offset 1 (pid P1, epoch 1, sequence 1)
REORDERED                       m0      acked, offset 2 of partition 0  partition 0: offset 2 (pid P1, epoch 1, sequence 2), behind offset 0, which was sent later
there, though not acknowledged  m2      failed                          partition 0: offset 3 (no producer id)
"""  # noqa: E501


def test_a_clean_table_says_so():
    assert "No anomaly" in str(judge("t", sent(b"a"), log(b"a")))


def test_a_thousand_lost_records_do_not_fill_the_screen():
    text = str(judge("t", sent(*(b"%d" % n for n in range(1000))), []))
    assert "... and 980 more" in text
    assert len(text.splitlines()) < 30


@pytest.mark.cluster
def test_on_a_cluster_the_log_is_read_as_committed(cluster):
    from kafka import KafkaProducer

    topic = cluster.prefix + "audit"
    cluster.recreate_topic(topic)
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, transactional_id=topic)
    try:
        producer.init_transactions()
        for value, end in ((b"kept", producer.commit_transaction), (b"aborted", producer.abort_transaction)):
            producer.begin_transaction()
            producer.send(topic, value).get(10)
            end()
    finally:
        producer.close()
    told = [Sent("kept", ACKED), Sent("aborted", "aborted"), Sent("never", ACKED)]
    assert kinds(audit(cluster, topic, told)) == {"lost": ["never"]}
