"""One client's connection and its counterpart to the broker, with what rules do to the frames on it.

Rules
- First in, first out, both ways. Every request that will be answered waits in `_pending`; answers leave in that
  order, the proxy's own ones too. While an answer is under way (`_busy`), no other may begin.
- A connection on which something was dropped is dead from there on: later requests are discarded, later answers
  too. Answers to earlier requests still pass. Later requests never reach the broker, so a dropped answer
  is exactly one lost answer; `times` more go to the same rule.
- Two threads: one carries requests, one answers. Each ends with its socket; the last one closes both.
- A reset is a TCP reset: the client sees an error, not an orderly end.
"""

import contextlib
import logging
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from kafkalab.cluster import ClusterError
from kafkalab.faults import answers, frames
from kafkalab.faults.errors import FrameError
from kafkalab.faults.frames import Request
from kafkalab.faults.messages import PRODUCE, REQUEST_HEAD, RESPONSE_HEAD, RESPONSES, decode, response_body_at
from kafkalab.faults.names import api_name
from kafkalab.faults.recorder import Frame, Recorder
from kafkalab.faults.rewrite import Rewriter
from kafkalab.faults.rules import Action, Rule, Rulebook
from kafkalab.faults.upstream import Channel

log = logging.getLogger("kafkalab.faults")
PATIENCE_S = 1.0
"""How long `after_next` waits for a next request that may never come (one request in flight)."""
SLICES_PER_S = 20


class Service(NamedTuple):
    """What all links of a proxy share."""

    rules: Rulebook
    rewriter: Rewriter
    recorder: Recorder | None
    failed: Callable[[FrameError], None]


@dataclass(eq=False, slots=True)
class Exchange:
    """One request that will be answered."""

    api_key: int
    version: int
    correlation_id: int
    request: Request | None = None
    """Only when it was read whole."""
    rule: Rule | None = None
    answer: bytes | None = None
    """The proxy's own answer; no other will come."""
    ready: bool = True
    """Whether that answer may leave yet."""
    dropped: bool = False
    """The request was dropped: when its turn comes, the connection is dead."""
    seen_at: float = 0.0


