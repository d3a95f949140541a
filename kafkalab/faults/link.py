"""One client's connection and its counterpart to the broker: two sockets, two threads.

Rules
- One thread carries requests (to_broker.py), one answers (to_client.py). Each ends with its socket; the last
  one closes both.
- A connection may be *doomed*: something on it was dropped, later requests are discarded, answers to earlier
  ones still pass. And *dead*: nothing passes, and the client is left to find out.
- A reset is a TCP reset: the client sees an error, not an orderly end.
"""

import contextlib
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple

from kafkalab.cluster import ClusterError
from kafkalab.faults import frames
from kafkalab.faults.errors import FrameError
from kafkalab.faults.messages import REQUEST_HEAD, RESPONSE_HEAD
from kafkalab.faults.recorder import Recorder
from kafkalab.faults.rewrite import Rewriter
from kafkalab.faults.rules import Rulebook
from kafkalab.faults.to_broker import Requests
from kafkalab.faults.to_client import Answers
from kafkalab.faults.turns import Turns
from kafkalab.faults.upstream import Channel

log = logging.getLogger("kafkalab.faults")
NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""For SO_LINGER: closing does not wait, and resets."""
SLICES_PER_S = 20


class Service(NamedTuple):
    """What all links of a proxy share."""

    rules: Rulebook
    rewriter: Rewriter
    recorder: Recorder | None
    failed: Callable[[FrameError], None]


class Link:
    """One connection through the proxy."""

    def __init__(
        self, number: int, client: socket.socket, broker: int, dial: Callable[[], Channel], service: Service
    ) -> None:
        """Take over `client`; `dial` connects to the broker."""
        self.number = number
        self.broker = broker
        self.service = service
        self.client_id = ""
        self.client = client
        self.upstream: Channel | None = None
        self.dead = False
        self.answers = Answers(self)
        self.turns = Turns(self.answers.leave, self.answers.died)
        self.requests = Requests(self)
        self.closed = threading.Event()
        self._dial = dial
        self._running = 1
        self._threads = [self._thread(self._carry_requests, "requests")]
        self._threads[0].start()

    def _thread(self, work: Callable[[], None], name: str) -> threading.Thread:
        return threading.Thread(target=work, name=f"kafkalab-proxy-{self.number}-{name}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether a thread of this link still runs."""
        return any(thread.is_alive() for thread in self._threads)

    def _carry_requests(self) -> None:
        try:
            self.upstream = self._dial()
        except (OSError, ClusterError) as error:
            log.debug("no connection to broker %d: %s", self.broker, error)
            self.cut()
        else:
            self._running += 1
            self._threads.append(self._thread(self._carry_answers, "answers"))
            self._threads[-1].start()
            self._guard(self.client, REQUEST_HEAD.size, self.requests)
            if self.requests.doomed or self.closed.is_set():
                self.cut()
            else:
                _shut(self.upstream, socket.SHUT_WR)  # what was asked is still answered
        self._one_less()

    def _carry_answers(self) -> None:
        assert self.upstream is not None
        self._guard(self.upstream, RESPONSE_HEAD.size, self.answers)
        if not self.dead:  # a dead connection stays open until the client has had enough of it
            self.cut()
        self._one_less()

    def _guard(self, source: "Channel | socket.socket", head: int, way: "Requests | Answers") -> None:
        """Run a thread's loop; whatever ends it ends the connection."""
        try:
            if not self.closed.is_set():
                frames.split(source, head, way.starts, way.passes, way.takes)
        except OSError:
            self.cut()
        except FrameError as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - told when the proxy is left; the thread must not just vanish
            self._failed(FrameError(f"The proxy itself failed: {error!r}"))

    def _failed(self, error: FrameError) -> None:
        log.warning("connection %d to broker %d: %s", self.number, self.broker, error, exc_info=error)
        self.service.failed(error)
        self.cut()

    def cut(self, *, reset: bool = False) -> None:
        """End the connection both ways; `reset` as TCP does it."""
        with self.turns.lock:
            if self.closed.is_set():
                return  # a second shutdown would turn a reset into an orderly end
            self.closed.set()
        self.turns.end()
        self.requests.stop()
        if reset:
            with contextlib.suppress(OSError):
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        # Shutting down wakes the threads; closing, by the last of them, sends the reset.
        _shut(self.client, socket.SHUT_RD if reset else socket.SHUT_RDWR)
        if self.upstream is not None:
            _shut(self.upstream, socket.SHUT_RDWR)

    def join(self, timeout: float) -> None:
        """Wait for the threads to end."""
        for thread in list(self._threads):
            thread.join(timeout)
        self.requests.join(timeout)

    def _one_less(self) -> None:
        with self.turns.lock:
            self._running -= 1
            last = not self._running
        if last:
            self.client.close()
            if self.upstream is not None:
                self.upstream.close()

    def die(self) -> None:
        """Let nothing pass any more; the client is left to find out."""
        self.dead = True
        self.turns.end()

    def send_to_broker(self, data: bytes) -> None:
        """Send a whole request, no faster than a throttle allows."""
        assert self.upstream is not None
        self._send(self.upstream, data)

    def send_to_client(self, data: bytes) -> None:
        """Send a whole answer, no faster than a throttle allows."""
        self._send(self.client, data)

    def _send(self, to: "Channel | socket.socket", data: bytes) -> None:
        rate = self.service.rules.rate(self.broker, self.client_id)
        if rate is None:
            to.sendall(data)
            return
        step = max(1, int(rate / SLICES_PER_S))
        for at in range(0, len(data), step):
            part = data[at : at + step]
            to.sendall(part)
            if self.closed.wait(len(part) / rate):
                raise ConnectionAbortedError("cut while throttled")


def _shut(end: "Channel | socket.socket", how: int) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(how)
