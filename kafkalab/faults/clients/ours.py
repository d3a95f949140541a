"""Our own producer."""

from kafkalab.faults.clients.base import Client, given
from kafkalab.faults.sending import Ticket
from kafkalab.producer import Producer

CLOSE_S = 2.0


class Ours(Client):
    """kafkalab's."""

    name = "kafkalab"

    def _start(self) -> None:
        settings = self.settings
        self._producer = Producer(
            **given(
                bootstrap_servers=self.bootstrap_servers,
                acks=settings.acks,
                enable_idempotence=settings.enable_idempotence,
                max_in_flight_requests_per_connection=settings.max_in_flight,
                retries=settings.retries,
                linger_ms=settings.linger_ms,
                request_timeout_ms=settings.request_timeout_ms,
                delivery_timeout_ms=settings.delivery_timeout_ms,
                retry_backoff_ms=settings.retry_backoff_ms,
                batch_size=settings.batch_size,
                buffer_memory=settings.buffer_memory,
                max_block_ms=settings.max_block_ms,
                transactional_id=settings.transactional_id,
            )
        )

    def _send(self, ticket: Ticket, partition: int) -> None:
        ticket.follow(self._producer.send(ticket.topic, ticket.value, partition=partition))

    def _flush(self, timeout: float) -> None:
        del timeout  # every record has its delivery_timeout_ms
        self._producer.flush()

    def _transact(self, verb: str) -> None:
        getattr(self._producer, f"{verb}_transaction{'s' if verb == 'init' else ''}")()

    def close(self) -> None:
        """Close within two seconds."""
        self._producer.close(timeout=CLOSE_S)
