"""One producer on its way through a storm: what it sends, what it is told, what lies in the log.

Rules: a topic and a proxy of its own; a record is known by its value, which says its number and key. Who
keeps a record waiting for PATIENCE_S is out, and sends nothing more.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from random import Random
from typing import Any

from kafkalab.cluster.polling import wait_until
from kafkalab.course.runs import DAMAGE, Run
from kafkalab.course.weather import KEYS, Forecast, Scene
from kafkalab.faults import FaultProxy, SentLog
from kafkalab.faults.auditing import judge
from kafkalab.faults.campaign.injection import Injection
from kafkalab.producer import Producer

PATIENCE_S = 15.0


class Voyage:
    """One producer on its way through the scenes."""

    def __init__(self, name: str, options: Mapping[str, Any], cluster: Any, topic: str) -> None:
        self.name, self.options, self.cluster, self.topic = name, options, cluster, topic
        self.book = SentLog(name)
        self.homes: dict[bytes, str] = {}
        self._next: list[tuple[bytes, bytes]] = []
        self.waits: list[float] = []
        self.rate = 0.0
        self.out = False
        self.proxy = FaultProxy(cluster.bootstrap_servers, cluster.security)
        try:
            self.producer = self._producer()
        except BaseException:
            self.proxy.close()
            raise

    def _producer(self) -> Producer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # idempotence that is off because of acks or retries
            return Producer(**{**self.options, "bootstrap_servers": self.proxy.bootstrap_servers})

    def sail(self, scene: Scene) -> None:
        """Go through a scene whose faults are of the network."""
        with Injection(self.cluster, self.proxy, [self.topic], scene.faults):
            if scene.bytes_per_s is not None:
                self.proxy.throttle(scene.bytes_per_s)
            began = time.monotonic()
            self.send(scene)
            if self.settle() and scene.bytes_per_s is not None:
                self.rate = scene.records / (time.monotonic() - began)

    def expect(self, scene: Scene) -> None:
        """Take the scene's records on board."""
        first = len(self.homes)
        self._next = [
            (key, _value(first + number, key, scene.size))
            for number, key in zip(range(scene.records), itertools.cycle(KEYS[: scene.keys]))
        ]
        self.homes |= {value: scene.name for _, value in self._next}

    def send(self, scene: Scene) -> None:
        """Send the scene's records, as fast as the producer takes them."""
        for key, value in self._next:
            began = time.monotonic()
            future = self.producer.send(self.topic, value, key=key)
            future.add_done_callback(partial(self._hear, began))
            self.book.watch(value, future)
            if scene.one_by_one and not self.settle():
                break

    def _hear(self, began: float, _: object) -> None:
        self.waits.append(time.monotonic() - began)

    def settle(self) -> bool:
        """Wait until all that was sent has an outcome; who needs too long is out."""
        self.out = self.out or not self.told(PATIENCE_S)
        return not self.out

    def told(self, timeout: float) -> bool:
        """Tell whether all that was sent has an outcome, within `timeout` seconds."""
        end = time.monotonic() + timeout
        try:
            for ticket in self.book.tickets:
                ticket.wait(max(0.0, end - time.monotonic()))
        except TimeoutError:
            return False
        return True

    def meet(self, leader: int) -> None:
        """Let the producer learn who leads now: else the next scene would begin with a stale address."""
        metadata = self.producer.metadata

        def known() -> set[int]:
            metadata.want_update()
            metadata.wakeup()
            return {node for where, node in metadata.snapshot.leaders.items() if where.topic == self.topic}

        wait_until(f"{self.name} knows the leader", known, lambda nodes: nodes == {leader})

    def close(self) -> None:
        """End producer and proxy."""
        self.producer.close(timeout=1)
        self.proxy.close()

    def result(self, weather: Forecast) -> Run:
        """Judge what lies in the log; the producer is closed, the cluster healed."""
        records = self.cluster.read(self.topic, isolation="read_committed")
        audit = judge(self.topic, self.book.sent, records)
        hurt: dict[str, dict[str, int]] = {scene.name: defaultdict(int) for scene in weather.scenes}
        for kind in DAMAGE[:3]:
            for finding in getattr(audit, kind):
                hurt[self.homes[bytes(finding.sent.id)]][kind] += 1
        for value in _scattered(records):
            hurt[self.homes[value]]["scattered"] += 1
        acked = {each.id for each in audit.sent if each.outcome == "acked"}
        for value in self.homes.keys() - acked:
            hurt[self.homes[value]]["given up"] += 1
        settings = {name: _named(value) for name, value in self.options.items()}
        return Run(self.name, weather.seed, settings, audit, hurt, self.rate, sorted(self.waits))


def _value(number: int, key: bytes, size: int) -> bytes:
    """Return a record as applications write them: the same names each time, other figures."""
    dice = Random(number)  # noqa: S311 - the same in every run
    text = b"%04d %s" % (number, key)
    while len(text) < size:
        text += b' {"ship": "%s", "wind": %d, "wave": %d}' % (
            key,
            dice.randrange(10**6),
            dice.randrange(10**6),
        )
    return text[:size]


def _named(value: object) -> str:
    plain = value is None or isinstance(value, str | int | float)
    return repr(value) if plain else getattr(value, "__name__", type(value).__name__)


def _scattered(records: list[Any]) -> Iterator[bytes]:
    """Yield the records that lie in another partition than their key's first one."""
    homes: dict[bytes, int] = {}
    for record in sorted(records, key=lambda each: each.value):
        if homes.setdefault(record.key, record.partition) != record.partition:
            yield record.value
