"""Faults as recipes, each with its control.

    from kafkalab.faults import recipes

    print(recipes.run("lost-acknowledgement", cluster, client="confluent", protected=False))

RECIPES lists them; a recipe's docstring says what it shows.
"""

import difflib

from kafkalab.cluster import Cluster
from kafkalab.faults import clients
from kafkalab.faults.recipes import nodes, requests
from kafkalab.faults.recipes.base import RECIPES, Lab, Recipe, Result

__all__ = ["RECIPES", "Lab", "Recipe", "Result", "nodes", "requests", "run"]


def run(
    name: str,
    cluster: Cluster,
    client: str = "kafkalab",
    *,
    protected: bool = False,
    topic: str | None = None,
) -> Result:
    """Run a recipe; `client` as in clients.NAMES, `topic` (recreated) by default the recipe's name.

    Raises ValueError for an unknown recipe or client.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no recipe {name!r}: known are {', '.join(RECIPES)}{hint}")
    where = topic or f"{cluster.prefix}recipe-{name}"
    return RECIPES[name](Lab(cluster, where, clients.factory(client)), protected=protected)
