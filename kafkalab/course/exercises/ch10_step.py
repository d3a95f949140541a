"""Chapter 10: one step of consume-transform-produce, with a refused batch, a lost group and a successor."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from kafka import KafkaConsumer
from kafka.errors import KafkaError, ProducerFencedError
from kafka.structs import TopicPartition

from kafkalab.cluster.polling import wait_until
from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy
from kafkalab.producer import Producer

VALUES, EACH = tuple(b"order %d" % number for number in range(6)), 2
MOMENT_S = 3.0  # how long the group's coordinator may need to hear of a transaction's end


class Step:
    """Carry records over to another topic; results and offsets count together."""

    def step(self, consumer: Any, producer: Any, records: list[Any], output: str) -> bool:
        """Return True if it is committed, False if it was aborted; raise if the producer is over."""
        producer.begin_transaction()
        try:
            self.write(producer, records, output)
            done = {TopicPartition(each.topic, each.partition): each.offset + 1 for each in records}
            producer.send_offsets_to_transaction(done, consumer.group_metadata())
            producer.commit_transaction()
        except ProducerFencedError:
            raise
        except KafkaError:
            producer.abort_transaction()
            return False
        return True

    def write(self, producer: Any, records: list[Any], output: str) -> None:
        """Send the results."""
        for record in records:
            producer.send(output, record.value.upper())


class Run:
    """The program around the step: it reads where the group is, and knows what should come of it."""

    def __init__(self, bench: Bench, proxy: FaultProxy) -> None:
        self.cluster, self.proxy = bench.cluster, proxy
        self.orders = TopicPartition(bench.topic("step-orders", replication_factor=3), 0)
        self.output = bench.topic("step-output", replication_factor=3)
        self.name = f"{bench.cluster.prefix}exercise-10-{uuid.uuid4().hex[:8]}"
        self.opened: list[Any] = []
        self.producer = self.take_over()
        self.consumer = self._reader()
        with Producer(bootstrap_servers=proxy.bootstrap_servers) as plain:
            for value in VALUES:
                plain.send(self.orders.topic, value).result(timeout=30)

    def _reader(self) -> Any:
        consumer = KafkaConsumer(
            bootstrap_servers=self.proxy.bootstrap_servers,
            group_id=self.name,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        consumer.assign([self.orders])
        return consumer

    def take_over(self) -> Producer:
        """Return a new producer of the same name: it fences the one before."""
        settings: dict[str, Any] = {"transactional_id": self.name, "linger_ms": 0}
        producer = Producer(bootstrap_servers=self.proxy.bootstrap_servers, **settings)
        self.opened.append(producer)
        producer.init_transactions()
        return producer

    def at(self) -> int:
        """Return where the group is, as the broker says."""
        return int(self.consumer.committed(self.orders) or 0)

    def records(self) -> list[Any]:
        """Return the next records after the group's offset."""
        start = self.at()
        found: list[Any] = []
        self.consumer.seek(self.orders, start)
        while len(found) < min(EACH, len(VALUES) - start):
            for each in self.consumer.poll(timeout_ms=1000, max_records=EACH - len(found)).values():
                found += each
        return found

    def seen(self) -> list[bytes]:
        """Return what is committed in the output, once nothing is open there."""
        wait_until(
            "no transaction is open in the output",
            lambda: self.cluster.offsets(self.output, 0),
            lambda offsets: offsets.last_stable == offsets.log_end,
        )
        return [record.value for record in self.cluster.read(self.output, isolation="read_committed")]

    def settled_at(self, aim: int) -> int:
        """Return where the group is, once it is at `aim`, or after a moment."""
        try:
            return wait_until(f"the group is at {aim}", self.at, lambda at: at == aim, timeout=MOMENT_S)
        except TimeoutError:
            return self.at()

    def close(self) -> None:
        """Let everything go."""
        self.consumer.close()
        for producer in self.opened:
            producer.close(timeout=1)


def check(answer: Any, bench: Bench) -> Result:
    """Run the step: undisturbed, with each fault, and as a zombie."""
    with FaultProxy(bench.cluster.bootstrap_servers, bench.cluster.security) as proxy:
        run = Run(bench, proxy)
        try:
            for scene in SCENES:
                if wrong := _play(answer, run, scene):
                    return wrong
        finally:
            run.close()
    return Result("correct", f"{len(VALUES)} orders, two refusals and a successor: each order counts once.")


class Scene(NamedTuple):
    """What happens during a step; `ends` is what the step has to do."""

    what: str
    prepare: Callable[[Run], object]
    ends: str


OFFSET_REQUESTS = ("TxnOffsetCommit", "OffsetCommit")
SCENES = (
    Scene("nothing went wrong", lambda _: None, "done"),
    Scene(
        "the broker refused a result",
        lambda run: run.proxy.answer_with("Produce", "POLICY_VIOLATION", topic=run.output),
        "aborted",
    ),
    Scene("the next try met no fault", lambda _: None, "done"),
    Scene(
        "the group refused its offset",
        lambda run: [run.proxy.answer_with(api, "ILLEGAL_GENERATION") for api in OFFSET_REQUESTS],
        "aborted",
    ),
    Scene("a successor had taken over", lambda run: run.take_over(), "over"),
    Scene("the successor went on", lambda run: setattr(run, "producer", run.opened[-1]), "done"),
)


