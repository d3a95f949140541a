"""Pictures of what a real cluster did are the same in every run."""

from __future__ import annotations

from typing import Any

import pytest

from kafkalab.course.markup import html
from kafkalab.course.views.bytes import bytes_view
from kafkalab.course.views.fields import record_batches
from kafkalab.course.views.live import Explorer
from kafkalab.course.views.sequence import sequence_diagram
from kafkalab.faults import FaultProxy
from kafkalab.faults.recorder import Recorder
from kafkalab.producer import Producer

pytestmark = pytest.mark.cluster
NOON = 1_700_000_000_000


def stored(*views: Explorer) -> list[str]:
    return [html(view.static().markup) for view in views]


def lost_answer(cluster: Any) -> tuple[list[str], FaultProxy]:
    cluster.recreate_topic("views-lost", assignment=[[1, 2, 3]])
    with FaultProxy(cluster.bootstrap_servers, record=Recorder(keep=True)) as proxy:
        proxy.drop_response("Produce", nth=2, reset=True)
        with Producer(bootstrap_servers=proxy.bootstrap_servers) as producer:
            for number in range(3):
                producer.send("views-lost", b"m%d" % number, timestamp_ms=NOON).result(30)
    (first, *_) = proxy.recorder.find(api="Produce", direction="request")  # type: ignore[union-attr]
    return stored(sequence_diagram(proxy), bytes_view(first.raw)), proxy


def test_a_lost_answer_gives_the_same_pictures_twice(cluster: Any) -> None:
    once, proxy = lost_answer(cluster)
    again, _ = lost_answer(cluster)
    assert once == again
    words = sequence_diagram(proxy).equivalent
    assert "Produce answer lost; views-lost-0 base offset 1; [lost]" in words
    assert "Produce, retry 1; views-lost-0 (p1, 0, 1) 1 record (on a new connection)" in words
    (raw, *_) = (frame.raw for frame in proxy.frames if frame.api == "Produce")
    assert len(record_batches(raw)) == 1


def test_a_transaction_tells_producer_epoch_and_verdict(cluster: Any) -> None:
    cluster.recreate_topic("views-tx", assignment=[[1, 2, 3]])
    with (
        FaultProxy(cluster.bootstrap_servers, record=True) as proxy,
        Producer(bootstrap_servers=proxy.bootstrap_servers, transactional_id="views-tx") as producer,
    ):
        producer.init_transactions()
        for ends in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            producer.send("views-tx", b"m").result(30)
            ends()
    assert all(frame.raw == b"" for frame in proxy.frames), "only a recorder with keep=True keeps bytes"
    words = sequence_diagram(proxy, apis=["InitProducerId", "EndTxn"], brokers="together").equivalent
    assert "InitProducerId answer; (p1, 0)" in words
    assert "EndTxn; (p1, 0) commit" in words
    assert "EndTxn; (p1, 1) abort" in words
