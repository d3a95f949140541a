"""The way to the broker: requests, and what a rule does to them before or instead of forwarding.

Rules
- Without rule and recorder a request is noted by its head and passed on as it comes.
- Behind a dropped request, and behind one whose answer is to be dropped, requests are discarded: the broker
  never sees them, so that exactly one answer is lost. Only the same rule, with `times`, takes more.
- acks=0 has no answer, so no turn.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kafkalab.faults import answers
from kafkalab.faults.frames import Request, produce_has_answer
from kafkalab.faults.messages import PRODUCE, REQUEST_HEAD
from kafkalab.faults.recorder import of_request
from kafkalab.faults.rules import Action, Rule
from kafkalab.faults.turns import Exchange

if TYPE_CHECKING:
    from kafkalab.faults.link import Link

PATIENCE_S = 1.0
"""How long an answer with `after_next` waits for a next request that may never come (one in flight)."""


class Requests:
    """One connection's requests; used by one thread."""

    def __init__(self, link: "Link") -> None:
        self._link = link
        self._doomed_by: Rule | None = None
        self._withheld: Exchange | None = None
        self._timers: list[threading.Timer] = []
        self._do: dict[Action, Callable[[Exchange, Rule, Request], None]] = {
            Action.DROP_REQUEST: self._drop,
            Action.DROP_RESPONSE: self._doom,
            Action.ANSWER_WITH: self._answer,
            Action.DELAY: self._late,
            Action.HOLD: self._late,
            Action.RESET: self._reset,
        }

    @property
    def doomed(self) -> bool:
        """Whether requests are discarded from here on."""
        return self._doomed_by is not None

    def starts(self, arrived: memoryview) -> bool:
        """Note the request; tell whether it has to be seen whole."""
        service = self._link.service
        if service.rules.armed or service.recorder is not None or self.doomed or self._awaits_next():
            return True
        _, key, version, correlation_id = REQUEST_HEAD.unpack_from(arrived)
        if key == PRODUCE:
            has_answer = produce_has_answer(arrived, version)
            if not has_answer:
                return has_answer is None
        self._link.turns.expect(Exchange(key, version, correlation_id))
        return False

    def passes(self, part: memoryview, _: bool) -> None:
        """Pass a piece on."""
        assert self._link.upstream is not None
        self._link.upstream.sendall(part)

    def takes(self, frame: bytes) -> None:
        """Do with a whole request what the rules say."""
        link = self._link
        request = Request(frame, link.broker, link.service.rewriter.topic_names)
        link.client_id = request.client_id
        rule = link.service.rules.take(request, only=self._doomed_by)
        exchange = Exchange(
            request.api_key, request.version, request.correlation_id, request, rule, time.monotonic()
        )
        if rule is not None:
            self._do[rule.action](exchange, rule, request)
        elif self.doomed:
            self._record(request, "discarded")
        else:
            self._forward(exchange, request)

    def _forward(self, exchange: Exchange, request: Request) -> None:
        self._record(request, "passed")
        if request.has_answer:
            self._link.turns.expect(exchange)
        self._link.send_to_broker(request.frame)
        self._link.turns.forwarded(request)

    def _drop(self, exchange: Exchange, rule: Rule, request: Request) -> None:
        self._record(request, "dropped")
        if not self.doomed:
            self._doomed_by = rule
            exchange.dropped = True
            self._link.turns.expect(exchange)
        rule.fire(self._link.number, request)
        self._link.turns.go_on()

    def _doom(self, exchange: Exchange, rule: Rule, request: Request) -> None:
        self._doomed_by = rule
        self._forward(exchange, request)

    def _answer(self, exchange: Exchange, rule: Rule, request: Request) -> None:
        if rule.options.forward:
            self._forward(exchange, request)
            return
        self._record(request, "not forwarded")
        exchange.answer = answers.make(request, rule.options.error)
        exchange.ready = not rule.options.after_next
        self._link.turns.expect(exchange)
        if rule.options.after_next:
            self._get_ready_later(exchange)
        self._link.turns.go_on()

    def _awaits_next(self) -> bool:
        return self._withheld is not None and not self._withheld.ready

    def _get_ready_later(self, exchange: Exchange) -> None:
        self._withheld = exchange

        def give_up() -> None:
            exchange.ready = True
            with contextlib.suppress(OSError):
                self._link.turns.go_on()

        timer = threading.Timer(PATIENCE_S, give_up)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _late(self, exchange: Exchange, rule: Rule, request: Request) -> None:
        if not rule.options.forward:
            rule.linger(self._link, exchange.seen_at, request)
        self._forward(exchange, request)

    def _reset(self, _: Exchange, rule: Rule, request: Request) -> None:
        self._record(request, "reset")
        rule.fire(self._link.number, request)
        self._link.cut(reset=True)

    def _record(self, request: Request, fate: str) -> None:
        if self._link.service.recorder is not None:
            self._link.service.recorder.record(of_request(self._link.number, request, fate))

    def stop(self) -> None:
        """End the timers; called when the connection is cut."""
        for timer in self._timers:
            timer.cancel()

    def join(self, timeout: float) -> None:
        """Wait for the timers to end."""
        for timer in self._timers:
            timer.join(timeout)
