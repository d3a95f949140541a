"""Chapter 10: what to do after an error, tried on the producer that raised it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from kafka.errors import KafkaTimeoutError, ProducerFencedError

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy
from kafkalab.producer import Producer

ADVICE = ("again", "abort", "close")


class Ending:
    """Decide by the kind of error."""

    def after(self, error: Exception) -> str:
        """Return "again", "abort" or "close"."""
        if isinstance(error, KafkaTimeoutError):
            return "again"
        if isinstance(error, ProducerFencedError):
            return "close"
        return "abort"


class Stage:
    """A producer with an open transaction, behind a proxy."""

    def __init__(self, bench: Bench, proxy: FaultProxy) -> None:
        self.proxy, self.topic = proxy, bench.topic("ending", replication_factor=3)
        self.name = f"{bench.cluster.prefix}exercise-10-{uuid.uuid4().hex[:8]}"
        self.opened: list[Producer] = []
        self.producer = self.open()
        self.producer.begin_transaction()
        self.producer.send(self.topic, b"first").result(timeout=30)

    def open(self) -> Producer:
        """Return a producer of this name; it fences the one before."""
        settings: dict[str, Any] = {"transactional_id": self.name, "linger_ms": 0, "max_block_ms": 2000}
        self.opened.append(Producer(bootstrap_servers=self.proxy.bootstrap_servers, **settings))
        self.opened[-1].init_transactions()
        return self.opened[-1]

    def works(self) -> bool:
        """Tell whether the producer can do another transaction."""
        self.producer.begin_transaction()
        self.producer.send(self.topic, b"next").result(timeout=30)
        self.producer.commit_transaction()
        return True

    def close(self) -> None:
        """Let everything go."""
        self.proxy.clear()
        for producer in self.opened:
            producer.close(timeout=1)


def refuse(stage: Stage) -> None:
    """Let the broker refuse a record; the commit says so."""
    stage.proxy.answer_with("Produce", "POLICY_VIOLATION", topic=stage.topic)
    stage.producer.send(stage.topic, b"refused").exception(timeout=30)


def be_late(stage: Stage) -> None:
    """Hold the answer to the end back, for longer than max_block_ms."""
    stage.proxy.hold("EndTxn")


def take_over(stage: Stage) -> None:
    """Start a successor."""
    stage.open()


class Case(NamedTuple):
    """What goes wrong, how, and what helps."""

    what: str
    bring_about: Callable[[Stage], None]
    right: str
    why: str


CASES = (
    Case("the broker refused a record", refuse, "abort", "only this transaction is spoilt"),
    Case("the coordinator did not answer in time", be_late, "again", "the end is on its way already"),
    Case("a successor took over", take_over, "close", "this producer can do nothing any more"),
)


def check(answer: Any, bench: Bench) -> Result:
    """Bring each error about, do what the answer says, and see whether the producer works."""
    for case in CASES:
        with FaultProxy(bench.cluster.bootstrap_servers, bench.cluster.security) as proxy:
            stage = Stage(bench, proxy)
            try:
                if wrong := _try(answer, stage, case):
                    return wrong
            finally:
                stage.close()
    return Result(
        "correct", "Three errors: one to abort after, one to ask again after, and one to close after."
    )


def _try(answer: Any, stage: Stage, case: Case) -> Result | None:
    case.bring_about(stage)
    error = raised(stage.producer.commit_transaction)
    advice = answer.after(error)
    said = f"after({type(error).__name__}) returned {advice!r}"
    if advice not in ADVICE:
        return Result("wrong", f"after() has to return one of {', '.join(ADVICE)}, not {advice!r}.", said)
    stage.proxy.clear()
    if problem := outcome(stage, advice, case):
        return Result("wrong", f"When {case.what}: {case.why}. {problem}", said)
    return None


def outcome(stage: Stage, advice: str, case: Case) -> str | None:
    """Do it, and return what is wrong with what came of it."""
    if advice == "close":
        return None if case.right == "close" else "There was no need to give the producer up."
    verb = stage.producer.commit_transaction if advice == "again" else stage.producer.abort_transaction
    if error := raised(verb):
        return f"{verb.__name__}() raised {type(error).__name__}: {error}"
    return None if stage.works() else "It does not work any more."


def raised(verb: Callable[[], None]) -> Exception | None:
    """Return what the verb raised."""
    try:
        verb()
    except Exception as error:  # noqa: BLE001 - whatever it raises is what the exercise is about
        return error
    return None


class Always(Ending):
    """Wrong: the same after every error."""

    def __init__(self, advice: str) -> None:
        self._advice = advice

    def after(self, error: Exception) -> str:
        """Do not look."""
        return self._advice


class TimeoutAborts(Ending):
    """Wrong: a commit that is under way cannot be aborted."""

    def after(self, error: Exception) -> str:
        """Close only after fencing."""
        return "close" if isinstance(error, ProducerFencedError) else "abort"


class FencedAborts(Ending):
    """Wrong: who was fenced has nothing left to abort."""

    def after(self, error: Exception) -> str:
        """Ask again only after a timeout."""
        return "again" if isinstance(error, KafkaTimeoutError) else "abort"


EXERCISE = Exercise(
    chapter="10",
    name="ending",
    prompt=(
        'commit_transaction() raised. Write after(error): return "again" to call the same verb once more, '
        '"abort" to call abort_transaction() and go on with the next transaction, or "close" to give this '
        "producer up. Give it up only if nothing else helps."
    ),
    hints=(
        "Which of the three errors says that nobody knows yet, and which one that somebody else took over?",
        "from kafka.errors import KafkaTimeoutError, ProducerFencedError; isinstance; else abort.",
    ),
    method="after",
    solution=Ending,
    check=check,
    wrong={
        "always abort": lambda: Always("abort"),
        "always close": lambda: Always("close"),
        "always again": lambda: Always("again"),
        "a timeout aborts": TimeoutAborts,
        "a fenced one aborts": FencedAborts,
        "no such advice": lambda: Always("retry"),
    },
)
