"""What changes under a running producer: leaders move, topics are made anew, partitions are added."""

import pytest
import readers
from cluster_helpers import make_topic, wait_until
from test_on_cluster import add_partitions

from kafkalab import Producer
from kafkalab.producer import Trace

pytestmark = pytest.mark.cluster


def test_a_topic_deleted_and_made_anew_starts_from_offset_0_with_other_partitions(cluster, request):
    topic = make_topic(cluster, request, partitions=3)
    # The same broker may lead the new partition 0: then only the metadata's age shows that there is one.
    with Producer(
        bootstrap_servers=cluster.bootstrap_servers, linger_ms=0, metadata_max_age_ms=300
    ) as producer:
        for number in range(5):
            producer.send(topic, b"old %d" % number, partition=0).result(10)
        cluster.recreate_topic(topic, partitions=1)
        future = producer.send(topic, b"new", partition=0)
        assert future.result(30).offset == 0
        wait_until(lambda: len(producer.partitions_for(topic)) == 1)
        assert producer.send(topic, b"newer", key=b"any key").result(10).offset == 1
    read = readers.by_kafka_python(cluster.bootstrap_servers, topic, 2)
    assert [record.value for record in read] == [b"new", b"newer"]


def test_a_leader_that_moved_is_found_and_nothing_is_lost_or_doubled(cluster, request):
    topic = make_topic(cluster, request, assignment=[[1, 2, 3]], config={"min.insync.replicas": "2"})
    trace = Trace(records=False)
    with Producer(
        bootstrap_servers=cluster.bootstrap_servers, linger_ms=0, request_timeout_ms=2000, trace=trace
    ) as producer:
        futures = [producer.send(topic, b"%d" % number) for number in range(20)]
        producer.flush()
        leader = cluster.leader(topic, 0)
        cluster.kill(leader)
        futures += [producer.send(topic, b"%d" % number) for number in range(20, 40)]
        assert [future.result(40).offset for future in futures] == list(range(40))
        asked = {event.data["node"] for event in trace.find("request")}
    assert leader in asked
    assert len(asked) > 1
    read = readers.by_kafka_python(cluster.bootstrap_servers, topic, 40)
    assert [record.value for record in read] == [b"%d" % number for number in range(40)]


def test_keys_and_keyless_records_use_partitions_that_were_added(cluster, request):
    topic = make_topic(cluster, request, partitions=1)
    with Producer(
        bootstrap_servers=cluster.bootstrap_servers, metadata_max_age_ms=200, batch_size=0
    ) as producer:
        producer.send(topic, b"x").result(10)
        add_partitions(cluster, topic, 4)
        wait_until(lambda: len(producer.partitions_for(topic)) == 4)
        keyed = {producer.send(topic, b"x", key=b"%d" % number).target.partition for number in range(60)}
        keyless = {producer.send(topic, b"x").target.partition for _ in range(200)}
        producer.flush()
    assert keyed == keyless == {0, 1, 2, 3}
