"""Chapter 11: settings within three budgets at once, judged by requests, bytes and latencies on the wire.

The load is a steady stream over a line whose answers take 40 ms, so what differs from machine to machine is
small: each limit is half as much again as the solution needs, and wrong answers miss theirs by far.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.course.measure import Load, Run, measure
from kafkalab.producer import ProducerConfig

LOAD, ANSWER_S = Load(150, every_s=0.004), 0.04
MOST_REQUESTS, MOST_BYTES, MOST_MS, PERCENT = 25, 20_000, 250, 90
ALLOWED = (
    "batch_size",
    "linger_ms",
    "compression_type",
    "acks",
    "enable_idempotence",
    "max_in_flight_requests_per_connection",
)


class Budget:
    """Twelve records share a request, compressed; safety is left as it comes."""

    def settings(self) -> dict[str, Any]:
        """Return settings that keep all three limits."""
        return {"linger_ms": 50, "compression_type": "zstd"}


def check(answer: Any, bench: Bench) -> Result:
    """Run the load with the learner's settings."""
    settings = answer.settings()
    if not isinstance(settings, Mapping) or not set(settings) <= set(ALLOWED):
        return Result("wrong", f"Return a dict of {', '.join(ALLOWED)}; this is {settings!r}.")
    config = ProducerConfig(**settings)
    if config.acks not in ("all", -1) or not config.enable_idempotence:
        return Result("wrong", "This promises less: acks=all and idempotence have to stay.")
    topic = bench.topic("budget", assignment=[[1, 2, 3]])
    return judge(measure(bench.cluster.bootstrap_servers, topic, LOAD, ANSWER_S, **settings))


def judge(run: Run) -> Result:
    """Return the result for what was seen."""
    if run.requests > MOST_REQUESTS:
        each = f"{run.per_request:.1f} records each"
        return Result("wrong", f"{run.requests} requests, {each}; the budget is {MOST_REQUESTS}.")
    if run.bytes > MOST_BYTES:
        return Result("wrong", f"{run.bytes} bytes left the producer; the budget is {MOST_BYTES}.")
    if run.percentile(PERCENT) > MOST_MS:
        late = f"more than {MOST_MS} ms from when they were due to their acknowledgement"
        return Result("wrong", f"Over {100 - PERCENT} % of the records took {late}.")
    kept = f"at most {MOST_REQUESTS} requests and {MOST_BYTES} bytes, {PERCENT} % within {MOST_MS} ms"
    return Result("correct", f"All kept: {kept}, and every record is safe.")


class Defaults:
    """Wrong: 5 ms are about one record of this stream."""

    def settings(self) -> dict[str, Any]:
        """Change nothing."""
        return {}


class BatchSizeOnly:
    """Wrong: a larger batch is no fuller."""

    def settings(self) -> dict[str, Any]:
        """Raise what everybody raises first."""
        return {"batch_size": 131_072, "compression_type": "zstd"}


class NotCompressed:
    """Wrong: few requests, all bytes."""

    def settings(self) -> dict[str, Any]:
        """Linger only."""
        return {"linger_ms": 50}


class TooPatient:
    """Wrong: fewest requests, fewest bytes, old records."""

    def settings(self) -> dict[str, Any]:
        """Linger for long."""
        return {"linger_ms": 1_000, "compression_type": "zstd"}


class SmallBatches:
    """Wrong: a full batch does not linger."""

    def settings(self) -> dict[str, Any]:
        """Linger, without room."""
        return {"linger_ms": 50, "batch_size": 300, "compression_type": "lz4"}


class LessSafe:
    """Wrong: pays with safety."""

    def settings(self) -> dict[str, Any]:
        """Give up what nobody asked to give up."""
        return {"linger_ms": 50, "compression_type": "zstd", "acks": 1, "enable_idempotence": False}


EXERCISE = Exercise(
    chapter="11",
    name="budget",
    prompt=(
        "A shop sends an event of some 180 bytes every 4 ms, 150 of them, to one partition; an answer takes "
        "40 ms. Write settings(): return a dict of producer settings with which the 150 events need at most "
        "25 requests and 20,000 bytes, while 90 % of them are acknowledged within 250 ms of when they were "
        "due. acks=all and idempotence have to stay."
    ),
    hints=(
        "How many events come while a batch is open? 25 requests for 150 events: six or more in each.",
        "Linger for more than 24 ms, but leave room for the answer; then see how many bytes a codec saves.",
    ),
    method="settings",
    solution=Budget,
    check=check,
    wrong={
        "defaults": Defaults,
        "batch_size only": BatchSizeOnly,
        "not compressed": NotCompressed,
        "too patient": TooPatient,
        "small batches": SmallBatches,
        "less safe": LessSafe,
    },
)
