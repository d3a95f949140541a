"""The cells that a claim needs: those that make what its cell uses, and what those need.

By names, without running anything. For each name that a cell takes from others: the last cell before it
that assigns the name, and those between the two that do something to it (`producer.flush()`). Experiments
that kill, freeze or heal brokers come all or none.

What it cannot see (a record sent by another cell, say) shows in the control: the same cells must run through,
and the claim must hold, with the producer as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kafkalab.course import claims
from kafkalab.course.cells import FAULTS, Needs, needs


def cells_for(sources: Sequence[str], claim_id: str) -> list[int]:
    """Return the positions of the cells to run for a claim, its own as the last; LookupError without one."""
    homes = [at for at, source in enumerate(sources) if claim_id in claims.executed_in(source)]
    if not homes:
        raise LookupError(f"No cell executes claim {claim_id!r}.")
    every = [needs(source) for source in sources]
    wanted, open_ends = set(homes[:1]), [(homes[0], name) for name in every[homes[0]].uses]
    while open_ends:
        before, name = open_ends.pop()
        for at in _makers(every, before, name):
            if at not in wanted:
                wanted.add(at)
                open_ends += [(at, each) for each in every[at].uses]
                open_ends += [(homes[0], FAULTS)] if FAULTS in every[at].touches else []
    return sorted(wanted)


def _makers(every: Sequence[Needs], before: int, name: str) -> Iterator[int]:
    for at in range(before - 1, -1, -1):
        if name in every[at].touches:
            yield at
        if name in every[at].defines:
            yield at
            return
