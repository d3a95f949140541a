"""Run one job in a process of its own, and never leave one behind.

Rules: a client has its own process, so that neither its threads nor its memory disturb another; whatever ends
the bench (Ctrl-C too) ends the process; one that takes unreasonably long is an error that names the job.
"""

from __future__ import annotations

import subprocess
import sys

from kafkalab.bench import java_client
from kafkalab.bench.job import Job, Outcome

LIMIT_S = 300


class BenchError(Exception):
    """A client could not do what the bench asked of it; the message has its words."""


def run(job: Job) -> Outcome:
    """Return the job's outcome. Raises BenchError, also when a record was not delivered."""
    if job.client == java_client.JAVA:
        outcome = java_client.reading(job, _done(job, java_client.command(job), ""))
    else:
        done = _done(job, [sys.executable, "-m", "kafkalab.bench.worker"], job.as_json())
        if done.returncode:
            raise BenchError(f"{_named(job)} failed ({done.returncode}):\n{done.stderr}")
        outcome = Outcome.from_json(done.stdout.splitlines()[-1])
    if outcome.failed:
        raise BenchError(
            f"{_named(job)} delivered {outcome.acknowledged} records and failed to deliver {outcome.failed}: "
            "the figures would mean nothing"
        )
    return outcome


def _done(job: Job, command: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{_named(job)} did not end within {LIMIT_S} s; it was killed") from error


def _named(job: Job) -> str:
    return f"{job.client} ({job.measure}, {job.records} records)"
