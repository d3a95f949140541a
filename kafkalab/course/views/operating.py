"""The live cluster: the picture of a cluster with buttons that kill, pause, resume and restart its brokers.

    click -> a verb of the cluster, on a thread of its own -> the cluster is looked at until it has settled

Rules
- The kernel is never blocked: orders run on threads of their own, one at a time; a new one ends the looking
  after the one before.
- What cannot be done now is disabled; on an external cluster everything is, and the reason is said.
- An error is shown in full and ends nothing; the view goes on with what the cluster is then.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import traitlets
from kafka.errors import KafkaError

from kafkalab.cluster.errors import ClusterError
from kafkalab.course.cards import Picture
from kafkalab.course.markup import xml
from kafkalab.course.views.cluster import draw, look
from kafkalab.course.views.live import LiveView, script
from kafkalab.course.views.style import COLOURS

VERBS = {"running": ("kill", "pause"), "paused": ("kill", "resume"), "dead": ("restart",)}
"""What can be done with a broker in a state."""
BUTTONS = ("kill", "restart", "pause", "resume")
DONE = {"kill": "killed", "pause": "paused", "resume": "resumed", "restart": "restarted"}
FOREIGN = "Somebody else runs these brokers: they cannot be killed or paused from here."
PULSE_S, STILL, LOOKS = 1.0, 5, 40
"""After an order: seconds between looks, equal looks in a row after which it has settled, looks in all."""


class ClusterView(LiveView):
    """The cluster with the partitions of `topics`, to be looked at and operated."""

    _esm = script("cluster.js")
    drawing = traitlets.Unicode().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    verbs = traitlets.Dict().tag(sync=True)
    allowed = traitlets.Dict().tag(sync=True)
    busy = traitlets.Bool(default_value=False).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    colours = traitlets.Dict(COLOURS).tag(sync=True)

    def __init__(self, cluster: Any, *topics: str) -> None:
        self.cluster, self.topics = cluster, topics
        self.operable = cluster.backend != "external"
        self._turn = threading.Lock()
        self._orders = 0
        states, partitions = look(cluster, topics)
        self.picture = draw(states, partitions)
        super().__init__(verbs={str(broker): list(BUTTONS) for broker in states}, colours=COLOURS)
        self._show(states, self.picture)
        self.status = self._told(states)
        self.on_msg(lambda _, message, __: self.order(message["verb"], message["broker"]))

    @property
    def equivalent(self) -> str:
        """The picture in words, as of when the view was made."""
        return self.picture.equivalent

    def static(self) -> Picture:
        """Return the picture as of when the view was made."""
        return self.picture

    def order(self, verb: str, broker: int) -> threading.Thread:
        """Carry out a button's verb ("look" for none) on a thread, which is returned."""
        self._orders += 1
        arguments = (verb, broker, self._orders)
        thread = threading.Thread(target=self._obey, args=arguments, name="kafkalab-view", daemon=True)
        thread.start()
        return thread

    def _obey(self, verb: str, broker: int, number: int) -> None:
        with self._turn:
            self.error, did = "", ""
            if verb != "look":
                self.busy, self.status = True, f"Broker {broker} is being {DONE[verb]} …"
                did = f"Broker {broker} was {DONE[verb]}. " if self._succeeds(verb, broker) else ""
                self.busy = False
        self._watch(number, did)

    def _succeeds(self, verb: str, broker: int) -> bool:
        try:
            getattr(self.cluster, verb)(broker)
        except (ClusterError, OSError) as error:
            self.error = f"{type(error).__name__}: {error}"
            return False
        return True

    def _watch(self, number: int, did: str) -> None:
        """Look until nothing has changed for a while, or another order came.

        A new leader takes seconds, and so does a follower that comes or goes.
        """
        still, pause = 0, threading.Event()
        for _ in range(LOOKS):
            if number != self._orders or still == STILL:
                return
            before = self.drawing
            with contextlib.suppress(
                ClusterError, OSError, KafkaError
            ):  # asked in the very moment of a change
                self._look(did)
            still = still + 1 if self.drawing == before else 0
            pause.wait(PULSE_S)

    def _look(self, did: str) -> None:
        states, partitions = look(self.cluster, self.topics)
        self._show(states, draw(states, partitions))
        self.status = did + self._told(states)

    def _show(self, states: dict[int, str], picture: Picture) -> None:
        with self.hold_trait_notifications():
            self.drawing, self.alt = xml(picture.svg), picture.alt
            self.allowed = {
                str(broker): list(VERBS[state]) for broker, state in states.items() if self.operable
            }

    def _told(self, states: dict[int, str]) -> str:
        now = f"Now: {', '.join(f'broker {broker} {state}' for broker, state in states.items())}."
        if "running" not in states.values():
            now = "No broker is running, so nobody can be asked about partitions."
        return now if self.operable else f"{now} {FOREIGN}"


def cluster_view(cluster: Any, *topics: str) -> ClusterView:
    """Return the state of `cluster` with the partitions of `topics`; its live form has buttons."""
    return ClusterView(cluster, *topics)
