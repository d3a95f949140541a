"""aiokafka's producer, on an event loop in a thread of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any

import aiokafka

from kafkalab.faults.clients.base import Client, given
from kafkalab.faults.sending import Ticket

START_S = 30.0
CLOSE_S = 5.0


class Aio(Client):
    """aiokafka's. It has no delivery timeout: its request timeout ends a record's time in a batch, too."""

    name = "aiokafka"

    def _start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._producer = self._wait(self._made(), START_S)
        except BaseException:
            self._end()
            raise

    async def _made(self) -> Any:
        settings = self.settings
        acks = settings.acks if settings.acks == "all" else int(settings.acks)
        producer = aiokafka.AIOKafkaProducer(
            **given(
                bootstrap_servers=self.bootstrap_servers,
                client_id=self.label.replace(" ", "-"),
                acks=acks,
                enable_idempotence=settings.enable_idempotence,
                linger_ms=settings.linger_ms,
                request_timeout_ms=settings.request_timeout_ms,
                retry_backoff_ms=settings.retry_backoff_ms,
                max_batch_size=settings.batch_size or None,
                transactional_id=settings.transactional_id,
            )
        )
        await producer.start()
        return producer

    def _wait(self, work: Coroutine[Any, Any, Any], timeout: float) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def _send(self, ticket: Ticket, partition: int) -> None:
        async def send() -> None:
            ticket.follow(await self._producer.send(ticket.topic, ticket.value, partition=partition))

        self._wait(send(), START_S)

    def _flush(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            self._wait(asyncio.wait_for(self._producer.flush(), timeout), timeout + 1)

    def _transact(self, verb: str) -> None:
        if verb != "init":  # start() has done it
            self._wait(getattr(self._producer, f"{verb}_transaction")(), START_S)

    def close(self) -> None:
        """Stop the producer and its loop within some seconds."""
        with contextlib.suppress(Exception):
            self._wait(asyncio.wait_for(self._producer.stop(), CLOSE_S), CLOSE_S + 1)
        self._end()

    def _end(self) -> None:
        async def cancel() -> None:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        self._wait(cancel(), CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        self._loop.close()
