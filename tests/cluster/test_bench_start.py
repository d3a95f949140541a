"""The start-up bench: what it prints and that the AOT cache is worth its disk space."""

import pytest
from rich.console import Console

from kafkalab.bench.start import Start, StartBench, compare, median, start_bench


def test_medians_and_ratios():
    starts = [Start(3.0, 9.0, 10), Start(1.0, 8.0, 30), Start(2.0, 7.0, 20)]
    assert median(starts) == Start(2.0, 8.0, 20)
    assert compare(Start(2.0, 4.0, 1), Start(5.0, 8.0, 1)) == StartBench(
        Start(2.0, 4.0, 1), Start(5.0, 8.0, 1), 2.5, 2.0
    )


@pytest.mark.cluster
@pytest.mark.slow
def test_the_aot_cache_halves_the_work_of_a_start():
    with Console(record=True, width=100, stderr=True) as console:
        result = start_bench(repeats=1, console=console)
    assert "with AOT cache" in console.export_text()
    # The wall clock depends on who else uses the machine; the CPU time of the nodes hardly does.
    assert result.cpu_ratio > 1.6
    assert result.with_aot.rss_bytes < 700e6
