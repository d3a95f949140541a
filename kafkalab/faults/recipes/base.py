"""What a recipe is: a fault on purpose, what it does to a producer, and the protection that prevents it.

Rules
- Every recipe runs twice: without its protection the damage appears, with it the damage does not. Without
  that control a recipe proves nothing.
- A recipe takes any client and leaves a cluster as it found it, topics apart.
- What it waits for is a condition; where it must let time pass, it says why.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from kafkalab.cluster import Cluster
from kafkalab.faults.auditing import Audit, audit
from kafkalab.faults.clients import Client, Factory, Settings

Kind = Literal["proxy", "nodes"]


class Lab(NamedTuple):
    """Where a recipe runs, and with which client."""

    cluster: Cluster
    topic: str
    """Recreated by the recipe."""
    client: Factory

    def topic_of_one_partition(self, **config: str) -> None:
        """Recreate the topic: one partition on brokers 1, 2, 3, led by the first; config names with "_"."""
        settings = {"min.insync.replicas": "2", **{name.replace("_", "."): v for name, v in config.items()}}
        brokers = self.cluster.broker_ids[:3]
        self.cluster.recreate_topic(self.topic, assignment=[brokers], config=settings)

    def open(self, bootstrap_servers: str, settings: Settings) -> Client:
        """Start a client."""
        return self.client(bootstrap_servers, settings)


@dataclass
class Result:
    """What came of it; print it."""

    damage: bool
    """Whether the damage that the recipe is about has appeared."""
    audit: Audit
    story: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join([*self.story, str(self.audit)])


Run = Callable[[Lab, bool], Result]


@dataclass(frozen=True)
class Recipe:
    """One recipe; call it with a Lab, and say whether the protection is on."""

    name: str
    kind: Kind
    """ "proxy": needs no node to fail, and works on any cluster. "nodes": kills and freezes brokers."""
    protection: str
    """What prevents the damage."""
    clients: tuple[str, ...]
    """Clients of which that is true; others lack the feature, or what protects from it."""
    run: Run

    @property
    def title(self) -> str:
        """The first line of what the recipe says of itself."""
        return (self.run.__doc__ or "").partition("\n")[0]

    def __call__(self, lab: Lab, *, protected: bool) -> Result:
        """Run it."""
        return self.run(lab, protected)


ALL = ("kafkalab", "kafka-python", "confluent", "aiokafka", "java")
RECIPES: dict[str, Recipe] = {}


def recipe(kind: Kind, protection: str, clients: tuple[str, ...] = ALL) -> Callable[[Run], Run]:
    """Make the function below a recipe of its name."""

    def register(run: Run) -> Run:
        name = getattr(run, "__name__", "").replace("_", "-")
        RECIPES[name] = Recipe(name, kind, protection, clients, run)
        return run

    return register


def judged(lab: Lab, client: Client) -> Audit:
    """Wait for every outcome, and audit."""
    client.settle()
    return audit(lab.cluster, lab.topic, client.sent)
