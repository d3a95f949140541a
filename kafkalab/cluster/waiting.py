"""Wait until every running broker shows a partition as a lesson wants it.

Rules: all of them must agree, so that whichever broker a client asks next, it sees the same.
"""

from collections.abc import Sequence

from kafkalab.cluster.brokers import Brokers, Partition


def wait_leader(
    brokers: Brokers, where: tuple[str, int], node_id: int | None, other_than: int | None, timeout: float
) -> int:
    """Wait for one and the same running leader; see Cluster.wait_leader()."""

    def is_agreed(leaders: set[int | None]) -> bool:
        leader = next(iter(leaders), None)
        wanted = node_id in (None, leader) and leader not in (None, other_than)
        return wanted and len(leaders) == 1 and leader in brokers.running()

    topic, partition = where
    who = f"broker {node_id}" if node_id else "a running broker"
    besides = f" other than {other_than}" if other_than else ""
    leaders: set[int] = brokers.wait(
        f"{topic}-{partition} is led by {who}{besides}",
        lambda: {view.leader for view in brokers.views(topic, partition)},
        is_agreed,
        timeout,
    )
    return next(iter(leaders))


def wait_isr(
    brokers: Brokers, where: tuple[str, int], size: int | None, ids: Sequence[int] | None, timeout: float
) -> list[int]:
    """Wait for an ISR of this size or of exactly these ids; see Cluster.wait_isr()."""

    def fits(seen: Partition) -> bool:
        if ids is not None:
            return seen.isr == sorted(ids)
        return len(seen.isr) == (size if size is not None else len(seen.replicas))

    topic, partition = where
    wanted = sorted(ids) if ids is not None else f"{size or 'all'} replicas"
    views: list[Partition] = brokers.wait(
        f"the ISR of {topic}-{partition} is {wanted}",
        lambda: brokers.views(topic, partition),
        lambda views: bool(views) and all(fits(view) for view in views),
        timeout,
    )
    return views[0].isr
