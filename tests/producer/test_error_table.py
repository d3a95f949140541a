"""The one table of errors: complete over every code that kafka.errors knows, and Java's own classes agree."""

from pathlib import Path

import pytest
from kafka import errors as kafka_errors

from kafkalab.cluster import tools
from kafkalab.producer import (
    AuthenticationError,
    BufferExhaustedError,
    ConfigError,
    DeliveryTimeoutError,
    MetadataTimeoutError,
    ProducerClosedError,
    ProducerForkedError,
    RecordTooLargeError,
    TransactionStateError,
    UnknownPartitionError,
)
from kafkalab.producer.errors import REMEDIES, Remedy, maybe_stored, remedy

NONE, RETRY, REFRESH, ABORT, FATAL = Remedy
KNOWN = {
    each.errno: each for each in vars(kafka_errors).values() if isinstance(getattr(each, "errno", None), int)
}
# Written out here a second time, code by code, so that a change of the table has to be meant.
EXPECTED = {
    **dict.fromkeys(KNOWN, ABORT),
    0: NONE,
    2: RETRY,
    3: REFRESH,
    5: REFRESH,
    6: REFRESH,
    7: RETRY,
    9: REFRESH,
    13: REFRESH,
    14: RETRY,
    15: RETRY,
    16: RETRY,
    19: RETRY,
    20: RETRY,
    31: FATAL,
    33: FATAL,
    34: FATAL,
    35: FATAL,
    41: RETRY,
    43: FATAL,
    48: FATAL,
    50: FATAL,
    51: RETRY,
    52: FATAL,
    53: FATAL,
    54: FATAL,
    56: REFRESH,
    58: FATAL,
    70: RETRY,
    71: RETRY,
    72: REFRESH,
    74: REFRESH,
    75: RETRY,
    78: RETRY,
    80: REFRESH,
    83: REFRESH,
    84: REFRESH,
    88: RETRY,
    89: RETRY,
    90: FATAL,
    100: REFRESH,
    103: REFRESH,
    106: RETRY,
    122: RETRY,
    123: RETRY,
}


@pytest.fixture(scope="module")
def java():
    """Error code -> names of the Java exception's classes."""
    classes = tools.compiled(Path(__file__).with_name("ErrorKinds.java"))
    lines = [line.split() for line in tools.run("ErrorKinds", classes=classes).splitlines()]
    return {int(code): set(kinds) for code, *kinds in lines}


def test_every_code_that_kafka_errors_knows_has_its_remedy():
    assert len(KNOWN) > 120
    assert {code: remedy(error()) for code, error in KNOWN.items()} == EXPECTED


def test_java_tries_the_same_errors_again_and_looks_for_leaders_after_the_same(java):
    assert java.keys() >= KNOWN.keys() - {-1}

    def by_class(kinds):
        if "InvalidMetadataException" in kinds:
            return REFRESH
        return RETRY if "RetriableException" in kinds else None

    ours = {code: REMEDIES.get(code, ABORT) for code in java}
    again = {code: kind if kind in {RETRY, REFRESH} else None for code, kind in ours.items()}
    assert again == {code: by_class(kinds) for code, kinds in java.items()}


def test_what_java_calls_an_authentication_exception_is_fatal(java):
    refused = {code for code, kinds in java.items() if "AuthenticationException" in kinds}
    assert refused == {33, 34, 58}
    assert {REMEDIES[code] for code in refused} == {FATAL}


@pytest.mark.parametrize(
    ("error", "stored"),
    [
        (kafka_errors.KafkaConnectionError("gone"), True),
        (kafka_errors.RequestTimedOutError(), True),
        (kafka_errors.NotEnoughReplicasAfterAppendError(), True),
        (kafka_errors.UnknownError(), True),
        (kafka_errors.NotEnoughReplicasError(), False),
        (kafka_errors.NotLeaderForPartitionError(), True),
        (kafka_errors.KafkaStorageError(), True),
        (kafka_errors.OutOfOrderSequenceNumberError(), False),
        (kafka_errors.MessageSizeTooLargeError(), False),
    ],
)
def test_only_these_leave_it_open_whether_the_batch_was_stored(error, stored):
    assert maybe_stored(error) is stored


@pytest.mark.parametrize(
    ("ours", "builtin"),
    [
        (AuthenticationError, PermissionError),
        (BufferExhaustedError, kafka_errors.KafkaTimeoutError),
        (ConfigError, ValueError),
        (DeliveryTimeoutError, kafka_errors.KafkaTimeoutError),
        (MetadataTimeoutError, kafka_errors.KafkaTimeoutError),
        (ProducerClosedError, RuntimeError),
        (ProducerForkedError, RuntimeError),
        (RecordTooLargeError, ValueError),
        (TransactionStateError, RuntimeError),
        (UnknownPartitionError, ValueError),
    ],
)
def test_our_own_errors_are_kafka_errors_and_the_builtin_that_fits(ours, builtin):
    assert issubclass(ours, kafka_errors.KafkaError)
    assert issubclass(ours, builtin)
    assert not issubclass(ours, TimeoutError)  # which says that the outcome is open
