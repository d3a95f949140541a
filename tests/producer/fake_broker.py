"""A broker of our own on a socket: it knows the four APIs of a producer, and misbehaves on demand.

`answer[api_key] = function(connection, request)` replaces what it says: return a response message,
bytes to be sent as they are, or None to stay silent.
"""

import contextlib
import socket
import socketserver
import struct
import threading

from kafka.protocol.metadata import (
    ApiVersionsRequest,
    ApiVersionsResponse,
    MetadataRequest,
    MetadataResponse,
)
from kafka.protocol.producer import (
    InitProducerIdRequest,
    InitProducerIdResponse,
    ProduceRequest,
    ProduceResponse,
)

PRODUCE, METADATA, API_VERSIONS, INIT_PRODUCER_ID = 0, 3, 18, 22
REQUESTS = {
    PRODUCE: ProduceRequest,
    METADATA: MetadataRequest,
    API_VERSIONS: ApiVersionsRequest,
    INIT_PRODUCER_ID: InitProducerIdRequest,
}
SUPPORTED = {PRODUCE: (3, 12), METADATA: (0, 12), API_VERSIONS: (0, 4), INIT_PRODUCER_ID: (0, 4)}


class FakeBroker:
    """Node 1 of a cluster of its own, leader of `partitions` partitions of every topic asked for."""

    def __init__(self, partitions=1, leader=1, tls=None):
        self.tls = tls  # an ssl.SSLContext with a certificate
        self.partitions = partitions
        self.leader = leader
        self.requests = []
        self.answer = {}
        self.offsets = {}
        self._clients = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.broker = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self):
        return self._server.server_address[1]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def produced(self):
        return [request for request in list(self.requests) if request.API_KEY == PRODUCE]

    def connected(self):
        return len(self._clients)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self.disconnect()
        self._server.server_close()
        self._thread.join(5)

    def disconnect(self):
        """Cut all connections with a reset."""
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.shutdown(socket.SHUT_RD)  # ends the handler, and closing resets

    def reply(self, connection, request):
        self.requests.append(request)
        usual = {
            API_VERSIONS: self.api_versions,
            METADATA: self.metadata,
            PRODUCE: self.produce,
            INIT_PRODUCER_ID: self.producer_id,
        }
        return self.answer.get(request.API_KEY, usual[request.API_KEY])(connection, request)

    def api_versions(self, connection, request):
        keys = [
            ApiVersionsResponse.ApiVersion(api_key=key, min_version=low, max_version=high)
            for key, (low, high) in SUPPORTED.items()
        ]
        return ApiVersionsResponse(error_code=0, api_keys=keys, throttle_time_ms=0)

    def metadata(self, connection, request):
        topic = MetadataResponse.MetadataResponseTopic
        partitions = [
            topic.MetadataResponsePartition(error_code=0, partition_index=index, leader_id=self.leader)
            for index in range(self.partitions)
        ]
        brokers = [MetadataResponse.MetadataResponseBroker(node_id=1, host="127.0.0.1", port=self.port)]
        topics = [topic(error_code=0, name=each.name, partitions=partitions) for each in request.topics]
        return MetadataResponse(brokers=brokers, controller_id=1, topics=topics)

    def producer_id(self, connection, request):
        return InitProducerIdResponse(error_code=0, producer_id=1000, producer_epoch=0, throttle_time_ms=0)

    def produce(self, connection, request):
        if request.acks == 0:
            return None
        topic = ProduceResponse.TopicProduceResponse
        return ProduceResponse(
            responses=[
                topic(
                    name=data.name,
                    partition_responses=[self._stored(data.name, p) for p in data.partition_data],
                )
                for data in request.topic_data
            ]
        )

    def _stored(self, topic, data):
        base = self.offsets.get((topic, data.index), 0)
        (last_delta,) = struct.unpack_from(">i", data.records, 23)
        self.offsets[topic, data.index] = base + last_delta + 1
        return ProduceResponse.TopicProduceResponse.PartitionProduceResponse(
            index=data.index, error_code=0, base_offset=base, log_append_time_ms=-1
        )


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def finish_request(self, request, client_address):
        tls = self.broker.tls
        with (
            contextlib.suppress(OSError),
            tls.wrap_socket(request, server_side=True) if tls else request as given,
        ):
            super().finish_request(given, client_address)

    def shutdown_request(self, request):
        request.close()


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        broker = self.server.broker
        broker._clients.append(self.request)
        with contextlib.suppress(OSError):
            while frame := self._frame():
                self._answer(broker, frame)
        broker._clients.remove(self.request)

    def _frame(self):
        size = self._exactly(4)
        return self._exactly(struct.unpack(">i", size)[0]) if size else b""

    def _exactly(self, size):
        data = b""
        while len(data) < size and (more := self.request.recv(size - len(data))):
            data += more
        return data if len(data) == size else b""

    def _answer(self, broker, frame):
        api_key, version, correlation_id = struct.unpack_from(">hhi", frame)
        self.correlation_id = correlation_id
        request = REQUESTS[api_key].decode(frame, version=version, header=True)
        response = broker.reply(self, request)
        if response is not None and not isinstance(response, bytes):
            response.API_VERSION = version
            response.with_header(correlation_id=correlation_id)
            response = response.encode(header=True, framed=True)
        if response:
            self.request.sendall(response)
