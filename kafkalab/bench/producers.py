"""Records per second: our producer beside kafka-python's and librdkafka's, on the cluster at hand.

Rules
- Clients take turns, round after round, so that a machine or brokers that others use meet all alike; the
  medians are compared. A round before them, not counted, warms the brokers up.
- All send the same: 100-byte values without keys, acks=all, linger 5 ms, no idempotence, no compression,
  to three partitions with three replicas. The clock runs from the first send to the last acknowledgement.
- Clients that are not installed are left out, and said to be.

What it cannot tell: anything about brokers of another machine, or about latency.
"""

import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from kafkalab.cluster import Cluster, NoClusterError

VALUE = b"x" * 100
LINGER_MS = 5
BATCH_SIZES = (16_384, 131_072)
OURS = "kafkalab"

Client = Callable[[str, str, int, int], None]
"""Send `records` values to `topic` in batches of `batch_size` bytes, and return when all are acknowledged:
`(bootstrap_servers, topic, records, batch_size)`. Raises when one is not."""


class Scenario(NamedTuple):
    """One batch size: every client's median."""

    name: str
    batch_size: int
    records_per_s: Mapping[str, float]


def producer_bench(
    records: int = 200_000,
    repeats: int = 3,
    json_file: Path | None = None,
    console: Console | None = None,
) -> list[Scenario]:
    """Measure `repeats` rounds of `records` records, print a table, write `json_file` if given.

    Joins the running cluster, else starts one of its own. `console` is stdout by default. Raises ClusterError
    when there is no cluster to be had, and what a client raises that cannot deliver.
    """
    console = console or Console()
    try:
        result = _measure(Cluster.attach(), records, repeats, console)
    except NoClusterError:
        with Cluster.start(brokers=3, profile="kafka") as cluster:
            result = _measure(cluster, records, repeats, console)
    console.print(table(result))
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(result), indent=2) + "\n", encoding="utf-8")
    return result


def _measure(cluster: Cluster, records: int, repeats: int, console: Console) -> list[Scenario]:
    clients = installed(console)
    topic = cluster.prefix + "bench-producers"
    cluster.recreate_topic(topic, partitions=3, replication_factor=3)
    speeds: dict[tuple[int, str], list[float]] = {}
    turns = [
        (turn, batch_size, name)
        for turn in range(repeats + 1)
        for batch_size in BATCH_SIZES
        for name in clients
    ]
    for turn, batch_size, name in track(turns, "Producing", console=console, transient=True):
        speed = _speed(clients[name], cluster.bootstrap_servers, topic, records, batch_size)
        if turn:
            speeds.setdefault((batch_size, name), []).append(speed)
    cluster.delete_topic(topic)
    return [
        Scenario(
            f"{size // 1024} KiB batches, acks=all, not idempotent",
            size,
            {name: statistics.median(speeds[size, name]) for name in clients},
        )
        for size in BATCH_SIZES
    ]


def _speed(client: Client, servers: str, topic: str, records: int, batch_size: int) -> float:
    started = time.perf_counter()
    client(servers, topic, records, batch_size)
    return records / (time.perf_counter() - started)


# --- the clients ----------------------------------------------------------------------------------


def installed(console: Console) -> dict[str, Client]:
    """Return the clients that can be imported, ours first; say which ones are left out."""
    clients: dict[str, Client] = {OURS: produce_kafkalab}
    for name, module, client in (
        ("kafka-python", "kafka", produce_kafka_python),
        ("confluent-kafka", "confluent_kafka", produce_confluent),
    ):
        if importlib.util.find_spec(module) is None:
            console.print(f"{name} is left out: it is not installed (pip install {name})", highlight=False)
        else:
            clients[name] = client
    return clients


def produce_kafkalab(servers: str, topic: str, records: int, batch_size: int) -> None:
    """Use our producer."""
    from kafkalab.producer import Producer  # noqa: PLC0415 - each client is imported when its turn comes

    with Producer(
        bootstrap_servers=servers, acks="all", linger_ms=LINGER_MS, batch_size=batch_size
    ) as producer:
        futures = [producer.send(topic, VALUE) for _ in range(records)]
        producer.flush()
    for future in futures:
        future.result(0)


def produce_kafka_python(servers: str, topic: str, records: int, batch_size: int) -> None:
    """Use kafka-python's producer."""
    from kafka import KafkaProducer  # noqa: PLC0415

    producer = KafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        linger_ms=LINGER_MS,
        batch_size=batch_size,
        enable_idempotence=False,
    )
    futures = [producer.send(topic, VALUE) for _ in range(records)]
    producer.flush()
    producer.close()
    for future in futures:
        future.get(0)


def produce_confluent(servers: str, topic: str, records: int, batch_size: int) -> None:
    """Use librdkafka's producer, with a delivery callback, without which nobody learns of an error."""
    from confluent_kafka import Producer as Librdkafka  # noqa: PLC0415

    producer = Librdkafka(
        {
            "bootstrap.servers": servers,
            "acks": "all",
            "linger.ms": LINGER_MS,
            "batch.size": batch_size,
            "batch.num.messages": 1_000_000,  # bytes decide, as with the others
            "max.in.flight.requests.per.connection": 5,  # as with the others; its default is a million
            "enable.idempotence": False,
            "queue.buffering.max.messages": 2_000_000,
        }
    )
    errors: list[Any] = []

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            errors.append(error)

    for number in range(records):
        producer.produce(topic, VALUE, on_delivery=delivered)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush()
    if errors:
        raise RuntimeError(f"confluent-kafka failed to deliver {len(errors)} records: {errors[0]}")


# --- what is shown --------------------------------------------------------------------------------


def table(scenarios: list[Scenario]) -> Table:
    """Return the medians and, in brackets, how many times as fast we are."""
    names = list(scenarios[0].records_per_s)
    shown = Table(title="Records per second (in brackets: kafkalab is so many times as fast)")
    shown.add_column("Scenario")
    for name in names:
        shown.add_column(name, justify="right")
    for scenario in scenarios:
        shown.add_row(scenario.name, *[_cell(scenario, name) for name in names])
    return shown


def _cell(scenario: Scenario, name: str) -> str:
    speed = scenario.records_per_s[name]
    ratio = "" if name == OURS else f" ({scenario.records_per_s[OURS] / speed:.2f}x)"
    return f"{speed:,.0f}{ratio}"


def as_json(scenarios: list[Scenario]) -> dict[str, Any]:
    """Return what `--json` writes."""
    return {
        "scenarios": [
            {
                "name": scenario.name,
                "clients": {
                    name: {"records_per_s": round(speed)} for name, speed in scenario.records_per_s.items()
                },
            }
            for scenario in scenarios
        ]
    }
