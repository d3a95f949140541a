"""The one generator of server.properties, for every back end.

Rules
- Back ends differ only in `Place` (addresses, data directory).
- A setting that departs from Kafka's own default stands in LAB_SETTINGS with that default and the reason,
  so that a lesson can show both. The profile "kafka" leaves all timings at Kafka's defaults.

Left out: JVM flags (each back end's business) and topic settings (create_topic).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kafkalab.cluster.backend import Place, Profile, Role


class LabSetting(NamedTuple):
    """One broker setting as the lab has it, Kafka's default beside it."""

    name: str
    lab: str
    production: str
    why: str


LAB_TIMEOUTS = (
    LabSetting("broker.heartbeat.interval.ms", "500", "2000", "a dead broker is noticed sooner"),
    LabSetting("broker.session.timeout.ms", "3000", "9000", "leaders move about 3 s after a kill"),
    LabSetting("controller.quorum.election.timeout.ms", "500", "1000", "the controller is up sooner"),
    LabSetting("controller.quorum.fetch.timeout.ms", "1000", "2000", "the controller is missed sooner"),
    LabSetting("replica.lag.time.max.ms", "5000", "30000", "a stuck follower leaves the ISR within 5 s"),
    LabSetting("replica.fetch.backoff.ms", "200", "1000", "a follower retries sooner"),
    LabSetting("group.initial.rebalance.delay.ms", "0", "3000", "a first consumer starts at once"),
    LabSetting("log.initial.task.delay.ms", "1000", "30000", "deleted topics leave the disk soon"),
    LabSetting("file.delete.delay.ms", "1000", "60000", "deleted topics leave the disk soon"),
    LabSetting("log.segment.delete.delay.ms", "1000", "60000", "deleted topics leave the disk soon"),
)
LAB_SIZES = (
    LabSetting("offsets.topic.num.partitions", "3", "50", "fewer files, a quicker start"),
    LabSetting("transaction.state.log.num.partitions", "3", "50", "fewer files, a quicker start"),
    LabSetting("log.cleaner.dedupe.buffer.size", "2097152", "134217728", "fits a small heap"),
    LabSetting("log.index.size.max.bytes", "1048576", "10485760", "an index is allocated in full"),
    LabSetting("auto.create.topics.enable", "false", "true", "a misspelt topic is an error"),
    LabSetting("auto.leader.rebalance.enable", "false", "true", "leaders move only when a lesson moves them"),
)
LAB_SETTINGS = LAB_TIMEOUTS + LAB_SIZES


def server_properties(
    node_id: int,
    role: Role,
    places: Mapping[int, Place],
    controllers: Sequence[int],
    profile: Profile = "lab",
) -> dict[str, str]:
    """Return one node's server.properties; `places` holds every node's place, `controllers` the voters."""
    brokers = len(places) - len(controllers)
    return {
        "node.id": str(node_id),
        "process.roles": role,
        "log.dirs": places[node_id].data_dir,
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": ",".join(
            f"{n}@{places[n].internal_host}:{places[n].internal_port}" for n in controllers
        ),
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        **_listeners(role, places[node_id]),
        **_replication(brokers),
        **{setting.name: setting.lab for setting in _settings(profile)},
    }


def _settings(profile: Profile) -> tuple[LabSetting, ...]:
    return LAB_SETTINGS if profile == "lab" else LAB_SIZES


def _listeners(role: Role, place: Place) -> dict[str, str]:
    internal = f"{place.bind}:{place.internal_port}"
    if role == "controller":
        return {"listeners": f"CONTROLLER://{internal}"}
    return {
        "listeners": f"CLIENT://{place.bind}:{place.client_port},INTERNAL://{internal}",
        "advertised.listeners": (
            f"CLIENT://127.0.0.1:{place.published_port},"
            f"INTERNAL://{place.internal_host}:{place.internal_port}"
        ),
        "inter.broker.listener.name": "INTERNAL",
    }


def _replication(brokers: int) -> dict[str, str]:
    """Kafka's defaults (3 replicas, 2 in sync), lowered only where fewer brokers exist."""
    replicas, in_sync = str(min(3, brokers)), str(min(2, brokers))
    return {
        # Set on controllers too: from Kafka 5.0 on they alone decide.
        "default.replication.factor": replicas,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def as_text(properties: Mapping[str, str]) -> str:
    """Render in Java's properties format; backslashes (Windows paths) are doubled."""
    return "".join(f"{key}={value.replace(chr(92), chr(92) * 2)}\n" for key, value in properties.items())


def meta_properties(cluster_id: str, node_id: int, directory_id: str) -> str:
    """Return what `kafka-storage.sh format` writes into the data directory's meta.properties."""
    return f"version=1\ncluster.id={cluster_id}\nnode.id={node_id}\ndirectory.id={directory_id}\n"
