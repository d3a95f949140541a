"""A guest on somebody else's cluster."""

import socket
import threading

import pytest
from kafka.protocol.metadata import ApiVersionsResponse
from secured import NAMES, PASSWORD

from kafkalab.cluster import (
    Cluster,
    ClusterError,
    NotPossibleError,
    TooOldError,
    UnreachableError,
    external,
)
from kafkalab.cluster.ports import free_ports
from kafkalab.cluster.wire import Address, Security


@pytest.fixture
def guest(cluster, monkeypatch):
    monkeypatch.setenv("KAFKALAB_LEARNER", "ada lovelace")
    return Cluster.connect(cluster.bootstrap_servers)


@pytest.mark.cluster
def test_a_guest_makes_topics_and_reads_them(cluster, guest):
    assert (guest.backend, guest.broker_ids, guest.controller_ids) == ("external", [1, 2, 3], [])
    topic = f"{guest.prefix}orders"
    assert topic == "ada-lovelace.orders"
    guest.recreate_topic(topic, partitions=2)
    guest.heal()
    assert guest.wait_isr(topic, 1) == [1, 2, 3]
    assert guest.read(topic) == []
    assert guest.offsets(topic, 0).log_end == 0
    assert guest.directory is None
    assert {node.rss for node in guest.status().nodes} == {None}
    guest.stop()
    cluster.heal()


@pytest.mark.cluster
@pytest.mark.parametrize("verb", ["kill", "restart", "pause", "resume"])
def test_a_guest_touches_no_broker(guest, verb):
    with pytest.raises(
        NotPossibleError, match=rf"{verb}\(1\) is not possible on an external cluster.*kafkalab up"
    ):
        getattr(guest, verb)(1)


@pytest.mark.cluster
def test_the_environment_leads_to_a_guest(cluster, monkeypatch, console):
    monkeypatch.setenv("KAFKALAB_BOOTSTRAP", cluster.bootstrap_servers)
    monkeypatch.setenv("KAFKALAB_BACKEND", "auto")
    with Cluster.start(console=console) as guest:
        assert guest.backend == "external"
    cluster.heal()


def test_unreachable():
    (port,) = free_ports(1)
    with pytest.raises(
        UnreachableError,
        match=rf"No broker answers \(127\.0\.0\.1:{port}: .*KAFKALAB_BOOTSTRAP.*SECURITY_PROTOCOL",
    ):
        Cluster.connect(f"127.0.0.1:{port}")


def test_no_address_and_wrong_address(monkeypatch):
    monkeypatch.delenv("KAFKALAB_BOOTSTRAP", raising=False)
    with pytest.raises(ClusterError, match="Set KAFKALAB_BOOTSTRAP"):
        Cluster.connect()
    with pytest.raises(ClusterError, match="'localhost' is no broker address"):
        Cluster.connect("localhost")
    assert external.parse_address(" [::1]:9092") == Address("::1", 9092)


def test_wrong_security_protocol(monkeypatch):
    monkeypatch.setenv("KAFKALAB_SECURITY_PROTOCOL", "TLS")
    with pytest.raises(ClusterError, match="SECURITY_PROTOCOL=TLS: allowed are PLAINTEXT, SSL"):
        Cluster.connect("localhost:9092")


def old_broker(listener):
    """Answer one ApiVersions request as Kafka 2.3 would: Produce up to 7, Metadata up to 8, no features."""
    connection, _ = listener.accept()
    with connection:
        correlation_id = int.from_bytes(connection.recv(4096)[8:12], "big")
        api = ApiVersionsResponse.ApiVersion
        keys = [api(api_key=0, min_version=0, max_version=7), api(api_key=3, min_version=0, max_version=8)]
        response = ApiVersionsResponse(error_code=0, api_keys=keys, throttle_time_ms=0, version=3)
        response.with_header(correlation_id=correlation_id)
        connection.sendall(response.encode(header=True, framed=True))


def test_too_old():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=old_broker, args=(listener,))
        thread.start()
        with pytest.raises(TooOldError, match=r"too old.*Produce v9.*Metadata v12.*KRaft.*Kafka 3\.3"):
            Cluster.connect(f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join()


@pytest.mark.cluster
@pytest.mark.parametrize("mechanism", list(NAMES))
def test_tls_and_login(secured, monkeypatch, mechanism):
    servers = secured.addresses["CLIENT"]
    given = {
        "PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": mechanism,
        "SASL_USERNAME": NAMES[mechanism],
        "SASL_PASSWORD": PASSWORD,
        "SSL_CAFILE": str(secured.ca),
    }
    for name, value in given.items():
        monkeypatch.setenv(f"KAFKALAB_SECURITY_{name}", value)
    with Cluster.connect(servers) as guest:
        guest.recreate_topic("secured", replication_factor=1)
        assert guest.read("secured") == []
    monkeypatch.setenv("KAFKALAB_SECURITY_SASL_PASSWORD", "guessed")
    with pytest.raises(ClusterError, match=r"refused the login.*KAFKALAB_SECURITY_SASL_USERNAME"):
        Cluster.connect(servers)


@pytest.mark.cluster
def test_what_a_secured_broker_does_not_take(secured):
    servers = secured.addresses["CLIENT"]
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        Cluster.connect(servers, Security("SASL_SSL", username="ada", password=PASSWORD))
    with pytest.raises(UnreachableError, match="KAFKALAB_SECURITY_PROTOCOL"):
        Cluster.connect(servers, Security("PLAINTEXT"))
    with pytest.raises(ClusterError, match=r"SASL_MECHANISM=GSSAPI is not offered.*it offers .*PLAIN"):
        Cluster.connect(servers, Security("SASL_SSL", "GSSAPI", cafile=str(secured.ca)))
