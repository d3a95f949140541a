"""Bring a schedule's faults about: rules of a proxy, and breaking one broker at a time.

Rules
- Every fault waits for its count. What has to end again (a hold, a pause) ends by a count, too, or after
  PATIENCE_S when the load stands still because of it.
- A broker that was killed is started again at once. leave() returns when nothing is broken any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from kafkalab.cluster import Cluster
from kafkalab.faults.campaign.schedule import NODE_VERBS, Fault
from kafkalab.faults.errors import RuleTimeoutError
from kafkalab.faults.proxy import FaultProxy
from kafkalab.faults.rules import Rule

LOOK_S = 0.1
PATIENCE_S = {"hold": 0.5, "pause": 1.5}


class Injection:
    """The faults of one storm, in force as long as the `with` lasts."""

    def __init__(
        self, cluster: Cluster, proxy: FaultProxy, topics: Sequence[str], faults: Sequence[Fault]
    ) -> None:
        self._cluster = cluster
        self._proxy = proxy
        self._topics = topics
        self._over = threading.Event()
        self._one_node = threading.Lock()
        self._pool = ThreadPoolExecutor(max(1, len(faults)))
        self._running: list[Future[None]] = []
        self._faults = faults
        self.rules: list[tuple[Fault, Rule]] = []

    def fired(self) -> list[Fault]:
        """Return the faults that have hit."""
        return [fault for fault, rule in self.rules if rule.fired]

    def _set(self, fault: Fault) -> Rule:
        rule = self._rule(fault)
        stage = {"hold": self._hold, "pause": self._pause, "kill": self._kill}.get(fault.verb)
        if stage is not None:
            self._running.append(self._pool.submit(self._when_fired, rule, fault, stage))
        return rule

    def _rule(self, fault: Fault) -> Rule:
        which: dict[str, Any] = {"nth": fault.nth, "times": fault.times}
        if fault.partition is not None:
            which |= {"topic": self._topics[fault.partition[0]], "partition": fault.partition[1]}
        if fault.verb in NODE_VERBS:
            return self._proxy.delay(fault.api, 0.0, **which)
        extra: dict[str, dict[str, Any]] = {
            "drop_response": {"reset": fault.reset},
            "drop_request": {"reset": fault.reset},
            "answer_with": {"error": fault.error, "forward": fault.forward, "after_next": fault.after_next},
            "delay": {"seconds": fault.seconds, "forward": fault.forward},
            "hold": {"forward": fault.forward},
            "reset": {},
        }
        rule: Rule = getattr(self._proxy, fault.verb)(fault.api, **extra[fault.verb], **which)
        return rule

    def _when_fired(self, rule: Rule, fault: Fault, stage: Callable[[Rule, Fault], None]) -> None:
        while not self._over.is_set():
            try:
                rule.wait(LOOK_S)
            except RuleTimeoutError:
                continue
            stage(rule, fault)
            return

    def _hold(self, rule: Rule, fault: Fault) -> None:
        self._await_more(fault)
        rule.release()

    def _pause(self, _: Rule, fault: Fault) -> None:
        with self._one_node:
            node = self._node(fault)
            self._cluster.pause(node)
            try:
                self._await_more(fault)
            finally:
                self._cluster.resume(node)

    def _kill(self, _: Rule, fault: Fault) -> None:
        with self._one_node:
            node = self._node(fault)
            self._cluster.kill(node)
            self._cluster.restart(node)

    def _await_more(self, fault: Fault) -> None:
        more = self._proxy.delay(fault.api, 0.0, nth=fault.until)
        try:
            more.wait(PATIENCE_S[fault.verb])
        except RuleTimeoutError:
            more.cancel()

    def _node(self, fault: Fault) -> int:
        nodes = self._cluster.broker_ids
        return nodes[fault.broker % len(nodes)]

    def leave(self) -> None:
        """End all faults; raises what went wrong in bringing them about."""
        self._over.set()
        self._pool.shutdown()
        self._proxy.clear()
        for each in self._running:
            each.result()

    def __enter__(self) -> Self:
        try:
            for fault in self._faults:
                self.rules.append((fault, self._set(fault)))
        except BaseException:
            self.leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
