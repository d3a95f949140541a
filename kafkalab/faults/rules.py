"""Rules: which request is meant, what happens to it, and whether it has happened.

Rules
- A rule counts the requests that fit it from the moment it is set, over all connections, retries included; it
  takes the `nth` and the `times - 1` after it.
- Every rule counts every request that fits it. A request that two rules claim goes to the earlier one; the
  later takes its next.
- A rule that needs an answer (to drop, hold, delay or replace it) does not see requests without one: acks=0.
- A rule has fired when the harm is done, and before anybody can see it: the broker has worked and its answer
  is dropped, the request is held, the made answer is about to leave. wait() awaits that.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from kafkalab.faults.errors import RuleError, RuleTimeoutError
from kafkalab.faults.frames import PartitionSeen, Request
from kafkalab.faults.names import api_name

WAIT_S = 10.0


class Action(StrEnum):
    """What a rule does."""

    DROP_RESPONSE = "drop_response"
    DROP_REQUEST = "drop_request"
    ANSWER_WITH = "answer_with"
    DELAY = "delay"
    HOLD = "hold"
    RESET = "reset"


class Match(NamedTuple):
    """Which requests are meant; None means any."""

    api_key: int | None = None
    broker: int | None = None
    topic: str | None = None
    partition: int | None = None
    client_id: str | None = None

    def fits(self, request: Request) -> bool:
        """Tell whether this request is meant."""
        return (
            self.api_key in (None, request.api_key)
            and self.broker in (None, request.broker)
            and self.client_id in (None, request.client_id)
            and (
                (self.topic is None and self.partition is None)
                or any(self.chooses(seen.topic, seen.partition) for seen in request.partitions)
            )
        )

    def chooses(self, topic: str, partition: int) -> bool:
        """Tell whether this partition is meant."""
        return self.topic in (None, topic) and self.partition in (None, partition)

    def __str__(self) -> str:
        named = [f"{name}={value!r}" for name, value in zip(self._fields[1:], self[1:], strict=True) if value]
        return ", ".join(["any request" if self.api_key is None else api_name(self.api_key), *named])


class Firing(NamedTuple):
    """One time that a rule fired."""

    at: float
    """time.monotonic() as of then."""
    connection: int
    broker: int
    api: str
    version: int
    correlation_id: int
    partitions: tuple[PartitionSeen, ...]


class Holdable(Protocol):
    """What a delay or hold needs of a connection."""

    number: int
    closed: threading.Event


@dataclass(frozen=True, slots=True)
class Options:
    """What the actions need besides; each reads its own."""

    reset: bool = False
    forward: bool = True
    seconds: float = 0.0
    error: int = 0
    after_next: bool = False


@dataclass(eq=False)
class Rule:
    """One rule of a FaultProxy. Made by its verbs, such as drop_response()."""

    action: Action
    match: Match
    nth: int = 1
    times: int | None = 1
    options: Options = field(default_factory=Options)
    seen: int = 0
    """How many requests fitted it so far; nobody counts while no rule of the proxy waits for one."""
    firings: list[Firing] = field(default_factory=list)
    """Every time it fired, in order."""

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = 0
        self.gate = threading.Event()
        _at_least_one("nth", self.nth)
        if self.times is not None:
            _at_least_one("times", self.times)

    @property
    def fired(self) -> bool:
        """Whether it fired at least once."""
        return bool(self.firings)

    @property
    def spent(self) -> bool:
        """Whether it takes no further request."""
        return self.times is not None and self._taken >= self.times

    def wait(self, timeout: float = WAIT_S, times: int = 1) -> Firing:
        """Wait until it has fired `times` times in all; return that firing. Raises RuleTimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.firings) >= times, timeout):
                raise RuleTimeoutError(
                    f"{self} did not fire {times} times within {timeout:g} s: it fired "
                    f"{len(self.firings)} times and saw {self.seen} fitting requests."
                )
            return self.firings[times - 1]

    def cancel(self) -> None:
        """Take no further request, and release what is held."""
        self.times = self._taken
        self.gate.set()

    def release(self) -> None:
        """Let go what this rule holds, and hold nothing more."""
        self.cancel()

    def offer(self, request: Request) -> bool:
        """Count a request that fits; tell whether the rule wants it (is due, and not spent)."""
        needs_answer = self.action not in (Action.DROP_REQUEST, Action.RESET)
        if not self.match.fits(request) or (needs_answer and not request.has_answer):
            return False
        self.seen += 1
        return self.seen >= self.nth and not self.spent

    def take(self) -> None:
        """Note that a request was given to this rule."""
        self._taken += 1

    def fire(self, connection: int, request: Request) -> None:
        """Note that it fired, and wake who waits."""
        firing = Firing(
            time.monotonic(),
            connection,
            request.broker,
            api_name(request.api_key),
            request.version,
            request.correlation_id,
            request.partitions,
        )
        with self._changed:
            self.firings.append(firing)
            self._changed.notify_all()

    def linger(self, link: Holdable, seen_at: float, request: Request) -> None:
        """Wait as a delay or hold says: until some time after the request was seen, or until release()."""
        if self.action is Action.HOLD:
            self.fire(link.number, request)
            self.gate.wait()
        else:
            link.closed.wait(seen_at + self.options.seconds - time.monotonic())
            self.fire(link.number, request)

    def __str__(self) -> str:
        times = "every one" if self.times is None else f"{self.times} times"
        return f"{self.action}({self.match}; from number {self.nth} on, {times})"


