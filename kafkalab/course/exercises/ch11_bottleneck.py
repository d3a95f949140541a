"""Chapter 11: read a measurement, name the one setting that holds the producer up; judged by measuring again.

Four slow producers, each slow for another reason. Rule: what is named is put right and the load runs again;
twice as fast is right, so a lucky guess and a good reason are judged by the same run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.course.measure import Load, Run, beside, measure

IN_FLIGHT = "max_in_flight_requests_per_connection"
CURES: Mapping[str, Any] = {"batch_size": 16_384, IN_FLIGHT: 5, "compression_type": "zstd"}
AS_IT_COMES: Mapping[str, Any] = {"batch_size": 16_384, IN_FLIGHT: 5, "compression_type": "none"}


class Report(NamedTuple):
    """A measurement, as knob() gets it."""

    settings: Mapping[str, Any]
    """batch_size, max_in_flight_requests_per_connection and compression_type of the producer."""
    offered: float
    """Records per second that the program hands over; infinite when it waits for nobody."""
    throughput: float
    """Records per second, acknowledged."""
    per_request: float
    """Records per request, on average."""
    out: int
    """Most requests that were unanswered at the same time."""
    bytes_per_s: float
    """What left the producer."""


class Case(NamedTuple):
    """A slow producer, and which setting is to blame; None: the program has no more to send."""

    load: Load
    answer_s: float
    bytes_per_s: float | None
    settings: Mapping[str, Any]
    blame: str | None


CASES: Mapping[str, Case] = {
    "one": Case(Load(60), 0.1, None, {"batch_size": 400}, "batch_size"),
    "two": Case(Load(3_000), 0.1, None, {IN_FLIGHT: 1, "compression_type": "zstd"}, IN_FLIGHT),
    "three": Case(Load(600), 0.0, 80_000, {}, "compression_type"),
    "four": Case(Load(60, every_s=0.015), 0.02, None, {}, None),
}


class Reader:
    """Looks which of the numbers is small, and whether that is the producer's fault."""

    def knob(self, report: Report) -> str | None:
        """Return the setting that holds the producer up, None if it is none of them."""
        if report.throughput > report.offered / 2:
            return None
        if report.settings["max_in_flight_requests_per_connection"] == report.out == 1:
            return "max_in_flight_requests_per_connection"
        if report.per_request < 10:
            return "batch_size"
        return "compression_type"


def check(answer: Any, bench: Bench) -> Result:
    """Measure each slow producer, put right what is named, measure again."""
    topic = bench.topic("bottleneck", assignment=[[1, 2, 3]])
    for name, case in CASES.items():
        report = report_of(case, slow := _run(bench, topic, case, {}))
        told = answer.knob(report)
        if told is not None and told not in CURES:
            return Result("wrong", f"knob() returned {told!r}; it is one of {', '.join(CURES)}, or None.")
        cure = told or case.blame
        if cure is not None:
            change = beside(_run(bench, topic, case, {cure: CURES[cure]}).throughput, slow.throughput)
            if (change == "more than double") != (told is not None):
                return Result("wrong", _why(name, told, cure, change), str(report))
    return Result("correct", "Each time what you named doubled the throughput, or there was nothing to name.")


def _why(name: str, told: str | None, cure: str, change: str) -> str:
    if told is None:
        return f"Producer {name}: you say none, and with {cure}={CURES[cure]!r} the throughput is {change}."
    return f"Producer {name}: with {told}={CURES[told]!r} the throughput is {change}."


def report_of(case: Case, run: Run) -> Report:
    """Return what a learner's knob() gets."""
    return Report(
        {**AS_IT_COMES, **case.settings},
        1 / case.load.every_s if case.load.every_s else float("inf"),
        run.throughput,
        run.per_request,
        run.out,
        run.bytes / run.seconds,
    )


def _run(bench: Bench, topic: str, case: Case, cure: Mapping[str, Any]) -> Run:
    settings = {**case.settings, **cure}
    servers = bench.cluster.bootstrap_servers
    return measure(servers, topic, case.load, case.answer_s, case.bytes_per_s, **settings)


class AlwaysBatchSize:
    """Wrong: what helped once."""

    def knob(self, report: Report) -> str | None:
        """Name the best known setting."""
        return "batch_size"


class AlwaysInFlight:
    """Wrong: more abreast, whatever is in them."""

    def knob(self, report: Report) -> str | None:
        """Name the other factor."""
        return IN_FLIGHT


class NeverTheProgram(Reader):
    """Wrong: looks at settings only."""

    def knob(self, report: Report) -> str | None:
        """Forget that a program may have nothing more to send."""
        return super().knob(report._replace(offered=float("inf")))


class BlamesTheProgram:
    """Wrong: never the producer's fault."""

    def knob(self, report: Report) -> str | None:
        """Name nothing."""
        return None if report.throughput else "batch_size"


class OutIsEnough(Reader):
    """Wrong: takes a full line for small batches."""

    def knob(self, report: Report) -> str | None:
        """Never think of bytes."""
        told = super().knob(report)
        return "batch_size" if told == "compression_type" else told


class Unknown:
    """Wrong: a setting that is not offered."""

    def knob(self, report: Report) -> str | None:
        """Throw memory at it."""
        return "buffer_memory"


EXERCISE = Exercise(
    chapter="11",
    name="bottleneck",
    prompt=(
        'Four producers are slow, each for another reason. Write knob(report): return "batch_size", '
        '"max_in_flight_requests_per_connection" or "compression_type", whichever holds it up, '
        "or None if the program has no more to send. report has settings, offered (records a second that the "
        "program hands over), throughput, per_request, out (most requests unanswered at a time) and "
        'bytes_per_s. What you name is set to 16384, 5 or "zstd"; the throughput has to double.'
    ),
    hints=(
        "Throughput is records per request, times requests out, by the time of an answer. Which is small?",
        (
            "None: throughput is what is offered. In flight: out is 1. batch_size: few records a request. "
            "If all of that is fine, the bytes are too many for the line."
        ),
    ),
    method="knob",
    solution=Reader,
    check=check,
    wrong={
        "always batch_size": AlwaysBatchSize,
        "always in flight": AlwaysInFlight,
        "never the program": NeverTheProgram,
        "always the program": BlamesTheProgram,
        "never the bytes": OutIsEnough,
        "another setting": Unknown,
    },
)
