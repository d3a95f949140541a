"""Transactions without sockets: what each state asks of the coordinators, and what their answers do."""

import threading
import time
from contextlib import nullcontext

import pytest
from kafka import errors as kafka_errors
from kafka.protocol.metadata import FindCoordinatorResponse
from kafka.protocol.producer import (
    AddOffsetsToTxnResponse,
    AddPartitionsToTxnResponse,
    EndTxnResponse,
    InitProducerIdResponse,
    TxnOffsetCommitResponse,
)
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata
from records import Raw

from kafkalab.producer import ProducerConfig, TopicPartition, Trace
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.coordinator import Verdict as Meaning
from kafkalab.producer.coordinator import verdict
from kafkalab.producer.errors import REMEDIES, ProducerClosedError, Remedy, TransactionStateError
from kafkalab.producer.ordering import Ordering, Verdict
from kafkalab.producer.transaction_requests import as_group, as_offset
from kafkalab.producer.transaction_states import TRANSITIONS, VERBS, State
from kafkalab.producer.transactions import TransactionManager, transactions_of

RECORD = Raw(0, None, b"x")
A, B = TopicPartition("t", 0), TopicPartition("t", 1)
CODES = {
    each.errno for each in vars(kafka_errors).values() if isinstance(getattr(each, "errno", None), int)
} - {0}
FENCED = {47, 90}


class ScriptedClient:
    """Stands in for NetworkClient: remembers what was sent, answers when told; broker 7 coordinates all."""

    def __init__(self, transaction_version=2):
        self.transaction_version = transaction_version
        self.sent = []
        self.reachable = True

    def any_node(self, now):
        return 1

    def can_send(self, node, now):
        return self.reachable

    def send(self, node, request, handler, now, timeout):
        self.sent.append((node, request, handler))


class Bench:
    """A manager, its client, and a clock in our hands; the verbs run on threads, as they block."""

    def __init__(self, transaction_version=2, **settings):
        settings = {"max_block_ms": 10_000, "transactional_id": "tx", **settings}
        self.trace = Trace()
        self.manager = TransactionManager(ProducerConfig(**settings), self.trace)
        self.client = ScriptedClient(transaction_version)
        self.unsettled = []
        self.attach(lambda: None)
        self.asked = []
        self.numbers = 0

    def attach(self, wakeup):
        self.manager.attach(wakeup, lambda: self.unsettled, nullcontext)

    @property
    def state(self):
        return self.manager.state

    def turn(self, seconds=2.0):
        """Let back-offs pass, take one turn; return the names of the requests that wait for an answer."""
        self.wait = self.manager.step(self.client, time.monotonic() + seconds)
        self.manager._io_thread = 0  # the thread of the test is both
        return [type(request).__name__.removesuffix("Request") for _, request, _ in self.client.sent]

    def answer(self, response, error=None):
        _, request, handler = self.client.sent.pop(0)
        self.asked.append(request)
        handler(response, error)
        return request

    def find(self, error_code=0):
        """Answer a search for a coordinator."""
        assert self.turn() == ["FindCoordinator"]
        return self.answer(FindCoordinatorResponse(error_code=error_code, node_id=7, version=3))

    def call(self, verb, *arguments):
        return Verb(getattr(self.manager, verb), arguments, self)

    def init(self, producer_id=5, epoch=0):
        verb = self.call("init_transactions")
        self.find()
        assert self.turn() == ["InitProducerId"]
        self.answer(initialized(0, producer_id, epoch))
        verb.over()
        return self

    def begin(self, *partitions):
        """Open a transaction with a batch of each partition acknowledged."""
        self.manager.begin_transaction()
        for target in partitions:
            self.acknowledge(self.leave(self.batch(target)))
        return self

    def batch(self, target=A):
        self.numbers += 1
        batch = ProducerBatch(target, self.numbers, 0.0, 100, 0)
        batch.try_append(RECORD, RECORD.body)
        self.unsettled.append(batch)
        return batch

    def leave(self, batch):
        if not self.manager.admits(batch) and self.manager.generation == 1:
            self.add()
        assert self.manager.admits(batch)
        self.manager.leaves(batch)
        return batch

    def add(self, code=0):
        assert self.turn() == ["AddPartitionsToTxn"]
        return self.answer(added(code))

    def acknowledge(self, batch):
        self.unsettled.remove(batch)
        self.manager.acknowledged(batch)

    def fail(self, batch, error):
        self.unsettled.remove(batch)
        self.manager.failed(batch, error)


