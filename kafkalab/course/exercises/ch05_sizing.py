"""Chapter 05: three settings for a given load, judged by a run: requests, waiting, blocking.

The load is a steady stream; the brokers answer late. Both are the proxy's and the clock's, so what differs
from run to run is milliseconds, and every limit leaves hundreds of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy
from kafkalab.producer import Producer, ProducerConfig, Trace

RECORDS, SIZE, EVERY_S, ANSWER_S = 150, 4000, 0.01, 0.5
MOST_REQUESTS, MOST_MS, MOST_MEMORY = 20, 500, 1_000_000
ALLOWED = ("batch_size", "linger_ms", "buffer_memory")


class Sized:
    """Fifteen records a batch; seven batches of memory."""

    def settings(self) -> dict[str, int]:
        """Return the settings that fit the load."""
        return {"batch_size": 65_536, "linger_ms": 150, "buffer_memory": 500_000}


class Run(NamedTuple):
    """What was seen: requests on the wire, the longest stay of a batch before it left, waits for memory."""

    requests: int
    longest_ms: float
    waits: int


def check(answer: Any, bench: Bench) -> Result:
    """Run the load with the learner's settings."""
    settings = answer.settings()
    if not isinstance(settings, Mapping) or not set(settings) <= set(ALLOWED):
        return Result("wrong", f"Return a dict of {', '.join(ALLOWED)}; this is {settings!r}.")
    memory = settings.get("buffer_memory", ProducerConfig().buffer_memory)
    if memory > MOST_MEMORY:
        return Result("wrong", f"buffer_memory={memory} is more than the {MOST_MEMORY} bytes there are.")
    topic = bench.topic("sizing", assignment=[[1, 2, 3]])
    return judge(_run(settings, topic, bench.cluster.bootstrap_servers))


def judge(run: Run) -> Result:
    """Return the result for what was seen."""
    if run.requests > MOST_REQUESTS:
        return Result("wrong", f"{run.requests} requests for {RECORDS} records; {MOST_REQUESTS} are allowed.")
    if run.waits:
        held = "every batch holds batch_size bytes of it until its answer has come"
        return Result("wrong", f"send() had to wait for memory: {held}.")
    if run.longest_ms > MOST_MS:
        return Result("wrong", f"Records waited in a batch for more than {MOST_MS} ms before it left.")
    kept = f"at most {MOST_REQUESTS} requests, no record waited longer than {MOST_MS} ms"
    return Result("correct", f"All kept: {kept}, and send() never had to wait for memory.")


def _run(settings: Mapping[str, Any], topic: str, servers: str) -> Run:
    trace = Trace(records=False)
    extra: dict[str, Any] = {"trace": trace, "max_block_ms": 5000}
    with FaultProxy(servers) as proxy:
        with Producer(bootstrap_servers=proxy.bootstrap_servers, **extra, **settings) as producer:
            producer.send(topic, b"warm up", partition=0).result(30)  # connections and producer id are there
            late = proxy.delay("Produce", ANSWER_S, times=None)
            _stream(producer, topic)
        requests = late.seen
    opened = {event.data["batch"]: event.at for event in trace.find("new_batch")}
    stays = [event.at - opened[event.data["batch"]] for event in trace.find("drained", attempt=1)]
    return Run(requests, max(stays[1:]) * 1000, len(trace.find("memory_wanted")))


def _stream(producer: Producer, topic: str) -> None:
    started = time.monotonic()
    for number in range(RECORDS):
        time.sleep(max(0.0, started + number * EVERY_S - time.monotonic()))
        producer.send(topic, bytes(SIZE), partition=0)


class Defaults:
    """Wrong: 16 KiB are four of these records."""

    def settings(self) -> dict[str, int]:
        """Leave all but the memory alone."""
        return {"buffer_memory": 1_000_000}


class LingerOnly:
    """Wrong: a batch that is full does not linger."""

    def settings(self) -> dict[str, int]:
        """Raise one of the two."""
        return {"linger_ms": 150, "buffer_memory": 1_000_000}


class TooPatient:
    """Wrong: few requests, and old records."""

    def settings(self) -> dict[str, int]:
        """Linger for long, in a large batch."""
        return {"batch_size": 500_000, "linger_ms": 1200, "buffer_memory": 1_000_000}


class TooLittleMemory:
    """Wrong: forgets that batches keep their memory until they are answered."""

    def settings(self) -> dict[str, int]:
        """Have room for two batches."""
        return {"batch_size": 65_536, "linger_ms": 150, "buffer_memory": 131_072}


class ThrowMemoryAtIt:
    """Wrong: more than there is."""

    def settings(self) -> dict[str, int]:
        """Take Kafka's default."""
        return {"batch_size": 65_536, "linger_ms": 150}


class OtherSettings:
    """Wrong: buys its peace elsewhere."""

    def settings(self) -> dict[str, int]:
        """Ask for no answers."""
        return {"batch_size": 65_536, "linger_ms": 150, "acks": 0}


EXERCISE = Exercise(
    chapter="05",
    name="sizing",
    prompt=(
        "A gateway sends a record of 4,000 bytes every 10 ms, 150 of them, to one partition; the brokers "
        "take half a second to answer, and the machine has 1,000,000 bytes to spare. Write settings(): "
        "return a dict of batch_size, linger_ms and buffer_memory with which the 150 records leave in at "
        "most 20 requests, none waits longer than 500 ms before it leaves, and send() never waits for memory."
    ),
    hints=(
        "How many records come during linger_ms, and how many bytes are they? batch_size must hold them.",
        (
            "Memory: how many batches are open or waiting for an answer at the same time, when one leaves "
            "every linger_ms and its answer takes 500 ms? Each holds batch_size bytes."
        ),
    ),
    method="settings",
    solution=Sized,
    check=check,
    wrong={
        "defaults": Defaults,
        "linger without room": LingerOnly,
        "too patient": TooPatient,
        "too little memory": TooLittleMemory,
        "more memory than there is": ThrowMemoryAtIt,
        "other settings": OtherSettings,
    },
)
