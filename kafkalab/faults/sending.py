"""Keep book of what was sent and what was said of it: the `sent` list of an audit.

    book = SentLog()
    book.watch(b"m0", producer.send("t", b"m0"))
    producer.flush()
    print(audit(cluster, "t", book.sent))

watch() follows futures of our producer, of kafka-python and of aiokafka; for confluent-kafka it is
`produce("t", b"m0", on_delivery=book.on_delivery(b"m0"))`.

Rules: an entry per record in the order of the calls; "unknown" until its producer says something.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Any, Self

from kafkalab.faults.auditing import Outcome, Sent

WAIT_S = 30.0


class Ticket:
    """One record on its way, and what the client said of it."""

    def __init__(self, topic: str, value: bytes, producer: Hashable = None) -> None:
        self.topic = topic
        self.value = value
        self.producer = producer
        self.outcome: Outcome = "unknown"
        self.partition: int | None = None
        self.offset: int | None = None
        self.error = ""
        """The client's own name for what went wrong, and its words."""
        self._told = threading.Event()

    def acked(self, partition: int | None, offset: int | None) -> None:
        """Note an acknowledgement; an offset below 0 is none."""
        self.partition = partition
        self.offset = offset if offset is not None and offset >= 0 else None
        self._tell("acked")

    def failed(self, error: object) -> None:
        """Note an error."""
        self.error = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
        self._tell("failed")

    def _tell(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._told.set()

    @property
    def told(self) -> bool:
        """Whether the client has said anything."""
        return self._told.is_set()

    def wait(self, timeout: float = WAIT_S) -> Self:
        """Wait until the client has said something; raises TimeoutError after `timeout` seconds."""
        if not self._told.wait(timeout):
            raise TimeoutError(f"{self.producer} said nothing of {self.value!r} within {timeout:g} s")
        return self

    def sent(self) -> Sent:
        """Return it as the audit wants it."""
        return Sent(self.value, self.outcome, self.partition, self.offset, self.producer)

    def follow(self, future: Any, *, offsets: bool = True) -> None:
        """Be told by a future of our producer, of kafka-python or of aiokafka. Raises TypeError for others.

        `offsets=False`: the offsets it tells mean nothing (kafka-python with acks=0).
        """
        if hasattr(future, "add_errback"):
            future.add_callback(lambda told: self.acked(told.partition, told.offset if offsets else None))
            future.add_errback(self.failed)
        elif hasattr(future, "add_done_callback"):
            future.add_done_callback(self._done)
        else:
            raise TypeError(f"{future!r} is no future; for confluent-kafka give on_delivery=on_delivery(id).")

    def _done(self, future: Any) -> None:
        if getattr(future, "cancelled", bool)():
            self.failed("cancelled")
        elif error := future.exception():
            self.failed(error)
        else:
            told = future.result()
            self.acked(getattr(told, "partition", None), getattr(told, "offset", None))

    def delivered(self, error: Any, message: Any) -> None:
        """Be told by confluent-kafka."""
        if error is None:
            self.acked(message.partition(), message.offset())
        else:
            self.failed(f"{error.name()}: {error.str()}")


class SentLog:
    """The book; thread-safe as a list is."""

    def __init__(self, producer: Hashable = None) -> None:
        """Take `producer` for the one who sends, unless a call says otherwise."""
        self._producer = producer
        self._tickets: list[Ticket] = []

    def watch(self, record_id: bytes, future: Any, producer: Hashable = None) -> Any:
        """Note a record and follow its future; return the future."""
        self._ticket(record_id, producer).follow(future)
        return future

    def on_delivery(self, record_id: bytes, producer: Hashable = None) -> Callable[[Any, Any], None]:
        """Note a record; return the callback for confluent-kafka's produce()."""
        return self._ticket(record_id, producer).delivered

    def _ticket(self, record_id: bytes, producer: Hashable) -> Ticket:
        ticket = Ticket("", record_id, self._producer if producer is None else producer)
        self._tickets.append(ticket)
        return ticket

    def aborted(self, *record_ids: bytes) -> None:
        """Note that the transaction of these records was aborted."""
        for ticket in self._tickets:
            if ticket.value in record_ids:
                ticket.outcome = "aborted"

    @property
    def tickets(self) -> list[Ticket]:
        """One for each record noted: its outcome so far, its error, wait()."""
        return list(self._tickets)

    @property
    def sent(self) -> list[Sent]:
        """What audit() wants."""
        return [ticket.sent() for ticket in self._tickets]
