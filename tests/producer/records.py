"""Records as the accumulator takes them, and bytes as a batch makes of them."""

import time
from typing import NamedTuple

from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.record_batch import Payload, ProducerState, body_size, encode_batch, encode_records


class Raw(NamedTuple):
    """A raw record with names; the producer's own are plain tuples."""

    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple | list = ()

    @property
    def body(self):
        return body_size(self)


def encode(records, state=None, codec=None):
    """Return `records` as one batch."""
    data = encode_records(records)
    times = [record[0] for record in records]
    number, packed = (codec.id, codec.compress(data)) if codec else (0, data)
    return encode_batch(Payload(packed, len(records), times[0], max(times), number), state or ProducerState())


class Put(NamedTuple):
    """A record put into the accumulator: its future and its batch."""

    future: object
    batch: ProducerBatch


def put_record(accumulator, target, record, deadline=None):
    """Append as the producer does: to the open batch, else to a new one."""
    future = accumulator.try_append(target, record)
    if future is None:
        deadline = time.monotonic() + 1 if deadline is None else deadline
        future = accumulator.open_batch(target, record, deadline)
    (batch,) = (b for b in accumulator.incomplete() if b.number == future.batch)
    return Put(future, batch)
