"""What goes wrong during a soak: one node at a time, drawn from a seed.

Rules
- After each fault the cluster is healed: all nodes up, all replicas in sync, preferred leaders elected. So
  every partition keeps two of three replicas, and no acknowledged record may ever be lost.
- Which node, how, and for how long comes from the seed; when the next one comes depends on how long healing
  takes.
"""

from __future__ import annotations

import random
import time
from typing import Literal, NamedTuple

from kafkalab.cluster import Cluster

Action = Literal["kill", "freeze", "restart"]
LONGEST_S = 6.0
"""Twice the lab's broker.session.timeout.ms: some faults are over before the controller notices."""
CALM_S = 2.0
"""Longest quiet time after a fault."""
CONTROLLER_SHARE = 0.15


class Fault(NamedTuple):
    """One fault: `kill` and `freeze` last for `seconds`, `restart` kills and starts again at once."""

    action: Action
    node: int
    seconds: float
    calm: float

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.action != "restart" else ""
        return f"{self.action} node {self.node}{lasting}"


class Havoc:
    """A seeded sequence of faults on a cluster of ours."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster = cluster
        self.done: list[Fault] = []
        self._random = random.Random(f"{seed} havoc")  # noqa: S311 - chance, not secrecy

    def draw(self) -> Fault:
        """Return the next fault."""
        controller = self._random.random() < CONTROLLER_SHARE
        nodes = self.cluster.controller_ids if controller else self.cluster.broker_ids
        actions: tuple[Action, ...] = ("kill", "freeze", "restart")
        action = self._random.choices(actions, (5, 4, 2))[0]
        seconds, calm = self._random.uniform(0.2, LONGEST_S), self._random.uniform(0.2, CALM_S)
        return Fault(action, self._random.choice(nodes), seconds, calm)

    def inflict(self, fault: Fault) -> None:
        """Let it happen, heal, and be quiet for a moment."""
        self.done.append(fault)
        if fault.action == "freeze":
            self.cluster.pause(fault.node)
        else:
            self.cluster.kill(fault.node)
        if fault.action != "restart":
            time.sleep(fault.seconds)
        self.cluster.heal()
        time.sleep(fault.calm)
