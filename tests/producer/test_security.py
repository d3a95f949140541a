"""TLS and logins: against a real broker that wants them, and with both sides in our hands."""

import logging
import ssl
import threading
import time

import pytest
import readers
import trustme
from cluster_helpers import wait_until
from fake_broker import METADATA, PRODUCE, FakeBroker
from kafka import admin as admin_names
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.protocol.metadata import MetadataRequest, MetadataResponse
from kafka.protocol.sasl import SaslAuthenticateResponse, SaslHandshakeResponse
from scramp import ScramMechanism
from secured import NAMES, PASSWORD, SESSION_MS

from kafkalab.producer import (
    AuthenticationError,
    ConfigError,
    Producer,
    ProducerConfig,
    connection,
    handshake,
)
from kafkalab.producer.handshake import ConnectionState
from kafkalab.producer.network_client import NetworkClient
from kafkalab.producer.security import diagnose


def login(mechanism="PLAIN", **changes):
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": NAMES[mechanism],
        "sasl_plain_password": PASSWORD,
        **changes,
    }


def client_of(address, **settings):
    return NetworkClient(ProducerConfig(bootstrap_servers=address, reconnect_backoff_ms=10, **settings))


def poll_until(client, condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"polled in vain: {client.trouble!r}"
        client.give_up_late(time.monotonic())
        client.poll(0.01)


def ask(client):
    """Return the answer to a request for metadata, or the error."""
    poll_until(client, lambda: client.any_node(time.monotonic()) is not None)
    answers = []
    node = client.any_node(time.monotonic())
    client.send(node, MetadataRequest(topics=None), lambda *both: answers.append(both), time.monotonic(), 5)
    poll_until(client, lambda: answers)
    response, error = answers[0]
    return error or response


def trouble(address, **settings):
    """Return why `address` cannot be used with `settings`."""
    client, refusals = client_of(address, **settings), []
    client.on_refused = lambda node, error: refusals.append(error)
    try:
        poll_until(client, lambda: client.trouble or client.any_node(time.monotonic()) is not None)
        if client.trouble is None:
            ask(client)
            poll_until(client, lambda: client.trouble)
        assert refusals == ([client.trouble] if isinstance(client.trouble, AuthenticationError) else [])
        return client.trouble
    finally:
        client.close()


# --- a real broker --------------------------------------------------------------------------------

WAYS = [
    ("TLS", "SSL", None),
    *[("CLIENT", "SASL_SSL", mechanism) for mechanism in NAMES],
    *[("LOGIN", "SASL_PLAINTEXT", mechanism) for mechanism in NAMES],
]


@pytest.fixture(scope="module")
def topic(secured):
    admin = KafkaAdminClient(bootstrap_servers=secured.addresses["INTERNAL"])
    admin.create_topics([NewTopic("secured-producer", 3, 1)])
    admin.close()
    return "secured-producer"


@pytest.mark.cluster
@pytest.mark.parametrize(("listener", "protocol", "mechanism"), WAYS)
def test_every_way_in_carries_records(secured, topic, listener, protocol, mechanism):
    settings = {"security_protocol": protocol, "bootstrap_servers": secured.addresses[listener]}
    settings |= {"ssl_cafile": secured.ca} if protocol.endswith("SSL") else {}
    settings |= login(mechanism) if mechanism else {}
    values = [
        f"{listener} {mechanism} {n} ".encode() + b"x" * (900_000 if n == 5 else 10) for n in range(100)
    ]
    with Producer(**settings) as producer:
        offsets = [producer.send(topic, value, partition=0) for value in values]
        first = offsets[0].result(15).offset
        assert [future.result(15).offset for future in offsets] == list(range(first, first + 100))
    read = readers.by_kafka_python(secured.addresses["INTERNAL"], topic, first + 100)
    assert [each.value for each in read][-100:] == values


@pytest.mark.cluster
@pytest.mark.parametrize("mechanism", list(NAMES))
@pytest.mark.parametrize("changes", [{"sasl_plain_password": "guessed"}, {"sasl_plain_username": "eve"}])
def test_a_wrong_login_is_refused_and_says_so(secured, mechanism, changes, caplog):
    caplog.set_level(logging.INFO, "kafkalab")
    given = login(mechanism, **changes)
    error = trouble(secured.addresses["LOGIN"], security_protocol="SASL_PLAINTEXT", **given)
    assert isinstance(error, AuthenticationError)
    assert f"refused user {given['sasl_plain_username']!r} ({mechanism})" in str(error)
    assert "Check sasl_plain_username and sasl_plain_password" in str(error)
    assert given["sasl_plain_password"] not in str(error) + caplog.text
    assert "refused user" in caplog.text


REFUSALS = [
    (
        "CLIENT",
        {"security_protocol": "PLAINTEXT"},
        "speaks TLS: set security_protocol to 'SSL' (or 'SASL_SSL')",
    ),
    ("CLIENT", {"security_protocol": "SASL_PLAINTEXT", **login()}, "set security_protocol to 'SASL_SSL'"),
    (
        "TLS",
        {"security_protocol": "SASL_SSL", "ssl_cafile": True, **login()},
        "the broker wants no login here",
    ),
    ("INTERNAL", {"security_protocol": "SASL_PLAINTEXT", **login()}, "the broker wants no login here"),
    ("TLS", {"security_protocol": "SSL"}, "Set ssl_cafile to the PEM file of the authority"),
]
HINTS = [
    (
        "INTERNAL",
        {"security_protocol": "SSL"},
        "if its port does not speak TLS, set security_protocol to 'PLAIN",
    ),
    ("CLIENT", {"security_protocol": "SSL", "ssl_cafile": True}, "set security_protocol to 'SASL_SSL'"),
    ("LOGIN", {"security_protocol": "PLAINTEXT"}, "wants a login, set security_protocol to 'SASL_PLAINTEXT'"),
]


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("listener", "settings", "message", "refused"),
    [(*row, True) for row in REFUSALS] + [(*row, False) for row in HINTS],
)
def test_two_sides_that_disagree_learn_why(secured, listener, settings, message, refused):
    if "ssl_cafile" in settings:
        settings = {**settings, "ssl_cafile": secured.ca}
    error = trouble(secured.addresses[listener], **settings)
    assert message in str(error)
    assert isinstance(error, AuthenticationError) is refused


