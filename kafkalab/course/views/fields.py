"""Bytes as fields: where each one is, what it holds, what it means.

    bytes of a record batch (format 2), or of a whole request -> Fields in the order of their bytes

Rules
- A request is walked by kafka-python's schemas, made from Kafka's own; a batch's header by the struct the
  proxy reads it with; records by kafka-python's varints. Tests compare with the decoders that exist.
- What cannot be read is a field of its own, marked, with the reason: never an exception.
- `varies` marks what is different in every run (ids, CRC, times) or on every machine (compressed bytes).
Leaves out: responses, record batches inside Fetch answers, formats 0 and 1.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from crc32c import crc32c
from kafka.protocol.api_header import RequestHeader
from kafka.protocol.schemas.fields.codecs import Int32, TaggedFields, UnsignedVarInt32
from kafka.record.util import decode_varint

from kafkalab.course.views.meanings import ATTRIBUTES, BATCH, CODECS, RECORD, REQUEST, attributes
from kafkalab.faults.frames import BATCH_HEAD
from kafkalab.faults.messages import REQUESTS, is_flexible
from kafkalab.faults.names import api_name
from kafkalab.producer.compression import compressor

COMPRESSED, RECORDS_SIZE = "compressed records", "records size"
MAGIC, CRC_END, LENGTH_STARTS = 2, 21, 12
SIZES = {"size", RECORDS_SIZE, "batch length"}
VARYING = {"crc", "base timestamp", "max timestamp", "timestamp delta", "topic id", "correlation id"}


class Field(NamedTuple):
    """A field, or (`leaf` False) the heading over some; `size` bytes from `start`."""

    name: str
    start: int
    size: int
    value: str
    meaning: str
    kind: str
    """"request", "batch", "record", or "failure" for what is wrong."""
    depth: int = 0
    leaf: bool = True
    varies: bool = False
    """Whether bytes and value are different in every run."""
    folded: bool = False
    """Whether it stands for several records, whose bytes are not shown."""

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.start + self.size


class _WrongError(Exception):
    """What was read cannot be; the rest is not worth reading."""


class _Walk:
    """Goes through bytes from the front and notes fields."""

    def __init__(self, raw: bytes, stop: int | None = None) -> None:
        self.raw = raw
        self.at = 0
        self.stop = len(raw) if stop is None else stop
        self.fields: list[Field] = []

    def go(self, size: int) -> None:
        """Move on; IndexError beyond the end."""
        if not 0 <= size <= self.stop - self.at:
            raise IndexError(size)
        self.at += size

    def note(self, name: str, start: int, value: object, meaning: str, kind: str, depth: int) -> None:
        """Note the field that ends where the walk is."""
        varies = name in VARYING or (name == "producer id" and value != -1)
        shown = _shown(value)
        self.fields.append(Field(name, start, self.at - start, shown, meaning, kind, depth, varies=varies))

    def heading(self, name: str, meaning: str, kind: str, depth: int) -> None:
        """Note what the fields that follow belong to."""
        self.fields.append(Field(name, self.at, 0, "", meaning, kind, depth, leaf=False))

    def rest_is_wrong(self, why: str, depth: int) -> None:
        """Note that nothing more can be read."""
        size = max(self.stop - self.at, 0)
        self.fields.append(Field("cannot be read", self.at, size, "", why, "failure", depth))
        self.at = self.stop


def parse(raw: bytes) -> list[Field]:
    """Return the fields of a request with its size in front, or else of a record batch."""
    raw = bytes(raw)
    fields = _attempt(_Walk(raw), _request if is_request(raw) else _batch, 0).fields
    if any(field.name == COMPRESSED for field in fields):
        return [field._replace(varies=field.varies or field.name in SIZES) for field in fields]
    return fields


def is_request(raw: bytes) -> bool:
    """Tell whether these bytes are one whole request frame of an API that is known here."""
    if len(raw) < 8:
        return False
    size, key, version = struct.unpack_from(">ihh", raw)
    return size == len(raw) - 4 and key in REQUESTS and 0 <= version <= REQUESTS[key].max_version


def record_batches(request: bytes) -> list[bytes]:
    """Return the record batches that a whole Produce request carries."""
    fields = parse(request)
    starts = [each.start for each in fields if each.name == "record batch"]
    ends = [struct.unpack_from(">i", request, start + 8)[0] + start + LENGTH_STARTS for start in starts]
    return [request[start:end] for start, end in zip(starts, ends, strict=True)]


def _attempt(walk: _Walk, read: Callable[[_Walk, int], None], depth: int) -> _Walk:
    try:
        read(walk, depth)
    except _WrongError as error:
        walk.rest_is_wrong(str(error), depth)
    except (IndexError, struct.error, ValueError, OverflowError, TypeError):
        walk.rest_is_wrong("the bytes end in the middle of a field", depth)
    if walk.at < walk.stop:
        walk.rest_is_wrong("nothing should follow here", depth)
    return walk


# --- requests, by Kafka's schemas -----------------------------------------------------------------


def _request(walk: _Walk, depth: int) -> None:
    key, version = struct.unpack_from(">hh", walk.raw, 4)
    flexible = is_flexible(key, version)
    data = io.BytesIO(walk.raw)
    walk.heading("request header", f"{api_name(key)}, version {version}", "request", depth)
    _simple(walk, data, "size", Int32.decode, "bytes that follow", depth + 1)
    _struct(walk, data, schema(RequestHeader), (2 if flexible else 1, False, flexible), depth + 1)
    walk.heading(f"{api_name(key)} request", "", "request", depth)
    _struct(walk, data, schema(REQUESTS[key]), (version, flexible, flexible), depth + 1)


def schema(message: Any) -> Any:
    """Return the schema that kafka-python has made a message class from."""
    return message._struct  # noqa: SLF001 - it has no public name; tests notice if it changes


def _struct(walk: _Walk, data: io.BytesIO, fields: Any, how: tuple[int, bool, bool], depth: int) -> None:
    version, _, tagged = how
    for field in fields.untagged_fields(version):
        name = field.name.replace("_", " ")
        meaning = REQUEST.get(name, field._about)  # noqa: SLF001 - as above
        if field.is_struct_array():
            _structs(walk, data, field, how, depth)
        elif field.type_str == "records":
            _records_field(walk, data, how[1], depth)
        else:
            _simple(walk, data, name, lambda d, f=field: f.decode(d, *how), meaning, depth)
    if tagged:
        _simple(walk, data, "tagged fields", TaggedFields([]).decode, "room for later versions", depth)


def _structs(walk: _Walk, data: io.BytesIO, field: Any, how: tuple[int, bool, bool], depth: int) -> None:
    name = field.name.replace("_", " ")
    count = _count(walk, data, f"{name} count", how[1], "how many follow", depth)
    for at in range(count):
        walk.heading(f"{name} {at}", "", "request", depth)
        _struct(walk, data, field.array_of, how, depth + 1)


def _records_field(walk: _Walk, data: io.BytesIO, compact: bool, depth: int) -> None:
    size = _count(walk, data, RECORDS_SIZE, compact, "bytes of record batch", depth)
    if size > 0:
        inner = _Walk(walk.raw, walk.at + size)
        inner.at = walk.at
        walk.fields += _attempt(inner, _batch, depth).fields
        walk.at = inner.at
        data.seek(walk.at)


def _count(walk: _Walk, data: io.BytesIO, name: str, compact: bool, meaning: str, depth: int) -> int:
    said = f"{meaning}, plus 1" if compact else meaning
    number = _simple(walk, data, name, (UnsignedVarInt32 if compact else Int32).decode, said, depth)
    return int(number) - compact


def _simple(
    walk: _Walk, data: io.BytesIO, name: str, decode: Callable[..., Any], meaning: str, depth: int
) -> Any:
    start = data.tell()
    value = decode(data)
    walk.at = data.tell()
    said = f"{meaning}; its length comes first" if isinstance(value, str) else meaning
    walk.note(name, start, value, said, "request", depth)
    return value


# --- record batches -------------------------------------------------------------------------------


def _batch(walk: _Walk, depth: int) -> None:
    start = walk.at
    walk.heading("record batch", "header of 61 bytes, then the records", "batch", depth)
    values: dict[str, int] = {}
    for (name, meaning), code in zip(BATCH.items(), BATCH_HEAD.format.lstrip(">"), strict=True):
        begin = walk.at
        walk.go(struct.calcsize(f">{code}"))
        (values[name],) = struct.unpack_from(f">{code}", walk.raw, begin)
        said = attributes(values[name]) if name == ATTRIBUTES else meaning
        walk.note(name, begin, values[name], said, "batch", depth + 1)
        _judge(walk, name, values[name], start)
    if values[ATTRIBUTES] & 7:
        _compressed(walk, values, depth)
    else:
        for number in range(values["record count"]):
            _record(walk, number, depth + 1)


def _judge(walk: _Walk, name: str, value: int, start: int) -> None:
    """Mark a header field that contradicts the bytes."""
    if name == "batch length" and value != walk.stop - start - LENGTH_STARTS:
        _mark(walk, f"says {value}, but {walk.stop - start - LENGTH_STARTS} bytes follow")
    elif name == "magic" and value != MAGIC:
        _mark(walk, "should be 2: this is not a record batch of format 2")
        raise _WrongError("only format 2 is read here")
    elif name == "crc" and value != crc32c(walk.raw[start + CRC_END : walk.stop]):
        _mark(walk, "does not fit the bytes that follow it")


def _mark(walk: _Walk, why: str) -> None:
    walk.fields[-1] = walk.fields[-1]._replace(kind="failure", meaning=why, varies=walk.fields[-1].varies)


def _compressed(walk: _Walk, values: dict[str, int], depth: int) -> None:
    start, walk.at = walk.at, walk.stop
    data = walk.raw[start : walk.stop]
    try:
        codec = compressor(CODECS[values[ATTRIBUTES] & 7])
        raw = codec.decompress(data) if codec else data
    except Exception as error:  # noqa: BLE001 - four libraries, each with errors of its own
        walk.at = start
        raise _WrongError(f"the records cannot be unpacked: {type(error).__name__}") from None
    meaning = f"{values['record count']} records, {len(raw)} bytes unpacked; smaller: {len(data) < len(raw)}"
    walk.fields.append(Field(COMPRESSED, start, len(data), "", meaning, "record", depth + 1, varies=True))


def _record(walk: _Walk, number: int, depth: int) -> None:
    walk.heading(f"record {number}", "", "record", depth)
    length = _varint(walk, "length", depth + 1)
    end = walk.at + length
    walk.go(1)
    walk.note("attributes", walk.at - 1, walk.raw[walk.at - 1], RECORD["attributes"], "record", depth + 1)
    _varint(walk, "timestamp delta", depth + 1)
    _varint(walk, "offset delta", depth + 1)
    _content(walk, "key", depth + 1)
    _content(walk, "value", depth + 1)
    for header in range(_varint(walk, "header count", depth + 1)):
        _content(walk, f"header {header} name", depth + 1)
        _content(walk, f"header {header} value", depth + 1)
    if walk.at != end:
        taken = length + walk.at - end
        raise _WrongError(f"record {number} has length {length}, but its fields take {taken}")


def _content(walk: _Walk, name: str, depth: int) -> None:
    size = _varint(walk, f"{name} length", depth)
    if size < 0:
        return
    if walk.at + size > walk.stop:
        raise _WrongError(f"a {name} of {size} bytes goes beyond the end")
    start = walk.at
    walk.go(size)
    walk.note(name, start, walk.raw[start : walk.at], "", "record", depth)


def _varint(walk: _Walk, name: str, depth: int) -> int:
    start = walk.at
    value, end = decode_varint(walk.raw, start)
    walk.go(end - start)
    meaning = RECORD.get(name, "stands for null" if value < 0 else "zigzag varint")
    walk.note(name, start, value, meaning, "record", depth)
    return int(value)


def _shown(value: object) -> str:
    if value is None or value == {}:
        return "none" if value == {} else "null"
    if isinstance(value, bytes):
        try:
            return repr(value.decode())
        except UnicodeDecodeError:
            return f"0x{value.hex()}"
    return repr(value) if isinstance(value, str) else str(value)
