"""What one thread sent and was told.

A book costs eleven bytes a record, whatever its size: a record's id follows from its number.
"""

from __future__ import annotations

from array import array
from typing import Any

from kafkalab.faults.auditing import OUTCOMES, Outcome, Sent

CODES = {name: code for code, name in enumerate(OUTCOMES)}


class Book:
    """What one thread sent, in order, and what it was told of each record."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.told_twice = 0
        self.unclear: list[range] = []
        """Transactions of which nobody knows how they ended."""
        self._size = size
        self._outcomes = bytearray()
        self._partitions = array("h")
        self._offsets = array("q")

    def __len__(self) -> int:
        return len(self._outcomes)

    @property
    def size_bytes(self) -> int:
        """What it costs in memory."""
        return len(self) * (1 + self._partitions.itemsize + self._offsets.itemsize)

    def value(self, number: int) -> bytes:
        """Return the value of record `number`, unlike any other's."""
        return f"{self.name}:{number}:".ljust(self._size, ".").encode()

    def open(self) -> int:
        """Note that one more is sent; return its number."""
        self._partitions.append(-1)
        self._offsets.append(-1)
        self._outcomes.append(CODES["unknown"])
        return len(self) - 1

    def told(self, number: int, future: Any) -> None:
        """Note what its future says."""
        if self._outcomes[number] != CODES["unknown"]:
            self.told_twice += 1
        failed = future.exception(0) is not None
        if not failed:
            where = future.result(0)
            self._partitions[number] = where.partition
            self._offsets[number] = -1 if where.offset is None else where.offset
        self._outcomes[number] = CODES["failed" if failed else "acked"]

    def settle(self, transaction: range, outcome: Outcome) -> None:
        """Let the end of a transaction decide on its records."""
        self._outcomes[transaction.start : transaction.stop] = bytes([CODES[outcome]]) * len(transaction)
        if outcome == "unknown" and transaction:
            self.unclear.append(transaction)

    def count(self, outcome: Outcome) -> int:
        """Return how many records have this outcome."""
        return self._outcomes.count(CODES[outcome])

    def sent(self) -> list[Sent]:
        """Return it all, as the audit wants it."""
        told = zip(self._outcomes, self._partitions, self._offsets, strict=True)
        return [
            Sent(
                self.value(number),
                OUTCOMES[code],  # type: ignore[arg-type]  # the tuple of all of them
                partition if partition >= 0 else None,
                offset if offset >= 0 else None,
                self.name,
            )
            for number, (code, partition, offset) in enumerate(told)
        ]
