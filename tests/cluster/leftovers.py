"""What a cluster has in the container engine, by its label."""

from kafkalab.cluster.engine import CLUSTER_LABEL, engine


def left_of(cluster_id: str) -> list[str]:
    """Names of all containers and networks that carry this cluster's label."""
    label = {"label": f"{CLUSTER_LABEL}={cluster_id}"}
    with engine() as client:
        found = client.containers.list(all=True, filters=label, ignore_removed=True)
        return [thing.name for thing in [*found, *client.networks.list(filters=label)]]
