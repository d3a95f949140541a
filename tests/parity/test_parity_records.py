"""Records: the same partitions, the same bytes read back, the same batches on disk."""

import disk
import pytest
import readers
from sides import Outcome, Read, Record

from kafkalab.cluster import tools

pytestmark = pytest.mark.cluster
WHEN = 1_700_000_000_000


def produced(side, cluster, topic, records, **settings):
    """Send all at once through a producer that waits for the flush; return the outcomes."""
    given = {
        "bootstrap.servers": cluster.bootstrap_servers,
        "linger.ms": 60_000,
        "delivery.timeout.ms": 120_000,
    }
    producer = side.open(**given | settings)
    assert not isinstance(producer, Outcome), producer
    producer.send(topic, *records)
    producer.call("flush")
    outcomes = producer.outcomes()
    producer.call("close")
    return outcomes


KEYS = [
    b"",
    b"\0",
    b"\xff" * 3,
    b"foobar",
    "schlüssel".encode(),
    bytes(range(256)),
    *(f"key-{number}".encode() for number in range(300)),
    *(b"k" * length for length in range(1, 40)),
]


def test_every_key_goes_where_java_puts_it(both, cluster, make_topic):
    topic = make_topic(cluster, "", partitions=7)
    records = [Record(b"v", key) for key in KEYS]
    java, ours = ([each.partition for each in produced(side, cluster, topic, records)] for side in both)
    assert ours == java
    assert len(set(java)) == 7


def test_an_explicit_partition_overrides_the_key(both, cluster, make_topic):
    topic = make_topic(cluster, "", partitions=7)
    records = [Record(b"v", key, (number % 7)) for number, key in enumerate([*KEYS[:20], None])]
    for side in both:
        assert [each.partition for each in produced(side, cluster, topic, records)] == [
            r.partition for r in records
        ]


def test_few_records_without_keys_stick_to_one_partition(both, cluster, make_topic):
    topic = make_topic(cluster, "", partitions=7)
    for side in both:
        outcomes = produced(side, cluster, topic, [Record(b"v")] * 24)
        assert len({each.partition for each in outcomes}) == 1


def test_keys_can_be_ignored(both, cluster, make_topic):
    topic = make_topic(cluster, "", partitions=7)
    records = [Record(b"v", key) for key in KEYS[:40]]
    for side in both:
        outcomes = produced(side, cluster, topic, records, **{"partitioner.ignore.keys": True})
        assert len({each.partition for each in outcomes}) == 1


ODD = [
    Record(b"value", b"key", 0, (("name", b"header"),), WHEN),
    Record(None, b"tombstone", 0, (), WHEN + 1),
    Record(b"", b"", 0, (("", b""), ("twice", b"1"), ("twice", b"2"), ("none", None)), WHEN + 2),
    Record(None, None, 0, (), WHEN + 3),
    Record("größer".encode(), "ключ".encode(), 0, (("größe", "日本".encode()),), WHEN - 86_400_000),
    Record(bytes(range(256)) * 40, None, 0, (), 0),
    Record(b"no header, a time of its own", None, 0, (), WHEN + 2**33),
]


def test_records_come_back_byte_for_byte_for_every_reader(both, cluster, make_topic):
    java, _ = both
    expected = [
        Read(0, n, each.timestamp_ms, each.key, each.value, each.headers) for n, each in enumerate(ODD)
    ]
    servers = cluster.bootstrap_servers
    for side in both:
        topic = make_topic(cluster, side.name, config={"message.timestamp.after.max.ms": str(2**62)})
        assert [each.offset for each in produced(side, cluster, topic, ODD)] == list(range(len(ODD)))
        assert java.read(servers, topic) == expected, f"the Java consumer, of {side.name}'s records"
        for read in (readers.by_kafka_python, readers.by_librdkafka):
            told = [
                Read(*each._replace(headers=tuple(each.headers))) for each in read(servers, topic, len(ODD))
            ]
            assert told == expected, f"{read.__name__}, of {side.name}'s records"


def test_the_console_consumer_prints_the_same(both, cluster, make_topic):
    printed = {}
    for side in both:
        topic = make_topic(cluster, side.name)
        produced(side, cluster, topic, ODD[:5])
        printed[side.name] = tools.run(
            tools.CONSOLE_CONSUMER,
            *("--bootstrap-server", cluster.bootstrap_servers, "--topic", topic, "--from-beginning"),
            *("--max-messages", "5", "--formatter-property", "print.key=true"),
            *("--formatter-property", "print.headers=true", "--formatter-property", "print.timestamp=true"),
        )
    assert printed["kafkalab"] == printed["Java"]
    assert "name:header\tkey\tvalue" in printed["Java"]


# --- on disk --------------------------------------------------------------------------------------

_OF_ITS_OWN = {"producerId", "crc", "partitionLeaderEpoch", "deleteHorizonMs"}


def shape(batches):
    """Return the batches without what no two producers have in common."""
    return [{name: value for name, value in each.items() if name not in _OF_ITS_OWN} for each in batches]


def written(both, on_disk, make_topic, records, **settings):
    """Have both sides write the same; return each one's topic."""
    topics = []
    for side in both:
        topics.append(make_topic(on_disk, side.name, partitions=1))
        assert not [each for each in produced(side, on_disk, topics[-1], records, **settings) if each.error]
    return topics


MANY = [Record(b"%06d" % number + b"x" * 94, None, 0, (), WHEN + number % 50) for number in range(1000)]


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("batch_size", [16_384, 4_096, 0])
def test_batches_on_disk_are_cut_and_numbered_alike(both, on_disk, make_topic, idempotent, batch_size):
    records = MANY if batch_size else MANY[:20]
    settings = {"batch.size": batch_size, "enable.idempotence": idempotent}
    java, ours = disk.batches(on_disk, *written(both, on_disk, make_topic, records, **settings))
    assert shape(ours) == shape(java)
    assert sum(int(each["count"]) for each in java) == len(records)
    for batches in (java, ours):
        assert len({each["producerId"] for each in batches}) == 1
        assert (batches[0]["producerId"] == "-1") is not idempotent
        assert [each["baseSequence"] for each in batches] == [
            each["baseOffset"] if idempotent else "-1" for each in batches
        ]


def test_odd_records_take_the_same_room_on_disk(both, on_disk, make_topic):
    java, ours = disk.batches(on_disk, *written(both, on_disk, make_topic, ODD[:5]))
    assert shape(ours) == shape(java)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_batches_are_what_they_say(both, on_disk, make_topic, codec):
    records = MANY[:200]
    topics = written(both, on_disk, make_topic, records, **{"compression.type": codec})
    java, ours = disk.batches(on_disk, *topics)
    for batches in (java, ours):
        assert {each["compresscodec"] for each in batches} == {codec}
        assert sum(int(each["count"]) for each in batches) == len(records)
    sizes = [sum(int(each["size"]) for each in batches) for batches in (java, ours)]
    assert sizes[1] < 1.3 * sizes[0] < 0.5 * 100 * len(records)
    servers = on_disk.bootstrap_servers
    for topic in topics:
        for read in (both[0].read(servers, topic), readers.by_librdkafka(servers, topic, len(records))):
            assert [each.value for each in read] == [each.value for each in records]
