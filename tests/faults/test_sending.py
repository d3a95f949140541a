"""The book of what was sent, kept for each kind of producer."""

import asyncio
import logging

import confluent_kafka
import pytest
from kafka import KafkaProducer

from kafkalab import FaultProxy, Producer, audit
from kafkalab.faults import SentLog, clients
from kafkalab.faults.clients import Settings

pytestmark = pytest.mark.cluster


@pytest.fixture
def topic(cluster, request):
    name = cluster.prefix + "sending-" + "".join(c if c.isalnum() else "-" for c in request.node.name)[:80]
    cluster.recreate_topic(name, config={"max.message.bytes": "1000"})
    return name


def by_ours(servers, topic, book):
    with Producer(bootstrap_servers=servers) as producer:
        book.watch(b"m", producer.send(topic, b"m"))
        book.watch(b"no", producer.send(topic, b"no", headers=[("big", b"x" * 2_000)]))


def by_kafka_python(servers, topic, book):
    producer = KafkaProducer(bootstrap_servers=servers, linger_ms=0)
    book.watch(b"m", producer.send(topic, b"m")).get(10)
    book.watch(b"no", producer.send(topic, b"no", headers=[("big", b"x" * 2_000)]))
    producer.close()


def by_confluent(servers, topic, book):
    producer = confluent_kafka.Producer({"bootstrap.servers": servers, "log_level": 2})
    producer.produce(topic, b"m", on_delivery=book.on_delivery(b"m"))
    producer.produce(topic, b"no", partition=99, on_delivery=book.on_delivery(b"no"))
    producer.flush()


@pytest.mark.parametrize("send", [by_ours, by_kafka_python, by_confluent])
def test_what_each_producer_says_is_in_the_book(cluster, topic, send):
    book = SentLog(producer="me")
    send(cluster.bootstrap_servers, topic, book)
    good, bad = book.sent
    assert good == (b"m", "acked", 0, 0, "me")
    assert (bad.id, bad.outcome) == (b"no", "failed")
    assert audit(cluster, topic, book.sent)


def test_a_cancelled_future_is_a_failure():
    async def scene():
        book, future = SentLog(), asyncio.get_running_loop().create_future()
        book.watch(b"m", future)
        assert book.sent[0].outcome == "unknown"
        future.cancel()
        await asyncio.sleep(0)
        return book.sent[0].outcome

    assert asyncio.run(scene()) == "failed"


def test_what_is_no_future_says_what_to_do():
    with pytest.raises(TypeError, match="on_delivery"):
        SentLog().watch(b"m", None)


@pytest.mark.parametrize("name", clients.NAMES)
def test_a_transaction_is_unknown_until_committed_and_aborted_is_aborted(cluster, topic, name):
    logging.disable(logging.CRITICAL)
    try:
        with (
            FaultProxy(cluster.bootstrap_servers) as proxy,
            clients.open(name, proxy.bootstrap_servers, Settings(transactional_id=topic)) as client,
        ):
            client.init_transactions()
            outcomes = []
            for value, end in ((b"kept", client.commit), (b"gone", client.abort), (b"too", client.commit)):
                client.begin()
                client.send(topic, value).wait()
                outcomes.append(client.sent[-1].outcome)
                end()
                outcomes.append(client.sent[-1].outcome)
            assert outcomes == ["unknown", "acked", "unknown", "aborted", "unknown", "acked"]
            assert audit(cluster, topic, client.sent)
    finally:
        logging.disable(logging.NOTSET)
