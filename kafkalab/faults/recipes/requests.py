"""Recipes that need no broker to fail: a proxy loses, refuses or holds one request. About a second each."""

from kafkalab.cluster.polling import wait_until
from kafkalab.faults.auditing import Sent, audit
from kafkalab.faults.clients import Client, Settings, Ticket
from kafkalab.faults.proxy import FaultProxy
from kafkalab.faults.recipes.base import Lab, Result, judged, recipe

RECORDS = [b"m%d" % number for number in range(5)]
PIPELINES = ("kafkalab", "kafka-python", "confluent", "java")
"""Clients with more than one request in flight per partition: aiokafka always waits for the answer."""


def _proxy(lab: Lab) -> FaultProxy:
    return FaultProxy(lab.cluster.bootstrap_servers, lab.cluster.security)


def _one_by_one(client: Client, topic: str, values: list[bytes] | None = None) -> None:
    for value in RECORDS if values is None else values:
        client.send(topic, value).wait()


@recipe("proxy", "enable_idempotence")
def lost_acknowledgement(lab: Lab, protected: bool) -> Result:
    """An answer is lost after the broker has written: the client must retry, and the record is there twice.

    An idempotent producer retries too, and the broker knows the batch by producer id, epoch and sequence.
    """
    lab.topic_of_one_partition()
    with _proxy(lab) as proxy:
        lost = proxy.drop_response("Produce", nth=2, topic=lab.topic, reset=True)
        with lab.open(proxy.bootstrap_servers, Settings(enable_idempotence=protected)) as client:
            _one_by_one(client, lab.topic)
            seen = judged(lab, client)
    story = [f"The answer to the second Produce was lost: {lost.fired}."]
    return Result(bool(seen.duplicated), seen, story)


@recipe("proxy", "enable_idempotence")
def duplicate(lab: Lab, protected: bool) -> Result:
    """The broker writes, then answers with an error that may be retried: the record is there twice."""
    lab.topic_of_one_partition()
    with _proxy(lab) as proxy:
        proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS_AFTER_APPEND", nth=2, forward=True, topic=lab.topic)
        with lab.open(proxy.bootstrap_servers, Settings(enable_idempotence=protected)) as client:
            _one_by_one(client, lab.topic)
            seen = judged(lab, client)
    return Result(bool(seen.duplicated), seen)


@recipe("proxy", "enable_idempotence", PIPELINES)
def reorder(lab: Lab, protected: bool) -> Result:
    """With five in flight, a request is refused after the next one was written: its retry comes too late.

    The partition is warm (one record acknowledged) because a broker takes any first sequence of a producer
    that it does not know; see first-batch-refused.
    """
    lab.topic_of_one_partition()
    with _proxy(lab) as proxy:
        settings = Settings(enable_idempotence=protected, batch_size=0)
        with lab.open(proxy.bootstrap_servers, settings) as client:
            client.warm_up(lab.topic)
            proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", after_next=True, topic=lab.topic)
            client.send_all(lab.topic, RECORDS)
            seen = judged(lab, client)
    return Result(bool(seen.reordered), seen)


@recipe("proxy", 'acks="all"')
def acks_0_loss(lab: Lab, protected: bool) -> Result:
    """A request is lost on its way: with acks=0 there is no answer to miss, so nobody ever knows."""
    lab.topic_of_one_partition()
    settings = Settings(acks="all" if protected else 0, enable_idempotence=False)
    with _proxy(lab) as proxy:
        lost = proxy.drop_request("Produce", nth=2, reset=True, topic=lab.topic)
        with lab.open(proxy.bootstrap_servers, settings) as client:
            _one_by_one(client, lab.topic, RECORDS[:2])
            lost.wait()
            _await_first(lab)
            seen = judged(lab, client)
    return Result(bool(seen.lost), seen)


def _await_first(lab: Lab) -> None:
    """Wait for the first record: with acks=0 nobody tells when it is written."""
    wait_until("the first record is there", lambda: lab.cluster.offsets(lab.topic, 0).high_watermark > 0)


