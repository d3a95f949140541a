"""Produce requests made by hand: what brokers say of numbers that no decent producer sends.

    hand = ByHand(proxy.bootstrap_servers)
    me = hand.new_id()
    hand.produce("t", 0, b"m0", producer=me)     # Said("success", 0)
    hand.produce("t", 7, b"m7", producer=me)     # Said("OUT_OF_ORDER_SEQUENCE_NUMBER", -1)

Rules: one batch a request, to partition 0, over a connection of its own; the caller says who leads it. The
addresses are a FaultProxy's: in plain text, and in the order of the brokers' ids, which count from 1.

Leaves out: retries, metadata, compression, transactions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kafka.protocol.producer import InitProducerIdRequest, ProduceRequest

from kafkalab.cluster.polling import wait_until
from kafkalab.cluster.wire import Address, call
from kafkalab.faults.names import error_name
from kafkalab.producer.record_batch import Payload, ProducerState, encode_batch, encode_records

NO_TIMEOUT = 2**31 - 1
TIMESTAMP_MS = 1_760_000_000_000


class Said(NamedTuple):
    """A leader's answer: "success" or the name of the error, and the first record's offset (-1: none)."""

    what: str
    offset: int


class ByHand:
    """A hand that writes requests to the brokers behind `bootstrap_servers`."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._addresses = [each.rsplit(":", 1) for each in bootstrap_servers.split(",")]

    def ask(self, broker: int, request: Any) -> Any:
        """Send any request of kafka.protocol to a broker; return its response."""
        host, port = self._addresses[broker - 1]
        return call(Address(host, int(port)), request)

    def new_id(self, broker: int = 1) -> int:
        """Ask a broker for a producer id. It may have to fetch a block of them from the controller first."""
        request = InitProducerIdRequest(
            transactional_id=None, transaction_timeout_ms=NO_TIMEOUT, version=4, producer_id=-1
        )
        answer = wait_until(
            f"broker {broker} gives a producer id",
            lambda: self.ask(broker, request),
            lambda given: given.error_code == 0,
        )
        return int(answer.producer_id)

    def produce(
        self, topic: str, sequence: int, *values: bytes, producer: int, epoch: int = 0, leader: int = 1
    ) -> Said:
        """Send a batch whose first record has this sequence number; return what the leader says."""
        records = encode_records([(TIMESTAMP_MS, None, value, ()) for value in values])
        payload = Payload(records, len(values), TIMESTAMP_MS, TIMESTAMP_MS)
        batch = encode_batch(payload, ProducerState(producer, epoch, sequence))
        response = self.ask(leader, _request(topic, batch))
        (answer,) = response.responses[0].partition_responses
        return Said(error_name(answer.error_code) or "success", answer.base_offset)


def _request(topic: str, batch: bytes) -> ProduceRequest:
    of_topic = ProduceRequest.TopicProduceData
    of_partition = of_topic.PartitionProduceData(index=0, records=batch)
    return ProduceRequest(
        transactional_id=None,
        acks=-1,
        timeout_ms=10_000,
        topic_data=[of_topic(name=topic, partition_data=[of_partition])],
        version=11,
    )