class Verb:
    """A verb that blocks, on a thread of its own."""

    def __init__(self, function, arguments, bench):
        self.error = None
        self._thread = threading.Thread(target=self._run, args=(function, arguments))
        asleep = threading.Event()
        bench.attach(asleep.set)  # called when the state has changed, or the offsets are queued
        self._thread.start()
        while not asleep.wait(0.001) and self._thread.is_alive():
            pass

    def _run(self, function, arguments):
        try:
            function(*arguments)
        except BaseException as error:
            self.error = error

    def over(self):
        self._thread.join(5)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def fails(self, kind):
        with pytest.raises(kind) as caught:
            self.over()
        return caught.value


def initialized(code, producer_id=5, epoch=0):
    return InitProducerIdResponse(error_code=code, producer_id=producer_id, producer_epoch=epoch, version=5)


def ended(code=0, producer_id=5, epoch=1, version=5):
    return EndTxnResponse(error_code=code, producer_id=producer_id, producer_epoch=epoch, version=version)


def added(*codes):
    topic = AddPartitionsToTxnResponse.AddPartitionsToTxnTopicResult
    partition = topic.AddPartitionsToTxnPartitionResult
    results = [
        partition(partition_index=number, partition_error_code=code) for number, code in enumerate(codes)
    ]
    return AddPartitionsToTxnResponse(
        results_by_topic_v3_and_below=[topic(name="t", results_by_partition=results)], version=3
    )


def offsets_stored(*codes):
    topic = TxnOffsetCommitResponse.TxnOffsetCommitResponseTopic
    partition = topic.TxnOffsetCommitResponsePartition
    answers = [partition(partition_index=number, error_code=code) for number, code in enumerate(codes)]
    return TxnOffsetCommitResponse(topics=[topic(name="t", partitions=answers)], version=4)


# --- the table ------------------------------------------------------------------------------------


def test_each_state_allows_these_verbs_and_no_others():
    allowed = {state.name: [verb for verb in VERBS if verb in TRANSITIONS[state]] for state in State}
    assert allowed == {
        "UNINITIALIZED": ["init_transactions"],
        "INITIALIZING": [],
        "READY": ["begin_transaction"],
        "IN_TRANSACTION": ["send", "send_offsets_to_transaction", "commit_transaction", "abort_transaction"],
        "COMMITTING_TRANSACTION": [],
        "ABORTING_TRANSACTION": [],
        "ABORTABLE_ERROR": ["abort_transaction"],
        "FATAL_ERROR": [],
    }


@pytest.mark.parametrize("state", [state for state in State if state is not State.FATAL_ERROR])
def test_a_verb_out_of_turn_names_the_state_and_what_it_allows(state):
    bench = Bench()
    bench.manager.state = state
    verbs = {verb: getattr(bench.manager, verb, bench.manager.check_send) for verb in VERBS}
    verbs["send_offsets_to_transaction"] = lambda: bench.manager.send_offsets_to_transaction({A: 1}, "g")
    for verb in VERBS:
        if verb not in TRANSITIONS[state]:
            with pytest.raises(TransactionStateError) as caught:
                verbs[verb]()
            assert f"{verb}() is out of turn in state {state.name}" in str(caught.value)
            for other in VERBS:
                named = f"{other}()" in str(caught.value).split("allowed: ")[1]
                assert named is (other in TRANSITIONS[state])
    assert bench.state is state
    assert bench.turn(0) in ([], ["FindCoordinator"])


def test_without_a_transactional_id_there_are_no_verbs():
    with pytest.raises(TransactionStateError, match="give it a name of its own, transactional_id="):
        transactions_of(Ordering())
    manager = Bench().manager
    assert transactions_of(manager) is manager