@recipe("proxy", "one record acknowledged before", ("confluent", "java"))
def first_batch_refused(lab: Lab, protected: bool) -> Result:
    """The first batch of a fresh producer id is refused while later ones are under way.

    The broker does not know the producer id and takes whatever sequence comes first. The refused batch is
    then out of sequence for ever: a client that had others in flight loses it or reports an error. The
    protection is a first record that is acknowledged alone.
    """
    lab.topic_of_one_partition()
    with _proxy(lab) as proxy:
        settings = Settings(batch_size=0, delivery_timeout_ms=4_000)
        with lab.open(proxy.bootstrap_servers, settings) as client:
            if protected:
                client.warm_up(lab.topic)
            proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", after_next=True, topic=lab.topic)
            client.send_all(lab.topic, RECORDS)
            seen = judged(lab, client)
            failed = [ticket for ticket in client.tickets if ticket.outcome == "failed"]
    story = [f"{ticket.value.decode()} failed: {ticket.error}" for ticket in failed]
    return Result(bool(seen.lost or failed), seen, story)


@recipe("proxy", "buffer_memory", ("kafkalab", "confluent", "java"))
def buffer_full(lab: Lab, protected: bool) -> Result:
    """The broker does not answer, the buffer fills up, and send() is refused after max_block_ms."""
    lab.topic_of_one_partition()
    memory = 32 << 20 if protected else 64 << 10
    settings = Settings(
        enable_idempotence=False, buffer_memory=memory, max_block_ms=500, request_timeout_ms=10_000
    )
    with _proxy(lab) as proxy, lab.open(proxy.bootstrap_servers, settings) as client:
        client.warm_up(lab.topic)
        held = proxy.hold("Produce", times=None, topic=lab.topic)
        values = [b"%03d" % number + b"." * 4_000 for number in range(40)]
        tickets = [client.send(lab.topic, value) for value in values[:1]]
        held.wait()
        for value in values[1:]:
            tickets.append(client.send(lab.topic, value))
            if _refused(tickets[-1]):
                break
        held.release()
        seen = judged(lab, client)
        refused = [ticket for ticket in tickets if ticket.outcome == "failed"]
    story = [f"{len(refused)} refused: {refused[0].error}"] if refused else []
    return Result(bool(refused), seen, story)


def _refused(ticket: Ticket) -> bool:
    return ticket.told and ticket.outcome == "failed"


@recipe("proxy", "a longer delivery_timeout_ms", PIPELINES)
def delivery_timeout(lab: Lab, protected: bool) -> Result:
    """No answer comes until delivery_timeout_ms is over: the client says failed, and the record is there.

    An error never says that nothing was written.
    """
    lab.topic_of_one_partition()
    settings = Settings(
        enable_idempotence=False,
        request_timeout_ms=500,
        delivery_timeout_ms=20_000 if protected else 1_500,
    )
    with _proxy(lab) as proxy, lab.open(proxy.bootstrap_servers, settings) as client:
        client.warm_up(lab.topic)
        silence = proxy.drop_response("Produce", times=None, topic=lab.topic)
        ticket = client.send(lab.topic, b"m0")
        silence.wait()
        if not protected:
            ticket.wait()
        silence.cancel()
        seen = judged(lab, client)
    return Result(ticket.outcome == "failed", seen, [ticket.error] if ticket.error else [])


@recipe("proxy", "transactional_id")
def zombie(lab: Lab, protected: bool) -> Result:
    """A producer that was replaced writes all the same; a transactional id fences it."""
    lab.topic_of_one_partition()
    name = f"{lab.topic}-zombie" if protected else None
    settings = Settings(transactional_id=name)
    with _proxy(lab) as proxy, lab.open(proxy.bootstrap_servers, settings) as old:
        if protected:
            old.init_transactions()
            old.begin()
        old.send(lab.topic, b"zombie").wait()
        with lab.open(proxy.bootstrap_servers, settings) as new:
            story = _take_over(lab, old, new) if protected else []
            new.settle()
            if not protected:
                new.send(lab.topic, b"successor").wait()
            seen = audit(lab.cluster, lab.topic, [*_without_truth(old), *new.sent])
    return Result(bool(seen.aborted_but_visible), seen, story)


def _take_over(lab: Lab, old: Client, new: Client) -> list[str]:
    new.init_transactions()
    new.begin()
    new.send(lab.topic, b"successor").wait()
    new.commit()
    try:
        old.commit()
    except Exception as error:  # noqa: BLE001 - each client has its own word for being fenced
        return [f"The zombie's commit: {type(error).__name__}: {error}"]
    return ["The zombie's commit went through."]


def _without_truth(old: Client) -> list[Sent]:
    """Return the zombie's records as what they should be: not there."""
    return [each._replace(outcome="aborted") for each in old.sent]