def _play(answer: Any, run: Run, scene: Scene) -> Result | None:
    """Let the step run in the scene, and return what is wrong with it, if anything."""
    before = run.at()
    scene.prepare(run)
    records = run.records()
    told: Any
    try:
        told = answer.step(run.consumer, run.producer, records, run.output)
    except Exception as error:  # noqa: BLE001 - whether it may raise is the question
        told = error
    run.proxy.clear()
    state = run.producer.ordering.state.name  # type: ignore[attr-defined]
    aim = before + len(records) if scene.ends == "done" else before
    if (fault := _unfinished(scene, state) or _damage(run, aim) or _answer(scene, told)) is None:
        return None
    said = f"{type(told).__name__}: {told}" if isinstance(told, Exception) else repr(told)
    return Result("wrong", f"In this step {scene.what}. {fault}", f"step(): {said}; producer: {state}")


def _unfinished(scene: Scene, state: str) -> str | None:
    if scene.ends == "over" or state == "READY":
        return None
    return f"Afterwards the producer is left in state {state}: the next transaction cannot begin. Abort."


def _damage(run: Run, aim: int) -> str | None:
    """Compare results and offset with where both should be."""
    at, results, wanted = run.settled_at(aim), run.seen(), [value.upper() for value in VALUES[:aim]]
    if results == wanted and at == aim:
        return None
    if at > aim:
        return f"The group is at {at}, but only {len(results)} results count: the rest is lost."
    if at < len(results):
        return f"{len(results)} results count, but the group is at {at}: some are carried out twice."
    return f"The committed results are {results}, and the group is at {at}; expected: {wanted}, {aim}."


def _answer(scene: Scene, told: Any) -> str | None:
    if scene.ends == "over":
        fenced = isinstance(told, Exception)
        return None if fenced else "This producer is over, and nobody is told: let the error out."
    return None if told is (scene.ends == "done") else f"step() has to return {scene.ends == 'done'}."


class Outside(Step):
    """Wrong: the consumer commits the offsets, before the transaction, after it, or never."""

    def __init__(self, when: str) -> None:
        self._when = when

    def step(self, consumer: Any, producer: Any, records: list[Any], output: str) -> bool:
        """Commit only the results in the transaction."""
        if self._when == "before":
            consumer.commit()
        good = _ended(producer, lambda: self.write(producer, records, output))
        if good and self._when == "after":
            consumer.commit()
        return good


class LastOffset(Step):
    """Wrong: an offset is the next one to read."""

    def step(self, consumer: Any, producer: Any, records: list[Any], output: str) -> bool:
        """Commit the last one that was read."""

        def write() -> None:
            self.write(producer, records, output)
            done = {TopicPartition(each.topic, each.partition): each.offset for each in records}
            producer.send_offsets_to_transaction(done, consumer.group_metadata())

        return _ended(producer, write)


class NoAbort(Step):
    """Wrong: an error that only spoils the transaction ends all."""

    def step(self, consumer: Any, producer: Any, records: list[Any], output: str) -> bool:
        """Let every error out."""
        producer.begin_transaction()
        self.write(producer, records, output)
        done = {TopicPartition(each.topic, each.partition): each.offset + 1 for each in records}
        producer.send_offsets_to_transaction(done, consumer.group_metadata())
        producer.commit_transaction()
        return True


class Swallows(Step):
    """Wrong: a zombie that never learns."""

    def step(self, consumer: Any, producer: Any, records: list[Any], output: str) -> bool:
        """Hide that the producer was fenced."""
        try:
            return super().step(consumer, producer, records, output)
        except KafkaError:
            return False


def _ended(producer: Any, write: Callable[[], None]) -> bool:
    """Run `write` in a transaction, and end that as the solution does."""
    producer.begin_transaction()
    try:
        write()
        producer.commit_transaction()
    except ProducerFencedError:
        raise
    except KafkaError:
        producer.abort_transaction()
        return False
    return True


EXERCISE = Exercise(
    chapter="10",
    name="step",
    prompt=(
        "Write step(consumer, producer, records, output): send the value of each record in upper case to "
        "the topic output, so that results and the consumer's offsets count together. Return True if they "
        "are committed, False if the transaction was spoilt (the producer must be ready for the next one). "
        "If the producer was fenced, let the error out. The check refuses a result, refuses an offset, and "
        "starts a successor."
    ),
    hints=(
        (
            "begin_transaction, send, send_offsets_to_transaction, commit_transaction, in a try. An offset "
            "is the next one to read: {TopicPartition(topic, partition): offset + 1}."
        ),
        (
            "from kafka.errors import KafkaError, ProducerFencedError. First 'except ProducerFencedError: "
            "raise', then 'except KafkaError:' with abort_transaction() and return False."
        ),
    ),
    method="step",
    solution=Step,
    check=check,
    wrong={
        "offsets before": lambda: Outside("before"),
        "offsets after": lambda: Outside("after"),
        "no offsets": lambda: Outside("never"),
        "the last offset": LastOffset,
        "no abort": NoAbort,
        "fencing swallowed": Swallows,
    },
)