# --- a whole life ---------------------------------------------------------------------------------


def test_generation_2_asks_for_nothing_before_it_writes_and_gets_an_epoch_with_each_end():
    bench = Bench(2).init()
    assert (bench.manager.generation, bench.manager.produce_max_version) == (2, 12)
    bench.begin(A, B)
    assert bench.turn() == []
    commit = bench.call("commit_transaction")
    assert bench.turn() == ["EndTxn"]
    request = bench.answer(ended(epoch=1))
    commit.over()
    assert (request.producer_id, request.producer_epoch, request.committed) == (5, 0, True)
    assert (bench.manager.epoch, bench.state) == (1, State.READY)
    bench.manager.begin_transaction()
    batch = bench.leave(bench.batch(A))
    assert batch.stamp == (5, 1, 0, True)
    assert bench.manager.admits(bench.batch(A)), "the leader still knows the producer"


def test_generation_1_announces_partitions_and_numbers_on():
    bench = Bench(1).init()
    assert (bench.manager.generation, bench.manager.produce_max_version) == (1, 11)
    bench.manager.begin_transaction()
    first = bench.batch(A)
    assert not bench.manager.admits(first)
    request = bench.add()
    topics = request.v3_and_below_topics
    assert [(topic.name, topic.partitions) for topic in topics] == [("t", [0])]
    assert bench.manager.admits(first)
    assert not bench.manager.admits(bench.batch(B))
    bench.unsettled.pop()
    bench.acknowledge(bench.leave(first))
    bench.add()
    for end in ("commit_transaction", "abort_transaction"):
        verb = bench.call(end)
        assert bench.turn() == ["EndTxn"]
        request = bench.answer(ended(producer_id=-1, epoch=-1, version=4))
        verb.over()
        assert request.committed is (end == "commit_transaction")
        bench.begin(A)
    assert (bench.manager.epoch, bench.manager._lines[A].next_sequence) == (0, 3)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("end", ["commit_transaction", "abort_transaction"])
def test_nothing_is_asked_for_the_end_of_an_empty_transaction(version, end):
    bench = Bench(version).init()
    bench.manager.begin_transaction()
    verb = bench.call(end)
    assert bench.turn() == []
    verb.over()
    assert bench.state is State.READY


def test_the_end_waits_for_every_outcome():
    bench = Bench().init()
    bench.begin(A)
    late = bench.leave(bench.batch(B))
    commit = bench.call("commit_transaction")
    assert bench.turn() == []
    with pytest.raises(TransactionStateError, match="COMMITTING_TRANSACTION"):
        bench.manager.check_send()
    bench.acknowledge(late)
    assert bench.turn() == ["EndTxn"]
    bench.answer(ended())
    commit.over()


def test_an_exhausted_epoch_brings_a_new_producer_id_that_no_leader_knows():
    bench = Bench().init(producer_id=5, epoch=32766)
    bench.begin(A)
    commit = bench.call("commit_transaction")
    bench.turn()
    bench.answer(ended(producer_id=6, epoch=0))
    commit.over()
    bench.manager.begin_transaction()
    batch = bench.leave(bench.batch(A))
    assert batch.stamp == (6, 0, 0, True)
    assert not bench.manager.admits(bench.batch(A)), "one at a time until it is acknowledged"


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_a_change_of_generation_comes_with_a_new_epoch(before, after):
    bench = Bench(before).init()
    bench.begin(A)
    bench.client.transaction_version = after
    commit = bench.call("commit_transaction")
    assert bench.turn() == ["EndTxn"]
    bench.answer(ended(epoch=1) if before == 2 else ended(producer_id=-1, epoch=-1, version=4))
    assert bench.turn() == ["InitProducerId"]
    request = bench.answer(initialized(0, epoch=2))
    commit.over()
    assert (request.producer_id, request.producer_epoch) == (5, before - 1)
    assert (bench.manager.generation, bench.manager.epoch) == (after, 2)


# --- offsets --------------------------------------------------------------------------------------