@pytest.mark.cluster
def test_the_certificate_has_to_name_the_host(secured):
    port = secured.addresses["TLS"].rpartition(":")[2]
    settings = {"security_protocol": "SSL", "ssl_cafile": secured.ca}
    error = trouble(f"localhost:{port}", **settings)
    assert isinstance(error, AuthenticationError)
    assert "Connect by a name in the certificate, or set ssl_endpoint_identification_algorithm" in str(error)
    client = client_of(f"localhost:{port}", ssl_endpoint_identification_algorithm="", **settings)
    assert ask(client).brokers
    client.close()


@pytest.mark.cluster
@pytest.mark.parametrize(("used", "lost"), [(connection._SESSION_USED, False), (1000.0, True)])
def test_a_login_is_renewed_before_it_ends(secured, topic, monkeypatch, used, lost):
    """The control waits for the broker to end it: it closes the connection at the next request."""
    monkeypatch.setattr(connection, "_SESSION_USED", used)
    settings = {"security_protocol": "SASL_PLAINTEXT", **login("SCRAM-SHA-256")}
    losses = []
    with Producer(bootstrap_servers=secured.addresses["SESSION"], linger_ms=0, **settings) as producer:
        producer.send(topic, b"first").result(10)
        producer.sender._client.on_lost = lambda: losses.append(producer.sender._client.trouble)
        end = time.monotonic() + 2 * SESSION_MS / 1000
        while time.monotonic() < end:
            producer.send(topic, b"more").result(10)
            time.sleep(0.02)
    assert bool(losses) is lost


@pytest.fixture
def user(secured):
    """A function that sets the password of a SCRAM user of this test, whom the broker does not know yet."""
    admin, name = KafkaAdminClient(bootstrap_servers=secured.addresses["INTERNAL"]), f"user-{time.time_ns()}"

    def set_password(password):
        kind = admin_names.ScramMechanism.SCRAM_SHA_512
        credential = admin_names.UserScramCredentialUpsertion(name, kind, password, iterations=4096)
        admin.alter_user_scram_credentials([credential])

    set_password.name = name
    yield set_password
    admin.close()


@pytest.mark.cluster
def test_a_refusal_reaches_the_application_at_once_and_is_not_repeated_until_asked(secured, topic, user):
    settings = {"security_protocol": "SASL_PLAINTEXT", "reconnect_backoff_ms": 1}
    # An idempotent producer goes on dialling once a second for its producer id, as Java's does.
    settings |= login("SCRAM-SHA-512", sasl_plain_username=user.name, enable_idempotence=False)
    with Producer(bootstrap_servers=secured.addresses["LOGIN"], **settings) as producer:
        refusals, tell = [], producer.sender._client.on_refused
        producer.sender._client.on_refused = lambda *both: (refusals.append(both), tell(*both))
        started = time.monotonic()
        assert isinstance(producer.send(topic, b"x").exception(10), AuthenticationError)
        with pytest.raises(AuthenticationError, match=f"refused user {user.name!r}"):
            producer.partitions_for(topic)
        assert time.monotonic() - started < 5
        seen = len(refusals)
        time.sleep(0.5)
        assert len(refusals) == seen
        user(PASSWORD)
        wait_until(lambda: producer.send(topic, b"x").exception(10) is None)


