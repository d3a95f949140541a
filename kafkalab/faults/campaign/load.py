"""The load of a storm: bursts of records, or transactions, and what the client said of each.

Rules
- Whatever a client raises is an outcome. After an error in a transaction the program does what a careful
  one does: abort; if that fails, too, replace the producer by a new one of the same transactional id.
- A transaction is *committed* or *aborted* when the client said so without an error, else *unknown*.
- "takeover": a second producer takes the id over while the transaction is open; the first must be fenced.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from kafkalab.faults.auditing import Sent
from kafkalab.faults.campaign.schedule import Burst, Schedule
from kafkalab.faults.clients import Client, Ticket

SENDING_S = 4.0
"""No new burst after this."""
ATTEMPTS = 3
"""How often a client is started, when it cannot start in a storm."""
FENCED = ("fenc", "epoch")
"""What clients say, each in its own words, when another has taken over."""


@dataclass
class Transaction:
    """One transaction and how it ended, as far as the program knows."""

    tickets: list[Ticket]
    outcome: Literal["committed", "aborted", "unknown"] = "unknown"


class Load:
    """Runs a schedule's bursts through clients that `start` makes."""

    def __init__(
        self, schedule: Schedule, topics: Sequence[str], start: Callable[[], Client], *, transactional: bool
    ) -> None:
        self._schedule = schedule
        self._topics = topics
        self._start = start
        self._transactional = transactional
        self._sent = 0
        self.clients: list[Client] = []
        self._closed: list[Client] = []
        self.transactions: list[Transaction] = []
        self.fenced = 0
        """Transactions that failed because another producer had taken over."""
        self.errors: list[str] = []
        """What verbs and starts raised."""

    def run(self) -> None:
        """Send everything, and wait until all has an outcome."""
        end = time.monotonic() + SENDING_S
        client = self._open()
        for burst in self._schedule.bursts:
            if client is None or time.monotonic() > end:
                break
            if self._transactional:
                client = self._transact(client, burst)
            else:
                self._send(client, burst)
        if client is not None:
            self._settle(client)

    def sent(self) -> list[tuple[str, Sent]]:
        """Return topic and record for everything sent, in order, transactions' outcomes applied."""
        ends = {id(ticket): each.outcome for each in self.transactions for ticket in each.tickets}
        return [
            (ticket.topic, _told(ticket, ends.get(id(ticket), "committed")))
            for client in self.clients
            for ticket in client.tickets
        ]

    def close(self) -> None:
        """Close the clients that are still open, whatever they say."""
        for client in self.clients:
            self._close(client)

    def _close(self, client: Client) -> None:
        if client not in self._closed:
            self._closed.append(client)
            with suppress(Exception):
                client.close()

    @property
    def _patience(self) -> float:
        return self._schedule.delivery_timeout_ms / 1000 + 6.0

    def _open(self) -> Client | None:
        for _ in range(ATTEMPTS):
            try:
                client = self._start()
            except Exception as error:  # noqa: BLE001 - each client has its own
                self._note("start", error)
                continue
            self.clients.append(client)
            if not self._transactional:
                return client
            try:
                client.init_transactions()
            except Exception as error:  # noqa: BLE001
                self._note("init", error)
                self._close(client)
            else:
                return client
        return None

    def _send(self, client: Client, burst: Burst) -> list[Ticket]:
        tickets = []
        for topic, partition in burst.targets:
            value = b"%d-%d" % (self._schedule.seed, self._sent)
            self._sent += 1
            tickets.append(client.send(self._topics[topic], value, partition))
        if burst.wait:
            for ticket in tickets:
                ticket.wait(self._patience)
        return tickets

    def _transact(self, client: Client, burst: Burst) -> Client | None:
        """Run one transaction; return the client to go on with."""
        try:
            client.begin()
        except Exception as error:  # noqa: BLE001
            self._note("begin", error)
            return self._replace(client)
        transaction = Transaction(self._send(client, burst))
        self.transactions.append(transaction)
        if burst.end == "takeover":
            return self._take_over(client, transaction)
        if burst.end == "commit" and self._did(client.commit):
            transaction.outcome = "committed"
            return client
        if self._did(client.abort):
            transaction.outcome = "aborted"
            return client
        if burst.end == "abort":
            transaction.outcome = "aborted"  # nobody ever asked to commit it
        return self._replace(client)

    def _take_over(self, old: Client, transaction: Transaction) -> Client | None:
        new = self._open()
        if self._did(old.commit):
            transaction.outcome = "committed"
        elif new is not None:
            transaction.outcome = "aborted"
            self.fenced += any(word in self.errors[-1].casefold() for word in FENCED)
        self._close(old)
        return new

    def _settle(self, client: Client) -> None:
        """Wait for every outcome; records without one are named by the storm."""
        try:
            client.settle(self._patience)
        except Exception as error:  # noqa: BLE001
            self._note("settle", error)

    def _replace(self, client: Client) -> Client | None:
        self._close(client)
        return self._open()

    def _did(self, verb: Callable[[], None]) -> bool:
        try:
            verb()
        except Exception as error:  # noqa: BLE001
            self._note(verb.__name__, error)
            return False
        return True

    def _note(self, what: str, error: Exception) -> None:
        self.errors.append(f"{what}: {type(error).__name__}: {error}")


def _told(ticket: Ticket, end: str) -> Sent:
    sent = ticket.sent()
    if end == "aborted":
        return sent._replace(outcome="aborted")
    if end == "unknown" and sent.outcome != "failed":
        return sent._replace(outcome="unknown")  # "aborted" was noted when the program asked for it
    return sent
