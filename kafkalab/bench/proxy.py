"""What a FaultProxy without rules costs: confluent-kafka's records per second through it and past it.

Rules
- Pairs alternate, and so does which of the two goes first, so that a machine that others use meets both
  alike. A first pair, not counted, warms the brokers up. The median of the ratios counts.
- The client is a process of its own, as a client usually is. In one process (a notebook) the proxy's threads
  wait for the interpreter while the application computes; `same_process=True` measures that.
- 100-byte values, acks=all, batches of 128 KiB, delivery callbacks, three partitions with three replicas.
"""

import statistics
import subprocess
import sys
import time
from typing import NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from kafkalab.cluster import Cluster, NoClusterError
from kafkalab.faults import FaultProxy

VALUE = b"x" * 100
BATCH_BYTES = 131_072
RECORDS = 500_000
LIMIT_S = 120


class Pair(NamedTuple):
    """Records per second, of one turn each."""

    direct: float
    proxied: float

    @property
    def ratio(self) -> float:
        """The part of the direct speed that is left."""
        return self.proxied / self.direct


def proxy_bench(
    pairs: int = 10, records: int = RECORDS, *, same_process: bool = False, console: Console | None = None
) -> list[Pair]:
    """Measure `pairs` pairs of `records` records each and print them to `console` (default: stdout).

    Joins the running cluster, else starts one of its own. Raises ClusterError when there is none to be had,
    ImportError without confluent-kafka.
    """
    console = console or Console()
    try:
        result = _measure(Cluster.attach(), pairs, records, same_process, console)
    except NoClusterError:
        with Cluster.start(brokers=3, profile="kafka") as cluster:
            result = _measure(cluster, pairs, records, same_process, console)
    console.print(table(result))
    return result


def _measure(cluster: Cluster, pairs: int, records: int, same_process: bool, console: Console) -> list[Pair]:
    topic = cluster.prefix + "bench-proxy"
    cluster.recreate_topic(topic, partitions=3)
    speed = produce if same_process else _produce_elsewhere
    measured = []
    with FaultProxy(cluster.bootstrap_servers, cluster.security) as proxy:
        ways = [cluster.bootstrap_servers, proxy.bootstrap_servers]
        for turn in track(range(pairs + 1), "Producing", console=console, transient=True):
            order = ways if turn % 2 else ways[::-1]
            speeds = {way: speed(way, topic, records) for way in order}
            if turn:
                measured.append(Pair(*(speeds[way] for way in ways)))
    cluster.delete_topic(topic)
    return measured


def _produce_elsewhere(servers: str, topic: str, records: int) -> float:
    order = [sys.executable, "-m", __name__, servers, topic, str(records)]
    done = subprocess.run(order, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    return float(done.stdout.splitlines()[-1])


def produce(servers: str, topic: str, records: int) -> float:
    """Send `records` values and return how many a second were acknowledged. Raises RuntimeError."""
    from confluent_kafka import Producer as Librdkafka  # noqa: PLC0415 - only this bench needs it

    producer = Librdkafka(
        {
            "bootstrap.servers": servers,
            "acks": "all",
            "linger.ms": 5,
            "batch.size": BATCH_BYTES,
            "batch.num.messages": 1_000_000,  # bytes decide
            "max.in.flight.requests.per.connection": 5,
            "queue.buffering.max.messages": 2_000_000,
        }
    )
    producer.list_topics(topic, timeout=10)
    acknowledged = 0

    def delivered(error: object, _: object) -> None:
        nonlocal acknowledged
        acknowledged += error is None

    started = time.perf_counter()
    for number in range(records):
        producer.produce(topic, VALUE, on_delivery=delivered)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush()
    seconds = time.perf_counter() - started
    if acknowledged != records:
        raise RuntimeError(f"only {acknowledged} of {records} records were acknowledged")
    return records / seconds


def table(pairs: list[Pair]) -> Table:
    """Return every pair, and the median ratio."""
    median = statistics.median(pair.ratio for pair in pairs)
    shown = Table(title=f"FaultProxy: {median:.2f}x (median of {len(pairs)})")
    for column in ("direct, records/s", "proxied, records/s", "ratio"):
        shown.add_column(column, justify="right")
    for pair in pairs:
        shown.add_row(f"{pair.direct:,.0f}", f"{pair.proxied:,.0f}", f"{pair.ratio:.2f}")
    return shown


if __name__ == "__main__":
    print(produce(sys.argv[1], sys.argv[2], int(sys.argv[3])))  # noqa: T201 - read by the parent
