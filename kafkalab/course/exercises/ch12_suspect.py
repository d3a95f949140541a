"""Chapter 12: which fault was it? A diagnosis from the audit alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.course.storm import storm
from kafkalab.course.weather import Forecast, forecast
from kafkalab.faults import Audit

WEAK = {"acks": 1, "enable_idempotence": False}
LEFT_ALONE = "none"
SUSPECTS = ("an answer is lost", "a batch is refused", "the leader dies", LEFT_ALONE)


class Detective:
    """Look for what cannot be otherwise, the rarest trace first."""

    def suspect(self, audit: Audit) -> str:
        """Return the fault that left these traces, one of the four names."""
        if audit.lost:
            return "the leader dies"
        if audit.duplicated:
            return "an answer is lost"
        return "a batch is refused" if audit.reordered else "none"


def check(answer: Any, bench: Bench) -> Result:
    """Have four short storms with one fault each, and ask who did it."""
    for case in SUSPECTS:
        run = storm(bench.cluster, _only(case), {"weak": WEAK})["weak"]
        told = answer.suspect(run.audit)
        if told != case:
            known = "" if told in SUSPECTS else f" Answers are {', '.join(map(repr, SUSPECTS))}."
            seen = [f"{len(getattr(run.audit, kind))} {kind}" for kind in ("lost", "duplicated", "reordered")]
            return Result("wrong", f"You say {told!r}: it was {case!r}.{known}", ", ".join(seen))
    return Result("correct", "Four storms, four faults found by what they left in the log.")


def _only(case: str) -> Forecast:
    weather = forecast(8)
    return replace(weather, scenes=tuple(each for each in weather.scenes if each.name in ("calm", case)))


class Always(Detective):
    """Wrong: one answer for all."""

    def suspect(self, audit: Audit) -> str:
        """Suspect the leader, whatever the traces."""
        return "the leader dies"


class Swapped(Detective):
    """Wrong: takes a second copy for the trace of a refusal."""

    def suspect(self, audit: Audit) -> str:
        """Mix up what was stored and what was not."""
        swap = {"an answer is lost": "a batch is refused", "a batch is refused": "an answer is lost"}
        return swap.get(told := super().suspect(audit), told)


class Presence(Detective):
    """Wrong: an anomaly is not the same as an error that was told."""

    def suspect(self, audit: Audit) -> str:
        """Look at what the program was told, not at the log."""
        told = all(each.outcome == "acked" for each in audit.sent)
        return LEFT_ALONE if told else "an answer is lost"


class Truth(Detective):
    """Wrong: says that something happened, not what."""

    def suspect(self, audit: Audit) -> Any:
        """Return whether there is damage."""
        return not audit


EXERCISE = Exercise(
    chapter="12",
    name="suspect",
    prompt=(
        'Somebody sent records with acks=1 and hands you the audit. Write suspect(audit): return "an answer '
        'is lost", "a batch is refused", "the leader dies", or "none" if no trace is left. audit.lost, '
        "audit.duplicated and audit.reordered are lists. Each case had one fault at most."
    ),
    hints=(
        "The table of the first storm has a column acks=1: which damage stands in which scene?",
        "if audit.lost: ... if audit.duplicated: ... if audit.reordered: ... and else 'none'.",
    ),
    method="suspect",
    solution=Detective,
    check=check,
    wrong={
        "always the leader": Always,
        "copies and order swapped": Swapped,
        "what the program was told": Presence,
        "true or false": Truth,
    },
)
