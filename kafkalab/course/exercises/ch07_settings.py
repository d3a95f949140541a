"""Chapter 07: settings for three needs, judged by what two kinds of loss do to them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import Audit, FaultProxy, Finding, SentLog, audit
from kafkalab.faults.audit_table import evidence
from kafkalab.producer import Producer, ProducerConfig

VALUES = tuple(b"m%d" % number for number in range(6))
TOPIC = {"partitions": 1, "replication_factor": 3, "config": {"min.insync.replicas": "2"}}
WAIT_S = 30.0


class Settings:
    """Choose a producer's settings by what its records need."""

    def settings(self, need: str) -> dict[str, Any]:
        """Return the settings for "readings", "orders" or "payments"."""
        if need == "readings":
            return {"acks": "all", "retries": 0, "enable_idempotence": False}
        return {"acks": "all", "enable_idempotence": need == "payments"}


class Run(NamedTuple):
    """What came of one need's settings."""

    config: ProducerConfig
    audit: Audit
    errors: Mapping[bytes, BaseException]
    requests: int


def check(answer: Any, bench: Bench) -> Result:
    """Send records with each need's settings through a proxy that loses requests and answers."""
    for need, judge in JUDGES.items():
        given = answer.settings(need)
        if not isinstance(given, dict):
            return Result("wrong", f"settings({need!r}) has to return a dict, not {given!r}.")
        try:
            run = send(bench, need, given)
        except Exception as error:  # noqa: BLE001 - whatever a learner's settings lead to is the finding
            return Result("wrong", f"The producer for {need} did not work: {error}", f"{need}: {given!r}")
        if fault := judge(run):
            message, record = fault
            return Result("wrong", f"{need.capitalize()}: {message}", record or f"{need}: {given!r}")
    return Result("correct", "Readings once or not at all, orders at least once, payments exactly once.")


def send(bench: Bench, need: str, settings: dict[str, Any]) -> Run:
    """Send all values one by one; two requests in a row and, later, an answer are lost."""
    topic = bench.topic(f"settings-{need}", **TOPIC)
    book, errors = SentLog(), {}
    with FaultProxy(bench.cluster.bootstrap_servers, bench.cluster.security, record=True) as proxy:
        if need == "orders":
            proxy.answer_with("InitProducerId", "CLUSTER_AUTHORIZATION_FAILED", times=None)
        twice = 1 if need == "readings" else 2
        proxy.drop_request("Produce", nth=2, times=twice, topic=topic, reset=True)
        proxy.drop_response("Produce", nth=5, topic=topic, reset=True)
        with _producer(settings, proxy.bootstrap_servers) as producer:
            for value in VALUES:
                future = book.watch(value, producer.send(topic, value))
                if error := future.exception(timeout=WAIT_S):
                    errors[value] = error
        requests = len([f for f in proxy.frames if f.api == "Produce" and f.direction == "request"])
    return Run(producer.config, audit(bench.cluster, topic, book.sent), errors, requests)


def _producer(settings: dict[str, Any], servers: str) -> Producer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # idempotence that is off because of acks or retries
        return Producer(**{**settings, "bootstrap_servers": servers})


Fault = tuple[str, str] | None


def judge_readings(run: Run) -> Fault:
    """Each was sent once; the program knows which ones failed."""
    if run.requests > len(VALUES):
        return f"{len(VALUES)} of them took {run.requests} requests: some were sent again, too late.", ""
    if run.audit.lost:
        return "this one is lost, and the program was told that all is well.", _line(run, run.audit.lost)
    return None


def judge_orders(run: Run) -> Fault:
    """All were acknowledged, by all replicas."""
    if run.config.required_acks != -1:
        told = f"acks={run.config.acks!r} lets the leader alone decide"
        return f"{told}: if it dies now, acknowledged orders are gone (chapter 03).", ""
    return _complete(run)


def judge_payments(run: Run) -> Fault:
    """All were acknowledged, and are there once."""
    if fault := _complete(run):
        return fault
    if run.audit.duplicated:
        return "this one would be paid twice.", _line(run, run.audit.duplicated)
    return None


def _complete(run: Run) -> Fault:
    if run.audit.lost:
        return "this one is lost, and nobody was told.", _line(run, run.audit.lost)
    for value, error in run.errors.items():
        return "the producer gave up on this one.", f"{value!r}: {type(error).__name__}: {error}"
    return None


def _line(run: Run, findings: list[Finding]) -> str:
    return evidence(run.audit, findings[0])


JUDGES: dict[str, Callable[[Run], Fault]] = {
    "readings": judge_readings,
    "orders": judge_orders,
    "payments": judge_payments,
}


class Changed(Settings):
    """The solution with one need's settings replaced."""

    def __init__(self, need: str, **settings: Any) -> None:
        self._need, self._settings = need, settings

    def settings(self, need: str) -> dict[str, Any]:
        """Return the solution's settings, but for one need."""
        return self._settings if need == self._need else super().settings(need)


EXERCISE = Exercise(
    chapter="07",
    name="settings",
    prompt=(
        'Write settings(need): a dict of producer settings for each of three needs. "readings" of a '
        "thermometer: send each one once, a late one is worthless; but the program counts those that "
        'failed. "orders": what is acknowledged must survive the leader; twice is no harm. Their cluster '
        'refuses to give out producer ids. "payments": none missing, none twice. bootstrap_servers is given.'
    ),
    hints=(
        (
            "retries decides whether anything is sent again, acks whether the program is told, and when; "
            "without a producer id there is no idempotence."
        ),
        (
            "readings: retries=0, but not acks=0. orders: acks='all', enable_idempotence=False, retries "
            "left alone. payments: the defaults."
        ),
    ),
    method="settings",
    solution=Settings,
    check=check,
    wrong={
        "defaults for readings": lambda: Changed("readings"),
        "fire and forget": lambda: Changed("readings", acks=0, retries=0, enable_idempotence=False),
        "one retry for orders": lambda: Changed("orders", acks="all", retries=1, enable_idempotence=False),
        "idempotent orders": lambda: Changed("orders", acks="all", enable_idempotence=True),
        "the leader alone": lambda: Changed("orders", acks=1, enable_idempotence=False),
        "payments at least once": lambda: Changed("payments", acks="all", enable_idempotence=False),
        "payments at most once": lambda: Changed("payments", acks="all", retries=0),
        "a name that is none": lambda: Changed("payments", ack="all"),
        "a transaction without its verbs": lambda: Changed("payments", transactional_id="till-1"),
    },
)