@pytest.mark.cluster
@pytest.mark.parametrize("idempotent", [True, False])
def test_records_for_a_broker_that_turns_us_away_fail_at_once(secured, topic, user, idempotent):
    user(PASSWORD)
    settings = {"security_protocol": "SASL_PLAINTEXT", "reconnect_backoff_ms": 1, "linger_ms": 0}
    settings |= login("SCRAM-SHA-512", sasl_plain_username=user.name, enable_idempotence=idempotent)
    with Producer(bootstrap_servers=secured.addresses["SESSION"], **settings) as producer:
        wait_until(lambda: producer.send(topic, b"x").exception(10) is None)  # the broker learns of the user
        user("another")
        started, error = time.monotonic(), None
        while error is None:
            error = producer.send(topic, b"x").exception(10)
            time.sleep(0.02)
        assert isinstance(error, AuthenticationError)
        assert time.monotonic() - started < 2 * SESSION_MS / 1000
        user(PASSWORD)
        wait_until(lambda: producer.send(topic, b"x").exception(10) is None)


# --- both sides in our hands ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def tls_broker(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with FakeBroker(partitions=5_000, tls=context) as broker:
        yield broker


@pytest.fixture
def cafile(authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def test_requests_and_answers_of_many_tls_records(tls_broker, cafile):
    settings = {"security_protocol": "SSL", "ssl_cafile": cafile, "max_block_ms": 5000}
    with Producer(bootstrap_servers=tls_broker.address, **settings) as producer:
        assert len(producer.partitions_for("t")) == 5_000
        assert producer.send("t", b"x" * 1_000_000).result(5).offset == 0


def test_a_broker_that_reads_slowly_gets_every_byte_once(tls_broker, cafile):
    """A write that TLS could not finish is repeated with more behind it."""
    reading = threading.Event()
    tls_broker.answer[PRODUCE] = lambda *_: None if reading.wait(5) else b""
    settings = {"security_protocol": "SSL", "ssl_cafile": cafile, "acks": 0, "enable_idempotence": False}
    settings |= {"linger_ms": 0, "batch_size": 0, "max_in_flight_requests_per_connection": 100}
    with Producer(bootstrap_servers=tls_broker.address, **settings) as producer:
        try:
            futures = [producer.send("t", b"%7d" % n * 140_000, partition=n) for n in range(25)]
            wait_until(futures[0].done, seconds=5)
            assert not futures[-1].done()
        finally:
            reading.set()
        producer.flush()
        wait_until(lambda: len(tls_broker.produced) == 25)
    for request in tls_broker.produced:
        (data,) = request.topic_data[0].partition_data
        assert b"%7d" % data.index * 140_000 in bytes(data.records)


def test_a_client_certificate_is_more_than_we_have(tls_broker, cafile, authority):
    tls_broker.tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls_broker.tls)
    error = trouble(tls_broker.address, security_protocol="SSL", ssl_cafile=cafile)
    assert "a certificate of the client" in str(error)


def test_a_file_without_certificates_is_refused_at_once(tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ConfigError, match="holds no certificates: give a PEM file"):
        Producer(security_protocol="SSL", ssl_cafile=tmp_path / "empty.pem")


@pytest.mark.alone
def test_a_throttled_connection_is_left_alone_as_long_as_the_broker_says():
    with FakeBroker() as broker:
        broker.answer[METADATA] = lambda *_: MetadataResponse(brokers=[], topics=[], throttle_time_ms=200)
        client = client_of(broker.address)
        asked = time.monotonic()
        ask(client)
        assert client.any_node(time.monotonic()) is None
        assert not client.can_send(-1, time.monotonic())
        client.poll(10)  # wakes when the time is over
        assert 0.2 <= time.monotonic() - asked < 2
        assert client.any_node(time.monotonic()) == -1
        client.close()


@pytest.mark.alone
def test_a_name_that_takes_long_to_look_up_stops_nobody(monkeypatch):
    found = threading.Event()
    look_up = connection.socket.getaddrinfo

    def slow(host, port, **options):
        if host == "slow.example" and not options.get("flags"):
            found.wait(10)
            host = "127.0.0.1"
        return look_up(host, port, **options)

    monkeypatch.setattr(connection.socket, "getaddrinfo", slow)
    with FakeBroker() as broker:
        client = client_of(f"slow.example:{broker.port}")
        started = time.monotonic()
        assert client.any_node(started) is None
        client.poll(0)
        assert time.monotonic() - started < 1
        threading.Timer(0.1, found.set).start()
        client.poll(10)  # wakes when the name is known
        assert time.monotonic() - started < 5
        poll_until(client, lambda: client.any_node(time.monotonic()) == -1)
        client.close()


