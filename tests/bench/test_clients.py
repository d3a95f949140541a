"""Every client learns what became of every record: its count is what the log holds."""

import importlib.util

import pytest

from kafkalab.bench import running
from kafkalab.bench.clients import CLIENTS, MODULES, OURS, opened
from kafkalab.bench.java_client import JAVA, RUNS
from kafkalab.bench.job import COMMON, Job, Measure, Outcome
from kafkalab.bench.running import BenchError
from kafkalab.bench.sink import Sink

RECORDS = 300
INSTALLED = [name for name in CLIENTS if name == OURS or importlib.util.find_spec(MODULES[name])]


def stored(cluster, topic):
    return sum(cluster.offsets(topic, number).log_end for number in cluster.partitions(topic))


@pytest.mark.cluster
@pytest.mark.parametrize("name", [*INSTALLED, JAVA])
def test_what_a_client_counts_is_what_the_log_holds(cluster, name):
    topic = f"{cluster.prefix}bench-count-{name}"
    cluster.recreate_topic(topic, partitions=3)
    job = Job(name, Measure.THROUGHPUT, cluster.bootstrap_servers, topic, RECORDS, 20, settings=COMMON)
    outcome = running.run(job)
    assert (outcome.acknowledged, outcome.failed) == (RECORDS * RUNS if name == JAVA else RECORDS + 20, 0)
    assert stored(cluster, topic) == outcome.acknowledged
    assert outcome.figures["records_per_s"] > 0


@pytest.mark.cluster
@pytest.mark.parametrize("name", [OURS, "confluent-kafka", "kafka-python"])
def test_latencies_are_of_records_that_are_in_the_log(cluster, name):
    topic = f"{cluster.prefix}bench-latency-{name}"
    cluster.recreate_topic(topic, partitions=3)
    settings = {**COMMON, "linger.ms": 0}
    job = Job(name, Measure.LATENCY, cluster.bootstrap_servers, topic, 200, 50, settings=settings)
    outcome = running.run(job)
    assert stored(cluster, topic) == outcome.acknowledged == 250
    assert 0 <= outcome.figures["p50_ms"] <= outcome.figures["p99_ms"] < 5000


@pytest.mark.parametrize("name", [OURS, "confluent-kafka", "kafka-python"])
@pytest.mark.parametrize("partitions", [3, 50])
def test_the_sink_acknowledges_every_record_once(name, partitions):
    with Sink.running(partitions) as sink:
        outcome = running.run(Job(name, Measure.THROUGHPUT, sink.servers, "t", RECORDS, 20, settings=COMMON))
    assert (outcome.acknowledged, outcome.failed) == (RECORDS + 20, 0)


def test_offsets_of_the_sink_count_on():
    with Sink.running(2) as sink:
        from kafkalab.producer import Producer

        with Producer(bootstrap_servers=sink.servers) as producer:
            offsets = [producer.send("t", b"v", partition=1).result(10).offset for _ in range(4)]
            futures = [producer.send("t", b"v", partition=1) for _ in range(3)]
            assert offsets == [0, 1, 2, 3]
            assert [future.result(10).offset for future in futures] == [4, 5, 6]
            assert producer.send("other", b"v", partition=1).result(10).offset == 0


@pytest.mark.parametrize("name", [OURS, "confluent-kafka"])
def test_a_client_without_acknowledgements_fills_up_and_is_weighed(name):
    settings = {**COMMON, "buffer.memory": 200_000, "max.block.ms": 300}
    with Sink.running(3, silent=True) as sink:
        outcome = running.run(Job(name, Measure.MEMORY, sink.servers, "t", 100_000, settings=settings))
    assert 500 < outcome.figures["accepted"] < 5000
    assert 0 <= outcome.figures["grown_mb"] < 64


def test_a_record_that_is_not_delivered_spoils_the_figures(monkeypatch):
    monkeypatch.setattr(
        running.Outcome, "from_json", classmethod(lambda cls, text: Outcome(9, 1, {"records_per_s": 1.0}))
    )
    with (
        Sink.running(3) as sink,
        pytest.raises(BenchError, match=r"delivered 9 records and failed .* 1: the"),
    ):
        running.run(Job(OURS, Measure.THROUGHPUT, sink.servers, "t", 10, settings=COMMON))


def test_a_client_that_cannot_connect_says_why_in_the_error():
    job = Job(OURS, Measure.THROUGHPUT, "nonsense", "t", 10)
    with pytest.raises(
        BenchError, match=r"(?s)kafkalab \(throughput, 10 records\) failed .*'nonsense' is not"
    ):
        running.run(job)


def test_coordinated_omission_is_not_hidden():
    """A client that stands still for 150 ms makes all records late that were due meanwhile."""
    import time

    from kafkalab.bench import worker

    class Still:
        sent = 0

        def send(self, topic, value, done):
            self.sent += 1
            if self.sent == 50:
                time.sleep(0.15)
            done(True)

    outcome = worker.latency(Still(), Job(OURS, Measure.LATENCY, "", "t", 200))
    assert outcome.acknowledged == 200
    # Three quarters of the records were due while it stood still; only one send() took long.
    assert outcome.figures["p99_ms"] > 120
    assert outcome.figures["p50_ms"] > 20


def test_a_client_is_made_by_its_name():
    with Sink.running(1) as sink:
        client = opened("kafka-python", sink.servers, COMMON)
        assert client.burst("t", b"v", 3) == (3, 0)
        client.close()
