"""What chapter 06 claims of compression, on Kafka's Java client and on ours."""

import itertools
import time

import psutil
import pytest
from sides import Outcome, Record

from kafkalab.course import samples
from kafkalab.faults import FaultProxy

pytestmark = pytest.mark.cluster
KINDS = ("none", "gzip", "snappy", "lz4", "zstd")
WHEN = 1_700_000_000_000
EVENTS = list(samples.json_events(500))
PATIENT = {"linger.ms": 60_000, "delivery.timeout.ms": 120_000, "batch.size": 1 << 20}


def opened(side, servers, **settings):
    producer = side.open(**{"bootstrap.servers": servers, **settings})
    assert not isinstance(producer, Outcome), producer
    return producer


def records(values, partition=0):
    return [Record(value, None, partition, (), WHEN) for value in values]


def send_in_batches(producer, topic, partition, values, size):
    for start in range(0, len(values), size):
        producer.send(topic, *records(values[start : start + size], partition))
        producer.call("flush")
    assert {each.error for each in producer.outcomes()} == {None}


def stored(cluster, topic, partition=0):
    return sum(len(batch.raw) for batch in cluster.batches(topic, partition))


def test_five_codecs_and_no_other(both, cluster, make_topic):
    topic = make_topic(cluster, "", partitions=5)
    for side in both:
        for partition, kind in enumerate(KINDS):
            producer = opened(side, cluster.bootstrap_servers, **{"compression.type": kind})
            send_in_batches(producer, topic, partition, [b"tea"], 1)
            producer.call("close")
            assert cluster.batches(topic, partition)[-1].codec == kind
        refused = side.open(**{"bootstrap.servers": cluster.bootstrap_servers, "compression.type": "brotli"})
        assert isinstance(refused, Outcome)
        assert "brotli" in refused.message


@pytest.mark.parametrize("which", [0, 1], ids=["Java", "kafkalab"])
def test_larger_batches_need_fewer_bytes_and_some_batches_grow(both, which, cluster, make_topic):
    cases = list(itertools.product(KINDS, (1, 10, 500)))
    topic = make_topic(cluster, "", partitions=len(cases))
    vault = make_topic(cluster, "vault", partitions=len(KINDS))
    size, secret = {}, {}
    for number, (kind, count) in enumerate(cases):
        producer = opened(both[which], cluster.bootstrap_servers, **PATIENT | {"compression.type": kind})
        send_in_batches(producer, topic, number, EVENTS[: 50 * count], count)
        size[kind, count] = stored(cluster, topic, number) / min(50 * count, 500)
        if count == 10:
            send_in_batches(producer, vault, KINDS.index(kind), list(samples.encrypted(100)), 10)
            secret[kind] = stored(cluster, vault, KINDS.index(kind))
        producer.call("close")
    for kind in KINDS[1:]:
        assert size[kind, 1] > size[kind, 10] > size[kind, 500]
        assert size[kind, 500] < 0.5 * size["none", 500]
        assert secret[kind] > secret["none"]
    assert min(size["snappy", 1], size["lz4", 1]) > size["none", 1]
    assert max(size["gzip", 500], size["zstd", 500]) < 0.75 * size["snappy", 500]


@pytest.mark.slow
def test_cpu_time(both, cluster, make_topic):
    """The cheap codecs are not told apart from none: fewer bytes to move give back what they take."""
    topic = make_topic(cluster, "")
    text = b"".join(EVENTS)[:60_000]
    values = [b"%d" % number + text for number in range(120)]
    for side in both:
        taken = psutil.Process(side._process.pid) if side.name == "Java" else psutil.Process()

        def cpu_of(kind, level=None, side=side, taken=taken):
            name = f"compression.{kind}.level" if side.name == "Java" else "compression.level"
            levels = {} if level is None else {name: level}
            producer = opened(side, cluster.bootstrap_servers, **{"compression.type": kind, **levels})
            before = taken.cpu_times()
            send_in_batches(producer, topic, 0, values, 60)
            after = taken.cpu_times()
            producer.call("close")
            return after.user + after.system - before.user - before.system

        cpu_of("none")  # warm
        none, snappy, best = cpu_of("none"), cpu_of("snappy"), cpu_of("gzip", 9)
        usual, slow = cpu_of("zstd"), cpu_of("zstd", 19)
        assert slow > 2 * usual
        assert best > max(none, snappy)


