"""Which settings go together, asked of Kafka's own client, too."""

import itertools
import warnings
from pathlib import Path

from kafkalab.cluster import tools
from kafkalab.producer import ConfigError, ProducerConfig

GIVEN = {
    "acks": [None, "0", "1", "-1", "all"],
    "retries": [None, 0, 3],
    "enable_idempotence": [None, True, False],
    "max_in_flight_requests_per_connection": [None, 5, 6],
    "transactional_id": [None, "t"],
}
OTHERS = [
    {"compression_type": "zip"},
    {"compression_type": "zstd"},
    {"acks": "2"},
    {"batch_size": -1},
    {"batch_size": 0},
    {"retries": -1},
    {"linger_ms": -1},
    {"max_block_ms": -1},
    {"max_block_ms": 0},
    {"max_in_flight_requests_per_connection": 0},
    {"security_protocol": "ssl"},
    {"security_protocol": "TLS"},
]


def every():
    for values in itertools.product(*GIVEN.values()):
        yield {name: value for name, value in zip(GIVEN, values, strict=True) if value is not None}
    yield from OTHERS


def ours(settings):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return "on" if ProducerConfig(**settings).enable_idempotence else "off"
    except ConfigError as error:
        return f"refused: {error}"


def as_java(settings):
    return ";".join(f"{name.replace('_', '.')}={value}" for name, value in settings.items())


def test_java_accepts_what_we_accept_and_is_idempotent_when_we_are():
    asked = list(every())
    classes = tools.compiled(Path(__file__).with_name("ConfigOutcome.java"))
    lines = "".join(as_java(settings) + "\n" for settings in asked)
    answers = tools.run("ConfigOutcome", classes=classes, stdin=lines).splitlines()
    assert len(answers) == len(asked)
    kinds = {"on", "off", "refused"}
    assert {answer.partition(":")[0] for answer in answers} == kinds
    differ = [
        (settings, java, ours(settings))
        for settings, java in zip(asked, answers, strict=True)
        if java.partition(":")[0] != ours(settings).partition(":")[0]
    ]
    assert differ == []
