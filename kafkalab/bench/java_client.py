"""Kafka's own client by Kafka's own tool: ProducerPerformance, cold and warm.

Rules
- One JVM with the flags of Kafka's scripts runs the unmodified tool twice (WarmPerformance.java).
  The first run is cold: the JIT compiler still works. The last one is warm; the JVM's start is in neither.
- The tool hands a callback over with each record and counts those that report success, so it learns every
  record's outcome; its clock runs from before the first send until after the last acknowledgement.
- Its latencies are whole milliseconds from send() on, not from when a record was due: a bit too good.

Leaves out: memory.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from kafkalab.bench.job import Job, Measure, Outcome
from kafkalab.cluster import tools
from kafkalab.cluster.errors import JavaToolError

JAVA = "Java"
RUNS = 2
_SOURCE = Path(__file__).with_name("WarmPerformance.java")
_TOTAL = re.compile(
    r"^(?P<records>\d+) records sent, (?P<speed>[\d.]+) records/sec .* max latency, "
    r"(?P<p50>\d+) ms 50th, \d+ ms 95th, (?P<p99>\d+) ms 99th",
    re.MULTILINE,
)


def command(job: Job) -> list[str]:
    """Return the command that does the job; reading() reads what it prints."""
    settings = [f"{name}={_text(value)}" for name, value in job.settings.items()]
    throughput = job.rate if job.measure is Measure.LATENCY else -1
    return tools.command(
        "WarmPerformance",
        str(RUNS),
        *("--bootstrap-server", job.servers, "--topic", job.topic, "--throughput", str(throughput)),
        *("--num-records", str(job.records), "--record-size", str(job.value_bytes)),
        *("--command-property", *settings),
        classes=tools.compiled(_SOURCE),
        flags=tools.CLIENT,
    )


def reading(job: Job, done: subprocess.CompletedProcess[str]) -> Outcome:
    """Return the outcome; raises JavaToolError when the tool has failed."""
    totals = list(_TOTAL.finditer(done.stdout))
    if done.returncode or len(totals) != RUNS:
        raise JavaToolError(f"ProducerPerformance failed ({done.returncode}): {done.stdout}{done.stderr}")
    acknowledged = sum(int(total["records"]) for total in totals)
    if job.measure is Measure.LATENCY:
        figures = {"p50_ms": float(totals[-1]["p50"]), "p99_ms": float(totals[-1]["p99"])}
    else:
        figures = {
            "records_per_s": float(totals[-1]["speed"]),
            "cold_records_per_s": float(totals[0]["speed"]),
        }
    return Outcome(acknowledged, RUNS * job.records - acknowledged, figures)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