def count_accepted(side, cluster, topic, values, partitions, **settings):
    """Return how many records are accepted while no answer comes."""
    settings |= {"buffer.memory": 1 << 20, "max.block.ms": 20}
    with FaultProxy(cluster.bootstrap_servers) as proxy:
        producer = opened(side, proxy.bootstrap_servers, **settings)
        while producer.call("partitions_for", topic=topic) is not None:
            pass  # 20 ms are short for metadata
        proxy.hold("Produce", times=None)
        places = itertools.cycle(partitions)
        made = (Record(value, None, next(places), (), WHEN) for value in itertools.cycle(values))
        while True not in (done := producer.done()):
            producer.send(topic, *itertools.islice(made, 4 if len(done) < 40 else 200))
        proxy.release()
        producer.outcomes()
        producer.call("close")
    return done.index(True)


@pytest.mark.slow
def test_a_batch_takes_its_size_from_the_pool_and_full_ones_stretch_it(both, cluster, make_topic):
    """Java learns 0.005 a batch, we in a few batches: on a topic that is new, gzip gains it nothing."""
    wide = make_topic(cluster, "wide", partitions=12)
    events = list(samples.json_events(20_000))
    for side in both:
        for kind in ("none", "gzip"):
            settings = {"compression.type": kind, "batch.size": 1 << 18}
            assert count_accepted(side, cluster, wide, events, range(12), **settings) == 4
        plain, gzip = {"compression.type": "none"}, {"compression.type": "gzip"}
        topic = make_topic(cluster, side.name)
        full = count_accepted(side, cluster, topic, events, [0], **plain)
        packed = count_accepted(side, cluster, topic, events, [0], **gzip)
        if side.name == "Java":
            assert 0.8 * full < packed < 1.2 * full
            producer = opened(side, cluster.bootstrap_servers, **gzip, **{"linger.ms": 1000})
            for start in range(0, len(events), 5000):
                producer.send(topic, *records(events[start : start + 5000]))
            producer.outcomes()
            producer.call("close")
            packed = count_accepted(side, cluster, topic, events, [0], **gzip)
            assert packed > 1.5 * full
        else:
            assert packed > 3 * full


def test_the_first_batches_take_no_more_records_than_without_compression(both, cluster, make_topic):
    """And a lonely small record makes Java's next ones take fewer: its estimate goes up at once."""
    events = list(samples.json_events(3000))
    for side in both:
        counts = {}
        for kind, lonely in (("none", False), ("gzip", False), ("gzip", True)):
            topic = make_topic(cluster, f"{side.name}-{kind}-{lonely}")
            settings = {**PATIENT, "batch.size": 16_384, "compression.type": kind}
            producer = opened(side, cluster.bootstrap_servers, **settings)
            if lonely:
                send_in_batches(producer, topic, 0, [b"a"], 1)
            send_in_batches(producer, topic, 0, events, 3000)
            producer.call("close")
            counts[kind, lonely] = [batch.records for batch in cluster.batches(topic)][int(lonely) :]
        first = counts["none", False][0]
        if side.name == "Java":
            assert 0.9 * first < counts["gzip", False][0] <= first
            assert counts["gzip", False][4] < 1.2 * first
            assert counts["gzip", True][0] < 0.9 * first
        else:
            assert counts["gzip", False][0] == first
            assert counts["gzip", False][4] > 3 * first
            assert counts["gzip", True][0] == first


@pytest.mark.alone
def test_compression_is_sooner_where_the_line_is_the_bottleneck(both, cluster, make_topic):
    topic = make_topic(cluster, "")
    for side in both:

        def seconds(kind, bytes_per_s, side=side):
            with FaultProxy(cluster.bootstrap_servers) as line:
                producer = opened(side, line.bootstrap_servers, **PATIENT | {"compression.type": kind})
                send_in_batches(producer, topic, 0, EVENTS[:1], 1)
                line.throttle(bytes_per_s)
                producer.send(topic, *records(EVENTS))
                started = time.perf_counter()
                producer.call("flush")
                taken = time.perf_counter() - started
                producer.outcomes()
                producer.call("close")
                return taken

        slow = {kind: seconds(kind, 100_000) for kind in ("none", "gzip")}
        fast = {kind: min(seconds(kind, 1e9) for _ in range(3)) for kind in ("none", "gzip")}
        assert 2 * slow["gzip"] < slow["none"]
        assert 4 * (fast["none"] - fast["gzip"]) < slow["none"] - slow["gzip"]
