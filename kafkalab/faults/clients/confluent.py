"""librdkafka's producer, by confluent-kafka."""

import contextlib
import sys
import threading
from typing import Any

import confluent_kafka

from kafkalab.faults.clients.base import Client, given
from kafkalab.faults.sending import Ticket

POLL_S = 0.02
CLOSE_S = 2.0


class Confluent(Client):
    """confluent-kafka's."""

    name = "confluent"

    def _start(self) -> None:
        settings = self.settings
        self._producer: Any = confluent_kafka.Producer(
            given(
                **{
                    "bootstrap.servers": self.bootstrap_servers,
                    "client.id": self.label.replace(" ", "-"),
                    "acks": settings.acks,
                    "enable.idempotence": settings.enable_idempotence,
                    "max.in.flight.requests.per.connection": settings.max_in_flight,
                    "retries": settings.retries,
                    "linger.ms": settings.linger_ms,
                    # What the others call request timeout; its request.timeout.ms is the broker's patience.
                    "socket.timeout.ms": settings.request_timeout_ms,
                    "request.timeout.ms": settings.request_timeout_ms,
                    "delivery.timeout.ms": settings.delivery_timeout_ms,
                    "retry.backoff.ms": settings.retry_backoff_ms,
                    "reconnect.backoff.max.ms": 200,
                    "batch.num.messages": 1 if settings.batch_size == 0 else None,
                    "batch.size": settings.batch_size or None,
                    "queue.buffering.max.kbytes": settings.buffer_memory and settings.buffer_memory // 1024,
                    "transactional.id": settings.transactional_id,
                    "log_level": 2,
                }
            )
        )
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def _poll(self) -> None:
        """Callbacks run only in poll()."""
        while not self._closed.is_set():
            with contextlib.suppress(confluent_kafka.KafkaException):  # told where it matters, too
                self._producer.poll(POLL_S)

    def _send(self, ticket: Ticket, partition: int) -> None:
        self._producer.produce(ticket.topic, ticket.value, partition=partition, on_delivery=ticket.delivered)

    def _flush(self, timeout: float) -> None:
        self._producer.flush(timeout)

    def _transact(self, verb: str) -> None:
        order = getattr(self._producer, f"{verb}_transaction{'s' if verb == 'init' else ''}")
        try:
            order()
        except:  # noqa: E722 - a fenced commit raises a KafkaError that is no BaseException
            raise RuntimeError(str(sys.exc_info()[1])) from None

    def close(self) -> None:
        """Drop what has no outcome, and end."""
        self._producer.purge()
        self._producer.flush(CLOSE_S)
        self._closed.set()
        self._thread.join()
