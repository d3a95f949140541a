from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from kafkalab.cluster.errors import NodeStateError
from kafkalab.course import cluster_view
from kafkalab.course.views import operating

from .conftest import FakeCluster


class Node(NamedTuple):
    node_id: int
    role: str
    state: str


class Status(NamedTuple):
    nodes: list[Node]


class Operated(FakeCluster):
    """Three brokers that obey; the one that leads is the first that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.states = dict.fromkeys((1, 2, 3), "running")
        self.looks = 0

    def status(self) -> Status:
        self.looks += 1
        return Status([Node(broker, "broker", state) for broker, state in self.states.items()])

    def partitions(self, topic: str) -> list[int]:
        return [0]

    def replicas(self, topic: str, partition: int) -> list[int]:
        return [1, 2, 3]

    def isr(self, topic: str, partition: int) -> list[int]:
        return [broker for broker, state in self.states.items() if state == "running"]

    def leader(self, topic: str, partition: int) -> int | None:
        return next(iter(self.isr(topic, partition)), None)

    def kill(self, broker: int) -> None:
        if self.states[broker] == "dead":
            raise NodeStateError(f"Broker {broker} is dead already.")
        self.states[broker] = "dead"

    def restart(self, broker: int) -> None:
        self.states[broker] = "running"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating, "PULSE_S", 0.001)


def obeyed(view: Any, verb: str, broker: int) -> None:
    thread = view.order(verb, broker)
    thread.join(10)
    assert not thread.is_alive()


def test_an_order_reaches_the_cluster_and_shows() -> None:
    cluster = Operated()
    view = cluster_view(cluster, "t")
    before = view.drawing
    obeyed(view, "kill", 1)
    assert cluster.states[1] == "dead"
    assert view.drawing != before
    assert "✕ dead" in view.drawing
    assert view.allowed == {"1": ["restart"], "2": ["kill", "pause"], "3": ["kill", "pause"]}
    assert view.status == "Broker 1 was killed. Now: broker 1 dead, broker 2 running, broker 3 running."
    assert (view.busy, view.error) == (False, "")
    obeyed(view, "restart", 1)
    assert view.drawing == before


def test_the_static_form_stays_what_it_was() -> None:
    view = cluster_view(Operated(), "t")
    obeyed(view, "kill", 1)
    assert view.equivalent.startswith("broker 1 running")
    assert "dead" not in view._repr_mimebundle_()[0]["text/html"]


def test_an_error_is_shown_and_the_view_goes_on() -> None:
    cluster = Operated()
    view = cluster_view(cluster, "t")
    cluster.states[2] = "dead"  # from elsewhere
    obeyed(view, "kill", 2)
    assert view.error == "NodeStateError: Broker 2 is dead already."
    assert view.allowed["2"] == ["restart"]
    obeyed(view, "look", 0)
    assert view.error == ""


def test_a_cluster_without_running_brokers_is_said() -> None:
    cluster = Operated()
    cluster.states = dict.fromkeys((1, 2), "dead")
    view = cluster_view(cluster, "t")
    assert view.status == "No broker is running, so nobody can be asked about partitions."
    assert view.allowed == {"1": ["restart"], "2": ["restart"]}


def test_on_an_external_cluster_nothing_can_be_done_and_the_reason_is_said() -> None:
    cluster = Operated()
    cluster.backend = "external"
    view = cluster_view(cluster, "t")
    assert view.allowed == {}
    obeyed(view, "look", 0)
    assert view.allowed == {}
    assert view.status == f"Now: broker 1 running, broker 2 running, broker 3 running. {operating.FOREIGN}"


def test_looking_ends_when_nothing_changes() -> None:
    cluster = Operated()
    view = cluster_view(cluster, "t")
    cluster.looks = 0
    obeyed(view, "look", 0)
    assert cluster.looks == operating.STILL
