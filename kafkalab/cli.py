"""The command line: `kafkalab lab | up | down | status | doctor | run | bench | campaign | new | progress`.

Each command delegates at once to the package that does the work; what it prints on failure is the error's
message, without a traceback.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    help="The Apache Kafka producer, taken apart and put together on real brokers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class Benchmark(StrEnum):
    """What `kafkalab bench` can measure."""

    PRODUCERS = "producers"
    PROFILE = "profile"
    PROXY = "proxy"
    START = "start"


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


class Client(StrEnum):
    """Whose producer a campaign tries."""

    KAFKALAB = "kafkalab"
    CONFLUENT = "confluent"
    KAFKA_PYTHON = "kafka-python"
    AIOKAFKA = "aiokafka"
    JAVA = "java"


PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=PASS_ON)
def lab(
    context: typer.Context,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The working copy (default: ./work).")
    ] = None,
) -> None:
    """Open JupyterLab on the course, with a real cluster under it. Other options go to JupyterLab."""
    from kafkalab.course.lab import lab as run_lab  # noqa: PLC0415 - a command pays for its own imports only

    run_lab(directory, context.args)


@app.command()
def up(
    brokers: Annotated[int, typer.Option(help="How many brokers.", min=1)] = 3,
    backend: Annotated[str | None, typer.Option(help="auto, containers or embedded.")] = None,
    build_image: Annotated[bool, typer.Option("--build-image", help="Build the local image first.")] = False,
) -> None:
    """Start a cluster that runs until `kafkalab down`."""
    from kafkalab.cluster import image, running  # noqa: PLC0415

    if build_image:
        image.build(Console(stderr=True))
    running.up(brokers, backend)
    _print_status()


@app.command()
def down() -> None:
    """Stop the cluster of `kafkalab up` and remove its files."""
    from kafkalab.cluster import running  # noqa: PLC0415

    typer.echo("The cluster is down." if running.down() else "No cluster was up.")


@app.command()
def status() -> None:
    """Show the running cluster: back end, addresses, nodes."""
    _print_status()


@app.command()
def doctor() -> None:
    """Check this machine: what the course needs, what is missing, how to fix it."""
    from kafkalab.doctor import examine  # noqa: PLC0415

    if not examine(Console()):
        raise typer.Exit(1)


@app.command()
def run(chapter: Annotated[str, typer.Argument(help="A chapter's number or name, such as 01.")]) -> None:
    """Execute a chapter in the terminal."""
    from kafkalab.course.run import run as run_chapter  # noqa: PLC0415

    if not run_chapter(chapter):
        raise typer.Exit(1)


@app.command()
def bench(  # noqa: PLR0913 - one parameter per option
    what: Annotated[
        Benchmark,
        typer.Argument(
            help="producers: ours beside its peers. profile: where our time goes. "
            "proxy: what a FaultProxy costs. start: until a cluster is ready."
        ),
    ] = Benchmark.PRODUCERS,
    scenario: Annotated[
        list[str] | None, typer.Option(help="Only these, or all that begin so; may be given again.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Runs of each kind; medians are printed.", min=1)] = 3,
    *,
    records: Annotated[int | None, typer.Option(help="Records of a throughput run.", min=1)] = None,
    json: Annotated[Path | None, typer.Option(help="Write the producers' figures to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them into this file (.svg, .png, .pdf).")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the records: for a look.")] = False,
    attach: Annotated[bool, typer.Option("--attach", help="Use the running cluster.")] = False,
) -> None:
    """Measure, and print what was measured."""
    from kafkalab.bench import command, producers, profile, proxy, running, start  # noqa: PLC0415

    if what is Benchmark.START:
        start.start_bench(repeats)
        return
    if what is Benchmark.PROFILE:
        profile.profile_bench(records or 200_000)
        return
    if what is Benchmark.PROXY:
        proxy.proxy_bench(records=records or proxy.RECORDS)
        return
    plan = producers.Plan(repeats, records, quick)
    try:
        command.producer_bench(scenario or (), plan, json, plot, attach=attach)
    except (running.BenchError, ValueError) as error:
        typer.echo(f"kafkalab: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def campaign(  # noqa: PLR0913 - one parameter per option
    client: Annotated[Client, typer.Option(help="Whose producer is tried.")] = Client.KAFKALAB,
    seeds: Annotated[int, typer.Option(help="How many storms, a seed each.", min=1)] = 20,
    first_seed: Annotated[int, typer.Option(help="The first seed.", min=0)] = 0,
    *,
    idempotence: Annotated[Switch, typer.Option(help="off: a control, which must show damage.")] = Switch.ON,
    faults: Annotated[
        str | None, typer.Option(help="Only these of the seed's faults, as 0,3 (none: none of them).")
    ] = None,
    replays: Annotated[int, typer.Option(help="How often a storm with an anomaly is run again.", min=0)] = 5,
    evidence: Annotated[
        Path | None, typer.Option(help="Write recordings of storms with anomalies to this directory.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the sums to this file.")] = None,
) -> None:
    """Let seeded storms of faults loose on a producer, and audit what it said it had delivered.

    Exits with 1 when kafkalab's producer shows damage with idempotence on, or no duplicate with it off.
    """
    from kafkalab.faults.campaign import command  # noqa: PLC0415

    on = idempotence is Switch.ON
    try:
        plan = command.Plan(client.value, seeds, first_seed, on, command.numbers(faults), replays, evidence)
        tally = command.campaign(plan, json)
    except (ValueError, ImportError) as error:
        typer.echo(f"kafkalab: {error}", err=True)
        raise typer.Exit(2) from error
    if client is Client.KAFKALAB and not (tally.clean if on else tally.counted["duplicated"]):
        raise typer.Exit(1)


@app.command()
def new(
    directory: Annotated[Path, typer.Argument(help="Where your copy of the course goes.")],
    *,
    solutions: Annotated[
        bool | None,
        typer.Option(
            "--with-solutions/--without-solutions",
            help="Without, for a class: exercise.solution() says that the teacher holds them; hints stay. "
            "(Who looks into the installed package finds them.) Default: with, or as the copy was.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write your own copy of the course; what is there already stays."""
    from kafkalab.course import workcopy  # noqa: PLC0415

    for line in workcopy.update(directory, solutions=solutions).lines():
        typer.echo(line)


