"""Chapter 06: codec, level and batch size for three jobs, judged by bytes in the log and by CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kafkalab.course import samples
from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.producer import Producer
from kafkalab.producer.compression import compressor

RECORDS = 3_000
ARCHIVE, GATEWAY, CHEAPER = 0.75, 0.5, 3
FREE = ("compression_type", "compression_level", "batch_size")
CHUNK, ROUNDS = 16_384, 10


class Job(NamedTuple):
    """What settings() is asked about: the job's name, and the records' values."""

    name: str
    values: list[bytes]


class Chooser:
    """One right answer."""

    def settings(self, job: Job) -> dict[str, Any]:
        """Return the producer's compression_type, with compression_level and batch_size if need be."""
        if job.name == "archive":
            return {"compression_type": "zstd", "compression_level": 19, "batch_size": 65_536}
        if job.name == "gateway":
            return {"compression_type": "lz4"}
        return {"compression_type": "none"}


def check(answer: Any, bench: Bench) -> Result:
    """Send each job's records with the chosen settings, then look at the log, and at a stopwatch."""
    topic = bench.topic("codec-choice", partitions=4)
    for partition, (job, judge) in enumerate(JOBS.items()):
        task = Job(job, list(SAMPLES[job](RECORDS)))
        chosen = answer.settings(task)
        if (fault := _refused(chosen)) is not None:
            return Result("wrong", fault, f"job {job!r}: {chosen!r}")
        size, codecs = _send(bench, topic, partition, task.values, chosen)
        if (fault := judge(Sent(bench, topic, task.values, chosen, size, codecs))) is not None:
            return Result("wrong", fault, f"job {job!r}: {chosen!r}\n  {size} bytes in the log ({codecs})")
    return Result(
        "correct", "The archive is small, the gateway is quick, and the vault does nothing in vain."
    )


class Sent(NamedTuple):
    """What a job's settings made of its records."""

    bench: Bench
    topic: str
    values: list[bytes]
    settings: Mapping[str, Any]
    size: int
    codecs: str


def _refused(chosen: Any) -> str | None:
    if not isinstance(chosen, Mapping) or "compression_type" not in chosen:
        return 'settings() has to return a dict such as {"compression_type": "gzip"}.'
    other = sorted(set(chosen) - set(FREE))
    return f"Only {', '.join(FREE)} are yours to choose here, not {', '.join(other)}." if other else None


def _send(
    bench: Bench, topic: str, partition: int, values: list[bytes], chosen: Mapping[str, Any]
) -> tuple[int, str]:
    """Return how many bytes the records take in the log, and the codecs of their batches."""
    with Producer(bootstrap_servers=bench.cluster.bootstrap_servers, linger_ms=1000, **chosen) as producer:
        futures = [producer.send(topic, value, partition=partition) for value in values]
    batches = bench.cluster.batches(topic, partition)
    if sum(batch.records for batch in batches) != len(futures):
        futures[-1].result(0)  # raises what went wrong
    return sum(len(batch.raw) for batch in batches), ", ".join(sorted({batch.codec for batch in batches}))


def _archive(sent: Sent) -> str | None:
    usual, _ = _send(sent.bench, sent.topic, 3, sent.values, {"compression_type": "zstd"})
    if sent.size <= ARCHIVE * usual:
        return None
    return (
        f"zstd as it comes needs {usual} bytes; the archive wants a quarter less, and has CPU time to spare."
    )


def _gateway(sent: Sent) -> str | None:
    values = sum(map(len, sent.values))
    if sent.size > GATEWAY * values:
        return f"The values alone are {values} bytes; the gateway's line takes half of that."
    gzip = cpu_seconds({"compression_type": "gzip"}, sent.values)
    mine = cpu_seconds(sent.settings, sent.values)
    if CHEAPER * mine <= gzip:
        return None
    return f"This takes {mine / gzip:.1f} times gzip's CPU time; the gateway can spare a third of it."


def _vault(sent: Sent) -> str | None:
    if sent.codecs == "none":
        return None
    part = sent.size / sum(map(len, sent.values))
    return (
        f"Encrypted bytes stay as many: {part:.2f} bytes in the log for each of the values', and producer, "
        "broker and every consumer spend CPU time on it."
    )


def cpu_seconds(settings: Mapping[str, Any], values: list[bytes]) -> float:
    """Return the CPU time of compressing the values, some batches' worth at a time."""
    codec = compressor(settings["compression_type"], settings.get("compression_level"))
    text = b"".join(values)
    started = time.thread_time()
    for _ in range(ROUNDS):
        for at in range(0, len(text), CHUNK):
            codec and codec.compress(text[at : at + CHUNK])
    return time.thread_time() - started


JOBS: dict[str, Callable[[Sent], str | None]] = {
    "archive": _archive,
    "gateway": _gateway,
    "vault": _vault,
}
SAMPLES = {"archive": samples.log_lines, "gateway": samples.json_events, "vault": samples.encrypted}


class GzipForAll:
    """Wrong: neither the smallest nor the quickest."""

    def settings(self, job: Job) -> dict[str, Any]:
        """Choose what everybody knows, at its best."""
        return {"compression_type": "gzip", "compression_level": 9}


class SmallestForAll(Chooser):
    """Wrong: the gateway's CPU cannot pay for level 19."""

    def settings(self, job: Job) -> dict[str, Any]:
        """Choose the fewest bytes, always."""
        return {"compression_type": "zstd", "compression_level": 19}


class Lz4ForAll:
    """Wrong: quick, but the archive grows."""

    def settings(self, job: Job) -> dict[str, Any]:
        """Choose the least CPU time, always."""
        return {"compression_type": "lz4"}


class EncryptedToo(Chooser):
    """Wrong: random bytes do not become fewer."""

    def settings(self, job: Job) -> dict[str, Any]:
        """Compress everything."""
        return {"compression_type": "lz4"} if job.name == "vault" else super().settings(job)


class NoneForGateway(Chooser):
    """Wrong: no CPU time at all, but twice the bytes."""

    def settings(self, job: Job) -> dict[str, Any]:
        """Spare the gateway's CPU altogether."""
        return {"compression_type": "none"} if job.name == "gateway" else super().settings(job)


class OtherKnobs(Chooser):
    """Wrong: acks is no matter of compression."""

    def settings(self, job: Job) -> dict[str, Any]:
        """Turn another knob, too."""
        return super().settings(job) | {"acks": 1}


EXERCISE = Exercise(
    chapter="06",
    name="codec-choice",
    prompt=(
        'Three jobs. "archive" keeps log lines for years behind a thin line, its CPU is idle: take a quarter '
        'fewer bytes than zstd as it comes. "gateway" sends JSON events from a busy machine: half the bytes '
        'of the values, for at most a third of the CPU time that gzip takes. "vault" sends messages that are '
        "encrypted already: do nothing in vain. settings(job) gets job.name and job.values and returns "
        "compression_type and, if you like, compression_level and batch_size."
    ),
    hints=(
        "One codec has by far the most levels: what does its 19 need, and what does it cost?",
        "zstd level 19 for the archive; lz4 or snappy for the gateway; for the vault look at random bytes.",
    ),
    method="settings",
    solution=Chooser,
    check=check,
    wrong={
        "gzip for all": GzipForAll,
        "smallest for all": SmallestForAll,
        "lz4 for all": Lz4ForAll,
        "encrypted, too": EncryptedToo,
        "no compression at the gateway": NoneForGateway,
        "acks as well": OtherKnobs,
    },
)
