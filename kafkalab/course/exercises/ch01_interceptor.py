"""Chapter 01: an interceptor that signs records and counts how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.producer import Producer, ProducerInterceptor, ProducerRecord, RecordMetadata

SENT, TOO_LARGE = 5, 2
MINE = ("trace", b"42")
SIGNATURE = ("sent-by", b"me")


class SigningInterceptor(ProducerInterceptor):
    """Add a header to every record; count acknowledged and failed ones."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.failed = 0

    def on_send(self, record: ProducerRecord) -> ProducerRecord:
        """Return the record with one more header."""
        return record._replace(headers=[*record.headers, ("sent-by", b"me")])

    def on_acknowledgement(self, metadata: RecordMetadata | None, error: BaseException | None) -> None:
        """Count the outcome; `error` is None for an acknowledged record."""
        if error is None:
            self.acknowledged += 1
        else:
            self.failed += 1


def check(answer: Any, bench: Bench) -> Result:
    """Send records that arrive and records that are too large, then look at the log and at the counts."""
    topic = bench.topic("interceptor", partitions=1)
    servers = bench.cluster.bootstrap_servers
    with Producer(bootstrap_servers=servers, interceptors=[answer], max_request_size=4096) as producer:
        for number in range(SENT):
            producer.send(topic, b"record %d" % number, headers=[MINE])
        for _ in range(TOO_LARGE):
            producer.send(topic, b"x" * 5000)
    return judge(bench.cluster.read(topic), answer)


def judge(records: Sequence[Any], answer: Any) -> Result:
    """Return the result for the records of the log and the learner's counts."""
    for record in records:
        if (message := _fault([tuple(header) for header in record.headers])) is not None:
            return Result(
                "wrong", message, f"offset {record.offset}: {record.value!r}, headers {record.headers!r}"
            )
    if len(records) != SENT:
        return Result("wrong", f"Of {SENT} records that fit, {len(records)} are in the log.")
    counted = getattr(answer, "acknowledged", None), getattr(answer, "failed", None)
    if counted != (SENT, TOO_LARGE):
        return Result(
            "wrong",
            f"{SENT} records were acknowledged and {TOO_LARGE} failed; your interceptor says "
            f"acknowledged={counted[0]}, failed={counted[1]}.",
        )
    return Result("correct", f"{SENT} signed records are in the log, and both counts are right.")


def _fault(headers: list[tuple[str, bytes]]) -> str | None:
    if SIGNATURE not in headers:
        return "The header ('sent-by', b'me') is missing: does on_send() return a record that has it?"
    if MINE not in headers:
        return "The application's own header ('trace', b'42') got lost: add to record.headers."
    return None


class Forgetful(SigningInterceptor):
    """Wrong: the application's headers are gone."""

    def on_send(self, record: ProducerRecord) -> ProducerRecord:
        """Replace the headers."""
        return record._replace(headers=[SIGNATURE])


class Ineffective(SigningInterceptor):
    """Wrong: records are not changed in place."""

    def on_send(self, record: ProducerRecord) -> ProducerRecord:
        """Make a changed record and return the other one."""
        record._replace(headers=[*record.headers, SIGNATURE])
        return record


class Hasty(SigningInterceptor):
    """Wrong: sent is not acknowledged."""

    def on_send(self, record: ProducerRecord) -> ProducerRecord:
        """Count before anything has been sent."""
        self.acknowledged += 1
        return super().on_send(record)

    def on_acknowledgement(self, metadata: RecordMetadata | None, error: BaseException | None) -> None:
        """Count errors only."""
        self.failed += error is not None


class Optimist(SigningInterceptor):
    """Wrong: an outcome may be an error."""

    def on_acknowledgement(self, metadata: RecordMetadata | None, error: BaseException | None) -> None:
        """Count every outcome as a success."""
        self.acknowledged += 1


EXERCISE = Exercise(
    chapter="01",
    name="interceptor",
    prompt=(
        "Write an interceptor that signs and counts. on_send(record) returns the record with the "
        'header ("sent-by", b"me") added to those it has; on_acknowledgement(metadata, error) '
        "counts in self.acknowledged and self.failed how records ended."
    ),
    hints=(
        (
            "A ProducerRecord is a named tuple: record._replace(headers=...) returns a changed one, "
            "the old one stays as it is."
        ),
        (
            "Keep what is there: headers=[*record.headers, ('sent-by', b'me')]. In on_acknowledgement, "
            "error is None for a record that was acknowledged."
        ),
    ),
    method="on_send",
    solution=SigningInterceptor,
    check=check,
    wrong={
        "own headers only": Forgetful,
        "change thrown away": Ineffective,
        "counted when sent": Hasty,
        "errors counted as success": Optimist,
    },
)
