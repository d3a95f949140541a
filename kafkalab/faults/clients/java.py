"""Kafka's Java producer: a small program of ours (Driver.java) that takes orders on stdin.

Rules: an order is a line, an answer is a line. Records are numbered; verbs are answered in order.
"""

import contextlib
import queue
import subprocess
import tempfile
import threading
from pathlib import Path

from kafkalab.cluster import tools
from kafkalab.faults.clients.base import Client, given
from kafkalab.faults.sending import Ticket

DRIVER = Path(__file__).with_name("Driver.java")
CLOSE_S = 10.0
ANSWER_S = 60.0


class Java(Client):
    """Kafka's own."""

    name = "java"

    def _start(self) -> None:
        self._answers: queue.Queue[str] = queue.Queue()
        self._waiting: dict[int, Ticket] = {}
        # A file, not a pipe: nobody reads along, and a full pipe would stop the JVM.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            tools.command("Driver", *self._properties(), classes=tools.compiled(DRIVER)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            bufsize=1,
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        try:
            self._answer()
        except BaseException:
            self._process.kill()
            self.close()
            raise

    def _properties(self) -> list[str]:
        settings = self.settings
        wanted = given(
            **{
                "bootstrap.servers": self.bootstrap_servers,
                "client.id": self.label.replace(" ", "-"),
                "acks": settings.acks,
                "enable.idempotence": str(settings.enable_idempotence).lower(),
                "max.in.flight.requests.per.connection": settings.max_in_flight,
                "retries": settings.retries,
                "linger.ms": settings.linger_ms,
                "request.timeout.ms": settings.request_timeout_ms,
                "delivery.timeout.ms": settings.delivery_timeout_ms,
                "retry.backoff.ms": settings.retry_backoff_ms,
                "batch.size": settings.batch_size,
                "buffer.memory": settings.buffer_memory,
                "max.block.ms": settings.max_block_ms,
                "transactional.id": settings.transactional_id,
            }
        )
        return [f"{name}={value}" for name, value in wanted.items()]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            kind, *rest = line.rstrip("\n").split(" ", 3)
            if kind == "acked":
                self._waiting.pop(int(rest[0])).acked(int(rest[1]), int(rest[2]))
            elif kind == "failed":
                self._waiting.pop(int(rest[0])).failed(" ".join(rest[1:]))
            else:
                self._answers.put(line.strip())
        self._answers.put("error: the Java program has ended")

    def _order(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")

    def _answer(self, timeout: float = ANSWER_S) -> None:
        answer = self._answers.get(timeout=timeout)
        if answer != "done":
            self._log.seek(0)
            log = self._log.read().decode(errors="replace")
            raise RuntimeError(f"{answer}\n{log[-2000:]}")

    def _send(self, ticket: Ticket, partition: int) -> None:
        number = len(self.tickets)
        self._waiting[number] = ticket
        self._order(f"send {number} {ticket.topic} {partition} {ticket.value.decode()}")

    def _flush(self, timeout: float) -> None:
        self._order("flush")
        self._answer(timeout)

    def _transact(self, verb: str) -> None:
        self._order(verb)
        self._answer()

    def close(self) -> None:
        """End the program, by force after some seconds."""
        with contextlib.suppress(OSError):
            self._order("close")
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        for end in (self._process.stdin, self._process.stdout, self._log):
            with contextlib.suppress(OSError):
                if end is not None:
                    end.close()
