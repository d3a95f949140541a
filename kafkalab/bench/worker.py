"""One measured process: `python -m kafkalab.bench.worker` reads a job from stdin and prints its outcome.

Rules
- Throughput: the clock runs from the first send to the last outcome, after a warm-up on the same producer.
- Latency: a record's clock starts when it was *due*, not when it was sent. A client that blocks in send() so
  pays for the records that it held up (coordinated omission).
- Memory: resident memory when the client accepts no more, less that of the connected client before.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time

import psutil

from kafkalab.bench.clients import Client, Done, opened
from kafkalab.bench.job import Job, Measure, Outcome

SETTLE_S = 60.0
_SAMPLE_S = 0.02
_GROWING_S = 1.0


def perform(job: Job) -> Outcome:
    """Run the job in this process."""
    client = opened(job.client, job.servers, job.settings, job.trace)
    try:
        return {Measure.THROUGHPUT: throughput, Measure.LATENCY: latency, Measure.MEMORY: memory}[
            job.measure
        ](client, job)
    finally:
        client.close()


def throughput(client: Client, job: Job) -> Outcome:
    """Measure records_per_s and cpu_us, all threads of this process together."""
    warm = client.burst(job.topic, job.value, job.warm_up)
    began, worked = time.perf_counter(), time.process_time()
    count = client.burst(job.topic, job.value, job.records)
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    return Outcome(
        warm.acknowledged + count.acknowledged,
        warm.failed + count.failed,
        {"records_per_s": count.acknowledged / seconds, "cpu_us": 1e6 * worked / job.records},
    )


def latency(client: Client, job: Job) -> Outcome:
    """Measure p50_ms and p99_ms of the records after the warm-up."""
    total = job.warm_up + job.records
    latencies = [-1.0] * total
    settled = threading.Semaphore(0)

    def on_done(number: int, due: float) -> Done:
        def done(ok: bool) -> None:
            if ok:
                latencies[number] = time.perf_counter() - due
            settled.release()

        return done

    began = time.perf_counter() + 0.01
    for number in range(total):
        due = began + number / job.rate
        if (early := due - time.perf_counter()) > 0:
            time.sleep(early)
        client.send(job.topic, job.value, on_done(number, due))
    for _ in range(total):
        if not settled.acquire(timeout=SETTLE_S):
            break
    acknowledged = sum(each >= 0 for each in latencies)
    return Outcome(acknowledged, total - acknowledged, percentiles(latencies[job.warm_up :]))


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Return p50_ms and p99_ms of what was measured (negative: was not)."""
    known = [each * 1000 for each in seconds if each >= 0]
    if len(known) < 2:
        return {}
    cuts = statistics.quantiles(known, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98]}


def memory(client: Client, job: Job) -> Outcome:
    """Measure grown_mb (peak) and accepted; nobody acknowledges anything here."""
    client.fill(job.topic, job.value, 1)  # connections, metadata and whatever is imported late
    with Watch() as watch:
        accepted = client.fill(job.topic, job.value, job.records)
        time.sleep(_GROWING_S)  # the I/O thread may go on encoding what it was given
    return Outcome(0, 0, {"grown_mb": watch.grown / 1e6, "accepted": accepted})


class Watch:
    """Looks at this process's resident memory every now and then, and keeps the highest figure."""

    def __init__(self) -> None:
        self._process = psutil.Process(os.getpid())
        self._before = self._peak = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    @property
    def grown(self) -> int:
        """Return by how many bytes the peak is above the start."""
        return self._peak - self._before

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            self._peak = max(self._peak, self._now())

    def _now(self) -> int:
        return int(self._process.memory_info().rss)


def main() -> None:
    """Do what stdin says."""
    outcome = perform(Job.from_json(sys.stdin.read()))
    sys.stdout.write(outcome.as_json() + "\n")


if __name__ == "__main__":
    main()
