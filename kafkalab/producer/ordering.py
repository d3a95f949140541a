"""The seam between the Sender and all that numbers batches: which may leave now, what an error means.

    queue ── admits? ──▶ leaves ──▶ acknowledged
      ▲                    │ error: judge
      └──── returned ◀─────┼──▶ failed
        (RETRY, RENUMBER)  └──▶ split

The Sender asks an `Ordering` at each of these steps, always on the I/O thread. Without idempotence there
is little to say, and all of it is here; idempotence.py and transactions.py say more. Chapters 01 to 06
can be read without them.

Leaves out: connections, queues, retries left and time left; those are the Sender's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, Protocol

from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.errors import Remedy, remedy
from kafkalab.producer.record import TopicPartition


class Verdict(Enum):
    """What is to be done with a batch that was refused, or got no answer."""

    ACKNOWLEDGE = "the broker has it already"
    RETRY = "send the same bytes again"
    RENUMBER = "it was surely not stored: send it as if it were new"
    FAIL = "tell the application"


class Client(Protocol):
    """What an ordering needs of the network (network_client.py)."""

    @property
    def transaction_version(self) -> int:
        """The cluster's feature transaction.version; 0 as long as no broker told it."""

    def any_node(self, now: float) -> int | None:
        """Return a broker that can take a request now."""

    def can_send(self, node: int, now: float) -> bool:
        """Tell whether `node` can take a request now; start connecting to it if not."""

    def send(self, node: int, request: Any, handler: Any, now: float, timeout: float) -> None:
        """Send; `handler(response, error)` is called once, on the I/O thread."""


class Ordering:
    """Any order: up to max_in_flight_requests_per_connection at once, and a retry may be overtaken."""

    transactional_id: str | None = None
    produce_max_version = 12
    """13 names topics by id, which `kafka.protocol` can say but our metadata does not keep."""

    def attach(
        self,
        wakeup: Callable[[], object],
        incomplete: Callable[[], Sequence[ProducerBatch]],
        flushing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Learn how to wake the I/O thread, which batches have no outcome, and how to let none linger."""

    @property
    def idle(self) -> bool:
        """Whether the producer may close now, as far as brokers are concerned."""
        return True

    @property
    def refusing(self) -> bool:
        """Whether `refusal` has something to say."""
        return False

    def refusal(self, batch: ProducerBatch) -> BaseException | None:
        """Return why `batch`, which is queued, will never leave; None if it may. Asked while `refusing`."""
        return None

    def step(self, client: Client, now: float) -> float:
        """Ask the brokers for what is missing; return the seconds until the next call at the latest."""
        return float("inf")

    def admits(self, batch: ProducerBatch) -> bool:
        """Tell whether `batch`, the first of its partition's queue, may leave now."""
        return True

    def leaves(self, batch: ProducerBatch) -> None:
        """Note that `batch` goes out now, for the first time or again; set its `stamp` if it has none."""

    def judge(self, batch: ProducerBatch, error: BaseException) -> Verdict:
        """Tell what `error` means for `batch`; one of the four notes below follows."""
        return Verdict.RETRY if remedy(error) in {Remedy.RETRY, Remedy.REFRESH} else Verdict.FAIL

    def acknowledged(self, batch: ProducerBatch) -> None:
        """Note that it is stored."""

    def returned(self, batch: ProducerBatch, *, renumber: bool) -> None:
        """Note that it is queued again; to `renumber` is to take its stamp away."""

    def failed(self, batch: ProducerBatch, error: BaseException) -> None:
        """Note that it was given up, in flight or queued, stamped or not."""

    def split(self, batch: ProducerBatch, parts: Sequence[ProducerBatch]) -> None:
        """Note that `parts` are queued in the place of `batch`, which was too large and not stored."""

    def close(self) -> None:
        """Learn that the producer wants to end: finish what must not stay open, then be `idle`."""

    def ended(self, error: BaseException) -> None:
        """Learn that the I/O thread ends: whoever waits for a broker gets `error`."""


class OneAtATime(Ordering):
    """One batch of a partition in flight: with max_in_flight_requests_per_connection=1 nothing overtakes."""

    def __init__(self) -> None:
        self._out: set[TopicPartition] = set()

    def admits(self, batch: ProducerBatch) -> bool:
        """Tell whether none of its partition is out."""
        return batch.target not in self._out

    def leaves(self, batch: ProducerBatch) -> None:
        """Close the door behind it."""
        self._out.add(batch.target)

    def acknowledged(self, batch: ProducerBatch) -> None:
        """Open the door."""
        self._out.discard(batch.target)

    def returned(self, batch: ProducerBatch, *, renumber: bool) -> None:
        """Open the door: it is first in its queue again."""
        self._out.discard(batch.target)

    def failed(self, batch: ProducerBatch, error: BaseException) -> None:
        """Open the door."""
        self._out.discard(batch.target)

    def split(self, batch: ProducerBatch, parts: Sequence[ProducerBatch]) -> None:
        """Open the door: the parts are first in their queue."""
        self._out.discard(batch.target)
