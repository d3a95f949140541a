"""Names of errors: Kafka's own, kafka-python's too, and a suggestion for what is neither."""

from pathlib import Path

import pytest

from kafkalab.cluster import tools
from kafkalab.faults import RuleError
from kafkalab.faults.names import ERROR_NAMES, api_key, error_code, error_name


def test_errors_have_the_names_that_kafka_gives_them():
    told = tools.run("ErrorNames", classes=tools.compiled(Path(__file__).with_name("ErrorNames.java")))
    kafkas = {int(code): name for code, name in (line.split() for line in told.splitlines())}
    assert {code: kafkas[code] for code in ERROR_NAMES} == ERROR_NAMES


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("NOT_LEADER_OR_FOLLOWER", 6),
        ("NOT_LEADER_FOR_PARTITION", 6),
        ("MESSAGE_TOO_LARGE", 10),
        ("UNKNOWN_SERVER_ERROR", -1),
        (-1, -1),
        (19, 19),
    ],
)
def test_both_names_are_understood(name, code):
    assert error_code(name) == code


def test_no_error_has_no_name_in_a_listing():
    assert (error_name(0), error_name(-1), error_name(999)) == ("", "UNKNOWN_SERVER_ERROR", "error 999")


@pytest.mark.parametrize("name", ["NOT_LEADER", "NotEnoughReplicas", "TIMED_OUT"])
def test_a_name_that_is_none_is_told_what_comes_near(name):
    with pytest.raises(RuleError, match="did you mean"):
        error_code(name)
    with pytest.raises(RuleError, match="did you mean Produce"):
        api_key("produse")
