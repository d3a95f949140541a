"""The cluster: brokers as columns, partitions as rows; who leads, who follows in sync, who is behind or dead.

    live cluster -> Replicas per partition and state per broker (`look`) -> SVG and words

Marks differ in shape and word as well as in colour: leader (filled), in sync (outlined), behind (dashed).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kafkalab.course.cards import Picture
from kafkalab.course.markup import Node, tag
from kafkalab.course.views.style import WIDTH, fit, panel, text

_LABEL, _MARGIN, _TOP, _ROW, _MARK = 150, 16, 92, 52, 38


class Replicas(NamedTuple):
    """One partition: who leads it (or nobody), which brokers have a copy, which of them are in sync."""

    name: str
    leader: int | None
    replicas: tuple[int, ...]
    isr: tuple[int, ...]

    def role(self, broker: int) -> str:
        """Return what `broker` is to this partition; "" if it has no copy."""
        if broker not in self.replicas:
            return ""
        if broker == self.leader:
            return "leader"
        return "in sync" if broker in self.isr else "behind"


STYLES = {"leader": "record-badge", "in sync": "record-box", "behind": "failure-box dashed"}


def draw(brokers: Mapping[int, str], partitions: Sequence[Replicas]) -> Picture:
    """Return the picture; `brokers` maps ids to "running", "paused" or "dead"."""
    width = (WIDTH - _LABEL - 2 * _MARGIN) / max(len(brokers), 1)
    height = float(_TOP + len(partitions) * _ROW + 14)
    columns = [_column(at, width, height, *item) for at, item in enumerate(brokers.items())]
    rows = [_row(at, width, list(brokers), each) for at, each in enumerate(partitions)]
    svg = panel(height, *columns, *rows)
    states = [f"broker {broker} {state}" for broker, state in brokers.items()]
    words = ["; ".join(states), *(_words(brokers, each) for each in partitions)]
    alt = f"The cluster: {', '.join(states)}; {len(partitions)} partitions."
    return Picture(svg, alt, "\n".join(words))


def _words(brokers: Mapping[int, str], each: Replicas) -> str:
    roles = [f"broker {broker} {each.role(broker)}" for broker in brokers if each.role(broker)]
    return f"  {each.name}: {', '.join(roles)}" + ("" if each.leader is not None else "; no leader")


def _column(at: int, width: float, height: float, broker: int, state: str) -> Node:
    x, alive = _MARGIN + _LABEL + at * width, state == "running"
    style = "lane" if alive else "dead"
    box = tag("rect", x=x + 6, y=12.0, width=width - 12, height=height - 24, rx=8, class_=style)
    middle = x + width / 2
    name = text(middle, 40, f"Broker {broker}", "title middle")
    note = text(
        middle,
        60,
        state if alive else f"✕ {state}",
        "small middle " + ("muted" if alive else "failure-ink bold"),
    )
    return tag("g", box, name, note)


def _row(at: int, width: float, brokers: Sequence[int], each: Replicas) -> Node:
    y = float(_TOP + at * _ROW)
    label = text(_MARGIN + 4, y + _MARK / 2 + 5, fit(each.name, _LABEL - 10), "title")
    marks = [
        _mark(_MARGIN + _LABEL + column * width, y, width, each.role(broker))
        for column, broker in enumerate(brokers)
        if each.role(broker)
    ]
    nobody = (
        text(_MARGIN + 4, y + _MARK / 2 + 22, "no leader", "small failure-ink")
        if each.leader is None
        else None
    )
    return tag("g", label, nobody, *marks)


def _mark(x: float, y: float, width: float, role: str) -> Node:
    box = tag("rect", x=x + 24, y=y, width=width - 48, height=_MARK, rx=6, class_=STYLES[role])
    style = {"leader": "on-badge", "behind": "small middle failure-ink bold"}.get(
        role, "small middle record-ink bold"
    )
    return tag("g", box, text(x + width / 2, y + _MARK / 2 + 5, role, style))


def cluster_picture(cluster: Any, *topics: str) -> Picture:
    """Return the state of `cluster` now, with the partitions of `topics`."""
    states, partitions = look(cluster, topics)
    return draw(states, partitions)


def look(cluster: Any, topics: Sequence[str]) -> tuple[dict[int, str], list[Replicas]]:
    """Return broker states by id, and one row for each partition of `topics`."""
    states = {node.node_id: str(node.state) for node in cluster.status().nodes if node.role == "broker"}
    asked = topics if "running" in states.values() else ()  # else there is nobody to ask
    return states, [_replicas(cluster, topic, n) for topic in asked for n in cluster.partitions(topic)]


def _replicas(cluster: Any, topic: str, number: int) -> Replicas:
    return Replicas(
        f"{topic.removeprefix(cluster.prefix)}-{number}",
        cluster.leader(topic, number),
        tuple(cluster.replicas(topic, number)),
        tuple(cluster.isr(topic, number)),
    )
