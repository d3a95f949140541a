"""Every address of a broker becomes the proxy's, in every version; a frame that would suffer is refused."""

import uuid

import pytest
from kafka.protocol.admin import DescribeClusterResponse
from kafka.protocol.consumer import FetchResponse
from kafka.protocol.metadata import FindCoordinatorResponse, MetadataResponse
from kafka.protocol.producer import ProduceResponse

from kafkalab.cluster.wire import Address
from kafkalab.faults import rewrite
from kafkalab.faults.errors import FrameError
from kafkalab.faults.messages import is_flexible, response_body_at
from kafkalab.faults.names import API_KEYS
from kafkalab.faults.rewrite import Rewriter

REAL = Address("broker.example", 9092)
ID = uuid.UUID(int=7)


def proxy_for(node, address):
    assert address == REAL
    return Address("127.0.0.1", 10_000 + node)


def frame_of(api, message, version):
    header = b"\0\0\0\5" + (b"\0" if is_flexible(API_KEYS[api], version) else b"")
    return rewrite.frame_of(header, message)


def rewritten(api, message, version):
    key = API_KEYS[api]
    frame = Rewriter(proxy_for).rewrite(key, version, frame_of(api, message, version))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    return type(message).decode(memoryview(frame)[response_body_at(key, version, frame) :], version=version)


def at(node, name="node_id"):
    return {name: node, "host": REAL.host, "port": REAL.port}


@pytest.mark.parametrize("version", range(14))
def test_metadata(version):
    kind = MetadataResponse.MetadataResponseBroker
    message = MetadataResponse(
        version=version, brokers=[kind(version=version, **at(node)) for node in (1, 2)], topics=[]
    )
    told = rewritten("Metadata", message, version)
    assert [(b.node_id, b.host, b.port) for b in told.brokers] == [
        (1, "127.0.0.1", 10_001),
        (2, "127.0.0.1", 10_002),
    ]


@pytest.mark.parametrize("version", range(7))
@pytest.mark.parametrize("found", [True, False])
def test_find_coordinator(version, found):
    where = at(3) if found else {"node_id": -1, "host": "", "port": -1, "error_code": 15}
    one = FindCoordinatorResponse.Coordinator
    message = (
        FindCoordinatorResponse(version=version, coordinators=[one(version=version, key="g", **where)])
        if version > 3
        else FindCoordinatorResponse(version=version, **where)
    )
    told = rewritten("FindCoordinator", message, version)
    place = told.coordinators[0] if version > 3 else told
    assert (place.host, place.port) == (("127.0.0.1", 10_003) if found else ("", -1))


@pytest.mark.parametrize("version", range(3))
def test_describe_cluster(version):
    kind = DescribeClusterResponse.DescribeClusterBroker
    message = DescribeClusterResponse(
        version=version, cluster_id="c", brokers=[kind(version=version, **at(1, "broker_id"))]
    )
    told = rewritten("DescribeCluster", message, version)
    assert [(b.broker_id, b.host, b.port) for b in told.brokers] == [(1, "127.0.0.1", 10_001)]


@pytest.mark.parametrize("version", range(10, 14))
@pytest.mark.parametrize("moved", [True, False])
def test_leader_hints_of_produce(version, moved):
    hints = [ProduceResponse.NodeEndpoint(version=version, **at(2), rack=None)] if moved else []
    topic = ProduceResponse.TopicProduceResponse
    named = {"topic_id": ID} if version >= 13 else {"name": "t"}
    part = topic.PartitionProduceResponse(version=version, index=0, error_code=6, base_offset=-1)
    message = ProduceResponse(
        version=version,
        responses=[topic(version=version, **named, partition_responses=[part])],
        **({"node_endpoints": hints} if moved else {}),
    )
    told = rewritten("Produce", message, version)
    assert [(h.node_id, h.host, h.port) for h in told.node_endpoints] == [(2, "127.0.0.1", 10_002)] * moved
    assert told.responses[0].partition_responses[0].error_code == 6


@pytest.mark.parametrize("version", range(16, 19))
def test_leader_hints_of_fetch(version):
    topic = FetchResponse.FetchableTopicResponse
    part = topic.PartitionData(version=version, partition_index=0, error_code=6, records=b"rec")
    message = FetchResponse(
        version=version,
        responses=[topic(version=version, topic_id=ID, partitions=[part])],
        node_endpoints=[FetchResponse.NodeEndpoint(version=version, **at(2), rack=None)],
    )
    told = rewritten("Fetch", message, version)
    assert [(h.host, h.port) for h in told.node_endpoints] == [("127.0.0.1", 10_002)]
    assert bytes(told.responses[0].partitions[0].records) == b"rec"


def test_only_versions_that_can_hold_addresses_are_decoded():
    wanted = {
        (api, version)
        for api, key in API_KEYS.items()
        for version in range(20)
        if Rewriter(proxy_for).wants(key, version)
    }
    always = {
        (api, version) for api in ("Metadata", "FindCoordinator", "DescribeCluster") for version in range(20)
    }
    assert wanted == (
        always
        | {("Produce", version) for version in range(10, 20)}
        | {("Fetch", version) for version in range(16, 20)}
    )


def test_a_frame_that_would_lose_something_is_refused():
    """A tagged field that kafka-python does not know would silently be gone."""
    kind = MetadataResponse.MetadataResponseBroker
    message = MetadataResponse(version=12, brokers=[kind(version=12, **at(1))], topics=[])
    frame = bytearray(frame_of("Metadata", message, 12))
    assert frame[-1] == 0
    frame[-1:] = b"\x01\x63\x01\x2a"  # one tag, number 99, one byte
    with pytest.raises(FrameError, match="Metadata response of version 12"):
        Rewriter(proxy_for).rewrite(API_KEYS["Metadata"], 12, bytes(frame))


def test_a_version_of_a_later_kafka_is_refused():
    with pytest.raises(FrameError, match="version 99 is newer"):
        Rewriter(proxy_for).rewrite(API_KEYS["Metadata"], 99, b"\0" * 20)


def test_topic_ids_are_learnt():
    kind = MetadataResponse.MetadataResponseTopic
    topic = kind(version=12, error_code=0, name="t", topic_id=ID, partitions=[])
    message = MetadataResponse(version=12, brokers=[], topics=[topic])
    rewriter = Rewriter(proxy_for)
    rewriter.rewrite(API_KEYS["Metadata"], 12, frame_of("Metadata", message, 12))
    assert rewriter.topic_names == {ID: "t"}