def test_a_name_nobody_knows():
    client = client_of("no.such.host.invalid:1")
    client.any_node(time.monotonic())
    client.poll(20)  # wakes when it is known that nobody knows it
    client.any_node(time.monotonic())
    assert "host 'no.such.host.invalid' is not found" in str(client.trouble)
    client.close()


# --- conversations without a socket ---------------------------------------------------------------


def scram_server(mechanism, password=PASSWORD):
    made = ScramMechanism(mechanism)
    secret = made.make_auth_info(password, iteration_count=4096)
    return made.make_server(lambda name: secret if name == "ada" else None)


def converse(talk, server):
    server.set_client_first(next(talk).decode())
    server.set_client_final(talk.send(server.get_server_first().encode()).decode())
    talk.send(server.get_server_final().encode())


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram(mechanism):
    with pytest.raises(StopIteration):
        converse(handshake.conversation(mechanism, "ada", PASSWORD), scram_server(mechanism))


@pytest.mark.parametrize(
    "answers",
    [
        [b"r=other,s=c2FsdA==,i=4096"],  # a nonce that does not continue ours
        [b"nonsense"],
        [b"\xff"],
        [None, b"v=" + b"A" * 43 + b"="],  # a broker that does not know the password
    ],
)
def test_a_broker_that_cannot_do_scram_is_no_friend(answers):
    server = scram_server("SCRAM-SHA-256")
    talk = handshake.conversation("SCRAM-SHA-256", "ada", PASSWORD)
    server.set_client_first(next(talk).decode())
    *good, bad = answers
    for _ in good:
        talk.send(server.get_server_first().encode())
    with pytest.raises(AuthenticationError, match="SCRAM-SHA-256 for user 'ada' failed") as refused:
        talk.send(bad)
    assert PASSWORD not in str(refused.value)


def test_plain():
    talk = handshake.conversation("PLAIN", "ada", PASSWORD)
    assert next(talk) == b"\0ada\0secret"
    with pytest.raises(StopIteration):
        talk.send(b"")


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (
            SaslHandshakeResponse(error_code=33, mechanisms=["GSSAPI"]),
            "not offer .*'PLAIN': use one of GSSAPI",
        ),
        (SaslHandshakeResponse(error_code=34, mechanisms=[]), "wants no login here"),
        (
            SaslAuthenticateResponse(error_code=58, error_message="no"),
            r"refused user 'ada' \(PLAIN\): no\. Check",
        ),
        (SaslAuthenticateResponse(error_code=58, error_message=None), "SaslAuthenticationFailedError"),
    ],
)
def test_refusals_say_what_to_change(response, message):
    with pytest.raises(AuthenticationError, match=message):
        handshake.check(response, "PLAIN", "ada")


def certificate_error(code):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "something"
    return error


@pytest.mark.parametrize(
    ("error", "step", "protocol", "kind", "message"),
    [
        (certificate_error(10), "encrypting", "SSL", AuthenticationError, "clock is wrong"),
        (certificate_error(18), "encrypting", "SSL", AuthenticationError, "Set ssl_cafile"),
        (certificate_error(62), "encrypting", "SSL", AuthenticationError, "name in the certificate"),
        (
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"),
            "encrypting",
            "SSL",
            AuthenticationError,
            "'PLAINTEXT'",
        ),
        (ssl.SSLEOFError(8, "EOF"), "encrypting", "SASL_SSL", ConnectionError, "to 'SASL_PLAINTEXT'"),
        (ssl.SSLError(1, "bad record"), "ready", "SSL", ssl.SSLError, "bad record"),
        (ConnectionResetError("gone"), "connecting", "SSL", ConnectionResetError, "gone"),
        (ConnectionResetError("gone"), "ready", "SSL", ConnectionResetError, "gone"),
        (
            ConnectionResetError("gone"),
            "authenticating",
            "SASL_SSL",
            ConnectionError,
            "check sasl_plain_username",
        ),
        (ConnectionResetError("gone"), "versions", "PLAINTEXT", ConnectionError, "if its port speaks TLS"),
    ],
)
def test_what_an_error_means_depends_on_when_it_comes(error, step, protocol, kind, message):
    assert step in {each.value for each in ConnectionState}
    meaning = diagnose(error, step, "b:9092", protocol)
    assert isinstance(meaning, kind)
    assert isinstance(meaning, AuthenticationError) is (kind is AuthenticationError)
    assert message in str(meaning)
