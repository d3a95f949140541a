"""The campaign: a seed is a storm, always the same; ours survives, and without idempotence it does not."""

import dataclasses
import json

import pytest
from rich.console import Console

from kafkalab.faults import clients
from kafkalab.faults.answers import check_can_answer
from kafkalab.faults.campaign import command, report
from kafkalab.faults.campaign.command import Plan, campaign, numbers, only, shrink
from kafkalab.faults.campaign.load import Load, Transaction
from kafkalab.faults.campaign.schedule import (
    COORDINATION,
    ERRORS,
    NODE_FAULT_EVERY,
    NODE_VERBS,
    Burst,
    schedule,
)
from kafkalab.faults.campaign.storm import Outcome, Subject, _torn, storm
from kafkalab.faults.clients import Ticket
from kafkalab.faults.names import api_key, error_code
from kafkalab.faults.recorder import Recorder

SEEDS = range(300)
FOUND = (68, 1205, 1897, 2020)
"""Seeds that once found a bug of ours; see docs/campaign.md."""


def test_a_seed_is_always_the_same_storm():
    assert [schedule(seed) for seed in SEEDS] == [schedule(seed) for seed in SEEDS]
    assert len({repr(schedule(seed)) for seed in SEEDS}) == len(SEEDS)


def test_the_storm_of_a_seed_is_pinned():
    """A changed schedule makes every seed in docs, tests and bug reports mean something else."""
    assert list(map(str, schedule(68).faults)) == PINNED


PINNED = [
    "drop_request(Produce 5, reset)",
    "drop_response(Produce 22, reset)",
    "drop_response(Produce 50)",
    "answer_with(Produce 1 at topic 0, partition 0, NOT_ENOUGH_REPLICAS_AFTER_APPEND, done all the same)",
    "answer_with(Produce 18-29, NOT_LEADER_OR_FOLLOWER, done all the same)",
    "reset(Produce 5)",
    "hold(Produce 23, for 2 more)",
]


def test_only_every_fifth_seed_breaks_a_node_and_only_one():
    for seed in SEEDS:
        broken = [fault for fault in schedule(seed).faults if fault.verb in NODE_VERBS]
        assert len(broken) == (seed % NODE_FAULT_EVERY == NODE_FAULT_EVERY - 1)


def test_every_kind_of_fault_and_load_occurs():
    all_of = [schedule(seed) for seed in SEEDS]
    verbs = {fault.verb for each in all_of for fault in each.faults}
    assert verbs == {
        "drop_response", "drop_request", "answer_with", "delay", "hold", "reset", "kill", "pause",
    }  # fmt: skip
    assert {each.transactional for each in all_of} == {True, False}
    assert {burst.end for each in all_of for burst in each.bursts} == {"commit", "abort", "takeover"}
    assert any(fault.after_next for each in all_of for fault in each.faults)
    assert all(100 > len(each.faults) > 1 and 600 > each.records > 0 for each in all_of)


def test_every_error_injected_exists_and_can_be_answered():
    for api, error, done in (*ERRORS, *COORDINATION):
        assert error_code(error) > 0
        if not done:
            check_can_answer(api_key(api))


def test_faults_are_chosen_by_number():
    assert numbers(None) is None
    assert numbers("none") == ()
    assert numbers("2,0") == (2, 0)
    assert only(schedule(68), (6, 0)).faults == (schedule(68).faults[0], schedule(68).faults[6])
    with pytest.raises(ValueError, match="give numbers"):
        numbers("1;2")
    with pytest.raises(ValueError, match="has no fault 7: its faults are 0 to 6"):
        only(schedule(68), (7,))


def test_shrinking_keeps_what_the_anomaly_needs():
    assert shrink(6, lambda faults: {1, 4} <= set(faults)) == [1, 4]
    assert shrink(3, lambda faults: True) == []


# --- what is judged, and said ---------------------------------------------------------------------


def transaction(outcome, *values):
    return Transaction([Ticket("t", value, "p") for value in values], outcome)


@pytest.mark.parametrize(
    ("outcome", "visible", "torn"),
    [
        ("committed", {b"a", b"b"}, False),
        ("committed", {b"a"}, True),
        ("committed", set(), True),
        ("unknown", {b"a", b"b"}, False),
        ("unknown", {b"b"}, True),
        ("unknown", set(), False),
        ("aborted", {b"a"}, False),  # the audit names it
    ],
)
def test_a_transaction_is_visible_as_a_whole_or_torn(outcome, visible, torn):
    assert bool(_torn(transaction(outcome, b"a", b"b"), visible)) == torn


class Scripted:
    """A client whose verbs do what the script says; a name in it is an error's."""

    def __init__(self, script):
        self.script = script
        self.tickets = []
        self.did = []

    def send(self, topic, value, partition):
        ticket = Ticket(topic, value, "scripted")
        ticket.acked(partition, len(self.tickets))
        self.tickets.append(ticket)
        return ticket

    def settle(self, timeout):
        pass

    def _do(self, verb):
        self.did.append(verb)
        if error := self.script.get(verb):
            raise RuntimeError(error)

    def init_transactions(self):
        self._do("init")

    def begin(self):
        self._do("begin")

    def commit(self):
        self._do("commit")

    def abort(self):
        for ticket in self.tickets:
            ticket.outcome = "aborted"  # as Client.abort() does, before it asks
        self._do("abort")

    def close(self):
        self._do("close")


