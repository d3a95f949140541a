"""Recipes in which brokers die or freeze. They want a cluster of their own; it is healed afterwards.

Rules: topics have three replicas, the first broker leads. A frozen follower stays in the ISR until the
controller misses it (broker.session.timeout.ms) or it lags (replica.lag.time.max.ms); what must happen before
that happens within a second.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from kafkalab.cluster.polling import wait_until
from kafkalab.faults.auditing import audit
from kafkalab.faults.clients import Client, Settings
from kafkalab.faults.recipes.base import Lab, Result, judged, recipe

RECORDS = [b"m%d" % number for number in range(5)]
FETCH_WAIT_S = 0.7
"""Longer than replica.fetch.wait.max.ms (500): until then a frozen follower's last fetch is still open at the
leader, and the answer to it would carry new records into the follower's socket."""
NO_RETRIES = Settings(
    retries=0, enable_idempotence=False, request_timeout_ms=1_000, delivery_timeout_ms=1_500
)


@contextmanager
def _healed(lab: Lab) -> Iterator[tuple[int, list[int]]]:
    """Yield leader and followers; heal the cluster in the end."""
    leader, *followers = lab.cluster.broker_ids[:3]
    try:
        yield leader, followers
    finally:
        lab.cluster.heal()


def _send_base(lab: Lab, client: Client) -> None:
    """Send a record, wait until all replicas have it: the client knows the leader, the followers fetch."""
    client.warm_up(lab.topic, b"base")
    wait_until("base is everywhere", lambda: lab.cluster.offsets(lab.topic, 0).high_watermark > 0)


def _freeze(lab: Lab, followers: list[int]) -> None:
    for node in followers:
        lab.cluster.pause(node)
    time.sleep(FETCH_WAIT_S)


@recipe("nodes", 'acks="all"')
def acks_1_loss(lab: Lab, protected: bool) -> Result:
    """A leader dies before its followers have copied: what it acknowledged with acks=1 is gone.

    It is a clean election: the new leader was in sync as far as anybody knew. The old one, when it is back,
    cuts its log to the new leader's.
    """
    lab.topic_of_one_partition()
    settings = Settings(acks="all" if protected else 1, enable_idempotence=protected)
    with _healed(lab) as (leader, followers), lab.open(lab.cluster.bootstrap_servers, settings) as client:
        _send_base(lab, client)
        _freeze(lab, followers)
        tickets = client.send_all(lab.topic, RECORDS)
        if not protected:
            for ticket in tickets:
                ticket.wait()
        lab.cluster.kill(leader)
        for node in followers:
            lab.cluster.resume(node)
        lab.cluster.wait_leader(lab.topic, 0, other_than=leader)
        seen = judged(lab, client)
    return Result(bool(seen.lost), seen)


@recipe("nodes", "min.insync.replicas=2")
def below_min_isr(lab: Lab, protected: bool) -> Result:
    """One replica is left in sync: acks="all" is content with it, unless min.insync.replicas demands two.

    Then the leader refuses (NOT_ENOUGH_REPLICAS) and writes nothing. The damage is an acknowledgement for a
    record of which one copy exists.
    """
    lab.topic_of_one_partition(min_insync_replicas="2" if protected else "1")
    with _healed(lab) as (leader, followers), lab.open(lab.cluster.bootstrap_servers, NO_RETRIES) as client:
        _send_base(lab, client)
        for node in followers:
            lab.cluster.kill(node)
        lab.cluster.wait_isr(lab.topic, 0, ids=[leader])
        ticket = client.send(lab.topic, b"m0").wait()
        seen = judged(lab, client)
    return Result(ticket.outcome == "acked", seen, [ticket.error] if ticket.error else [])


@recipe("nodes", "retries and enable_idempotence", ("kafkalab", "kafka-python", "confluent", "java"))
def timed_out_but_written(lab: Lab, protected: bool) -> Result:
    """The followers freeze: the leader writes, waits for them in vain, and says REQUEST_TIMED_OUT.

    The record is in its log and becomes visible when the followers are back. A producer that retries gets its
    acknowledgement in the end; without idempotence the record is there once more for each retry.
    """
    lab.topic_of_one_partition()
    settings = Settings(request_timeout_ms=1_000) if protected else NO_RETRIES
    with _healed(lab) as (_, followers), lab.open(lab.cluster.bootstrap_servers, settings) as client:
        _send_base(lab, client)
        _freeze(lab, followers)
        ticket = client.send(lab.topic, b"m0")
        if not protected:
            ticket.wait()
        for node in followers:
            lab.cluster.resume(node)
        lab.cluster.wait_isr(lab.topic, 0)
        client.settle()
        lab.cluster.heal()
        seen = judged(lab, client)
    damage = bool(seen.unacknowledged_but_present or seen.duplicated)
    return Result(damage, seen, [ticket.error] if ticket.error else [])


@recipe("nodes", 'acks="all"')
def acks_1_unreadable(lab: Lab, protected: bool) -> Result:
    """Below min.insync.replicas the high watermark stands still: an acks=1 success that nobody can read.

    With acks="all" the leader refuses instead (NOT_ENOUGH_REPLICAS). When the followers are back, what
    was acknowledged appears; had the leader died meanwhile, it would be gone.
    """
    lab.topic_of_one_partition()
    settings = Settings(
        acks="all" if protected else 1, enable_idempotence=False, retries=0, delivery_timeout_ms=3_000
    )
    with _healed(lab) as (leader, followers), lab.open(lab.cluster.bootstrap_servers, settings) as client:
        _send_base(lab, client)
        for node in followers:
            lab.cluster.kill(node)
        lab.cluster.wait_isr(lab.topic, 0, ids=[leader])
        ticket = client.send(lab.topic, b"m0").wait()
        meanwhile = audit(lab.cluster, lab.topic, client.sent)
        lab.cluster.heal()
        seen = judged(lab, client)
    story = [f"While the followers were away: {len(meanwhile.lost)} acknowledged record could not be read."]
    return Result(bool(meanwhile.lost), seen, story + ([ticket.error] if ticket.error else []))


@recipe("nodes", "unclean.leader.election.enable=false")
def lone_leader(lab: Lab, protected: bool) -> Result:
    """The last replica in sync dies, and one that lags may lead: acknowledged records are gone for good.

    min.insync.replicas is 1 here. Without unclean election the partition has no leader until the last one
    is back, and nothing is lost.
    """
    lab.topic_of_one_partition(
        min_insync_replicas="1", unclean_leader_election_enable="false" if protected else "true"
    )
    with _healed(lab) as (leader, followers), lab.open(lab.cluster.bootstrap_servers, Settings()) as client:
        _send_base(lab, client)
        for node in followers:
            lab.cluster.kill(node)
        lab.cluster.wait_isr(lab.topic, 0, ids=[leader])
        for value in RECORDS:
            client.send(lab.topic, value).wait()
        lab.cluster.kill(leader)
        for node in followers:
            lab.cluster.restart(node)
        if not protected:
            lab.cluster.wait_leader(lab.topic, 0, other_than=leader)
        lab.cluster.heal()
        seen = judged(lab, client)
    return Result(bool(seen.lost), seen)
