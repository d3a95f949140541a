"""Sender: the I/O thread. It takes batches to their leaders and brings the outcomes back.

One turn of its loop, top to bottom:
    ask for metadata when due → give up what is too old → drain ready batches, a request per leader
    → sleep until bytes move, a batch becomes ready or somebody calls wakeup()

What an answer means for a batch:
    no error                           acknowledged: the futures learn their offsets
    retriable error or lost connection back to the accumulator, while retries and time are left
    any other error                    failed: the futures raise it
An answer to a batch that was given up meanwhile is ignored: each outcome is told once.

Leaves out: sockets (network_client.py) and producer ids.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from kafka import errors as kafka_errors
from kafka.protocol.producer import ProduceRequest

from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import BatchState, ProducerBatch, TopicPartition
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import DeliveryTimeoutError, ProducerClosedError
from kafkalab.producer.metadata import Metadata
from kafkalab.producer.network_client import NetworkClient
from kafkalab.producer.tracing import Tracer

log = logging.getLogger(__name__)
PRODUCE_MAX_VERSION = 12  # 13 names topics by id


class Sender:
    """Run `run()` on a thread of its own; stop it with `close()`."""

    def __init__(
        self,
        config: ProducerConfig,
        accumulator: RecordAccumulator,
        metadata: Metadata,
        client: NetworkClient,
        trace: Tracer | None = None,
    ) -> None:
        self._config = config
        self._accumulator = accumulator
        self._metadata = metadata
        self._client = client
        self._trace = trace
        self._in_flight: dict[int, ProducerBatch] = {}
        self._asking = False
        self._next_expiry = 0.0
        self._closing = False
        self._aborting = False
        accumulator.wakeup = metadata.wakeup = client.wakeup
        client.on_lost = metadata.want_update  # the broker may have died, and others lead now

    def run(self) -> None:
        """Loop until closed and nothing is left to deliver, or the time to close is over."""
        end: BaseException = ProducerClosedError("the producer was closed before this was acknowledged")
        try:
            while not self._aborting and not (self._closing and not self._accumulator.incomplete()):
                self.run_once(time.monotonic())
        except BaseException as error:
            log.exception("the I/O thread died")
            end = error
            raise
        finally:
            self._accumulator.close()
            self._metadata.close()
            self._fail_all(end)
            self._client.close()

    def close(self) -> None:
        """Deliver what was accepted, then end; returns at once."""
        self._closing = True
        self._client.wakeup()

    def abort(self) -> None:
        """End now; what is not acknowledged fails."""
        self._aborting = True
        self._client.wakeup()

    def run_once(self, now: float) -> None:
        """One turn of the loop."""
        self._client.give_up_late(now)
        blocked = self._ask_for_metadata(now)
        self._expire(now)
        idle = self._send_ready(now)
        ask_in = float("inf") if blocked else self._metadata.due(now)
        self._client.poll(min(idle, ask_in, self._next_expiry - now))

    # --- metadata ---------------------------------------------------------------------------------

    def _ask_for_metadata(self, now: float) -> bool:
        """Ask if it is time to; return whether asking has to wait for the network."""
        if self._asking or self._metadata.due(now) > 0:
            return self._asking
        node = self._client.any_node(now)
        if node is None:
            self._metadata.trouble = self._client.trouble
            return True
        self._asking = True
        self._client.send(node, self._metadata.request(now), self._on_metadata, now, self._request_timeout)
        return self._asking  # False: the error is known already

    def _on_metadata(self, response: Any, error: BaseException | None) -> None:
        self._asking = False
        self._metadata.trouble = error
        if error is not None:
            self._metadata.failed()
        else:
            self._metadata.update(response)
            self._client.learn(self._metadata.snapshot)

    # --- sending ----------------------------------------------------------------------------------

    def _send_ready(self, now: float) -> float:
        """Send what is ready to leaders that can take it; return how long there is nothing to do."""
        ready, ask_again = self._accumulator.ready(now)
        while self._send_round(ready, now):
            ready, ask_again = self._accumulator.ready(now)
        return ask_again - now

    def _send_round(self, ready: set[TopicPartition], now: float) -> bool:
        """Send one request to each leader of a ready partition that can take it; tell whether any could."""
        sent = False
        for node, targets in self._by_leader(ready).items():
            if self._client.can_send(node, now) and (batches := self._accumulator.drain(targets, now)):
                self._send_produce(node, batches, now)
                sent = True
        return sent

    def _by_leader(self, ready: set[TopicPartition]) -> dict[int, list[TopicPartition]]:
        """Return, for each broker that leads a ready partition, all partitions it leads."""
        leaders = self._metadata.snapshot.leaders
        if not self._asking and not leaders.keys() >= ready:
            self._metadata.want_update()
        nodes: dict[int, list[TopicPartition]] = {
            leaders[target]: [] for target in ready if target in leaders
        }
        for target in self._accumulator.targets() if nodes else ():
            if leaders.get(target) in nodes:
                nodes[leaders[target]].append(target)
        return nodes

    def _send_produce(self, node: int, batches: list[ProducerBatch], now: float) -> None:
        self._in_flight |= {batch.number: batch for batch in batches}
        request = produce_request(batches, self._config.required_acks, int(self._config.request_timeout_ms))
        handler = partial(self._on_produce, {batch.target: batch for batch in batches})
        if self._trace is not None:
            self._trace(
                "request",
                node=node,
                batches=[batch.number for batch in batches],
                acks=self._config.required_acks,
            )
        self._client.send(node, request, handler, now, self._request_timeout)

    # --- outcomes ---------------------------------------------------------------------------------

    def _on_produce(
        self, batches: dict[TopicPartition, ProducerBatch], response: Any, error: BaseException | None
    ) -> None:
        """Take the answer to one request; `response` is None if it failed, or asked for no answer."""
        if error is not None:
            for batch in batches.values():
                self._on_error(batch, error)
        elif response is None:
            for batch in batches.values():
                self._acknowledge(batch, None)
        else:
            self._on_answers(batches, response)

    def _on_answers(self, batches: dict[TopicPartition, ProducerBatch], response: Any) -> None:
        for topic in response.responses:
            for answer in topic.partition_responses:
                batch = batches.pop(TopicPartition(topic.name, answer.index), None)
                if batch is None:
                    continue  # nobody asked
                if self._trace is not None:
                    self._trace(
                        "response",
                        batch=batch.number,
                        error=answer.error_code,
                        base_offset=answer.base_offset,
                    )
                if answer.error_code == 0:
                    self._acknowledge(batch, answer.base_offset, answer.log_append_time_ms)
                else:
                    self._on_error(
                        batch, kafka_errors.for_code(answer.error_code)(*filter(None, [answer.error_message]))
                    )
        for batch in batches.values():
            self._on_error(batch, kafka_errors.UnknownError("the broker's answer left this partition out"))

    def _acknowledge(
        self, batch: ProducerBatch, base_offset: int | None, log_append_time_ms: int = -1
    ) -> None:
        if batch.state is BatchState.IN_FLIGHT:
            tell = partial(batch.delivery.acknowledge, base_offset, log_append_time_ms)
            self._finish(batch, tell, "completed", base_offset=base_offset)

    def _on_error(self, batch: ProducerBatch, error: BaseException) -> None:
        if getattr(error, "invalid_metadata", False):
            self._metadata.want_update()
        if batch.state is not BatchState.IN_FLIGHT:
            return
        batch.last_error = error
        retries_left = batch.attempts <= self._config.retries  # the first attempt is no retry
        if getattr(error, "retriable", False) and retries_left:
            del self._in_flight[batch.number]
            if self._trace is not None:
                self._trace("retried", batch=batch.number, error=type(error).__name__, attempt=batch.attempts)
            self._accumulator.put_back(batch, time.monotonic())
        else:
            self._fail(batch, error)

    def _expire(self, now: float) -> None:
        """Give up batches older than delivery_timeout_ms, wherever they are."""
        if now < self._next_expiry:
            return
        limit = self._config.delivery_timeout_ms / 1000
        late = [batch for batch in self._in_flight.values() if batch.created + limit <= now]
        for batch in late + self._accumulator.expired(now):
            self._fail(batch, self._timed_out(batch))
        oldest = min((batch.created for batch in self._accumulator.incomplete()), default=now)
        self._next_expiry = oldest + limit

    def _timed_out(self, batch: ProducerBatch) -> DeliveryTimeoutError:
        limit = f"delivery_timeout_ms={self._config.delivery_timeout_ms:g}"
        tried = (
            f"{batch.attempts} attempts, last error {batch.last_error!r}"
            if batch.attempts
            else "it was never sent"
        )
        return DeliveryTimeoutError(f"{len(batch)} records for {batch.target} exceeded {limit}: {tried}")

    def _fail(self, batch: ProducerBatch, error: BaseException) -> None:
        self._finish(batch, partial(batch.delivery.fail, error), "failed", error=type(error).__name__)

    def _finish(self, batch: ProducerBatch, tell: Callable[[], object], event: str, **data: Any) -> None:
        self._in_flight.pop(batch.number, None)
        if self._trace is not None:
            self._trace(event, **batch.target._asdict(), batch=batch.number, **data)
        self._accumulator.finish(batch, tell)

    def _fail_all(self, error: BaseException) -> None:
        self._accumulator.abort()
        for batch in self._accumulator.incomplete():
            self._fail(batch, error)

    @property
    def _request_timeout(self) -> float:
        return self._config.request_timeout_ms / 1000


def produce_request(batches: Iterable[ProducerBatch], acks: int, timeout_ms: int) -> ProduceRequest:
    """Return the Produce request that carries `batches`, at most one per partition."""
    topics: dict[str, list[Any]] = defaultdict(list)
    topic_data = ProduceRequest.TopicProduceData
    for batch in batches:
        topic, partition = batch.target
        topics[topic].append(topic_data.PartitionProduceData(index=partition, records=batch.encode()))
    return ProduceRequest(
        transactional_id=None,
        acks=acks,
        timeout_ms=timeout_ms,
        topic_data=[topic_data(name=name, partition_data=data) for name, data in topics.items()],
        max_version=PRODUCE_MAX_VERSION,
    )


def start(sender: Sender, name: str) -> threading.Thread:
    """Start the I/O thread; a daemon, so that a forgotten producer never keeps Python from ending."""
    thread = threading.Thread(target=sender.run, name=name, daemon=True)
    thread.start()
    return thread
