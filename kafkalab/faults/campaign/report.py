"""What is said of a campaign: a line per anomaly, the sums, the JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from kafkalab.faults.campaign.schedule import Fault, Schedule
from kafkalab.faults.campaign.storm import KINDS, OTHERS, Outcome, settings_of

LINES = 6
"""How many anomalies of one storm are shown; the rest is counted. With idempotence off: FEW."""
FEW = 1


@dataclass
class Tally:
    """The sums over all storms so far."""

    client: str
    idempotence: bool
    first_seed: int
    seeds: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    damaged: list[int] = field(default_factory=list)
    """Seeds that showed an anomaly."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Errors that the proxy answered with: how many storms had them."""

    def add(self, outcome: Outcome) -> None:
        """Count one storm."""
        self.seeds += 1
        self.counted.update({kind: outcome.count(kind) for kind in (*KINDS, *OTHERS)})
        self.counted.update(
            sent=outcome.sent,
            acknowledged=outcome.acknowledged,
            transactions=outcome.transactions,
            fenced=outcome.fenced,
            faults=len(outcome.fired),
        )
        self.refusals.update({fault.error for fault in outcome.fired if fault.error})
        if outcome.anomalies:
            self.damaged.append(outcome.schedule.seed)

    @property
    def clean(self) -> bool:
        """Whether there was no anomaly of any kind."""
        return not self.damaged

    def as_json(self) -> dict[str, Any]:
        """Return what --json writes."""
        return {
            "client": self.client,
            "idempotence": "on" if self.idempotence else "off",
            "seeds": self.seeds,
            "first_seed": self.first_seed,
            "acknowledged": self.counted["acknowledged"],
            **{kind: self.counted[kind] for kind in KINDS},
            **{kind.replace(" ", "_"): self.counted[kind] for kind in OTHERS},
            "sent": self.counted["sent"],
            "transactions": self.counted["transactions"],
            "fenced": self.counted["fenced"],
            "faults": self.counted["faults"],
            "damaged_seeds": self.damaged,
            "injected_errors": dict(sorted(self.refusals.items())),
        }

    def __str__(self) -> str:
        count = self.counted
        damage = ", ".join(
            f"{count[kind]} {kind.replace('_', ' ')}"
            for kind in (*KINDS, *OTHERS)
            if kind in KINDS or count[kind]
        )
        return (
            f"{self.client}, idempotence {'on' if self.idempotence else 'off'}: {self.seeds} seeds from "
            f"{self.first_seed} on, {count['faults']} faults hit, {count['sent']} records sent, "
            f"{count['acknowledged']} acknowledged, {count['transactions']} transactions "
            f"({count['fenced']} fenced): {damage}"
        )


def replay_command(
    client: str, *, idempotence: bool, seed: int, faults: tuple[int, ...] | None = None
) -> str:
    """Return the command that runs this seed again, with all its faults or only those of these numbers."""
    only = "" if faults is None else f" --faults {','.join(map(str, faults)) or 'none'}"
    switch = "on" if idempotence else "off"
    return f"kafkalab campaign --client {client} --idempotence {switch} --first-seed {seed} --seeds 1{only}"


def anomaly_lines(outcome: Outcome, most: int = LINES) -> list[str]:
    """Return a line for each anomaly of a storm, the first few of them."""
    seed = outcome.schedule.seed
    lines = [
        f"seed {seed}: {each.kind.replace('_', ' ').upper()} {each.evidence}" for each in outcome.anomalies
    ]
    if len(lines) > most:
        kinds = Counter(each.kind for each in outcome.anomalies[most:])
        rest = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in kinds.items())
        lines[most:] = [f"seed {seed}: ... and {rest} more"]
    return lines


def describe(schedule: Schedule, *, idempotence: bool) -> list[str]:
    """Return a storm's load, settings and faults, numbered as --faults takes them."""
    load = "transactions" if schedule.transactional and idempotence else "records"
    settings = settings_of(schedule, idempotence=idempotence)
    shown = ", ".join(
        f"{name}={getattr(settings, name)}"
        for name in ("batch_size", "linger_ms", "request_timeout_ms", "delivery_timeout_ms", "retries")
    )
    return [
        f"  {schedule.records} records in {len(schedule.bursts)} bursts ({load}); {shown}",
        *(f"  fault {number}: {fault}" for number, fault in enumerate(schedule.faults)),
    ]


def fate(faults: tuple[Fault, ...], fired: list[Fault]) -> str:
    """Return which faults of a schedule have hit."""
    hit = [str(number) for number, fault in enumerate(faults) if fault in fired]
    return f"  hit: {', '.join(hit) or 'none'}"