@app.command()
def progress(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files that learners handed in: tell of them, not of you.")
    ] = None,
    *,
    export: Annotated[
        Path | None, typer.Option(help="Write it to this .html file, to print or to hand in.")
    ] = None,
    name: Annotated[str, typer.Option(help="Yours, for the file.")] = "",
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The working copy (default: this one, or ./work).")
    ] = None,
) -> None:
    """Tell what you have shown so far: predictions, claims, exercises; or, of FILES, what a class has."""
    from kafkalab.course import certificate, summary  # noqa: PLC0415

    try:
        if files:
            typer.echo(certificate.collected(*files).text)
            return
        told = summary.Summary(summary.progress_of(directory))
        typer.echo(told.text)
        if export is not None:
            told.export(export, name)
    except (ValueError, OSError) as error:
        typer.echo(f"kafkalab: {error}", err=True)
        raise typer.Exit(1) from error


def _print_status() -> None:
    from kafkalab.cluster.cluster import Cluster  # noqa: PLC0415

    told = Cluster.attach().status()
    typer.echo(f"{told.backend} Kafka {told.kafka_version} at {told.bootstrap_servers}")
    for node in told.nodes:
        memory = f"{node.rss / 1e6:.0f} MB" if node.rss else ""
        typer.echo(f"  {node.role} {node.node_id}: {node.state} {memory}".rstrip())


def main() -> None:
    """Run the command line; errors that explain themselves are printed without a traceback."""
    from kafkalab.cluster.errors import ClusterError  # noqa: PLC0415

    try:
        app()
    except (ClusterError, LookupError, FileNotFoundError, NotADirectoryError) as error:
        typer.echo(f"kafkalab: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
