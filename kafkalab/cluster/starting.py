"""Start an own cluster: sweep, prepare, keeper, nodes, ready.

Rules
- What takes long (downloads, image, caches) happens on the caller's side with progress, before there is
  a keeper.
- A port taken between choice and bind is bad luck: the whole start is tried again with new ones.
- Whatever ends the start early, Ctrl-C included, takes down what it had begun.
"""

from typing import NamedTuple

from rich.console import Console

from kafkalab import KAFKA_VERSION
from kafkalab.cluster import choice, healing, statefile
from kafkalab.cluster.backend import Profile
from kafkalab.cluster.brokers import Brokers
from kafkalab.cluster.errors import ImageError, NodeDiedError, PortTakenError
from kafkalab.cluster.keeper import new_id
from kafkalab.cluster.keeping import Keeping, start_keeper
from kafkalab.cluster.nodes import Nodes
from kafkalab.cluster.polling import wait_until

READY_S = 90.0
ATTEMPTS = 3
PORT_TAKEN = "Address already in use"


class Plan(NamedTuple):
    """What to start."""

    backend: str
    brokers: int
    profile: Profile
    name: str | None = None
    """Name of the state directory; None: the cluster's id."""
    settings: tuple[tuple[str, str], ...] = ()
    """Handed to the back end beside what its prepare() returns."""
    or_else: str | None = None
    """Back end to take when this one's image cannot be had."""


def start(plan: Plan, console: Console) -> Keeping:
    """Start a cluster and return when it is ready.

    Raises ClusterError of any kind; nothing is left behind then.
    """
    statefile.sweep()
    plan, settings = _prepare(plan, console)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with console.status(f"Starting Kafka {KAFKA_VERSION}: 1 controller, {plan.brokers} brokers"):
                return _start_once(plan, settings)
        except PortTakenError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable: the loop returns or raises")


def _prepare(plan: Plan, console: Console) -> tuple[Plan, dict[str, str]]:
    module = choice.module(plan.backend)
    module.sweep()
    try:
        return plan, module.prepare(console, plan.profile) | dict(plan.settings)
    except ImageError as error:
        if plan.or_else is None:
            raise
        console.print(f"kafkalab: {plan.or_else} instead: {error}", highlight=False)
        return _prepare(plan._replace(backend=plan.or_else, or_else=None), console)


def _start_once(plan: Plan, settings: dict[str, str]) -> Keeping:
    cluster_id = new_id()
    state = statefile.new_state(cluster_id, plan.backend, KAFKA_VERSION)
    keeping = start_keeper(statefile.create(state, plan.name or cluster_id))
    try:
        keeping.launch(plan.brokers, plan.profile, settings)
        await_ready(keeping)
    except BaseException:
        keeping.stop()
        raise
    return keeping


def await_ready(nodes: Nodes, timeout: float = READY_S) -> None:
    """Wait until every broker lists all; raise NodeDiedError as soon as one has ended instead."""

    def living() -> list[int]:
        states = nodes.states()
        for node in states:
            _require_living(nodes, node)
        return [node for node in states if node not in nodes.controllers]

    brokers = Brokers(nodes.addresses, living, evidence=lambda: log_tails(nodes))
    healing.await_members(brokers, timeout)


def await_back(nodes: Nodes, node_id: int, timeout: float) -> None:
    """Wait until a restarted broker lists itself, which it does once the controller let it in.

    Controllers serve no clients, so for them nothing is waited for but the brokers' contact (heal does).
    """
    if node_id in nodes.controllers:
        return

    def members() -> list[int]:
        _require_living(nodes, node_id)
        return Brokers(nodes.addresses, list).members(node_id)

    wait_until(
        f"broker {node_id} is back",
        members,
        lambda seen: node_id in seen,
        timeout,
        lambda: log_tails(nodes),
    )


def log_tails(nodes: Nodes, lines: int = 8) -> str:
    """Return the last lines of every node's log, for an error's text."""
    return "".join(
        f"\nNode {node} is {state}, its log ends:\n{nodes.log_tail(node, lines)}"
        for node, state in nodes.states().items()
    )


def _require_living(nodes: Nodes, node_id: int) -> None:
    if nodes.states()[node_id] == "dead":
        log = nodes.log_tail(node_id, 40)
        kind = PortTakenError if PORT_TAKEN in log else NodeDiedError
        raise kind(f"Node {node_id} ended while it was starting. Its log ends:\n{log}")
