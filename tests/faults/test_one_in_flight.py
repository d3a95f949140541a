"""max.in.flight.requests.per.connection=1 keeps the order: with every client but librdkafka.

Its documentation says so, too: retries may reorder unless it is idempotent. Chapter 04 tells it.
"""

import logging

import pytest

from kafkalab.faults import FaultProxy, audit, clients
from kafkalab.faults.clients import Settings

pytestmark = pytest.mark.cluster


@pytest.fixture(autouse=True)
def _quiet():
    """The peers tell at length of the failures that they were given."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("name", "idempotent", "ordered"),
    [
        ("kafkalab", False, True),
        ("kafka-python", False, True),
        ("confluent", False, False),
        ("confluent", True, True),
    ],
)
def test_a_refused_record_and_the_next_ones(cluster, name, idempotent, ordered):
    topic = f"{cluster.prefix}one-in-flight"
    cluster.recreate_topic(topic, partitions=1)
    settings = Settings(enable_idempotence=idempotent, max_in_flight=1, batch_size=0, retry_backoff_ms=500)
    with (
        FaultProxy(cluster.bootstrap_servers, cluster.security) as proxy,
        clients.open(name, proxy.bootstrap_servers, settings) as client,
    ):
        client.warm_up(topic)
        proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", topic=topic)
        client.send_all(topic, [b"first", b"second", b"third"])
        client.settle()
        seen = audit(cluster, topic, client.sent)
    assert not seen.lost
    assert bool(seen.reordered) != ordered, str(seen)
