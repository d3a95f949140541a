"""Where our producer's time goes, per record: the answer to "why is it not faster than C?".

Runs against the sink for each batch size: plain, for the CPU time of the application's thread, of all
threads, and of the garbage collector (what is saved without it); under Python's profiler, for the functions
that have it; with a trace, for how often the steps call a trace that is not there.

Rules: the profiler makes everything slower, so only shares are taken from it. No brokers, no waiting: this is
the client's own cost, which is what limits it on fast brokers.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import time
import timeit
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from kafkalab.bench.sink import Sink
from kafkalab.producer import Producer, Trace
from kafkalab.producer.tracing import SILENCE

VALUE = b"x" * 100
BATCH_SIZES = (16_384, 131_072)
SHOWN = 10


class Cost(NamedTuple):
    """CPU time per record, in µs."""

    application: float
    process: float


def profile_bench(records: int = 200_000, console: Console | None = None) -> None:
    """Print what a record costs, and which functions of which thread have it."""
    console = console or Console()
    shown = Table(
        title=f"CPU time per record, in µs ({records:,} records of 100 bytes, idempotent, to a sink)"
    )
    for heading in ("batches", "send()", "I/O thread", "together", "of it the garbage collector"):
        shown.add_column(heading, justify="right")
    for size in BATCH_SIZES:
        plain = _cost(size, records)
        gc.disable()
        try:
            saved = plain.process - _cost(size, records).process
        finally:
            gc.enable()
        figures = (plain.application, plain.process - plain.application, plain.process, max(saved, 0.0))
        shown.add_row(f"{size // 1024} KiB", *(f"{figure:.2f}" for figure in figures))
    console.print(shown)
    console.print(_silence(plain, records))
    for thread, profile in _profiled(BATCH_SIZES[0], records).items():
        console.print(_shares(thread, profile))


def _cost(size: int, records: int) -> Cost:
    with Sink.running(partitions=3) as sink, _producer(sink, size) as producer:
        process, application = time.process_time(), time.thread_time()
        for _ in range(records):
            producer.send("profile", VALUE)
        application = time.thread_time() - application
        producer.flush()
        process = time.process_time() - process
    return Cost(application / records * 1e6, process / records * 1e6)


def _silence(plain: Cost, records: int) -> str:
    """Say what tracing costs when nobody listens."""
    trace = Trace(records=False)
    with Sink.running(partitions=3) as sink, _producer(sink, BATCH_SIZES[-1], trace) as producer:
        before = len(trace.events)
        for _ in range(records):
            producer.send("profile", VALUE)
        producer.flush()
    calls = (len(trace.events) - before) / records
    each = (
        min(timeit.repeat(lambda: SILENCE("drained", topic="t", partition=0, batch=1), number=10_000))
        / 10_000
    )
    cost = calls * each * 1e6
    return (
        f"A trace that is not there is called {calls:.4f} times a record, {each * 1e9:.0f} ns each: "
        f"{cost / plain.process:.2%} of a record's time.\n"
    )


def _profiled(size: int, records: int) -> dict[str, cProfile.Profile]:
    found = {"the application's thread": cProfile.Profile(time.thread_time)}
    found["the I/O thread"] = cProfile.Profile(time.thread_time)
    application, io = found.values()
    with Sink.running(partitions=3) as sink, _producer(sink, size) as producer:
        turn = producer.sender.run_once
        producer.sender.run_once = lambda now: io.runcall(turn, now)  # type: ignore[method-assign]
        application.enable()
        for _ in range(records):
            producer.send("profile", VALUE)
        application.disable()
        producer.flush()
    return found


def _producer(sink: Sink, size: int, trace: Trace | None = None) -> Producer:
    producer = Producer(bootstrap_servers=sink.servers, batch_size=size, trace=trace)
    producer.send("profile", VALUE).result(30)  # metadata and a producer id are there before the clock runs
    return producer


def _shares(thread: str, profile: cProfile.Profile) -> Table:
    times: dict[str, float] = {}
    for (path, _, name), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        where = f"{Path(path).stem}.{name}" if "kafkalab" in path else name
        where = "kafka.protocol" if "/kafka/" in path or "codegen" in path else where
        if "epoll" in where:
            continue  # that is sleep
        times[where] = times.get(where, 0.0) + own
    whole = sum(times.values())
    shown = Table(title=f"Own time on {thread}, {BATCH_SIZES[0] // 1024} KiB batches")
    shown.add_column("function")
    shown.add_column("share", justify="right")
    for where, own in sorted(times.items(), key=lambda item: -item[1])[:SHOWN]:
        shown.add_row(where, f"{own / whole:.0%}")
    return shown
