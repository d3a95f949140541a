"""Breakages that more than one chapter must notice; each chapter names its own mutant of them."""

from __future__ import annotations

from typing import Any

from kafkalab.course.teeth.patch import around
from kafkalab.producer import transactions
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.buffer_pool import BufferPool


def leave_numbers_out() -> None:
    """Write batches as without idempotence."""

    def encode(original: Any, self: Any) -> bytes:
        stamp, self.stamp = self.stamp, None
        encoded: bytes = original(self)
        self.stamp = stamp
        return encoded

    around(ProducerBatch, "encode", encode)


def give_each_partition_memory() -> None:
    """Have a pool for each partition."""

    def open_batch(original: Any, self: Any, target: Any, record: Any, deadline: float) -> Any:
        pools = vars(self).setdefault("pools", {})
        self.pool = pools.setdefault(target, BufferPool(self.config.buffer_memory))
        return original(self, target, record, deadline)

    around(RecordAccumulator, "open_batch", open_batch)


def end_every_transaction(*, committed: bool) -> None:
    """Commit, or abort, whatever the application asks for."""

    def request(original: Any, **fields: Any) -> Any:
        return original(**{**fields, "committed": committed})

    around(transactions, "EndTxnRequest", request)
