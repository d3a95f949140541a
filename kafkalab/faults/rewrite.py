"""Let every address that a broker tells lead back to the proxy.

Rules
- Addresses are in Metadata, FindCoordinator and DescribeCluster, and as leader hints (KIP-951) in Produce
  from version 10 and Fetch from version 16: with those left alone, a client goes round the proxy after a
  leader has moved.
- A frame that is written anew is first decoded and encoded unchanged; unless that gives the same bytes,
  FrameError is raised: better no answer than one with something missing.
- Topic ids are learnt on the way, from Metadata: later requests carry only them.

Leaves out: the leader hints of ShareFetch and ShareAcknowledge, whose messages kafka-python does not know.
"""

from collections.abc import Callable
from typing import Any

from kafkalab.cluster.wire import Address
from kafkalab.faults.errors import FrameError
from kafkalab.faults.messages import (
    DESCRIBE_CLUSTER,
    FETCH,
    FIND_COORDINATOR,
    METADATA,
    PRODUCE,
    RESPONSES,
    SIZE,
    decode,
    response_body_at,
)
from kafkalab.faults.names import api_name

FIRST_VERSION = {METADATA: 0, FIND_COORDINATOR: 0, DESCRIBE_CLUSTER: 0, PRODUCE: 10, FETCH: 16}
"""From which version on an API's response may hold addresses."""

Here = Callable[[int, Address], Address]
"""Given a node id and its own address, return the proxy's address for that node."""


class Rewriter:
    """Rewrites responses; thread-safe, as dictionaries are."""

    def __init__(self, here: Here) -> None:
        """Ask `here` for the proxy's address of each node that appears."""
        self._here = here
        self.topic_names: dict[Any, str] = {}

    def wants(self, key: int, version: int) -> bool:
        """Tell whether such a response must be seen whole."""
        return version >= FIRST_VERSION.get(key, 1 << 15)

    def rewrite(self, key: int, version: int, frame: bytes) -> bytes:
        """Return the response frame with the proxy's addresses. Raises FrameError."""
        at = response_body_at(key, version, frame)
        body = memoryview(frame)[at:]
        message = decode(RESPONSES, key, version, body)
        if message is None:
            raise FrameError(f"{api_name(key)} version {version} is newer than the proxy can read.")
        self._learn(key, message)
        places = _places(key, message)
        if not places:
            return frame
        check_round_trip(key, version, message, body)
        for place in places:
            self._move(place)
        return frame_of(frame[SIZE.size : at], message)

    def _learn(self, key: int, message: Any) -> None:
        if key == METADATA:
            for topic in message.topics or ():
                if topic.name and getattr(topic, "topic_id", None):
                    self.topic_names[topic.topic_id] = topic.name

    def _move(self, place: Any) -> None:
        node = place.broker_id if hasattr(place, "broker_id") else place.node_id
        place.host, place.port = self._here(node, Address(place.host, place.port))


def _places(key: int, message: Any) -> list[Any]:
    """Return the parts of a response that hold an address."""
    if key in (PRODUCE, FETCH):
        return list(message.node_endpoints or ())
    if key in (METADATA, DESCRIBE_CLUSTER):
        return list(message.brokers)
    # An answer with an error has host "" and port -1.
    return [each for each in [*(message.coordinators or ()), message] if getattr(each, "port", 0) > 0]


def check_round_trip(key: int, version: int, message: Any, body: memoryview) -> None:
    """Raise FrameError unless the decoded `message` gives exactly the bytes it was read from."""
    if message.encode() != body:
        raise FrameError(
            f"A {api_name(key)} response of version {version} would not survive being rewritten: "
            "it holds something that kafka-python does not know. The proxy has closed the connection."
        )


def frame_of(header: bytes, message: Any) -> bytes:
    """Return a frame: size, `header`, encoded message."""
    body = bytes(message.encode())
    return SIZE.pack(len(header) + len(body)) + header + body
