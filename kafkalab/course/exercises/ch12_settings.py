"""Chapter 12: settings that bring every record through two storms, once, in order and in time."""

from __future__ import annotations

from typing import Any

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.course.runs import DAMAGE, GOAL, Run
from kafkalab.course.storm import storm
from kafkalab.course.weather import Forecast, forecast
from kafkalab.faults.audit_table import evidence
from kafkalab.producer import ConfigError

SEEDS = (8, 9)
ME = "yours"
MEANING = {
    "lost": "acknowledged, and gone",
    "duplicated": "in the log twice",
    "reordered": "behind a record that was sent later",
    "scattered": "in another partition than its key's other records",
    "given up": "never acknowledged",
}


class Settings:
    """The defaults, quicker to notice silence, and compressed for narrow links."""

    def settings(self) -> dict[str, Any]:
        """Return what the producer is made with."""
        return {"compression_type": "zstd", "request_timeout_ms": 2_000}


def check(answer: Any, bench: Bench) -> Result:
    """Send a producer with these settings through both storms; say where it was hurt first, and how."""
    given = answer.settings()
    if not isinstance(given, dict):
        return Result("wrong", f"settings() has to return a dict, not {given!r}.")
    for seed in SEEDS:
        weather = forecast(seed)
        try:
            run = storm(bench.cluster, weather, {ME: given})[ME]
        except (ConfigError, TypeError) as error:
            return Result("wrong", f"There is no producer with these settings: {error}")
        if (fault := judge(run, weather)) is not None:
            return fault
    told = " and ".join(map(str, SEEDS))
    return Result("correct", f"Storms {told}: every record once, in order, in time. Enter it on the board.")


def judge(run: Run, weather: Forecast) -> Result | None:
    """Name the first damage, in the order of the scenes; then what was too slow."""
    for scene in weather.scenes:
        for kind in DAMAGE:
            if number := run.hurt[scene.name].get(kind):
                said = f"Storm {run.seed}, {scene.name}: {number} of {scene.records} records {MEANING[kind]}."
                return Result("wrong", said, _line(run, kind))
    if run.slowest_s > GOAL.slowest_s:
        return Result("wrong", f"Storm {run.seed}: a record waited for more than {GOAL.slowest_s:g} s.")
    if run.rate < GOAL.rate:
        said = (
            f"nothing is damaged, but fewer than {GOAL.rate:g} records a second got through the narrow link."
        )
        return Result("wrong", f"Storm {run.seed}: {said}")
    return None


def _line(run: Run, kind: str) -> str:
    findings = getattr(run.audit, kind, [])
    return evidence(run.audit, findings[0]) if findings else ""


class Other(Settings):
    """The solution with other settings on top, or some left out."""

    def __init__(self, *without: str, **settings: Any) -> None:
        self._without, self._more = without, settings

    def settings(self) -> dict[str, Any]:
        """Return them."""
        own = {name: value for name, value in super().settings().items() if name not in self._without}
        return own | self._more


EXERCISE = Exercise(
    chapter="12",
    name="settings",
    prompt=(
        "Write settings(): a dict of producer settings that reach the goal in storms 8 and 9. "
        "Storm 9 differs: after the lost answer the connection stays open and says nothing more. "
        "bootstrap_servers is given. Each try takes up to half a minute."
    ),
    hints=(
        "What do the defaults miss in storm 8? And in storm 9: how long do they wait for an answer?",
        "Leave acks, retries and idempotence alone. compression_type, and request_timeout_ms of two seconds.",
    ),
    method="settings",
    solution=Settings,
    check=check,
    wrong={
        "the defaults": lambda: Other("compression_type", "request_timeout_ms"),
        "the leader alone": lambda: Other(acks=1, enable_idempotence=False),
        "no patience at all": lambda: Other(request_timeout_ms=500, delivery_timeout_ms=1_500),
        "silence is waited out": lambda: Other("request_timeout_ms"),
        "one in flight, as of old": lambda: Other(
            enable_idempotence=False, max_in_flight_requests_per_connection=1
        ),
        "no second try": lambda: Other(retries=0, enable_idempotence=False),
        "a name that is none": lambda: Other(compression="zstd"),
    },
)