@pytest.mark.parametrize(
    ("end", "script", "outcome", "told", "fenced"),
    [
        ("commit", {}, "committed", "acked", 0),
        ("abort", {}, "aborted", "aborted", 0),
        ("commit", {"commit": "no"}, "aborted", "aborted", 0),
        ("commit", {"commit": "no", "abort": "no"}, "unknown", "unknown", 0),
        ("abort", {"abort": "no"}, "aborted", "aborted", 0),
        ("takeover", {"commit": "ProducerFenced"}, "aborted", "aborted", 1),
        ("takeover", {"commit": "timed out"}, "aborted", "aborted", 0),
        ("takeover", {}, "committed", "acked", 0),
    ],
)
def test_what_a_program_knows_of_its_transaction(end, script, outcome, told, fenced):
    bursts = (Burst(((0, 0), (1, 2)), False, end),)
    plan = dataclasses.replace(schedule(0), bursts=bursts)
    load = Load(plan, ["t", "u"], lambda: Scripted(script), transactional=True)
    load.run()
    assert [each.outcome for each in load.transactions] == [outcome]
    assert [sent.outcome for _, sent in load.sent()] == [told, told]
    assert load.fenced == fenced


def outcome_of(seed=3, anomalies=()):
    return Outcome(schedule(seed), 10, 9, 0, 0, list(anomalies), [], [], Recorder())


def test_the_sums_and_the_json():
    from kafkalab.faults.campaign.storm import Anomaly

    tally = report.Tally("kafkalab", True, 3)
    tally.add(outcome_of())
    assert tally.clean
    tally.add(outcome_of(4, [Anomaly("lost", "x"), Anomaly("torn", "y")]))
    told = tally.as_json()
    assert [told[key] for key in ("client", "idempotence", "seeds", "acknowledged")] == [
        "kafkalab",
        "on",
        2,
        18,
    ]
    assert [told[key] for key in ("lost", "duplicated", "reordered", "aborted_but_visible", "torn")] == [
        1, 0, 0, 0, 1,
    ]  # fmt: skip
    assert not tally.clean
    assert told["damaged_seeds"] == [4]


def test_a_replay_command_is_one_that_the_command_line_takes():
    command_line = report.replay_command("kafkalab", idempotence=True, seed=68, faults=(0, 4))
    assert command_line == (
        "kafkalab campaign --client kafkalab --idempotence on --first-seed 68 --seeds 1 --faults 0,4"
    )


# --- on a real cluster ----------------------------------------------------------------------------


@pytest.mark.cluster
def test_a_tiny_campaign(cluster, tmp_path):
    file = tmp_path / "campaign.json"
    with (tmp_path / "said").open("w") as said:
        tally = campaign(Plan(seeds=3, first_seed=1), file, Console(file=said), cluster)
    assert tally.clean, (tmp_path / "said").read_text()
    told = json.loads(file.read_text())
    assert told["seeds"] == 3
    assert told["acknowledged"] > 100
    assert told["faults"] > 3


@pytest.mark.slow
@pytest.mark.cluster
def test_without_idempotence_the_same_storms_do_damage(cluster):
    subject = Subject(cluster, clients.factory("kafkalab"), idempotence=False)
    duplicated = [storm(subject, schedule(seed)).count("duplicated") for seed in (0, 2, 6)]
    assert all(duplicated)


@pytest.mark.cluster
@pytest.mark.parametrize("seed", FOUND)
def test_seeds_that_once_found_a_bug_find_none(cluster, seed):
    outcome = storm(Subject(cluster, clients.factory("kafkalab"), idempotence=True), schedule(seed))
    assert not outcome.anomalies
    assert outcome.fired


@pytest.mark.slow
@pytest.mark.cluster
def test_an_anomaly_is_told_with_its_replay_and_its_smallest_storm(cluster, tmp_path, monkeypatch):
    """A client that says "acked" of a record it never sent: the campaign has to find that."""
    ours = clients.factory("kafkalab")

    class Liar(ours):
        def _send(self, ticket, partition):
            if len(self.tickets) == 7:
                ticket.acked(partition, None)
            else:
                super()._send(ticket, partition)

    monkeypatch.setattr(command.clients, "factory", lambda name: Liar)
    calm = dataclasses.replace(schedule(2), faults=schedule(2).faults[:2], bursts=schedule(2).bursts[:1])
    monkeypatch.setattr(command, "schedule", lambda seed: calm)
    with (tmp_path / "said").open("w") as said:
        tally = campaign(
            Plan(seeds=1, first_seed=2, replays=3, evidence=tmp_path / "e"), None, Console(file=said), cluster
        )
    text = (tmp_path / "said").read_text()
    assert tally.counted["lost"] == 1
    assert "seed 2: LOST" in text
    assert "3 of 3 replays showed an anomaly again" in text
    assert "0 of 2 faults are enough: kafkalab campaign --client kafkalab" in text
    assert len(list((tmp_path / "e").iterdir())) == 4
