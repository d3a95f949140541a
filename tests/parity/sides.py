"""Two producers with one face: Kafka's Java client and ours, driven by the same orders.

Settings have Kafka's names; outcomes are `Outcome`s with the error's class name. `SAME` says which of our
errors is which of Java's; what differs on purpose is listed where it is tested (see test_*.py, `ON_PURPOSE`).
"""

import base64
import json
import subprocess
import threading
import warnings
from pathlib import Path
from typing import NamedTuple

from kafka.structs import OffsetAndMetadata, TopicPartition

from kafkalab.cluster import tools
from kafkalab.producer import Producer

SAME = {
    "ConfigException": {"ConfigError"},
    "KafkaException": {"ConfigError"},  # Java wraps what its constructor met
    "IllegalStateException": {"ProducerClosedError", "TransactionStateError"},
    "IllegalArgumentException": {"ValueError"},
    "TimeoutException": {"MetadataTimeoutError", "DeliveryTimeoutError", "KafkaTimeoutError"},
    "BufferExhaustedException": {"BufferExhaustedError"},
    "RecordTooLargeException": {"RecordTooLargeError", "MessageSizeTooLargeError"},
    "InvalidTopicException": {"ValueError", "InvalidTopicError"},
    "InvalidProducerEpochException": {"InvalidProducerEpochError"},
    "ProducerFencedException": {"ProducerFencedError"},
    "TransactionAbortedException": {"TransactionAbortedError"},
    "CorruptRecordException": {"CorruptRecordError"},
    "InvalidTimestampException": {"InvalidTimestampError"},
    "InvalidRecordException": {"InvalidRecordError"},
    "NotEnoughReplicasException": {"NotEnoughReplicasError"},
    None: {None},
}


class Record(NamedTuple):
    value: bytes | None = None
    key: bytes | None = None
    partition: int | None = None
    headers: tuple = ()
    timestamp_ms: int | None = None


class Outcome(NamedTuple):
    partition: int | None = None
    offset: int | None = None
    error: str | None = None
    thrown: bool = False
    """At the call, not through the future."""
    message: str = ""
    code: int | None = None
    """The protocol's, where the error has one."""


class Read(NamedTuple):
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple


class Java:
    """The driver program in one JVM; producers in it are told apart by name."""

    name = "Java"

    def __init__(self):
        classes = tools.compiled(Path(__file__).with_name("ParityDriver.java"))
        self._process = subprocess.Popen(
            tools.command("ParityDriver", classes=classes),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # warnings of the client: every refused setting, every retry
            text=True,
            encoding="utf-8",
        )
        self._turn = threading.Lock()
        self._made = 0

    def order(self, verb, **given):
        with self._turn:
            self._process.stdin.write(json.dumps({"verb": verb, **given}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        assert line, "the driver has ended"
        return json.loads(line)

    def open(self, **settings):
        """Return a producer, or the Outcome of a refusal."""
        self._made += 1
        producer = JavaProducer(self, str(self._made))
        answer = self.order("open", producer=producer.name, settings=_texts(settings))
        return _outcome(answer | {"thrown": True}) if "error" in answer else producer

    def read(self, servers, topic, isolation="read_uncommitted"):
        records = self.order(
            "read", topic=topic, isolation=isolation, settings={"bootstrap.servers": servers}
        )
        assert "error" not in records, records
        return sorted(_read(each) for each in records)

    def close(self):
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


class JavaProducer:
    def __init__(self, java, name):
        self._java = java
        self.name = name

    def call(self, verb, **given):
        """Call a verb; return the name of the error, None when all went well."""
        answer = self._java.order(verb, producer=self.name, **given)
        return answer.get("error") if isinstance(answer, dict) else None

    def send(self, topic, *records):
        encoded = [
            record._asdict()
            | {
                "topic": topic,
                "key": _text(record.key),
                "value": _text(record.value),
                "headers": [(name, _text(value)) for name, value in record.headers],
            }
            for record in records
        ]
        answer = self._java.order("send", producer=self.name, records=encoded)
        assert answer == {}, answer

    def outcomes(self):
        """Wait for everything sent since the last time."""
        return [_outcome(each) for each in self._java.order("outcomes", producer=self.name)]


class Ours:
    name = "kafkalab"

    def open(self, **settings):
        """Return a producer, or the Outcome of a refusal."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # idempotence switched off: Java only logs it
                made = Producer(**{name.replace(".", "_"): value for name, value in settings.items()})
        except Exception as error:
            return _failed(error, thrown=True)
        return OurProducer(made)


class OurProducer:
    def __init__(self, producer):
        self.producer = producer
        self._sent = []

    def call(self, verb, **given):
        if verb == "send_offsets_to_transaction":
            offsets = {TopicPartition(given["topic"], 0): OffsetAndMetadata(given["offset"], "", -1)}
            return self._name(lambda: self.producer.send_offsets_to_transaction(offsets, given["group"]))
        if verb == "close":
            return self._name(lambda: self.producer.close(given.get("timeout_ms", 20_000) / 1000))
        return self._name(lambda: getattr(self.producer, verb)(*given.values()))

    @staticmethod
    def _name(call):
        try:
            call()
        except Exception as error:
            return type(error).__name__
        return None

    def send(self, topic, *records):
        for record in records:
            try:
                self._sent.append(self.producer.send(topic, *record))
            except Exception as error:
                self._sent.append(error)

    def outcomes(self):
        sent, self._sent = self._sent, []
        return [self._outcome(each) for each in sent]

    @staticmethod
    def _outcome(each):
        if isinstance(each, Exception):
            return _failed(each, thrown=True)
        try:
            told = each.result(60)
        except Exception as error:
            return _failed(error, thrown=False)
        return Outcome(told.partition, told.offset)


def same_error(java, ours):
    """Tell whether two names of errors mean the same."""
    return ours in SAME.get(java, set())


def _failed(error, *, thrown):
    return Outcome(
        error=type(error).__name__, thrown=thrown, message=str(error), code=getattr(error, "errno", None)
    )


def _outcome(answer):
    return Outcome(**answer)


def _read(answer):
    headers = tuple((name, _bytes(value)) for name, value in answer["headers"])
    return Read(
        **answer | {"key": _bytes(answer["key"]), "value": _bytes(answer["value"]), "headers": headers}
    )


def _texts(settings):
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in settings.items()
    }


def _text(data):
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text):
    return None if text is None else base64.b64decode(text)
