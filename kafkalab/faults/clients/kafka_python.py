"""kafka-python's producer."""

from typing import Any

from kafka import KafkaProducer

from kafkalab.faults.clients.base import Client, given
from kafkalab.faults.sending import Ticket

CLOSE_S = 2.0


class KafkaPython(Client):
    """kafka-python's."""

    name = "kafka-python"

    def _start(self) -> None:
        settings = self.settings
        self._producer: Any = KafkaProducer(
            **given(
                bootstrap_servers=self.bootstrap_servers,
                client_id=self.label.replace(" ", "-"),
                acks=settings.acks,
                enable_idempotence=settings.enable_idempotence,
                max_in_flight_requests_per_connection=settings.max_in_flight,
                retries=settings.retries,
                linger_ms=settings.linger_ms,
                request_timeout_ms=settings.request_timeout_ms,
                delivery_timeout_ms=settings.delivery_timeout_ms,
                retry_backoff_ms=settings.retry_backoff_ms,
                reconnect_backoff_max_ms=100,  # its 30 s outlast any recipe
                batch_size=settings.batch_size,
                max_block_ms=settings.max_block_ms,
                transactional_id=settings.transactional_id,
            )
        )

    def _send(self, ticket: Ticket, partition: int) -> None:
        future = self._producer.send(ticket.topic, ticket.value, partition=partition)
        ticket.follow(future, offsets=self.settings.acks != 0)  # with acks=0 it says 0 for each

    def _flush(self, timeout: float) -> None:
        self._producer.flush(timeout)

    def _transact(self, verb: str) -> None:
        getattr(self._producer, f"{verb}_transaction{'s' if verb == 'init' else ''}")()

    def close(self) -> None:
        """Close within two seconds."""
        self._producer.close(timeout=CLOSE_S)
