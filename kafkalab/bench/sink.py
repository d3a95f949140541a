"""A cluster that only acknowledges: what is left to measure is the client.

    with Sink.running(partitions=3) as sink:         in a process of its own
        Producer(bootstrap_servers=sink.servers)     every topic exists, every record is taken and forgotten

`python -m kafkalab.bench.sink PARTITIONS [--silent]` is that process: three brokers, three ports, one thread.
It ends when its stdin does. `--silent` answers everything but Produce, as a broker does that has stalled.

Rules
- As little work per request as can be: a request's records are never looked at but for their number, and an
  answer is a handful of packed fields. All else (Metadata, InitProducerId) is rare: kafka.protocol does it.
- Offsets are right: each partition counts on.

Leaves out: Produce before version 9 (aiokafka's), acks=0, and all that no producer asks for.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import selectors
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from kafka.protocol.metadata import ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse
from kafka.protocol.producer import InitProducerIdRequest, InitProducerIdResponse

BROKERS = 3
PRODUCE, METADATA, API_VERSIONS, INIT_PRODUCER_ID = 0, 3, 18, 22
VERSIONS = {
    PRODUCE: (9, 12),
    1: (4, 12),  # Fetch and ListOffsets: only so that clients see a modern broker
    2: (1, 7),
    METADATA: (0, 12),
    API_VERSIONS: (0, 4),
    INIT_PRODUCER_ID: (0, 4),
}
_HEADER = struct.Struct(">hhih")
"""API, version, correlation id, length of the client id."""
_STORED = struct.Struct(">ihqqqBBB")
"""Partition, error, base offset, log append time, log start offset, no record errors, no message, no tags."""
_COUNT_AT = 57
"""Where a record batch says how many records it holds."""
_BUFFER = 4 * 2**20


class Sink(NamedTuple):
    """A sink in another process."""

    servers: str
    """bootstrap.servers"""

    @classmethod
    @contextlib.contextmanager
    def running(cls, partitions: int, *, silent: bool = False) -> Iterator[Self]:
        """Have one while the block runs; every topic has `partitions` partitions."""
        order = [sys.executable, "-m", __name__, str(partitions), *(["--silent"] if silent else [])]
        process = subprocess.Popen(order, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield cls(process.stdout.readline().strip())
        finally:
            process.kill()
            process.communicate()


class Log:
    """What three brokers know together: who leads what, and each partition's end."""

    def __init__(self, partitions: int, ports: list[int], *, silent: bool = False) -> None:
        self.partitions = partitions
        self.ports = ports
        self.silent = silent
        self.ends: dict[tuple[bytes, int], int] = {}
        self._ids = itertools.count(1000)

    def answer(self, request: memoryview) -> bytes:
        """Return the framed answer to one request (without its size); empty for none."""
        api, version, correlation, _ = _HEADER.unpack_from(request)
        if api == PRODUCE:
            return b"" if self.silent else self.produce(request, correlation)
        response = self._rare(api, version, request)
        response.API_VERSION = version
        response.with_header(correlation_id=correlation)
        return bytes(response.encode(header=True, framed=True))

    def produce(self, request: memoryview, correlation: int) -> bytes:
        """Take all record batches of a Produce request of version 9 to 12."""
        at = _HEADER.size + max(0, _HEADER.unpack_from(request)[3]) + 1  # and no tagged fields
        length, at = _varint(request, at)  # transactional id
        at += max(0, length - 1) + 6  # acks, timeout
        topics, at = _varint(request, at)
        out = [struct.pack(">iB", correlation, 0), _as_varint(topics)]
        for _ in range(topics - 1):
            length, at = _varint(request, at)
            name = bytes(request[at : at + length - 1])
            at += length - 1
            batches, at = _varint(request, at)
            out += (_as_varint(length), name, _as_varint(batches))
            for _ in range(batches - 1):
                (index,) = struct.unpack_from(">i", request, at)
                size, at = _varint(request, at + 4)
                (count,) = struct.unpack_from(">i", request, at + _COUNT_AT)
                at += size  # the length is one more than the bytes, and makes up for the tags' byte
                base = self.ends.get((name, index), 0)
                self.ends[name, index] = base + count
                out.append(_STORED.pack(index, 0, base, -1, 0, 1, 0, 0))
            out.append(b"\0")
            at += 1
        out.append(b"\0\0\0\0\0")  # no throttling, no tags
        body = b"".join(out)
        return struct.pack(">i", len(body)) + body

    def _rare(self, api: int, version: int, request: memoryview) -> Any:
        frame = bytes(request)
        if api == API_VERSIONS:
            ApiVersionsRequest.decode(frame, version=version, header=True)
            return self._versions()
        if api == METADATA:
            return self._metadata(MetadataRequest.decode(frame, version=version, header=True))
        if api == INIT_PRODUCER_ID:
            InitProducerIdRequest.decode(frame, version=version, header=True)
            return InitProducerIdResponse(
                throttle_time_ms=0, error_code=0, producer_id=next(self._ids), producer_epoch=0
            )
        raise ValueError(f"the sink knows nothing of API {api}")

    def _versions(self) -> Any:
        keys = [
            ApiVersionsResponse.ApiVersion(api_key=key, min_version=low, max_version=high)
            for key, (low, high) in VERSIONS.items()
        ]
        return ApiVersionsResponse(error_code=0, api_keys=keys, throttle_time_ms=0)

    def _metadata(self, request: Any) -> Any:
        topic, broker = MetadataResponse.MetadataResponseTopic, MetadataResponse.MetadataResponseBroker
        partitions = [
            topic.MetadataResponsePartition(
                error_code=0,
                partition_index=index,
                leader_id=1 + index % BROKERS,
                leader_epoch=0,
                replica_nodes=[1 + index % BROKERS],
                isr_nodes=[1 + index % BROKERS],
                offline_replicas=[],
            )
            for index in range(self.partitions)
        ]
        return MetadataResponse(
            throttle_time_ms=0,
            brokers=[
                broker(node_id=node, host="127.0.0.1", port=port) for node, port in enumerate(self.ports, 1)
            ],
            cluster_id="sink",
            controller_id=1,
            topics=[
                topic(error_code=0, name=each.name, is_internal=False, partitions=partitions)
                for each in request.topics or ()
            ],
        )


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return the unsigned varint at `at`, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class _Connection:
    """Bytes in, whole requests out."""

    def __init__(self, client: socket.socket, log: Log) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._log = log
        self._buffer = memoryview(bytearray(_BUFFER))
        self._filled = 0

    def readable(self) -> bool:
        """Take what is there and answer what is whole; False when the client is gone."""
        got = self._client.recv_into(self._buffer[self._filled :])
        self._filled += got
        start, out = 0, []
        while self._filled - start >= 4:
            (size,) = struct.unpack_from(">i", self._buffer, start)
            if self._filled - start < 4 + size:
                break
            out.append(self._log.answer(self._buffer[start + 4 : start + 4 + size]))
            start += 4 + size
        if start:
            rest = bytes(self._buffer[start : self._filled])
            self._buffer[: len(rest)] = rest
            self._filled = len(rest)
        if answers := b"".join(out):
            self._client.sendall(answers)
        return got > 0


def serve(listeners: list[socket.socket], log: Log) -> None:
    """Serve for ever."""
    selector = selectors.DefaultSelector()
    for listener in listeners:
        selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                client, _ = key.fileobj.accept()  # type: ignore[union-attr]
                selector.register(client, selectors.EVENT_READ, _Connection(client, log))
            elif not _served(key.data):
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]


def _served(connection: _Connection) -> bool:
    try:
        return connection.readable()
    except ConnectionError:
        return False


def main() -> None:
    """Be the sink's process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("partitions", type=int)
    parser.add_argument("--silent", action="store_true")
    told = parser.parse_args()
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(BROKERS)]
    ports = [listener.getsockname()[1] for listener in listeners]
    log = Log(told.partitions, ports, silent=told.silent)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    sys.stdout.write(",".join(f"127.0.0.1:{port}" for port in ports) + "\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        serve(listeners, log)


def _end_with_stdin() -> None:
    """End the process when whoever started it is gone."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
