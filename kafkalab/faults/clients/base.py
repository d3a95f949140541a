"""One face for five producers, so that a fault can be tried on each.

    with clients.open("kafka-python", proxy.bootstrap_servers, Settings(enable_idempotence=False)) as client:
        client.send("t", b"m0").wait()
        print(audit(cluster, "t", client.sent))

Rules
- Settings have the Java client's names, values and meaning; each adapter translates them.
- send() never raises for what may happen to a record: its Ticket tells. `sent` lists them all, in order.
- A record of a transaction is "unknown" until commit() has succeeded, and "aborted" from abort() on.
"""

import abc
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

from kafkalab.faults.auditing import Sent
from kafkalab.faults.sending import WAIT_S, Ticket

WARM_UPS = 10
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Settings:
    """What the recipes vary; the rest is each client's default. Times are in ms."""

    acks: int | str = "all"
    enable_idempotence: bool = True
    max_in_flight: int = 5
    """max.in.flight.requests.per.connection."""
    retries: int | None = None
    """None: the client's default, which is without end."""
    linger_ms: int = 0
    request_timeout_ms: int = 2_000
    delivery_timeout_ms: int = 20_000
    retry_backoff_ms: int = 50
    batch_size: int | None = None
    """None: the client's default. 0: every record is a batch."""
    buffer_memory: int | None = None
    max_block_ms: int = 10_000
    transactional_id: str | None = None


class Client(abc.ABC):
    """A producer of some make; a context manager. Made by clients.open()."""

    name: ClassVar[str]

    def __init__(self, bootstrap_servers: str, settings: Settings) -> None:
        self.settings = settings
        self.bootstrap_servers = bootstrap_servers
        self.label = f"{self.name} {next(_numbers)}"
        self.tickets: list[Ticket] = []
        self._open_since: int | None = None
        self._start()

    @property
    def sent(self) -> list[Sent]:
        """All records so far, in order, with what was said of them."""
        settled = len(self.tickets) if self._open_since is None else self._open_since
        return [
            *(ticket.sent() for ticket in self.tickets[:settled]),
            *(ticket.sent()._replace(outcome="unknown") for ticket in self.tickets[settled:]),
        ]

    def send(self, topic: str, value: bytes, partition: int = 0) -> Ticket:
        """Give a record to the client; its value is its id."""
        ticket = Ticket(topic, value, self.label)
        self.tickets.append(ticket)
        try:
            self._send(ticket, partition)
        except Exception as error:  # noqa: BLE001 - whatever the client says is the outcome
            ticket.failed(error)
        return ticket

    def warm_up(self, topic: str, value: bytes = b"warm") -> None:
        """Have one record acknowledged: the client knows the leader, the broker knows the client.

        A first attempt may fail on a busy machine where max_block_ms is short. Raises RuntimeError.
        """
        for _ in range(WARM_UPS):
            ticket = self.send(topic, value).wait()
            if ticket.outcome == "acked":
                return
            self.tickets.remove(ticket)
        raise RuntimeError(f"{self.label} could not deliver {value!r}: {ticket.error}")

    def send_all(self, topic: str, values: list[bytes], partition: int = 0) -> list[Ticket]:
        """Send without waiting in between."""
        return [self.send(topic, value, partition) for value in values]

    def settle(self, timeout: float = WAIT_S) -> Self:
        """Wait until everything sent has an outcome; raises TimeoutError after `timeout` seconds."""
        self._flush(timeout)
        for ticket in self.tickets:
            ticket.wait(timeout)
        return self

    def init_transactions(self) -> None:
        """Take the transactional id over; whoever had it before is fenced."""
        self._transact("init")

    def begin(self) -> None:
        """Begin a transaction."""
        self._transact("begin")
        self._open_since = len(self.tickets)

    def commit(self) -> None:
        """Commit. Raises what the client raises; nobody knows then whether the records are there."""
        self._transact("commit")
        self._open_since = None

    def abort(self) -> None:
        """Abort. Raises what the client raises."""
        for ticket in self.tickets[self._open_since or 0 :]:
            ticket.outcome = "aborted"
        self._open_since = None
        self._transact("abort")

    @abc.abstractmethod
    def _start(self) -> None:
        """Make the real producer."""

    @abc.abstractmethod
    def _send(self, ticket: Ticket, partition: int) -> None:
        """Send; tell the ticket later."""

    @abc.abstractmethod
    def _flush(self, timeout: float) -> None:
        """Send what lingers; wait at most `timeout` seconds."""

    @abc.abstractmethod
    def _transact(self, verb: str) -> None:
        """Do "init", "begin", "commit" or "abort"."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the real producer, and soon; what has no outcome then keeps "unknown"."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def given(**settings: Any) -> dict[str, Any]:
    """Return the settings that are not None."""
    return {name: value for name, value in settings.items() if value is not None}


Factory = Callable[[str, Settings], Client]
"""Make a client: `(bootstrap_servers, settings)`."""
