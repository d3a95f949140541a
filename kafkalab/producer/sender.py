"""Sender: the I/O thread. It takes batches to their leaders and brings the outcomes back.

One turn of its loop, top to bottom:
    ask for metadata when due → let the ordering ask for what it needs → give up what is too old
    → drain ready batches, a request per leader → sleep until bytes move, a batch becomes ready or
    somebody calls wakeup()

What an answer means for a batch is the ordering's verdict (ordering.py):
    no error      acknowledged: the futures learn their offsets
    RETRY         back to the accumulator, while retries and time are left
    FAIL          the futures raise the error
A batch too large for the broker is split, if it has more than one record. An answer to a batch that
was given up meanwhile is ignored: each outcome is told once.

Leaves out: sockets (network_client.py) and producer ids (idempotence.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from kafka import errors as kafka_errors
from kafka.protocol.producer import ProduceRequest

from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import BatchState, ProducerBatch
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import (
    AuthenticationError,
    DeliveryTimeoutError,
    ProducerClosedError,
    Remedy,
    remedy,
)
from kafkalab.producer.metadata import Metadata
from kafkalab.producer.network_client import NetworkClient
from kafkalab.producer.ordering import Ordering, Verdict
from kafkalab.producer.record import TopicPartition
from kafkalab.producer.tracing import SILENCE, Tracer

log = logging.getLogger(__name__)


class Sender:
    """Run `run()` on a thread of its own; stop it with `close()`."""

    def __init__(
        self,
        config: ProducerConfig,
        accumulator: RecordAccumulator,
        metadata: Metadata,
        client: NetworkClient,
        ordering: Ordering,
        trace: Tracer | None = None,
    ) -> None:
        self._config = config
        self._accumulator = accumulator
        self._metadata = metadata
        self._client = client
        self._ordering = ordering
        self._trace = trace or SILENCE
        self._in_flight: dict[ProducerBatch, None] = {}  # a set that keeps its order
        self._asking = False
        self._next_expiry = 0.0
        self._closing = False
        self._aborting = False
        self.ended = threading.Event()
        """Set when the thread has run; before Python 3.13 a join() cut short by Ctrl-C takes it for dead."""
        self.counted: Counter[str] = Counter()
        """How many requests, batches, records, bytes, records retried, splits, record errors there were."""
        accumulator.wakeup = metadata.wakeup = client.wakeup
        accumulator.admits = ordering.admits
        ordering.attach(client.wakeup, accumulator.incomplete, accumulator.flushing)
        client.on_lost = metadata.want_update  # the broker may have died, and others lead now
        client.on_refused = self._on_refused

    def run(self) -> None:
        """Loop until closed and nothing is left to deliver, or the time to close is over."""
        end: BaseException = ProducerClosedError("the producer was closed before this was acknowledged")
        try:
            while not self._aborting and not (self._closing and self._finished()):
                self.run_once(time.monotonic())
        except BaseException as error:
            log.exception("the I/O thread died")
            end = error
            raise
        finally:
            self._accumulator.close()
            self._metadata.close()
            self._fail_all(end)
            self._ordering.ended(end)
            self._client.close()

    def close(self) -> None:
        """Deliver what was accepted, then end; returns at once."""
        self._closing = True
        self._client.wakeup()

    def abort(self) -> None:
        """End now; what is not acknowledged fails."""
        self._aborting = True
        self._client.wakeup()

    def unsettled(self) -> int:
        """Return how many records have no outcome yet."""
        return sum(len(batch) for batch in self._accumulator.incomplete())

    def run_once(self, now: float) -> None:
        """One turn of the loop."""
        self._client.give_up_late(now)
        blocked = self._ask_for_metadata(now)
        come_back = self._ordering.step(self._client, now)
        self._expire(now)
        idle = self._send_ready(now)
        ask_in = float("inf") if blocked else self._metadata.due(now)
        self._client.poll(min(idle, ask_in, come_back, self._next_expiry - now))

    def _finished(self) -> bool:
        self._ordering.close()
        return self._ordering.idle and not self._accumulator.incomplete()

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

    def _on_refused(self, node: int, error: AuthenticationError) -> None:
        """Fail what waits for `node`, and whoever waits for metadata: more waiting will not help."""
        self._metadata.refuse(error)
        leaders = self._metadata.snapshot.leaders
        for batch in self._accumulator.remove(lambda batch: leaders.get(batch.target) == node):
            self._fail(batch, error)

    # --- sending ----------------------------------------------------------------------------------

    def _send_ready(self, now: float) -> float:
        """Send what is ready to leaders that can take it; return how long there is nothing to do."""
        while True:
            ready, ask_again = self._accumulator.ready(now)
            if not ready or not self._send_round(ready, now):
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
        for batch in batches:
            self._ordering.leaves(batch)
            self._in_flight[batch] = None
            self._metadata.use(batch.target.topic, now)
        request = produce_request(
            batches, self._config, self._ordering.transactional_id, self._ordering.produce_max_version
        )
        handler = partial(self._on_produce, {batch.target: batch for batch in batches})
        self.counted.update(
            requests=1,
            batches=len(batches),
            records=sum(map(len, batches)),
            bytes=sum(batch.size for batch in batches),
        )
        numbers = [batch.number for batch in batches]
        self._trace("request", node=node, batches=numbers, acks=self._config.required_acks)
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
                code, offset = answer.error_code, answer.base_offset
                self._trace("response", batch=batch.number, error=code, base_offset=offset)
                if code == 0:
                    self._acknowledge(batch, offset, answer.log_append_time_ms)
                else:
                    self._on_error(batch, kafka_errors.for_code(code)(*filter(None, [answer.error_message])))
        for batch in batches.values():
            self._on_error(batch, kafka_errors.UnknownError("the broker's answer left this partition out"))

    def _acknowledge(
        self, batch: ProducerBatch, base_offset: int | None, log_append_time_ms: int = -1
    ) -> None:
        if batch.state is BatchState.IN_FLIGHT:
            self._ordering.acknowledged(batch)
            tell = partial(batch.delivery.acknowledge, base_offset, log_append_time_ms)
            self._finish(batch, tell, "completed", base_offset=base_offset)

    def _on_error(self, batch: ProducerBatch, error: BaseException) -> None:
        if remedy(error) is Remedy.REFRESH:
            self._metadata.want_update()
        if batch.state is not BatchState.IN_FLIGHT:
            return
        batch.last_error = error
        if isinstance(error, kafka_errors.MessageSizeTooLargeError) and len(batch) > 1:
            self._split(batch)
            return
        verdict = self._ordering.judge(batch, error)
        retries_left = batch.attempts <= self._config.retries  # the first attempt is no retry
        if verdict is Verdict.ACKNOWLEDGE:
            self._acknowledge(batch, None)
        elif verdict is Verdict.FAIL or not retries_left:
            self._fail(batch, error)
        else:
            self._retry(batch, error, renumber=verdict is Verdict.RENUMBER)

    def _retry(self, batch: ProducerBatch, error: BaseException, *, renumber: bool) -> None:
        del self._in_flight[batch]
        self._ordering.returned(batch, renumber=renumber)
        self.counted["retries"] += len(batch)  # in records, as Java does
        self._trace("retried", batch=batch.number, error=type(error).__name__, attempt=batch.attempts)
        self._accumulator.put_back(batch, time.monotonic())

    def _split(self, batch: ProducerBatch) -> None:
        del self._in_flight[batch]
        parts = batch.split()
        self._ordering.split(batch, parts)
        self.counted["splits"] += 1
        self._trace("split", batch=batch.number, records=[len(part) for part in parts])
        self._accumulator.replace(batch, parts)

    def _expire(self, now: float) -> None:
        """Give up batches older than delivery_timeout_ms, wherever they are, and what may never leave."""
        if self._ordering.refusing:
            for batch in self._accumulator.remove(self._ordering.refusal):
                self._fail(batch, self._ordering.refusal(batch) or kafka_errors.UnknownError())
        if now < self._next_expiry:
            return
        limit = self._config.delivery_timeout_ms / 1000
        late = [batch for batch in self._in_flight if batch.created + limit <= now]
        for batch in late + self._accumulator.expired(now):
            self._fail(batch, self._timed_out(batch))
        oldest = min((batch.created for batch in self._accumulator.incomplete()), default=now)
        self._next_expiry = oldest + limit

    def _timed_out(self, batch: ProducerBatch) -> DeliveryTimeoutError:
        limit = f"delivery_timeout_ms={self._config.delivery_timeout_ms:g}"
        tried = f"{batch.attempts} attempts, last error {batch.last_error!r}"
        tried = tried if batch.attempts else "it was never sent"
        return DeliveryTimeoutError(f"{len(batch)} records for {batch.target} exceeded {limit}: {tried}")

    def _fail(self, batch: ProducerBatch, error: BaseException) -> None:
        self._ordering.failed(batch, error)
        self.counted["record_errors"] += len(batch)
        self._finish(batch, partial(batch.delivery.fail, error), "failed", error=type(error).__name__)

    def _finish(self, batch: ProducerBatch, tell: Callable[[], object], event: str, **data: Any) -> None:
        self._in_flight.pop(batch, None)
        self._trace(event, **batch.target._asdict(), batch=batch.number, **data)
        self._accumulator.finish(batch, tell)

    def _fail_all(self, error: BaseException) -> None:
        self._accumulator.remove(lambda _: True)
        for batch in self._accumulator.incomplete():
            self._fail(batch, error)

    @property
    def _request_timeout(self) -> float:
        return self._config.request_timeout_ms / 1000


def produce_request(
    batches: Iterable[ProducerBatch], config: ProducerConfig, transactional_id: str | None, max_version: int
) -> ProduceRequest:
    """Return the Produce request that carries `batches`, at most one per partition."""
    topics: dict[str, list[Any]] = defaultdict(list)
    topic_data = ProduceRequest.TopicProduceData
    for batch in batches:
        topic, partition = batch.target
        topics[topic].append(topic_data.PartitionProduceData(index=partition, records=batch.encode()))
    return ProduceRequest(
        transactional_id=transactional_id,
        acks=config.required_acks,
        timeout_ms=int(config.request_timeout_ms),
        topic_data=[topic_data(name=name, partition_data=data) for name, data in topics.items()],
        max_version=max_version,
    )


def start(sender: Sender, name: str) -> threading.Thread:
    """Start the I/O thread; a daemon, so that a forgotten producer never keeps Python from ending."""

    def run() -> None:
        try:
            sender.run()
        finally:
            sender.ended.set()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
