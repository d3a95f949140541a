"""Make answers that no broker gave: an error, well-formed for the request's API and version.

Rules
- A made answer refuses the whole request: every partition it speaks of gets the error.
- A spoilt answer is the broker's own with errors put in, for the matched partitions only; it is for
  `forward=True`, where the broker has done the work.
- An answer must mirror its request (topics, partitions, keys), so each API with such lists has its builder;
  all others get an otherwise empty answer, if it has a place for an error.
"""

from collections.abc import Callable
from typing import Any

from kafka.errors import UnsupportedVersionError
from kafka.protocol.api_key import ApiKey

from kafkalab.faults.errors import RuleError
from kafkalab.faults.frames import TOPIC_LISTS, Request, topic_name
from kafkalab.faults.messages import (
    API_VERSIONS,
    METADATA,
    PRODUCE,
    RESPONSES,
    SIZE,
    decode,
    is_flexible,
    response_body_at,
)
from kafkalab.faults.names import api_name
from kafkalab.faults.rewrite import frame_of

Chosen = Callable[[str, int], bool]
"""Whether a topic and partition are meant."""


def check_can_answer(key: int) -> None:
    """Raise RuleError unless make() knows how to answer this API."""
    kind = RESPONSES.get(key)
    if key in BUILDERS or (kind is not None and "error_code" in kind.fields and key != METADATA):
        return
    raise RuleError(
        f"A proxy cannot invent an answer to {api_name(key)}: it holds what only the broker knows. "
        "Use forward=True, which puts the error into the broker's own answer."
    )


def make(request: Request, error: int) -> bytes:
    """Return a response frame that refuses `request` with this error code."""
    build = BUILDERS.get(request.api_key, _plain)
    message = build(request.message, request.version, RESPONSES[request.api_key], error)
    tagged = request.api_key != API_VERSIONS and is_flexible(request.api_key, request.version)
    header = SIZE.pack(request.correlation_id) + (b"\0" if tagged else b"")
    return frame_of(header, message)


def spoil(request: Request, frame: bytes, error: int, chosen: Chosen) -> bytes:
    """Return the broker's response `frame` with the error put in."""
    key, version = request.api_key, request.version
    at = response_body_at(key, version, frame)
    message = decode(RESPONSES, key, version, memoryview(frame)[at:])
    if key == PRODUCE:
        _spoil_partitions(request, message, error, chosen)
    else:
        _spoil_all(message, error)
    return frame_of(frame[SIZE.size : at], message)


def _spoil_partitions(request: Request, message: Any, error: int, chosen: Chosen) -> None:
    for topic in message.responses:
        name = topic_name(topic, request.topic_names)
        for part in topic.partition_responses:
            if chosen(name, part.index):
                part.error_code, part.base_offset = error, -1


def _spoil_all(message: Any, error: int) -> None:
    if "error_code" in message.fields and message.fields["error_code"].for_version_q(message.version):
        message.error_code = error
        return
    for name in (*TOPIC_LISTS, "coordinators"):
        for each in getattr(message, name, None) or ():
            _spoil_nested(each, error)


def _spoil_nested(part: Any, error: int) -> None:
    for name in part.fields:
        value = getattr(part, name)
        if name.endswith("error_code"):
            setattr(part, name, error)
        elif isinstance(value, list):
            for each in value:
                if hasattr(each, "fields"):
                    _spoil_nested(each, error)


# --- one builder for each API whose answer mirrors the request ------------------------------------


def _plain(_: Any, version: int, kind: Any, error: int) -> Any:
    return kind(version=version, error_code=error)


def _produce(request: Any, version: int, kind: Any, error: int) -> Any:
    topic_kind = kind.TopicProduceResponse
    part_kind = topic_kind.PartitionProduceResponse
    topics = [
        topic_kind(
            version=version,
            **_named(topic, version, "name"),
            partition_responses=[
                part_kind(version=version, index=part.index, error_code=error, base_offset=-1)
                for part in topic.partition_data
            ],
        )
        for topic in request.topic_data
    ]
    return kind(version=version, responses=topics)


def _named(topic: Any, version: int, name: str) -> dict[str, Any]:
    if topic.fields["topic_id"].for_version_q(version):
        return {"topic_id": topic.topic_id}
    return {name: getattr(topic, name)}


def _api_versions(_: Any, version: int, kind: Any, error: int) -> Any:
    """Refuse a version in version 0, which every client can read (KIP-511)."""
    return kind(version=0 if error == UnsupportedVersionError.errno else version, error_code=error)


def _find_coordinator(request: Any, version: int, kind: Any, error: int) -> Any:
    nowhere = {"node_id": -1, "host": "", "port": -1, "error_code": error}
    if version < 4:
        return kind(version=version, **nowhere)
    found = [kind.Coordinator(version=version, key=key, **nowhere) for key in request.coordinator_keys]
    return kind(version=version, coordinators=found)


def _init_producer_id(_: Any, version: int, kind: Any, error: int) -> Any:
    return kind(version=version, error_code=error, producer_id=-1, producer_epoch=-1)


def _add_partitions(request: Any, version: int, kind: Any, error: int) -> Any:
    if version > 3:
        return kind(version=version, error_code=error)
    result = kind.AddPartitionsToTxnTopicResult
    one = result.AddPartitionsToTxnPartitionResult
    topics = [
        result(
            version=version,
            name=topic.name,
            results_by_partition=[
                one(version=version, partition_index=number, partition_error_code=error)
                for number in topic.partitions
            ],
        )
        for topic in request.v3_and_below_topics
    ]
    return kind(version=version, results_by_topic_v3_and_below=topics)


def _offset_commit(topic_name: str, part_name: str) -> Callable[[Any, int, Any, int], Any]:
    def build(request: Any, version: int, kind: Any, error: int) -> Any:
        topic_kind = getattr(kind, topic_name)
        one = getattr(topic_kind, part_name)
        topics = [
            topic_kind(
                version=version,
                **(_named(topic, version, "name") if "topic_id" in topic.fields else {"name": topic.name}),
                partitions=[
                    one(version=version, partition_index=part.partition_index, error_code=error)
                    for part in topic.partitions
                ],
            )
            for topic in request.topics
        ]
        return kind(version=version, topics=topics)

    return build


BUILDERS: dict[int, Callable[[Any, int, Any, int], Any]] = {
    PRODUCE: _produce,
    API_VERSIONS: _api_versions,
    ApiKey.FindCoordinator.value: _find_coordinator,
    ApiKey.InitProducerId.value: _init_producer_id,
    ApiKey.AddPartitionsToTxn.value: _add_partitions,
    ApiKey.OffsetCommit.value: _offset_commit("OffsetCommitResponseTopic", "OffsetCommitResponsePartition"),
    ApiKey.TxnOffsetCommit.value: _offset_commit(
        "TxnOffsetCommitResponseTopic", "TxnOffsetCommitResponsePartition"
    ),
}
