"""Answers that the proxy makes or changes are well-formed for every version, and say what they should."""

import uuid

import pytest
from upstream import frame_of

from kafkalab.faults import answers
from kafkalab.faults.errors import RuleError
from kafkalab.faults.frames import Request, partitions_in
from kafkalab.faults.messages import REQUESTS, RESPONSES, is_flexible, response_body_at
from kafkalab.faults.names import API_KEYS, api_name

# The oldest version that Kafka 4 still takes, where it is not 0, and where kafka-python's number is none.
OLDEST = {"Produce": 3, "Fetch": 7}
# kafka-python reads any ApiVersions response with an error as version 0.
NEWEST = {"ApiVersions": 2}
ERROR = 19


def cases():
    for key in sorted(REQUESTS):
        try:
            answers.check_can_answer(key)
        except RuleError:
            continue
        kind = RESPONSES[key]
        for version in range(OLDEST.get(api_name(key), 0), NEWEST.get(api_name(key), kind.max_version) + 1):
            if key in answers.BUILDERS or kind.fields["error_code"].for_version_q(version):
                yield pytest.param(key, version, id=f"{api_name(key)}-{version}")


def request_of(key, version):
    kind = REQUESTS[key]
    message = kind(version=version, **CONTENT.get(api_name(key), lambda _, __: {})(kind, version))
    tags = b"\0" if is_flexible(key, version) else b""
    return Request(frame_of(5, tags + bytes(message.encode()), key, version), 1, {ID: "t"})


ID = uuid.UUID(int=1)


def produced(kind, version):
    topic = kind.TopicProduceData
    named = {"topic_id": ID} if version >= 13 else {"name": "t"}
    parts = [topic.PartitionProduceData(index=index, records=b"") for index in (0, 4)]
    return {
        "transactional_id": None,
        "acks": -1,
        "timeout_ms": 1,
        "topic_data": [topic(version=version, **named, partition_data=parts)],
    }


def committed(kind, version):
    topic = next(v for n, v in vars(kind).items() if n.endswith("RequestTopic"))
    part = next(v for n, v in vars(topic).items() if n.endswith("RequestPartition"))
    named = {"topic_id": ID} if "topic_id" in topic.fields and version >= 10 else {"name": "t"}
    parts = [part(version=version, partition_index=index) for index in (0, 4)]
    return {"topics": [topic(version=version, **named, partitions=parts)]}


def added(kind, version):
    if version > 3:
        return {}
    topic = kind.AddPartitionsToTxnTopic
    return {"v3_and_below_topics": [topic(version=version, name="t", partitions=[0, 4])]}


CONTENT = {
    "Produce": produced,
    "OffsetCommit": committed,
    "TxnOffsetCommit": committed,
    "AddPartitionsToTxn": added,
    "FindCoordinator": lambda _, version: {"coordinator_keys": ["g"]} if version > 3 else {"key": "g"},
}


@pytest.mark.parametrize(("key", "version"), list(cases()))
def test_a_made_answer_is_well_formed_and_holds_the_error(key, version):
    request = request_of(key, version)
    frame = answers.make(request, ERROR)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert int.from_bytes(frame[4:8], "big") == 5
    message = RESPONSES[key].decode(
        memoryview(frame)[response_body_at(key, version, frame) :], version=version
    )
    assert errors_in(message) == {ERROR}
    if request.partitions:
        told = partitions_in(message, {ID: "t"})
        assert [(seen.topic, seen.partition) for seen in told] == [("t", 0), ("t", 4)]


def errors_in(part):
    """All error codes of a message, whatever the field's name."""
    found = set()
    for name, field in part.fields.items():
        if not field.for_version_q(part.version):
            continue
        value = getattr(part, name)
        if name.endswith("error_code"):
            found.add(value)
        elif isinstance(value, list):
            for each in value:
                if hasattr(each, "fields"):
                    found |= errors_in(each)
    return found


@pytest.mark.parametrize("version", range(3, 14))
def test_a_spoilt_answer_refuses_the_chosen_partition_only(version):
    key = API_KEYS["Produce"]
    request = request_of(key, version)
    frame = answers.make(request, 0)
    spoilt = answers.spoil(request, frame, ERROR, lambda topic, partition: (topic, partition) == ("t", 4))
    message = RESPONSES[key].decode(
        memoryview(spoilt)[response_body_at(key, version, spoilt) :], version=version
    )
    told = partitions_in(message, {ID: "t"})
    assert [(seen.partition, seen.error) for seen in told] == [(0, 0), (4, ERROR)]


@pytest.mark.parametrize("api", ["Metadata", "ListOffsets"])
def test_what_only_the_broker_knows_is_not_invented(api):
    with pytest.raises(RuleError, match="forward=True"):
        answers.check_can_answer(API_KEYS[api])


def test_a_refused_version_is_told_in_version_0():
    frame = answers.make(request_of(API_KEYS["ApiVersions"], 4), 35)
    assert frame == b"\0\0\0\x0a" + b"\0\0\0\5" + b"\0\x23" + b"\0\0\0\0"
