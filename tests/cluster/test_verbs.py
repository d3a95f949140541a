"""What a lesson does with a cluster, on the back end at hand."""

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import InvalidPartitionsError, InvalidReplicationFactorError, TopicAlreadyExistsError

from kafkalab.cluster import (
    Cluster,
    ClusterError,
    NodeStateError,
    Offsets,
    UnknownNodeError,
    WaitTimeoutError,
)
from kafkalab.cluster.polling import wait_until

pytestmark = pytest.mark.cluster


def send(cluster, topic, values, **settings):
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
    # kraft.version 1 is for quorums whose controllers come and go; ours has one fixed controller.
    del features["kraft.version"]
    assert {"metadata.version", "transaction.version"} <= features.keys()
    latest = {name: feature["supported"][1] for name, feature in features.items()}
    assert {name: feature["finalized"][1] for name, feature in features.items()} == latest


def test_a_new_topic_serves_at_once(cluster):
    cluster.recreate_topic("verbs-new", partitions=6)
    assert [cluster.leader("verbs-new", p) for p in range(6)] == [1, 2, 3, 1, 2, 3]
    assert [cluster.replicas("verbs-new", p) for p in range(3)] == [[1, 2, 3], [2, 3, 1], [3, 1, 2]]
    assert cluster.wait_isr("verbs-new", 0) == [1, 2, 3]
    assert cluster.offsets("verbs-new", 0) == Offsets(0, 0, 0, 0)
    assert cluster.read("verbs-new") == []
    assert "verbs-new" in cluster.topics()


def test_replicas_go_where_the_assignment_says(cluster):
    cluster.recreate_topic("verbs-assigned", assignment=[[3, 1], [2, 3]], config={"min.insync.replicas": "2"})
    assert cluster.replicas("verbs-assigned", 0) == [3, 1]
    assert cluster.replicas("verbs-assigned", 1) == [2, 3]
    assert cluster.leader("verbs-assigned", 0) == 3


def test_what_kafka_refuses_is_raised(cluster):
    cluster.recreate_topic("verbs-twice")
    with pytest.raises(TopicAlreadyExistsError, match="verbs-twice"):
        cluster.create_topic("verbs-twice")
    with pytest.raises(InvalidReplicationFactorError, match="verbs-many"):
        cluster.create_topic("verbs-many", replication_factor=4)


def test_a_recreated_topic_is_empty(cluster):
    cluster.recreate_topic("verbs-again")
    send(cluster, "verbs-again", [b"old"])
    cluster.recreate_topic("verbs-again")
    assert cluster.read("verbs-again") == []
    assert cluster.offsets("verbs-again", 0) == Offsets(0, 0, 0, 0)


def test_unknown_names_are_told(cluster):
    with pytest.raises(ClusterError, match=r"'no-such-topic' is unknown.*create_topic"):
        cluster.leader("no-such-topic", 0)
    with pytest.raises(ClusterError, match="'no-such-topic' is unknown"):
        cluster.read("no-such-topic")
    with pytest.raises(UnknownNodeError, match=r"Node 9 is not in this cluster: brokers \[1, 2, 3\]"):
        cluster.kill(9)
    with pytest.raises(ValueError, match="allowed are read_uncommitted and read_committed"):
        cluster.read("no-such-topic", isolation="serializable")


def test_leader_moves_after_a_kill_and_comes_home_by_heal(cluster):
    cluster.recreate_topic("verbs-kill")
    send(cluster, "verbs-kill", [b"before"], acks="all")
    cluster.kill(1)
    assert {s.node_id: s.state for s in cluster.status().nodes}[1] == "dead"
    assert cluster.wait_leader("verbs-kill", 0, other_than=1) == 2
    assert cluster.wait_isr("verbs-kill", 0, size=2) == [2, 3]
    send(cluster, "verbs-kill", [b"after"], acks="all")
    cluster.restart(1)
    assert cluster.wait_isr("verbs-kill", 0, ids=[1, 2, 3]) == [1, 2, 3]
    assert cluster.leader("verbs-kill", 0) == 2
    cluster.heal()
    assert cluster.leader("verbs-kill", 0) == 1
    assert [record.value for record in cluster.read("verbs-kill")] == [b"before", b"after"]


def test_a_paused_leader_is_replaced_and_a_resumed_one_follows(cluster):
    cluster.recreate_topic("verbs-pause", assignment=[[2, 3, 1]])
    cluster.pause(2)
    assert {s.node_id: s.state for s in cluster.status().nodes}[2] == "paused"
    assert cluster.wait_leader("verbs-pause", 0, other_than=2) == 3
    cluster.resume(2)
    assert cluster.wait_isr("verbs-pause", 0) == [1, 2, 3]
    assert cluster.wait_leader("verbs-pause", 0, node_id=3) == 3