def test_generation_2_sends_offsets_to_the_group_at_once():
    bench = Bench().init()
    bench.manager.begin_transaction()
    group = ConsumerGroupMetadata("g", 3, "member", "instance")
    verb = bench.call("send_offsets_to_transaction", {A: 5, B: OffsetAndMetadata(6, "note", 2)}, group)
    find = bench.find()
    assert (find.key, find.key_type) == ("g", 0)
    assert bench.turn() == ["TxnOffsetCommit"]
    request = bench.answer(offsets_stored(0, 0))
    verb.over()
    assert (request.group_id, request.generation_id, request.member_id) == ("g", 3, "member")
    assert request.group_instance_id == "instance"
    sent = [
        (each.partition_index, each.committed_offset, each.committed_metadata, each.committed_leader_epoch)
        for each in request.topics[0].partitions
    ]
    assert sent == [(0, 5, "", -1), (1, 6, "note", 2)]
    commit = bench.call("commit_transaction")
    assert bench.turn() == ["EndTxn"], "it is not empty"
    bench.answer(ended())
    commit.over()


def test_generation_1_announces_the_group_first():
    bench = Bench(1).init()
    bench.manager.begin_transaction()
    verb = bench.call("send_offsets_to_transaction", {A: 5}, "g")
    assert bench.turn() == ["AddOffsetsToTxn"]
    assert bench.answer(AddOffsetsToTxnResponse(error_code=0, version=4)).group_id == "g"
    bench.find()
    assert bench.turn() == ["TxnOffsetCommit"]
    bench.answer(offsets_stored(0))
    verb.over()


def test_only_the_offsets_that_were_not_stored_are_sent_again():
    bench = Bench().init()
    bench.manager.begin_transaction()
    verb = bench.call("send_offsets_to_transaction", {A: 5, B: 6}, "g")
    bench.find()
    bench.turn()
    bench.answer(offsets_stored(0, 14))
    assert bench.turn() == ["TxnOffsetCommit"]
    request = bench.answer(
        TxnOffsetCommitResponse(
            topics=[
                TxnOffsetCommitResponse.TxnOffsetCommitResponseTopic(
                    name="t",
                    partitions=[
                        TxnOffsetCommitResponse.TxnOffsetCommitResponseTopic.TxnOffsetCommitResponsePartition(
                            partition_index=1, error_code=0
                        )
                    ],
                )
            ]
        )
    )
    verb.over()
    assert [each.partition_index for each in request.topics[0].partitions] == [1]


def test_an_answer_without_one_of_the_offsets_is_not_taken_for_success():
    bench = Bench().init()
    bench.manager.begin_transaction()
    verb = bench.call("send_offsets_to_transaction", {A: 5, B: 6}, "g")
    bench.find()
    bench.turn()
    bench.answer(offsets_stored(0))
    bench.turn()
    verb.fails(kafka_errors.UnknownError)
    assert bench.state is State.ABORTABLE_ERROR


def test_aborting_sends_those_away_who_wait_for_their_offsets():
    bench = Bench().init()
    bench.manager.begin_transaction()
    offsets = bench.call("send_offsets_to_transaction", {A: 5}, "g")
    bench.find()
    abort = bench.call("abort_transaction")
    assert bench.turn() == ["EndTxn"], "they may have left"
    bench.answer(ended())
    offsets.fails(kafka_errors.TransactionAbortedError)
    abort.over()


@pytest.mark.parametrize(
    ("offsets", "group"),
    [
        ({A: -1}, "g"),
        ({A: "5"}, "g"),
        ({"t": 5}, "g"),
        ({A: 5}, ""),
        ({A: 5}, ConsumerGroupMetadata(None)),
    ],
)
def test_offsets_and_groups_that_cannot_be_are_refused_before_any_traffic(offsets, group):
    bench = Bench().init()
    bench.manager.begin_transaction()
    with pytest.raises(ValueError, match=r"give"):
        bench.manager.send_offsets_to_transaction(offsets, group)
    assert bench.turn() == []


