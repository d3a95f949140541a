"""`python -m kafkalab.faults.soak`: soak a cluster of its own; exit code 1 on any damage."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from kafkalab.cluster import Cluster
from kafkalab.faults.soak.run import run


def main(
    minutes: Annotated[float, typer.Option(help="How long things break.", min=0.05)] = 10.0,
    seed: Annotated[int, typer.Option(help="Of the load and of the faults.")] = 1,
    *,
    idempotence: Annotated[
        bool, typer.Option(help="Off is the control: records will be there twice.")
    ] = True,
) -> None:
    """Mixed load while brokers die and freeze; then no record may be lost, doubled, moved or half aborted."""
    console = Console()
    settings = {} if idempotence else {"enable_idempotence": False}
    with Cluster.start(brokers=3, console=console) as cluster:
        result = run(cluster, minutes, seed, settings=settings, console=console)
    console.print(result.shown())
    if result.damage:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