def test_log_end_runs_ahead_of_the_high_watermark_while_followers_sleep(cluster):
    cluster.recreate_topic("verbs-ahead")
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks=1, enable_idempotence=False)
    producer.send("verbs-ahead", b"seen by all").get(timeout=20)
    wait_until("all have it", lambda: cluster.offsets("verbs-ahead", 0).high_watermark == 1)
    cluster.pause(2)
    cluster.pause(3)
    # acks=1 returns although nobody copied the record.
    producer.send("verbs-ahead", b"seen by one").get(timeout=20)
    offsets = cluster.offsets("verbs-ahead", 0)
    producer.close()
    assert (offsets.start, offsets.log_end) == (0, 2)
    assert offsets.high_watermark in (1, 2)
    assert cluster.wait_isr("verbs-ahead", 0, ids=[1]) == [1]
    wait_until("what is left is in sync", lambda: cluster.offsets("verbs-ahead", 0) == Offsets(0, 2, 2, 2))


def test_two_of_three_brokers_killed_leave_one_that_works(cluster):
    cluster.recreate_topic("verbs-two", assignment=[[3, 1, 2]])
    cluster.kill(1)
    cluster.kill(2)
    assert cluster.wait_isr("verbs-two", 0, ids=[3]) == [3]
    send(cluster, "verbs-two", [b"alone"], acks=1, enable_idempotence=False)
    wait_until("nobody else is asked", lambda: cluster.offsets("verbs-two", 0).high_watermark == 1)
    assert [record.value for record in cluster.read("verbs-two")] == [b"alone"]


def test_the_controller_can_be_killed_and_healed(cluster):
    cluster.recreate_topic("verbs-controller")
    cluster.kill(100)
    send(cluster, "verbs-controller", [b"x"], acks="all", enable_idempotence=False)
    cluster.heal()
    cluster.recreate_topic("verbs-controller")


def test_a_paused_broker_can_be_killed(cluster):
    cluster.pause(3)
    cluster.kill(3)
    with pytest.raises(NodeStateError, match=r"3 is dead.*restart\(3\)"):
        cluster.pause(3)
    cluster.restart(3)
    with pytest.raises(NodeStateError, match=r"3 is running"):
        cluster.restart(3)


def test_waits_end_with_what_was_seen_last(cluster):
    cluster.recreate_topic("verbs-wait")
    with pytest.raises(
        WaitTimeoutError, match=r"(?s)ISR of verbs-wait-0 is \[1\].*isr=\[1, 2, 3\].*log ends"
    ):
        cluster.wait_isr("verbs-wait", 0, ids=[1], timeout=0.2)


def test_attached_handles_have_full_powers(cluster):
    attached = Cluster.attach(cluster.directory)
    assert attached.bootstrap_servers == cluster.bootstrap_servers
    attached.kill(2)
    assert {s.node_id: s.state for s in cluster.status().nodes}[2] == "dead"
    attached.heal()
    assert {s.state for s in cluster.status().nodes} == {"running"}


def test_status_tells_memory(cluster):
    nodes = cluster.status().nodes
    assert [(n.node_id, n.role) for n in nodes] == [
        (100, "controller"),
        (1, "broker"),
        (2, "broker"),
        (3, "broker"),
    ]
    assert all(20e6 < (n.rss or 0) < 500e6 for n in nodes)
    assert f"127.0.0.1:{nodes[1].port}" in cluster.bootstrap_servers


def test_partitions_can_be_added_and_not_taken_away(cluster):
    cluster.recreate_topic("verbs-more", partitions=2)
    cluster.add_partitions("verbs-more", 5)
    assert cluster.partitions("verbs-more") == [0, 1, 2, 3, 4]
    with pytest.raises(InvalidPartitionsError):
        cluster.add_partitions("verbs-more", 3)


def test_every_copy_takes_its_place_on_a_disk(cluster):
    cluster.recreate_topic("verbs-one-copy", assignment=[[2]])
    cluster.recreate_topic("verbs-three-copies", assignment=[[1, 2, 3]])
    for topic in ("verbs-one-copy", "verbs-three-copies"):
        send(cluster, topic, [b"x" * 1000], acks="all")
    one, three = cluster.stored("verbs-one-copy"), cluster.stored("verbs-three-copies")
    assert (one[1], one[3]) == (0, 0)
    assert one[2] > 1000
    assert set(three.values()) == {one[2]}
