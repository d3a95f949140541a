"""The proxy before real brokers, with real clients: what they negotiate passes, and nobody goes round it."""

import logging
import threading
from collections import Counter

import confluent_kafka
import pytest
from kafka import KafkaConsumer, TopicPartition

from kafkalab import FaultProxy, audit
from kafkalab.faults import clients
from kafkalab.faults.clients import Settings

pytestmark = pytest.mark.cluster
PLAIN = Settings(enable_idempotence=False)


@pytest.fixture
def topic(cluster, request):
    name = cluster.prefix + "faults-" + "".join(c if c.isalnum() else "-" for c in request.node.name)[:80]
    cluster.recreate_topic(name, assignment=[[1, 2, 3]])
    return name


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(params=clients.NAMES)
def name(request):
    return request.param


def started():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("kafkalab-proxy")}


def test_every_frame_of_every_client_is_known_and_recorded(cluster, topic, name):
    with FaultProxy(cluster.bootstrap_servers, record=True) as proxy:
        with clients.open(name, proxy.bootstrap_servers, PLAIN) as client:
            client.send_all(topic, [b"m%d" % n for n in range(20)])
            client.settle()
            assert audit(cluster, topic, client.sent)
        asked = proxy.recorder.find(api="Produce", direction="request")
        told = proxy.recorder.find(api="Produce", direction="response")
        seen = [part for frame in asked for part in frame.partitions]
        assert {(part.topic, part.partition) for part in seen} == {(topic, 0)}
        assert sum(part.records for part in seen) == 20
        assert {frame.broker for frame in asked} == {cluster.leader(topic, 0)}
        assert next(part.base_offset for frame in told for part in frame.partitions) == 0
        assert not [frame for frame in proxy.frames if frame.api.startswith("api ")]
        assert Counter(f.direction for f in proxy.frames)["response"] <= len(proxy.frames) / 2
    assert not started()


def test_the_record_shows_who_wrote_a_batch_and_where_it_came_to_lie(cluster, topic, name):
    with FaultProxy(cluster.bootstrap_servers, record=True) as proxy:
        with clients.open(name, proxy.bootstrap_servers, Settings()) as client:
            for number in range(3):
                client.send(topic, b"m%d" % number).wait()
        asked = [f.partitions[0] for f in proxy.recorder.find(api="Produce", direction="request")]
        told = [f.partitions[0] for f in proxy.recorder.find(api="Produce", direction="response")]
    stored = cluster.read(topic)
    assert [(p.producer_id, p.producer_epoch, p.sequence) for p in asked] == [
        (r.producer_id, r.producer_epoch, r.sequence) for r in stored
    ]
    assert [p.base_offset for p in told] == [0, 1, 2]


@pytest.mark.parametrize("isolation", ["read_uncommitted", "read_committed"])
def test_consumers_read_through_it(cluster, topic, isolation):
    with clients.open("confluent", cluster.bootstrap_servers, PLAIN) as client:
        client.send_all(topic, [b"%05d" % n + b"." * 1000 for n in range(3000)])
        client.settle()
    with FaultProxy(cluster.bootstrap_servers) as proxy:
        stock = KafkaConsumer(bootstrap_servers=proxy.bootstrap_servers, isolation_level=isolation)
        stock.assign([TopicPartition(topic, 0)])
        stock.seek_to_beginning()
        read = []
        while len(read) < 3000:
            read += [r.value for records in stock.poll(1000).values() for r in records]
        stock.close()
        assert [int(value[:5]) for value in read] == list(range(3000))
        other = confluent_kafka.Consumer(
            {
                "bootstrap.servers": proxy.bootstrap_servers,
                "group.id": topic,
                "isolation.level": isolation,
                "auto.offset.reset": "earliest",
            }
        )
        other.subscribe([topic])
        values = []
        while len(values) < 3000:
            values += [message.value() for message in other.consume(500, 1)]
        other.close()
        assert values == read


@pytest.mark.parametrize("name", ["confluent", "java"])
def test_after_a_leader_moved_its_hints_lead_back_to_the_proxy(cluster, topic, name):
    """Produce from version 10 on tells the new leader's address: that must be the proxy's, too."""
    with FaultProxy(cluster.bootstrap_servers, record=True) as proxy:
        with clients.open(name, proxy.bootstrap_servers, PLAIN) as client:
            client.warm_up(topic)
            cluster.pause(1)
            leader = cluster.wait_leader(topic, 0, other_than=1)
            cluster.resume(1)
            for number in range(5):
                client.send(topic, b"m%d" % number).wait()
            client.settle()
            assert [t.outcome for t in client.tickets] == ["acked"] * 6
        produced = proxy.recorder.find(api="Produce", direction="request", broker=leader)
        assert sum(part.records for frame in produced for part in frame.partitions) >= 5
    cluster.heal()


def test_a_dead_broker_looks_dead_through_the_proxy_and_comes_back(cluster, topic):
    with (
        FaultProxy(cluster.bootstrap_servers) as proxy,
        clients.open("kafka-python", proxy.bootstrap_servers, PLAIN) as client,
    ):
        client.warm_up(topic)
        cluster.kill(1)
        client.send(topic, b"elsewhere").wait()
        cluster.heal()
        client.send(topic, b"back").wait()
        assert audit(cluster, topic, client.sent)


def test_rules_find_a_topic_by_name_even_where_requests_carry_ids(cluster, topic):
    """Java's Produce has only the topic's id (version 13)."""
    with FaultProxy(cluster.bootstrap_servers, record=True) as proxy:
        rule = proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", topic=topic, partition=0)
        other = proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", topic=topic + "-other")
        with clients.open("java", proxy.bootstrap_servers, PLAIN) as client:
            client.send(topic, b"m").wait()
        assert rule.wait(5).version >= 13
        assert not other.fired
