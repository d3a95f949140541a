"""The way to the client: answers, the broker's and the proxy's own, and what a rule does to them.

Rules
- An answer is passed on as it comes, unless a rule or the recorder wants to see it, or it may hold addresses.
- turns.py says when an answer may leave; once the connection is dead, what still comes is thrown away.
"""

from typing import TYPE_CHECKING

from kafkalab.faults import answers
from kafkalab.faults.messages import RESPONSE_HEAD
from kafkalab.faults.recorder import of_answer
from kafkalab.faults.rules import Action
from kafkalab.faults.turns import Exchange

if TYPE_CHECKING:
    from kafkalab.faults.link import Link


class Answers:
    """One connection's answers; one thread, but for leave(), which any may call through turns.py."""

    def __init__(self, link: "Link") -> None:
        self._link = link
        self._current: Exchange | None = None

    def starts(self, arrived: memoryview) -> bool:
        """Wait for this answer's turn; tell whether it has to be seen whole."""
        _, correlation_id = RESPONSE_HEAD.unpack_from(arrived)
        self._current = exchange = self._link.turns.begin(correlation_id)
        service = self._link.service
        return (
            exchange is None
            or exchange.rule is not None
            or service.rules.armed
            or service.recorder is not None
            or service.rewriter.wants(exchange.api_key, exchange.version)
        )

    def passes(self, part: memoryview, more: bool) -> None:
        """Pass a piece on."""
        self._link.client.sendall(part)
        if not more:
            self._link.turns.finish()

    def takes(self, frame: bytes) -> None:
        """Do with a whole answer what its request's rule says."""
        exchange = self._current
        if exchange is None:
            return
        action = exchange.rule.action if exchange.rule is not None else None
        if action is Action.DROP_RESPONSE:
            self._drop(exchange, frame)
        elif action is Action.ANSWER_WITH:
            self._spoil(exchange, frame)
        else:
            if action in (Action.DELAY, Action.HOLD):
                self._late(exchange)
            self._send(exchange, frame, "passed")
            self._link.turns.finish()

    def _drop(self, exchange: Exchange, frame: bytes) -> None:
        assert exchange.rule is not None
        self._record(exchange, frame, "dropped")
        self._link.die()
        self._fire(exchange)
        if exchange.rule.options.reset:
            self._link.cut(reset=True)

    def _spoil(self, exchange: Exchange, frame: bytes) -> None:
        assert exchange.rule is not None
        assert exchange.request is not None
        rule = exchange.rule
        frame = answers.spoil(exchange.request, frame, rule.options.error, rule.match.chooses)
        self._fire(exchange)
        self._send(exchange, frame, "spoilt")
        self._link.turns.finish()

    def _late(self, exchange: Exchange) -> None:
        assert exchange.rule is not None
        assert exchange.request is not None
        if exchange.rule.options.forward:
            exchange.rule.linger(self._link, exchange.seen_at, exchange.request)

    def _send(self, exchange: Exchange, frame: bytes, fate: str) -> None:
        rewriter = self._link.service.rewriter
        if rewriter.wants(exchange.api_key, exchange.version):
            frame = rewriter.rewrite(exchange.api_key, exchange.version, frame)
        self._record(exchange, frame, fate)
        self._link.send_to_client(frame)

    def leave(self, exchange: Exchange) -> None:
        """Send an answer of the proxy's own."""
        assert exchange.answer is not None
        self._record(exchange, exchange.answer, "made")
        self._fire(exchange)
        self._link.send_to_client(exchange.answer)

    def died(self, exchange: Exchange) -> None:
        """End the connection at a dropped request's turn."""
        self._link.die()
        if exchange.rule is not None and exchange.rule.options.reset:
            self._link.cut(reset=True)

    def _fire(self, exchange: Exchange) -> None:
        if exchange.rule is not None and exchange.request is not None:
            exchange.rule.fire(self._link.number, exchange.request)

    def _record(self, exchange: Exchange, frame: bytes, fate: str) -> None:
        link = self._link
        if link.service.recorder is not None:
            names = link.service.rewriter.topic_names
            who = (link.number, link.client_id, link.broker)
            what = (exchange.api_key, exchange.version, exchange.correlation_id)
            link.service.recorder.record(of_answer(who, what, frame, names, fate))
