"""Whose answer may leave next on one connection: first in, first out.

Rules
- Every request that will be answered waits here in its order, whoever answers it: the broker or the proxy.
- While an answer is under way no other may begin. The proxy's own answers leave as soon as it is their turn
  and they are ready; a broker's answer that comes earlier waits for them.
- When the turn comes to a request that was dropped, the connection is dead: nothing leaves any more.

No sockets here: `leave` sends an answer of the proxy's own, `died` is told when the turn comes to a dropped
request.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from kafkalab.faults.errors import FrameError
from kafkalab.faults.frames import Request
from kafkalab.faults.rules import Rule


@dataclass(eq=False, slots=True)
class Exchange:
    """One request that will be answered."""

    api_key: int
    version: int
    correlation_id: int
    request: Request | None = None
    """Only when it was read whole."""
    rule: Rule | None = None
    seen_at: float = 0.0
    """time.monotonic() as of when it came, if it was read whole."""
    answer: bytes | None = None
    """The proxy's own answer; no other will come."""
    ready: bool = True
    """Whether that answer may leave yet."""
    dropped: bool = False


class Turns:
    """The order of answers on one connection; thread-safe."""

    def __init__(self, leave: Callable[[Exchange], None], died: Callable[[Exchange], None]) -> None:
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._waiting: deque[Exchange] = deque()
        self._busy = False
        self._leave = leave
        self._died = died
        self.over = False
        """Nothing leaves any more."""

    def expect(self, exchange: Exchange) -> None:
        """Put a request at the end of the queue. One thread only."""
        self._waiting.append(exchange)

    def begin(self, correlation_id: int) -> Exchange | None:
        """Wait until the broker's answer with this id may leave; None once nothing leaves any more.

        finish() must follow. Raises FrameError when the broker does not keep the order of the requests.
        """
        with self.lock:
            while not self.over:
                head = self._waiting[0] if self._waiting else None
                if head is None:
                    raise FrameError("The broker gave an answer that nobody asked for.")
                if head.answer is None and not head.dropped:
                    if head.correlation_id != correlation_id:
                        raise FrameError("The broker answered out of order.")
                    self._busy = True
                    return self._waiting.popleft()
                self._changed.wait()
            return None

    def finish(self) -> None:
        """Tell that the answer begun is out."""
        with self.lock:
            self._busy = False
            self.go_on()

    def go_on(self) -> None:
        """Let leave what is the proxy's own, has its turn and is ready."""
        with self.lock:
            while self._waiting and not self._busy and not self.over:
                head = self._waiting[0]
                if head.dropped:
                    self.end()
                    self._died(head)
                elif head.answer is None or not head.ready:
                    break
                else:
                    self._waiting.popleft()
                    self._leave(head)
            self._changed.notify_all()

    def forwarded(self, request: Request) -> None:
        """Make ready the answers that wait for such a request to have been forwarded (`after_next`)."""
        with self.lock:
            waiting = [each for each in self._waiting if not each.ready]
            for each in waiting:
                if each.rule is not None and each.request is not request and each.rule.match.fits(request):
                    each.ready = True
            if waiting:
                self.go_on()

    def end(self) -> None:
        """Let nothing leave from now on, and wake who waits."""
        with self.lock:
            self.over = True
            self._changed.notify_all()