def test_no_offsets_are_no_request():
    bench = Bench().init()
    bench.manager.begin_transaction()
    bench.manager.send_offsets_to_transaction({}, "g")
    assert bench.turn() == []


def test_what_makes_a_group_and_an_offset():
    assert as_group("g") == as_group(ConsumerGroupMetadata("g"))
    assert as_group(("g", 1, "m", None)).generation_id == 1
    assert as_offset(A, 5) == OffsetAndMetadata(5, "", -1)


# --- errors of the coordinators ---------------------------------------------------------------------

ABORTABLE = {
    "FindCoordinator": {30, 120},
    "InitProducerId": {31, 53, 120},
    "AddPartitionsToTxn": {29, 55, 59, 120},
    "AddOffsetsToTxn": {30, 59, 120},
    "TxnOffsetCommit": {22, 25, 30, 82, 120},
    "EndTxn": {59, 120},
}
"""After these, Java's client goes on once the transaction is aborted, or init_transactions() called again."""


@pytest.mark.parametrize("api", ABORTABLE)
def test_every_error_of_every_request_has_a_meaning(api):
    moved = set() if api == "FindCoordinator" else {15, 16, 7} if api == "TxnOffsetCommit" else {15, 16}
    expected = {}
    for code in CODES:
        if code in ABORTABLE[api]:
            expected[code] = Meaning.ABORT
        elif code in moved:
            expected[code] = Meaning.MOVED
        elif REMEDIES.get(code) in {Remedy.RETRY, Remedy.REFRESH}:
            expected[code] = Meaning.RETRY
        elif api == "AddPartitionsToTxn" and code not in {47, 48, 49, 53, 90}:
            expected[code] = Meaning.ABORT
        else:
            expected[code] = Meaning.FATAL
    assert {code: verdict(api, kafka_errors.for_code(code)()) for code in CODES} == expected


def test_what_is_no_answer_means_that_the_coordinator_moved_or_is_too_old():
    assert verdict("EndTxn", kafka_errors.KafkaConnectionError("gone")) is Meaning.MOVED
    assert verdict("EndTxn", kafka_errors.IncompatibleBrokerVersion("old")) is Meaning.FATAL


@pytest.mark.parametrize("code", [14, 51, 7])
def test_a_busy_coordinator_is_asked_again_after_a_while(code):
    bench = Bench()
    verb = bench.call("init_transactions")
    bench.find()
    bench.turn()
    bench.answer(initialized(code))
    assert bench.turn(0) == []
    assert 0 < bench.wait <= (0.025 if code == 51 else 0.125)
    assert bench.turn() == ["InitProducerId"]
    bench.answer(initialized(0))
    verb.over()


@pytest.mark.parametrize("code", [15, 16, None])
def test_a_coordinator_that_moved_is_found_again(code):
    bench = Bench().init()
    bench.begin(A)
    commit = bench.call("commit_transaction")
    bench.turn()
    lost = kafka_errors.KafkaConnectionError("gone")
    first = bench.answer(*((ended(code), None) if code else (None, lost)))
    bench.find()
    assert bench.turn() == ["EndTxn"]
    assert bench.answer(ended()).producer_epoch == first.producer_epoch
    commit.over()


def test_a_coordinator_that_cannot_be_reached_is_looked_for_again():
    bench = Bench().init()
    bench.begin(A)
    bench.client.reachable = False
    commit = bench.call("commit_transaction")
    assert bench.turn() == []
    assert 0 < bench.wait <= 0.13
    assert bench.turn(3) == []
    assert bench.turn(3) == ["FindCoordinator"]
    bench.client.reachable = True
    bench.find()
    bench.turn()
    bench.answer(ended())
    commit.over()


@pytest.mark.parametrize("code", [31, 53, 120])
def test_who_may_not_initialise_may_try_again(code):
    bench = Bench()
    verb = bench.call("init_transactions")
    bench.find()
    bench.turn()
    bench.answer(initialized(code))
    verb.fails(kafka_errors.for_code(code))
    assert bench.state is State.UNINITIALIZED
    verb = bench.call("init_transactions")
    bench.turn()
    bench.answer(initialized(0))
    verb.over()


