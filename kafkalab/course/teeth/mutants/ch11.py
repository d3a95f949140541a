"""Chapter 11: what makes a request large, what is under way, what lingers, what memory and safety cost."""

from __future__ import annotations

import time
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import compression, produce
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.network_client import NetworkClient

# --- records per request --------------------------------------------------------------------------


def _limits(limit: Any) -> None:
    def new_batch(original: Any, self: Any, target: Any, reserved: int) -> Any:
        batch = original(self, target, reserved)
        batch.limit = limit(batch.limit)
        return batch

    around(RecordAccumulator, "_new_batch", new_batch)


@mutant("batches", killer="4.8.1-latency-or-throughput")
def one_size_for_all() -> None:
    """Every batch has room for 16 KiB, whatever batch_size says."""
    _limits(lambda _: 16_384)


@mutant("batches", killer="4.8.1-latency-or-throughput")
def never_larger_than_a_record() -> None:
    """Batches hold 300 bytes, whatever batch_size says."""
    _limits(lambda _: 300)


@mutant("batches", killer="exercise bottleneck")
def compresses_nothing() -> None:
    """The setting compression_type is ignored."""
    around(compression, "compressor", lambda original, kind, level=None: None)


# --- linger ---------------------------------------------------------------------------------------


def _ready_at(moment: Any) -> None:
    around(RecordAccumulator, "_ready_at", lambda original, self, first: moment(self, first))


@mutant("linger", killer="4.8.1-linger-throughput")
def nothing_lingers() -> None:
    """Nothing lingers."""
    _ready_at(lambda _, first: first.created)


@mutant("linger", killer="4.8.1-latency-or-throughput")
def all_linger() -> None:
    """Every batch lingers for a fifth of a second more."""
    _ready_at(lambda self, first: first.created + self.config.linger_ms / 1000 + 0.2)


@mutant("linger", killer="4.8.1-linger-throughput")
def full_batches_linger_in_turn() -> None:
    """With a linger, full batches leave one after the other, each after its own time."""

    def drain(original: Any, self: Any, targets: Any, now: float) -> Any:
        drained = original(self, targets, now)
        if drained and self.config.linger_ms >= 100 and drained[0].full:
            time.sleep(self.config.linger_ms / 1000)
        return drained

    around(RecordAccumulator, "drain", drain)


# --- requests in flight ---------------------------------------------------------------------------


@mutant("in flight", killer="4.3.2-in-flight-differs")
def one_at_a_time() -> None:
    """An idempotent producer has one batch of a partition out, as kafka-python's has."""

    def admits(original: Any, self: Any, batch: Any) -> bool:
        return bool(original(self, batch)) and (batch.stamp is not None or not self._line(batch).out)

    around(Idempotence, "admits", admits)


@mutant("in flight", killer="4.3.2-in-flight-differs")
def four_is_the_most() -> None:
    """Four requests are out, whatever the setting says."""

    def can_send(original: Any, self: Any, node: int, now: float) -> bool:
        return bool(original(self, node, now)) and self._connections[node].in_flight < 4

    around(NetworkClient, "can_send", can_send)


@mutant("in flight", killer="exercise bottleneck")
def as_many_as_there_are() -> None:
    """The setting max_in_flight_requests_per_connection is ignored."""

    def init(original: Any, self: Any, config: Any) -> None:
        original(self, config)
        self._config = ProducerConfig(bootstrap_servers=config.bootstrap_servers)

    around(NetworkClient, "__init__", init)


# --- memory ---------------------------------------------------------------------------------------


@mutant("memory", killer="4.8.1-more-memory")
def never_more_than_a_megabyte() -> None:
    """buffer_memory has a ceiling of 1 MiB."""

    def init(original: Any, self: Any, total: int, *trace: Any) -> None:
        original(self, min(total, 2**20), *trace)

    around(BufferPool, "__init__", init)


@mutant("memory", killer="4.8.1-more-memory")
def unbounded() -> None:
    """No memory is ever counted."""
    around(BufferPool, "reserve", lambda original, self, size, *rest, **more: None)
    around(BufferPool, "release", lambda original, self, size: None)


@mutant("memory", killer="4.8.1-defaults")
def more_is_the_default() -> None:
    """buffer_memory is 64 MiB by default."""

    def init(original: Any, self: Any, **settings: Any) -> None:
        original(self, **{"buffer_memory": 2**26, **settings})

    around(ProducerConfig, "__init__", init)


# --- safety ---------------------------------------------------------------------------------------


@mutant("safety", killer="4.8.2-low-performance")
def leader_is_enough() -> None:
    """acks=all asks for the leader's acknowledgement only."""

    def request(original: Any, *args: Any) -> Any:
        made = original(*args)
        made.acks = min(made.acks, 1) if made.acks >= 0 else 1
        return made

    around(produce, "produce_request", request)


@mutant("safety", killer="4.3.1-not-both")
def safety_first() -> None:
    """With acks=all the next request waits for the answer of the one before."""

    def can_send(original: Any, self: Any, node: int, now: float) -> bool:
        free = bool(original(self, node, now))
        return free and not (self._config.required_acks == -1 and self._connections[node].in_flight)

    around(NetworkClient, "can_send", can_send)