@dataclass(eq=False)
class Throttle:
    """A limit on the bytes per second of connections, each way; it ends with stop()."""

    bytes_per_s: float
    match: Match
    _stop: Callable[["Throttle"], None]

    def stop(self) -> None:
        """Let connections run at full speed again."""
        self._stop(self)


class Rulebook:
    """All rules of one proxy; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._throttles: list[Throttle] = []
        self.armed = False
        """Whether requests have to be looked at: a plain flag, read for every frame."""

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force."""
        with self._lock:
            self._rules.append(rule)
            self._look()
        return rule

    def throttle(self, bytes_per_s: float, match: Match) -> Throttle:
        """Put a limit in force."""
        if bytes_per_s <= 0:
            raise RuleError(f"bytes_per_s={bytes_per_s!r}: it must be above 0; hold() stops a connection.")
        limit = Throttle(bytes_per_s, match, self._end_throttle)
        with self._lock:
            self._throttles.append(limit)
            self._look()
        return limit

    def _end_throttle(self, limit: Throttle) -> None:
        with self._lock:
            if limit in self._throttles:
                self._throttles.remove(limit)
            self._look()

    def take(self, request: Request, only: Rule | None = None) -> Rule | None:
        """Show a request to all rules (or one); return the rule that takes it."""
        with self._lock:
            wanting = [rule for rule in self._rules if only in (None, rule) and rule.offer(request)]
            if wanting:
                wanting[0].take()
            self._look()
            return wanting[0] if wanting else None

    def rate(self, broker: int, client_id: str) -> float | None:
        """Return the lowest limit in bytes per second for such a connection."""
        limits = [
            limit.bytes_per_s
            for limit in self._throttles
            if limit.match.broker in (None, broker) and limit.match.client_id in (None, client_id)
        ]
        return min(limits, default=None)

    def release(self) -> None:
        """Let go everything that is held."""
        for rule in self:
            if rule.action is Action.HOLD:
                rule.release()

    def clear(self) -> None:
        """End all rules and limits."""
        with self._lock:
            for rule in self._rules:
                rule.cancel()
            self._rules.clear()
            self._throttles.clear()
            self._look()

    def __iter__(self) -> Iterator[Rule]:
        with self._lock:
            return iter(list(self._rules))

    def _look(self) -> None:
        self.armed = bool(self._throttles) or any(not rule.spent for rule in self._rules)


def _at_least_one(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RuleError(
            f"{name}={value!r}: a whole number from 1 up is needed; the first request is number 1."
        )