@pytest.mark.parametrize("code", sorted(FENCED))
@pytest.mark.parametrize("end", ["commit_transaction", "abort_transaction"])
def test_a_fenced_producer_cannot_go_on(code, end):
    bench = Bench().init()
    bench.begin(A)
    verb = bench.call(end)
    bench.turn()
    bench.answer(ended(code))
    verb.fails(kafka_errors.ProducerFencedError)
    assert (bench.state, bench.manager.idle) == (State.FATAL_ERROR, True)
    queued = bench.batch(A)
    assert bench.manager.refusing
    assert isinstance(bench.manager.refusal(queued), kafka_errors.ProducerFencedError)
    for verb in (bench.manager.begin_transaction, bench.manager.check_send, bench.manager.abort_transaction):
        with pytest.raises(kafka_errors.ProducerFencedError):
            verb()


def test_a_commit_that_cannot_be_done_is_aborted():
    bench = Bench().init()
    bench.begin(A)
    commit = bench.call("commit_transaction")
    bench.turn()
    bench.answer(ended(120))
    commit.fails(kafka_errors.TransactionAbortableError)
    assert bench.state is State.ABORTABLE_ERROR
    abort = bench.call("abort_transaction")
    bench.turn()
    assert bench.answer(ended()).committed is False
    abort.over()


def test_an_abort_that_cannot_be_done_is_the_end():
    bench = Bench().init()
    bench.begin(A)
    abort = bench.call("abort_transaction")
    bench.turn()
    bench.answer(ended(120))
    abort.fails(kafka_errors.TransactionAbortableError)
    assert bench.state is State.FATAL_ERROR


def test_partitions_that_may_not_be_written_make_the_transaction_fail():
    bench = Bench(1).init()
    bench.manager.begin_transaction()
    batch = bench.batch(A)
    bench.manager.admits(batch)
    bench.add(29)
    assert bench.state is State.ABORTABLE_ERROR
    assert isinstance(bench.manager.error, kafka_errors.TopicAuthorizationFailedError)
    assert isinstance(bench.manager.refusal(batch), kafka_errors.TransactionAbortedError)
    assert bench.manager.refusal(batch).__cause__ is bench.manager.error


@pytest.mark.parametrize("api", ["AddPartitionsToTxn", "AddOffsetsToTxn"])
def test_an_announcement_whose_answer_was_lost_is_cleared_up_before_the_abort(api):
    """Java asks for no EndTxn then, and the coordinator, which knows of the transaction, may fence it."""
    bench = Bench(1).init()
    bench.manager.begin_transaction()
    if api == "AddPartitionsToTxn":
        batch = bench.batch(A)
        assert not bench.manager.admits(batch)
    else:
        offsets = bench.call("send_offsets_to_transaction", {A: 5}, "g")
    assert bench.turn() == [api]
    bench.answer(None, kafka_errors.KafkaConnectionError("gone"))
    abort = bench.call("abort_transaction")
    if api == "AddPartitionsToTxn":
        bench.fail(batch, kafka_errors.TransactionAbortedError())
    bench.find()
    assert bench.turn() == [api]
    bench.answer(
        added(0) if api == "AddPartitionsToTxn" else AddOffsetsToTxnResponse(error_code=0, version=4)
    )
    assert bench.turn() == ["EndTxn"]
    bench.answer(ended(producer_id=-1, version=4))
    abort.over()
    if api == "AddOffsetsToTxn":
        offsets.fails(kafka_errors.TransactionAbortedError)


# --- errors of batches ------------------------------------------------------------------------------


def test_a_batch_that_fails_makes_the_transaction_fail():
    fatal = set()
    for code in CODES:
        bench = Bench().init()
        bench.manager.begin_transaction()
        bench.fail(bench.leave(bench.batch(A)), kafka_errors.for_code(code)())
        assert bench.state in {State.FATAL_ERROR, State.ABORTABLE_ERROR}
        fatal |= {code} if bench.state is State.FATAL_ERROR else set()
    assert fatal == {31, 35, 49, 53, 90}


