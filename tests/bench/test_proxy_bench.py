"""What the proxy's bench prints; the figures are another matter."""

import pytest
from rich.console import Console

from kafkalab.bench.proxy import Pair, proxy_bench, table


def test_the_median_of_the_ratios_counts():
    console = Console(record=True, width=120)
    console.print(table([Pair(100, 50), Pair(100, 90), Pair(200, 200)]))
    assert "FaultProxy: 0.90x (median of 3)" in console.export_text()


@pytest.mark.cluster
@pytest.mark.parametrize("same_process", [False, True])
def test_both_ways_are_measured(cluster, same_process):
    pairs = proxy_bench(1, 1_000, same_process=same_process, console=Console(quiet=True))
    assert len(pairs) == 1
    assert all(min(pair) > 0 for pair in pairs)
