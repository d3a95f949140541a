"""Chapter 07: a consumer that takes every order once, from a log that holds some of them twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kafkalab.cluster import LogRecord
from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy, Sent, SentLog
from kafkalab.faults.audit_table import evidence
from kafkalab.faults.auditing import ID_HEADER, judge
from kafkalab.producer import Producer

READ_AGAIN = 2
"""Records of partition 0 that the consumer reads again after a restart."""


class Order(NamedTuple):
    """One order: its id travels in a header."""

    id: bytes
    key: bytes
    value: bytes
    partition: int


ORDERS = (
    Order(b"order-1", b"ann", b"tea", 0),
    Order(b"order-4", b"ann", b"tea", 0),
    Order(b"order-2", b"bob", b"cake", 1),
    Order(b"order-3", b"bob", b"tea", 1),
    Order(b"order-5", b"ann", b"cake", 0),
)


class Inbox:
    """Remember the ids of the orders that were taken."""

    def __init__(self) -> None:
        self._taken: set[bytes] = set()

    def accept(self, record: LogRecord) -> bool:
        """Return True for an order seen for the first time; `record` has headers, key, value, ..."""
        order_id = dict(record.headers)["lab-id"]
        if order_id in self._taken:
            return False
        self._taken.add(order_id)
        return True


def check(answer: Any, bench: Bench) -> Result:
    """Let an at-least-once producer store duplicates, and the learner's consumer read them all."""
    topic = bench.topic("inbox", partitions=2, replication_factor=3)
    sent = store(bench, topic)
    records = bench.cluster.read(topic)
    again = [record for record in records if record.partition == 0][-READ_AGAIN:]
    taken = []
    for record in [*records, *again]:
        verdict = answer.accept(record)
        if not isinstance(verdict, bool):
            return Result("wrong", f"accept() has to return True or False, not {verdict!r}.", _where(record))
        taken += [record] * verdict
    return judged(topic, sent, taken, len(records) + len(again))


def store(bench: Bench, topic: str) -> list[Sent]:
    """Send each partition's orders; the first answer of each is lost, and nobody is idempotent."""
    book = SentLog()
    with FaultProxy(bench.cluster.bootstrap_servers, bench.cluster.security) as proxy:
        lost = [
            proxy.drop_response("Produce", topic=topic, partition=partition, reset=True)
            for partition in (0, 1)
        ]
        settings: dict[str, Any] = {"acks": "all", "enable_idempotence": False, "linger_ms": 30_000}
        with Producer(bootstrap_servers=proxy.bootstrap_servers, **settings) as producer:
            for number, order in enumerate(ORDERS, start=1):
                headers = [(ID_HEADER, order.id)]
                future = producer.send(topic, order.value, order.key, order.partition, headers)
                book.watch(order.id, future)
                if number % 2 == 0:  # two orders a batch: whole batches are repeated
                    producer.flush()
        for rule in lost:
            rule.wait()
    return book.sent


def judged(topic: str, sent: Sequence[Sent], taken: Sequence[LogRecord], read: int) -> Result:
    """Return the result for the records that the consumer took."""
    found = judge(topic, sent, taken)
    if found.lost:
        lost = next(order for order in ORDERS if order.id == found.lost[0].sent.id)
        said = "An order was thrown away, though it is no duplicate: the same again is another order."
        return Result("wrong", said, f"{lost.id!r}: key {lost.key!r}, value {lost.value!r}")
    if found.duplicated:
        return Result("wrong", "An order was taken twice.", evidence(found, found.duplicated[0]))
    return Result("correct", f"{len(ORDERS)} orders in {read} records: each was taken once.")


def _where(record: LogRecord) -> str:
    return f"partition {record.partition}, offset {record.offset}: value {record.value!r}"


class _Remembers(Inbox):
    """Remember something else than the id."""

    def what(self, record: LogRecord) -> Any:
        """Return what is taken for the order's identity."""
        raise NotImplementedError

    def accept(self, record: LogRecord) -> bool:
        """Compare what() with what was seen."""
        seen, self._taken = self._taken, {*self._taken, self.what(record)}
        return len(seen) < len(self._taken)


class ByValue(_Remembers):
    """Wrong: two orders may be equal."""

    def what(self, record: LogRecord) -> Any:
        """Take key and value."""
        return record.key, record.value


class ByOffset(_Remembers):
    """Wrong: a retry's copy has an offset of its own."""

    def what(self, record: LogRecord) -> Any:
        """Take the place."""
        return record.partition, record.offset


class ByKey(_Remembers):
    """Wrong: a customer may order again."""

    def what(self, record: LogRecord) -> Any:
        """Take the customer."""
        return record.key


class LikeTheLast(Inbox):
    """Wrong: whole batches are repeated, so copies need not be neighbours."""

    def accept(self, record: LogRecord) -> bool:
        """Compare with the record before."""
        before, self._taken = self._taken, {dict(record.headers)["lab-id"]}
        return before != self._taken


class Highest(Inbox):
    """Wrong: ids rise in a partition, but not over several of them."""

    def accept(self, record: LogRecord) -> bool:
        """Compare with the highest id."""
        order_id = dict(record.headers)["lab-id"]
        higher = order_id > max(self._taken, default=b"")
        self._taken.add(order_id)
        return higher


class Silent(Inbox):
    """Wrong: says nothing."""

    def accept(self, record: LogRecord) -> Any:
        """Forget to return."""
        super().accept(record)


EXERCISE = Exercise(
    chapter="07",
    name="inbox",
    prompt=(
        "The producer of this log delivers at least once, and the consumer may read records again after a "
        "restart. Write accept(record): True if the order has to be carried out, False if it was before. "
        "A record has partition, offset, key, value and headers, a list of (name, bytes); the header "
        "'lab-id' holds the order's id. The same customer may order the same again: that is a new order."
    ),
    hints=(
        (
            "What do two copies of one order have in common that two equal orders do not have? Neither "
            "the value nor the offset."
        ),
        "Keep a set of ids in __init__; dict(record.headers)['lab-id'] is the id.",
    ),
    method="accept",
    solution=Inbox,
    check=check,
    wrong={
        "equal orders": ByValue,
        "by offset": ByOffset,
        "by customer": ByKey,
        "neighbours only": LikeTheLast,
        "highest id": Highest,
        "returns nothing": Silent,
    },
)