class Link:
    """One connection through the proxy."""

    def __init__(
        self, number: int, client: socket.socket, broker: int, dial: Callable[[], Channel], service: Service
    ) -> None:
        """Take over `client`; `dial` connects to the broker."""
        self.number = number
        self._client = client
        self._broker = broker
        self._dial = dial
        self._service = service
        self._upstream: Channel
        self._client_id = ""
        self._turn = threading.Condition(threading.RLock())
        self._pending: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._busy = False
        self._dead = False  # nothing passes any more, and nobody is told
        self._doomed_by: Rule | None = None  # requests are discarded; answers pass until the rule's turn
        self._closed = threading.Event()
        self._timers: list[threading.Timer] = []
        self._running = 1
        self._threads = [
            threading.Thread(target=self._carry_requests, name=self._name("requests"), daemon=True)
        ]
        self._threads[0].start()

    def _name(self, what: str) -> str:
        return f"kafkalab-proxy-{self.number}-{what}"

    @property
    def alive(self) -> bool:
        """Whether a thread of this link still runs."""
        return any(thread.is_alive() for thread in self._threads)

    def cut(self, *, reset: bool = False) -> None:
        """End the connection both ways; `reset` as TCP does it."""
        with self._turn:
            if self._closed.is_set():
                return  # a second shutdown would turn a reset into an orderly end
            self._closed.set()
            self._turn.notify_all()
        for timer in self._timers:
            timer.cancel()
        if reset:
            with contextlib.suppress(OSError):
                self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Shutting down wakes the threads; closing (by the last of them) sends the reset.
        _shut(self._client, socket.SHUT_RD if reset else socket.SHUT_RDWR)
        if hasattr(self, "_upstream"):
            _shut(self._upstream, socket.SHUT_RDWR)

    def join(self, timeout: float) -> None:
        """Wait for the threads to end."""
        for thread in [*self._threads, *self._timers]:
            thread.join(timeout)

    # --- requests ---------------------------------------------------------------------------------

    def _carry_requests(self) -> None:
        try:
            self._upstream = self._dial()
            if self._closed.is_set():
                raise ConnectionAbortedError("cut while connecting")
            self._running += 1
            self._threads.append(
                threading.Thread(target=self._carry_answers, name=self._name("answers"), daemon=True)
            )
            self._threads[-1].start()
            self._guard(
                frames.split,
                self._client,
                REQUEST_HEAD.size,
                self._request_starts,
                self._pass_request,
                self._take_request,
            )
        except (OSError, ClusterError) as error:
            log.debug("no connection to broker %d: %s", self._broker, error)
            self.cut()
        if self._dead or self._doomed_by is not None or self._closed.is_set():
            self.cut()
        else:
            _shut(self._upstream, socket.SHUT_WR)  # what was asked is still answered
        self._one_less()

    def _request_starts(self, arrived: memoryview) -> bool:
        """Note the request; tell whether it has to be seen whole."""
        service = self._service
        if service.rules.armed or service.recorder or self._doomed_by or self._dead:
            return True
        _, key, version, correlation_id = REQUEST_HEAD.unpack_from(arrived)
        if key == PRODUCE:
            has_answer = frames.produce_has_answer(arrived, version)
            if not has_answer:
                return has_answer is None
        self._pending.append(Exchange(key, version, correlation_id))
        return False

    def _pass_request(self, part: memoryview, _: bool) -> None:
        self._upstream.sendall(part)

    def _take_request(self, frame: bytes) -> None:
        request = Request(frame, self._broker, self._service.rewriter.topic_names)
        self._client_id = request.client_id
        if self._dead or (doomed := self._doomed_by) is not None:
            rule = None if self._dead else self._service.rules.take(request, only=doomed)
            if rule is None or rule.action is not Action.DROP_RESPONSE:
                self._record_request(request, "discarded")
                return
        else:
            rule = self._service.rules.take(request)
        exchange = Exchange(
            request.api_key, request.version, request.correlation_id, request, rule, seen_at=time.monotonic()
        )
        if rule is None:
            self._forward(exchange)
        else:
            HANDLERS[rule.action](self, exchange, rule, request)

    def _forward(self, exchange: Exchange, fate: str = "passed") -> None:
        assert exchange.request is not None
        self._record_request(exchange.request, fate)
        if exchange.request.has_answer:
            self._pending.append(exchange)
        self._paced(self._upstream, exchange.request.frame)
        self._release_answers_after(exchange.request)

    def _drop_request(self, exchange: Exchange, rule: Rule, request: Request) -> None:
        self._record_request(request, "dropped")
        exchange.dropped = True
        self._doomed_by = rule
        rule.fire(self.number, request)
        self._pending.append(exchange)
        self._send_ready_answers()

    def _drop_response(self, exchange: Exchange, rule: Rule, request: Request) -> None:
        del request
        self._doomed_by = rule
        self._forward(exchange)

    def _answer_with(self, exchange: Exchange, rule: Rule, request: Request) -> None:
        if rule.options.forward:
            self._forward(exchange)
            return
        self._record_request(request, "not forwarded")
        exchange.answer = answers.make(request, rule.options.error)
        exchange.ready = not rule.options.after_next
        self._pending.append(exchange)
        if rule.options.after_next:
            self._give_up_later(exchange)
        self._send_ready_answers()

    def _delay_or_hold(self, exchange: Exchange, rule: Rule, request: Request) -> None:
        if not rule.options.forward:
            self._linger(exchange, rule, request)
        self._forward(exchange)

    def _reset(self, exchange: Exchange, rule: Rule, request: Request) -> None:
        del exchange
        self._record_request(request, "reset")
        self.cut(reset=True)
        rule.fire(self.number, request)

    def _linger(self, exchange: Exchange, rule: Rule, request: Request) -> None:
        """Wait as the rule says: until some time after the request was seen, or until it is released."""
        if rule.action is Action.HOLD:
            rule.fire(self.number, request)
            rule.gate.wait()
        else:
            self._closed.wait(exchange.seen_at + rule.options.seconds - time.monotonic())
            rule.fire(self.number, request)

    def _release_answers_after(self, request: Request) -> None:
        """A request was forwarded: an answer that waits for that (`after_next`) may leave."""
        with self._turn:
            waiting = [each for each in self._pending if not each.ready]
            for each in waiting:
                if each.rule is not None and each.request is not request and each.rule.match.fits(request):
                    each.ready = True
            if waiting:
                self._send_ready_answers()

    def _give_up_later(self, exchange: Exchange) -> None:
        def give_up() -> None:
            exchange.ready = True
            with contextlib.suppress(OSError):
                self._send_ready_answers()

        timer = threading.Timer(PATIENCE_S, give_up)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    # --- answers ----------------------------------------------------------------------------------

    def _carry_answers(self) -> None:
        self._guard(
            frames.split,
            self._upstream,
            RESPONSE_HEAD.size,
            self._answer_starts,
            self._pass_answer,
            self._take_answer,
        )
        if not self._dead:  # a dead connection stays open until the client has had enough of it
            self.cut()
        self._one_less()

    def _answer_starts(self, arrived: memoryview) -> bool:
        """Wait for this answer's turn; tell whether it has to be seen whole."""
        _, correlation_id = RESPONSE_HEAD.unpack_from(arrived)
        self._current = exchange = self._await_turn(correlation_id)
        return (
            exchange is None
            or exchange.rule is not None
            or self._service.recorder is not None
            or self._service.rules.armed
            or self._service.rewriter.wants(exchange.api_key, exchange.version)
        )

    def _await_turn(self, correlation_id: int) -> Exchange | None:
        """Return the exchange that this answer belongs to; None once the connection is dead."""
        with self._turn:
            while not (self._dead or self._closed.is_set()):
                if not self._pending:
                    raise FrameError(f"Broker {self._broker} gave an answer that nobody asked for.")
                head = self._pending[0]
                if head.correlation_id == correlation_id and head.answer is None and not head.dropped:
                    self._busy = True
                    return self._pending.popleft()
                if head.answer is None and not head.dropped:
                    raise FrameError(f"Broker {self._broker} answered out of order.")
                self._turn.wait()
            return None

    def _pass_answer(self, part: memoryview, more: bool) -> None:
        self._client.sendall(part)
        if not more:
            self._done()

    def _take_answer(self, frame: bytes) -> None:
        exchange = self._current
        if exchange is None:
            return
        fate = "passed"
        if exchange.rule is not None and exchange.request is not None:
            rule, request = exchange.rule, exchange.request
            if rule.action is Action.DROP_RESPONSE:
                self._record_answer(exchange, frame, "dropped")
                self._die(reset=rule.options.reset)
                rule.fire(self.number, request)
                return
            if rule.options.forward and rule.action in (Action.HOLD, Action.DELAY):
                self._linger(exchange, rule, request)
            elif rule.action is Action.ANSWER_WITH:
                frame, fate = answers.spoil(request, frame, rule.options.error, rule.match.chooses), "spoilt"
        if self._service.rewriter.wants(exchange.api_key, exchange.version):
            frame = self._service.rewriter.rewrite(exchange.api_key, exchange.version, frame)
        self._record_answer(exchange, frame, fate)
        self._paced(self._client, frame)
        if fate == "spoilt" and exchange.rule is not None and exchange.request is not None:
            exchange.rule.fire(self.number, exchange.request)
        self._done()

    def _done(self) -> None:
        with self._turn:
            self._busy = False
            self._send_ready_answers()

    def _send_ready_answers(self) -> None:
        """Send the proxy's own answers whose turn it is."""
        with self._turn:
            while self._pending and not self._busy and not self._dead:
                head = self._pending[0]
                if head.dropped:
                    self._die(reset=head.rule is not None and head.rule.options.reset)
                elif head.answer is None or not head.ready:
                    break
                else:
                    self._pending.popleft()
                    self._record_answer(head, head.answer, "made")
                    self._paced(self._client, head.answer)
                    if head.rule is not None and head.request is not None:
                        head.rule.fire(self.number, head.request)
            self._turn.notify_all()

    def _die(self, *, reset: bool) -> None:
        with self._turn:
            self._dead = True
            self._turn.notify_all()
        if reset:
            self.cut(reset=True)

    # --- both -------------------------------------------------------------------------------------

    def _paced(self, to: "Channel | socket.socket", data: bytes) -> None:
        """Send, no faster than a throttle allows."""
        rate = self._service.rules.rate(self._broker, self._client_id)
        if rate is None:
            to.sendall(data)
            return
        step = max(1, int(rate / SLICES_PER_S))
        for at in range(0, len(data), step):
            part = data[at : at + step]
            to.sendall(part)
            if self._closed.wait(len(part) / rate):
                raise ConnectionAbortedError("cut while throttled")

    def _guard(self, work: Callable[..., None], *given: object) -> None:
        """Run a thread's loop; whatever ends it ends the connection."""
        try:
            work(*given)
        except OSError:
            self.cut()
        except FrameError as error:
            log.error("connection %d to broker %d: %s", self.number, self._broker, error)
            self._service.failed(error)
            self.cut()
        except Exception as error:
            log.exception("connection %d to broker %d", self.number, self._broker)
            self._service.failed(FrameError(f"The proxy itself failed: {error!r}"))
            self.cut()

    def _one_less(self) -> None:
        with self._turn:
            self._running -= 1
            last = not self._running
        if last:
            self._client.close()
            if hasattr(self, "_upstream"):
                self._upstream.close()

    def _record_request(self, request: Request, fate: str) -> None:
        if self._service.recorder is not None:
            self._service.recorder.record(
                Frame(
                    time.monotonic(),
                    self.number,
                    request.client_id,
                    self._broker,
                    "request",
                    api_name(request.api_key),
                    request.version,
                    request.correlation_id,
                    len(request.frame),
                    request.partitions,
                    fate=fate,
                )
            )

    def _record_answer(self, exchange: Exchange, frame: bytes, fate: str) -> None:
        if self._service.recorder is not None:
            partitions, error = self._read_answer(exchange, frame)
            self._service.recorder.record(
                Frame(
                    time.monotonic(),
                    self.number,
                    self._client_id,
                    self._broker,
                    "response",
                    api_name(exchange.api_key),
                    exchange.version,
                    exchange.correlation_id,
                    len(frame),
                    partitions,
                    error,
                    fate,
                )
            )

    def _read_answer(self, exchange: Exchange, frame: bytes) -> tuple[tuple[frames.PartitionSeen, ...], int]:
        if not api_name(exchange.api_key) in TOLD:
            return (), 0
        at = response_body_at(exchange.api_key, exchange.version, frame)
        message = decode(RESPONSES, exchange.api_key, exchange.version, memoryview(frame)[at:])
        partitions = frames.partitions_in(message, self._service.rewriter.topic_names)
        own = getattr(message, "error_code", 0)
        return partitions, own or next((seen.error for seen in partitions if seen.error), 0)


TOLD = {
    "Produce",
    "InitProducerId",
    "AddPartitionsToTxn",
    "AddOffsetsToTxn",
    "TxnOffsetCommit",
    "EndTxn",
    "FindCoordinator",
    "Fetch",
    "ListOffsets",
}
"""APIs whose answers are read for the recorder."""

Handler = Callable[[Link, Exchange, Rule, Request], None]
HANDLERS: dict[Action, Handler] = {
    Action.DROP_RESPONSE: Link._drop_response,
    Action.DROP_REQUEST: Link._drop_request,
    Action.ANSWER_WITH: Link._answer_with,
    Action.DELAY: Link._delay_or_hold,
    Action.HOLD: Link._delay_or_hold,
    Action.RESET: Link._reset,
}


def _shut(end: "Channel | socket.socket", how: int) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(how)
