"""Chapter 04: a back-off that tries again at once, then waits longer and longer."""

from __future__ import annotations

import random
from typing import Any

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy
from kafkalab.producer import Producer, Trace

REFUSALS = 6
MIDDLE_MS = (0, 50, 100, 200, 400, 400, 400)
SPREAD = 0.2
LIMIT_MS = 400
SAMPLES = 200


class EagerBackoff:
    """Try again at once; then wait 50 ms, doubled up to 400 ms, give or take a fifth."""

    def seconds(self, failures: int) -> float:
        """Return the wait after the `failures`-th failure in a row."""
        if failures == 1:
            return 0.0
        exact = min(0.05 * 2 ** (failures - 2), 0.4)
        return float(min(exact * random.uniform(0.8, 1.2), 0.4))  # noqa: S311 - spread, not secrecy


def check(answer: Any, bench: Bench) -> Result:
    """Ask for many waits, then let a real producer be refused and look when it comes back."""
    for failures, middle in enumerate(MIDDLE_MS, start=1):
        waits = [answer.seconds(failures) for _ in range(SAMPLES)]
        if (message := _fault(middle, waits)) is not None:
            return Result("wrong", message, f"after failure {failures}: {_shown(waits)}")
    waits = on_the_cluster(answer, bench)
    if len(waits) != REFUSALS:
        return Result("wrong", f"Refused {REFUSALS} times, the batch was sent again {len(waits)} times.")
    for failures, (middle, wait) in enumerate(zip(MIDDLE_MS, waits, strict=False), start=1):
        if wait < middle * (1 - SPREAD) / 1000:
            message = f"The batch came back sooner than {middle} ms less a fifth."
            return Result("wrong", message, f"after failure {failures}")
    told = ", ".join(map(str, MIDDLE_MS[:REFUSALS]))
    return Result("correct", f"Refused {REFUSALS} times; sent again after {told} ms, give or take a fifth.")


def _fault(middle_ms: int, waits: list[Any]) -> str | None:
    if not all(isinstance(wait, (int, float)) for wait in waits):
        return "A wait is a number of seconds."
    low, high = middle_ms * (1 - SPREAD) / 1000, min(middle_ms * (1 + SPREAD), LIMIT_MS) / 1000
    slack = 1e-9
    if max(waits) > 10 * max(high, 1):
        return f"This is far too long for {middle_ms} ms: seconds are wanted."
    if min(waits) < low - slack or max(waits) > high + slack:
        return f"{middle_ms} ms, give or take a fifth and never above 400 ms, is {low:g} to {high:g} s."
    spread_wanted = 0 < middle_ms * (1 + SPREAD) <= LIMIT_MS
    if spread_wanted and max(waits) - min(waits) < middle_ms * SPREAD / 1000:
        return "These waits are all but equal: producers that failed together come back together."
    return None


def _shown(waits: list[Any]) -> str:
    try:
        return f"from {min(waits):g} to {max(waits):g} s"
    except (TypeError, ValueError):
        return repr(waits[0])


def on_the_cluster(answer: Any, bench: Bench) -> list[float]:
    """Refuse one batch again and again; return how long it waited each time, in seconds."""
    topic, trace = bench.topic("backoff"), Trace()
    with (
        FaultProxy(bench.cluster.bootstrap_servers, bench.cluster.security) as proxy,
        Producer(bootstrap_servers=proxy.bootstrap_servers, trace=trace) as producer,
    ):
        producer.accumulator.backoff = answer
        proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", times=REFUSALS, topic=topic)
        producer.send(topic, b"once more").result(timeout=30)
    again = trace.find("request")[1:]
    return [sent.at - back.at for back, sent in zip(trace.find("retried"), again, strict=True)]


class Constant:
    """Wrong: a long outage is met with as many requests as a short one."""

    def seconds(self, failures: int) -> float:
        """Return the same every time."""
        return 0.05 * random.uniform(0.8, 1.2)  # noqa: S311


class Milliseconds:
    """Wrong: settings are in milliseconds, waits in seconds."""

    def seconds(self, failures: int) -> float:
        """Count in the unit of the settings."""
        return EagerBackoff().seconds(failures) * 1000


class Unlimited:
    """Wrong: nobody comes back in time when the outage is over."""

    def seconds(self, failures: int) -> float:
        """Forget the maximum."""
        exact = 0.05 * 2 ** (failures - 2) if failures > 1 else 0.0
        return exact * random.uniform(0.8, 1.2)  # noqa: S311


class InStep:
    """Wrong: all who failed together come back together."""

    def seconds(self, failures: int) -> float:
        """Forget the spread."""
        return min(0.05 * 2 ** (failures - 2), 0.4) if failures > 1 else 0.0


class CappedTooEarly:
    """Wrong: the spread comes after the maximum."""

    def seconds(self, failures: int) -> float:
        """Spread after the maximum, and exceed it."""
        exact = min(0.05 * 2 ** (failures - 2), 0.4) if failures > 1 else 0.0
        return exact * random.uniform(0.8, 1.2)  # noqa: S311


class OffByOne:
    """Wrong: the first failure is number 1."""

    def seconds(self, failures: int) -> float:
        """Count failures from 0."""
        return EagerBackoff().seconds(failures + 1)


EXERCISE = Exercise(
    chapter="04",
    name="backoff",
    prompt=(
        "A leader that moved is often back at once. Write seconds(failures), the wait in seconds after the "
        "failures-th failure in a row (1 is the first): nothing after the first, 50 ms after the second, "
        "then doubled each time; each wait spread at random by a fifth up or down, and none above 400 ms."
    ),
    hints=(
        "Without the spread: 0, 0.05, 0.1, 0.2, 0.4, 0.4 seconds. Which power of 2 belongs to failures=2?",
        "The smaller of 0.05 * 2 ** (failures - 2) and 0.4, times random.uniform(0.8, 1.2); then cut at 0.4.",
    ),
    method="seconds",
    solution=EagerBackoff,
    check=check,
    wrong={
        "always the same": Constant,
        "milliseconds": Milliseconds,
        "no maximum": Unlimited,
        "no spread": InStep,
        "spread above the maximum": CappedTooEarly,
        "counted from 0": OffByOne,
    },
)
