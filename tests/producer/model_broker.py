"""A model of what a leader does with idempotent batches, and a network that misbehaves by a seed.

`ModelLog` follows Kafka's ProducerStateManager: five batches remembered per producer id, any first sequence
accepted of an unknown id, an older epoch refused, a newer one only from sequence 0. tests/producer/
test_idempotence_on_cluster.py holds it against the real thing.
"""

import struct
from collections import deque

from kafka import errors as kafka_errors
from kafka.protocol.metadata import MetadataResponse
from kafka.protocol.producer import InitProducerIdResponse, ProduceResponse

from kafkalab.producer.record_batch import decode_records

OUT_OF_ORDER, INVALID_EPOCH, NOT_ENOUGH_REPLICAS, NOT_LEADER, TIMED_OUT, INVALID_RECORD = 45, 47, 19, 6, 7, 87
TOO_LARGE = 10
HEADER = struct.Struct(">qiibIhiqqqhii")


class ModelLog:
    """One partition's log, and what its leader remembers of producers."""

    def __init__(self):
        self.values = []
        self.most_bytes = 2**31  # max.message.bytes, looked at before anything else
        self._known = {}  # producer id -> (epoch, next sequence, [(first, last, offset)])

    def append(self, data):
        """Return (error code, base offset)."""
        if len(data) > self.most_bytes:
            return TOO_LARGE, -1
        fields = HEADER.unpack_from(data)
        base_timestamp, producer_id, epoch, sequence, count = fields[7], *fields[9:13]
        values = [value for _, _, value, _ in decode_records(data[HEADER.size :], count, base_timestamp)]
        last = (sequence + count - 1) % 2**31
        if producer_id < 0:
            self.values += values
            return 0, len(self.values) - count
        known = self._known.get(producer_id)
        if known is not None:
            known_epoch, following, batches = known
            if epoch < known_epoch:
                return INVALID_EPOCH, -1
            if epoch > known_epoch:
                following, batches = 0, []
            for first, end, offset in batches:
                if (first, end) == (sequence, last):
                    return 0, offset
            if sequence != following:
                return OUT_OF_ORDER, -1
        else:
            batches = []
        offset = len(self.values)
        self.values += values
        self._known[producer_id] = epoch, (last + 1) % 2**31, [*batches, (sequence, last, offset)][-5:]
        return 0, offset


def first_value(data):
    fields = HEADER.unpack_from(data)
    return next(decode_records(data[HEADER.size :], fields[12], fields[7]))[2]


class StormyNetwork:
    """Stands in for NetworkClient: two brokers, connections that are first-in-first-out, and a dice.

    What is lost with a connection may still be processed, later, by the broker: as the socket's buffer
    of a stalled broker is.
    """

    trouble = None
    most_in_flight = 5

    def __init__(self, dice, partitions):
        self.dice = dice
        self.logs = [ModelLog() for _ in range(partitions)]
        self.queues = {1: deque(), 2: deque()}
        self.zombies = []
        self.calm = False
        self.on_lost = None
        self.refuse = {}  # first value of a batch -> error code to answer with, once
        self.spoil = {}  # first value of a batch -> error code, told every time though the batch is stored
        self.produced = 0
        self._ids = iter(range(4000, 5000))

    # what the sender calls

    def can_send(self, node, now):
        return len(self.queues[node]) < self.most_in_flight

    def any_node(self, now):
        return 1

    def send(self, node, request, handler, now, timeout):
        self.queues[node].append((request, handler))

    def poll(self, timeout):
        pass

    def learn(self, snapshot):
        pass

    def close(self):
        pass

    give_up_late = learn
    wakeup = close

    # what the dice does

    def step(self):
        """Let something happen on one of the connections."""
        node = self.dice.choice([1, 2])
        if self.zombies and self.dice.random() < 0.2:
            self._process(self.zombies.pop(0))
        if not self.queues[node]:
            return
        fate = "answer" if self.calm else self.dice.choices(["answer", "lose"], [9, 1])[0]
        if fate == "answer":
            request, handler = self.queues[node].popleft()
            handler(self._process(request), None)
        else:
            self.lose(node)

    def lose(self, node):
        """Lose the connection; some of what was sent is processed now, some perhaps later."""
        lost = list(self.queues[node])
        self.queues[node].clear()
        arrived = self.dice.randint(0, len(lost))
        for request, _ in lost[:arrived]:
            self._process(request)
        if self.dice.random() < 0.3:
            self.zombies += [request for request, _ in lost[arrived:]]
        for _, handler in lost:
            handler(None, kafka_errors.KafkaConnectionError("lost"))
        if self.on_lost:
            self.on_lost()

    def _process(self, request):
        answer = {0: self._produce, 3: self._metadata, 22: self._producer_id}[request.API_KEY]
        return answer(request)

    def _producer_id(self, request):
        if not self.calm and self.dice.random() < 0.3:
            return InitProducerIdResponse(error_code=14, producer_id=-1, producer_epoch=-1)
        return InitProducerIdResponse(error_code=0, producer_id=next(self._ids), producer_epoch=0)

    def _metadata(self, request):
        topic = MetadataResponse.MetadataResponseTopic
        partitions = [
            topic.MetadataResponsePartition(
                error_code=0, partition_index=p, leader_id=1 + (p + self.dice.random() // 0.9) % 2
            )
            for p in range(len(self.logs))
        ]
        brokers = [MetadataResponse.MetadataResponseBroker(node_id=n, host="h", port=n) for n in (1, 2)]
        return MetadataResponse(
            brokers=brokers, topics=[topic(error_code=0, name="t", partitions=partitions)]
        )

    def _produce(self, request):
        self.produced += 1
        topic = ProduceResponse.TopicProduceResponse
        answers = []
        for data in request.topic_data[0].partition_data:
            code, offset = self._store(data)
            answers.append(
                topic.PartitionProduceResponse(
                    index=data.index, error_code=code, base_offset=offset, log_append_time_ms=-1
                )
            )
        return ProduceResponse(responses=[topic(name="t", partition_responses=answers)])

    def _store(self, data):
        if code := self.spoil.get(first_value(data.records)):
            self.logs[data.index].append(data.records)
            return code, -1
        if code := self.refuse.pop(first_value(data.records), None):
            return code, -1
        if not self.calm and self.dice.random() < 0.15:
            code = self.dice.choice([NOT_ENOUGH_REPLICAS, NOT_LEADER, TIMED_OUT, INVALID_RECORD])
            if code == TIMED_OUT:
                self.logs[data.index].append(data.records)  # stored all the same
            return code, -1
        return self.logs[data.index].append(data.records)