def test_a_missing_number_is_no_reason_to_renumber():
    bench = Bench().init()
    bench.begin(A)
    oldest, next_one = bench.leave(bench.batch(A)), bench.leave(bench.batch(A))
    missing = kafka_errors.OutOfOrderSequenceNumberError()
    assert bench.manager.judge(next_one, missing) is Verdict.RETRY
    assert bench.manager.judge(oldest, missing) is Verdict.FAIL
    assert bench.manager.judge(next_one, kafka_errors.InvalidProducerEpochError()) is Verdict.FAIL
    assert bench.manager.judge(next_one, kafka_errors.DuplicateSequenceNumberError()) is Verdict.ACKNOWLEDGE
    assert bench.manager.judge(next_one, kafka_errors.NotLeaderForPartitionError()) is Verdict.RETRY


def test_a_failure_of_a_batch_that_never_left_counts_too():
    bench = Bench().init()
    bench.manager.begin_transaction()
    bench.fail(bench.batch(A), kafka_errors.KafkaTimeoutError())
    assert bench.state is State.ABORTABLE_ERROR
    with pytest.raises(
        TransactionStateError, match=r"ABORTABLE_ERROR .*KafkaTimeoutError.*abort_transaction"
    ):
        bench.manager.check_send()


def test_a_record_that_was_not_accepted_counts_too():
    bench = Bench().init()
    bench.manager.begin_transaction()
    bench.manager.note_failure(kafka_errors.KafkaTimeoutError())
    assert bench.state is State.ABORTABLE_ERROR


def test_a_batch_that_fails_during_the_commit_fails_the_commit():
    bench = Bench().init()
    bench.begin(A)
    late = bench.leave(bench.batch(A))
    commit = bench.call("commit_transaction")
    bench.turn()
    bench.fail(late, kafka_errors.KafkaTimeoutError())
    commit.fails(kafka_errors.KafkaTimeoutError)
    assert bench.state is State.ABORTABLE_ERROR


@pytest.mark.parametrize("version", [1, 2])
def test_aborting_resends_what_has_left_and_refuses_what_has_not(version):
    bench = Bench(version).init()
    bench.begin(A)
    sent, queued = bench.leave(bench.batch(A)), bench.batch(A)
    abort = bench.call("abort_transaction")
    assert isinstance(bench.manager.refusal(queued), kafka_errors.TransactionAbortedError)
    assert bench.manager.refusal(sent) is None
    assert bench.manager.admits(sent)
    assert not bench.manager.admits(queued)
    bench.fail(queued, kafka_errors.TransactionAbortedError())
    assert (bench.state, bench.turn()) == (State.ABORTING_TRANSACTION, [])
    bench.acknowledge(sent)
    assert bench.turn() == ["EndTxn"]
    bench.answer(ended() if version == 2 else ended(producer_id=-1, version=4))
    abort.over()
    assert bench.state is State.READY


@pytest.mark.parametrize("version", [1, 2])
def test_after_a_failure_the_next_transaction_has_a_new_epoch(version):
    bench = Bench(version).init()
    bench.begin(A, B)
    bench.fail(bench.leave(bench.batch(A)), kafka_errors.KafkaTimeoutError())
    abort = bench.call("abort_transaction")
    assert bench.turn() == ["EndTxn"]
    bench.answer(ended(epoch=1) if version == 2 else ended(producer_id=-1, epoch=-1, version=4))
    if version == 1:
        assert bench.state is State.INITIALIZING
        assert bench.turn() == ["InitProducerId"]
        request = bench.answer(initialized(0, epoch=1))
        assert (request.producer_id, request.producer_epoch) == (5, 0)
    abort.over()
    bench.manager.begin_transaction()
    for target in (A, B):
        assert bench.leave(bench.batch(target)).stamp == (5, 1, 0, True)


def test_an_error_that_comes_while_aborting_changes_nothing():
    bench = Bench().init()
    bench.begin(A)
    late = bench.leave(bench.batch(A))
    abort = bench.call("abort_transaction")
    bench.fail(late, kafka_errors.KafkaTimeoutError())
    assert bench.turn() == ["EndTxn"]
    bench.answer(ended())
    abort.over()


