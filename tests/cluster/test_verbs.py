"""What a lesson does with a cluster, on the back end at hand."""

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from kafkalab.cluster import Cluster, Offsets

pytestmark = pytest.mark.cluster


def send(cluster: Cluster, topic: str, values: list[bytes], **settings: object) -> None:
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, **settings)
    try:
        for value in values:
            producer.send(topic, value, partition=0).get(timeout=20)
    finally:
        producer.close()


def test_a_started_cluster_has_three_brokers_and_a_controller(cluster):
    assert cluster.broker_ids == [1, 2, 3]
    assert cluster.controller_ids == [100]
    assert len(cluster.bootstrap_servers.split(",")) == 3
    assert cluster.backend in {"embedded", "containers"}
    assert cluster.prefix == ""


def test_features_are_the_latest_of_the_release(cluster):
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers, reconnect_backoff_max_ms=100)
    try:
        features = admin.describe_features()
    finally:
        admin.close()
    finalized = {name: feature["finalized"] for name, feature in features.items() if name in LATEST}
    assert finalized == {name: (1 if name == "x" else level) for name, level in LATEST.items()}


LATEST = {"metadata.version": 30, "transaction.version": 2, "group.version": 1}


def test_a_new_topic_serves_at_once(cluster):
    cluster.recreate_topic("verbs-new", partitions=6)
    assert [cluster.leader("verbs-new", p) for p in range(6)] == [1, 2, 3, 1, 2, 3]
    assert [cluster.replicas("verbs-new", p) for p in range(3)] == [[1, 2, 3], [2, 3, 1], [3, 1, 2]]
    assert cluster.wait_isr("verbs-new", 0) == [1, 2, 3]
    assert cluster.offsets("verbs-new", 0) == Offsets(0, 0, 0, 0)
    assert cluster.read("verbs-new") == []
