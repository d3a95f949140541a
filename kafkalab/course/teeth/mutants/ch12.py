"""Chapter 12: whatever breaks delivery, order, copies or pace has to show in a storm."""

from __future__ import annotations

import itertools
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import config
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.metadata import Metadata
from kafkalab.producer.ordering import Ordering, Verdict
from kafkalab.producer.partitioners import DefaultPartitioner
from kafkalab.producer.producer import Producer
from kafkalab.producer.sender import Sender


@mutant("delivery", killer="4.8.3-storm")
def acknowledged_instead_of_tried_again() -> None:
    """A record that has to be tried again is acknowledged instead."""
    around(Sender, "_retry", lambda original, self, batch, error, **how: self._acknowledge(batch, None))


@mutant("delivery", killer="4.8.3-storm")
def one_try() -> None:
    """The first error of a batch is final."""
    around(Idempotence, "judge", lambda original, self, batch, error: Verdict.FAIL)


@mutant("delivery", killer="4.8.3-storm")
def the_leader_alone() -> None:
    """A producer with acks=all asks for the leader's answer only."""
    around(ProducerConfig, "required_acks", lambda original, self: abs(original(self)))


@mutant("delivery", killer="4.8.3-storm")
def leaders_for_life() -> None:
    """Who led a partition when the producer first asked is thought to lead it for ever."""

    def update(original: Any, self: Any, response: Any) -> None:
        before = dict(self.snapshot.leaders)
        original(self, response)
        self.snapshot = self.snapshot._replace(leaders={**self.snapshot.leaders, **before})

    around(Metadata, "update", update)


@mutant("copies", killer="4.8.3-storm")
def a_number_for_each_try() -> None:
    """A batch gets a new number whenever it is sent again."""
    around(Idempotence, "returned", lambda original, self, batch, **_: original(self, batch, renumber=True))


@mutant("order", killer="4.8.3-storm")
def numbers_nothing() -> None:
    """An idempotent producer numbers nothing, and lets retries be overtaken."""

    def init(original: Any, self: Any, **options: Any) -> None:
        original(self, **{**options, "ordering": lambda *_: Ordering()})

    around(Producer, "__init__", init)


@mutant("order", killer="4.8.3-storm")
def keys_ignored() -> None:
    """Records take turns over the partitions, whatever their key."""
    turns = itertools.count()

    def partition(original: Any, self: Any, topic: Any, key: Any, value: Any, partitions: Any) -> Any:
        return partitions[next(turns) % len(partitions)]

    around(DefaultPartitioner, "partition", partition)


@mutant("whether it is on", killer="4.8.3-acks-1-alone")
def idempotent_with_acks_1() -> None:
    """Idempotence stays on, whatever acks says."""
    around(config, "idempotent", lambda original, given: given.enable_idempotence is not False)


@mutant("pace", killer="exercise settings")
def nothing_is_compressed() -> None:
    """The setting compression_type is ignored."""

    def init(original: Any, self: Any, **settings: Any) -> None:
        original(self, **{**settings, "compression_type": "none"})

    around(ProducerConfig, "__init__", init)


@mutant("pace", killer="exercise settings")
def silence_is_waited_out() -> None:
    """The setting request_timeout_ms is ignored."""

    def init(original: Any, self: Any, **settings: Any) -> None:
        original(self, **{**settings, "request_timeout_ms": 30_000})

    around(ProducerConfig, "__init__", init)