def test_batches_wait_for_the_next_transaction():
    bench = Bench().init()
    batch = bench.batch(A)
    assert not bench.manager.admits(batch)
    bench.manager.begin_transaction()
    assert bench.manager.admits(batch)


# --- time, closing ----------------------------------------------------------------------------------


def test_a_verb_that_ran_out_of_time_goes_on_and_has_to_be_called_again():
    bench = Bench(max_block_ms=20).init()
    bench.begin(A)
    with pytest.raises(kafka_errors.KafkaTimeoutError, match=r"commit_transaction\(\).*max_block_ms=20"):
        bench.manager.commit_transaction()
    for other in (bench.manager.abort_transaction, bench.manager.begin_transaction, bench.manager.check_send):
        with pytest.raises(TransactionStateError, match=r"allowed: commit_transaction\(\) again"):
            other()
    assert bench.turn() == ["EndTxn"]
    bench.answer(ended())
    bench.manager.commit_transaction()
    assert len([request for request in bench.asked if request.API_KEY == 26]) == 1
    bench.manager.begin_transaction()


def test_a_verb_that_failed_after_its_time_tells_when_called_again():
    bench = Bench(max_block_ms=20).init()
    bench.begin(A)
    with pytest.raises(kafka_errors.KafkaTimeoutError):
        bench.manager.commit_transaction()
    bench.turn()
    bench.answer(ended(120))
    with pytest.raises(kafka_errors.TransactionAbortableError):
        bench.manager.commit_transaction()
    assert bench.state is State.ABORTABLE_ERROR


def test_ctrl_c_leaves_the_operation_to_be_joined(monkeypatch):
    bench = Bench().init()
    bench.begin(A)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.manager.changed, "wait_for", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.manager.commit_transaction()
    monkeypatch.undo()
    bench.turn()
    bench.answer(ended())
    bench.manager.commit_transaction()
    assert bench.state is State.READY


def test_a_verb_in_a_callback_would_wait_for_itself():
    bench = Bench().init()
    bench.begin(A)
    bench.manager.step(bench.client, 0.0)
    with pytest.raises(RuntimeError, match="in a callback"):
        bench.manager.commit_transaction()


def test_closing_aborts_what_is_open():
    bench = Bench().init()
    assert bench.manager.idle
    bench.begin(A)
    bench.manager.close()
    assert not bench.manager.idle
    assert bench.turn() == ["EndTxn"]
    assert bench.answer(ended()).committed is False
    assert bench.manager.idle
    with pytest.raises(ProducerClosedError):
        bench.manager.begin_transaction()


def test_closing_finishes_a_commit_that_has_begun():
    bench = Bench().init()
    bench.begin(A)
    commit = bench.call("commit_transaction")
    bench.manager.close()
    bench.turn()
    assert bench.answer(ended()).committed is True
    commit.over()


def test_closing_keeps_nobody_waiting():
    bench = Bench()
    verb = bench.call("init_transactions")
    bench.manager.close()
    assert bench.manager.idle
    bench.manager.ended(ProducerClosedError("closed"))
    verb.fails(ProducerClosedError)


def test_the_trace_tells_states_requests_and_answers():
    bench = Bench().init()
    bench.begin(A)
    commit = bench.call("commit_transaction")
    bench.turn()
    bench.answer(ended())
    commit.over()
    told = [(event.name, event.data.get("api") or event.data["after"]) for event in bench.trace.events]
    assert told == [
        ("transaction_state", "INITIALIZING"),
        ("coordinator_request", "FindCoordinator"),
        ("coordinator_answer", "FindCoordinator"),
        ("coordinator_request", "InitProducerId"),
        ("coordinator_answer", "InitProducerId"),
        ("transaction_state", "READY"),
        ("transaction_state", "IN_TRANSACTION"),
        ("transaction_state", "COMMITTING_TRANSACTION"),
        ("coordinator_request", "EndTxn"),
        ("coordinator_answer", "EndTxn"),
        ("transaction_state", "READY"),
    ]
