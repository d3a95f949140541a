"""A plaintext client reaches a cluster that wants TLS and a login, because the proxy has both."""

import logging

import pytest
from secured import NAMES, PASSWORD

from kafkalab import Cluster, FaultProxy, audit
from kafkalab.cluster import ClusterError
from kafkalab.cluster.wire import Security
from kafkalab.faults import clients
from kafkalab.faults.clients import Settings

pytestmark = pytest.mark.cluster


def security(secured, protocol, mechanism="PLAIN", password=PASSWORD):
    return Security(protocol, mechanism, NAMES[mechanism], password, str(secured.ca))


@pytest.mark.parametrize(
    ("listener", "protocol", "mechanism"),
    [
        ("TLS", "SSL", "PLAIN"),
        ("LOGIN", "SASL_PLAINTEXT", "SCRAM-SHA-256"),
        ("CLIENT", "SASL_SSL", "SCRAM-SHA-512"),
    ],
)
def test_an_answer_is_lost_behind_tls_and_login(secured, listener, protocol, mechanism):
    way_in = security(secured, protocol, mechanism)
    servers = secured.addresses[listener]
    with Cluster.connect(servers, way_in) as cluster:
        topic = f"{cluster.prefix}lost-{listener}"
        cluster.recreate_topic(topic, replication_factor=1)
        with FaultProxy(servers, way_in) as proxy:
            lost = proxy.drop_response("Produce", nth=2, reset=True)
            settings = Settings(enable_idempotence=False)
            with clients.open("kafkalab", proxy.bootstrap_servers, settings) as client:
                for number in range(4):
                    client.send(topic, b"m%d" % number).wait()
            assert lost.fired
        assert [each.sent.id for each in audit(cluster, topic, client.sent).duplicated] == [b"m1"]


def test_much_passes_both_ways_at_once(secured):
    """One TLS object, a thread that reads and one that writes."""
    way_in = security(secured, "SASL_SSL")
    with Cluster.connect(secured.addresses["CLIENT"], way_in) as cluster:
        topic = f"{cluster.prefix}much"
        cluster.recreate_topic(topic, replication_factor=1)
        with FaultProxy(secured.addresses["CLIENT"], way_in) as proxy:
            with clients.open("confluent", proxy.bootstrap_servers, Settings()) as client:
                client.send_all(topic, [b"%05d" % number + b"." * 1000 for number in range(5000)])
                client.settle()
            assert audit(cluster, topic, client.sent)


def test_a_wrong_password_is_told_at_once(secured):
    logging.disable(logging.CRITICAL)
    try:
        with pytest.raises(ClusterError, match="refused the login"):
            FaultProxy(secured.addresses["CLIENT"], security(secured, "SASL_SSL", password="guessed"))
    finally:
        logging.disable(logging.NOTSET)
