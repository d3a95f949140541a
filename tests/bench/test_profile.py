"""Where our producer's time goes: figures of a run, not of a wish."""

import re

from rich.console import Console

from kafkalab.bench.profile import profile_bench


def test_the_profile_tells_what_a_record_costs_and_which_functions_have_it():
    console = Console(record=True, width=120)
    profile_bench(4000, console)
    told = console.export_text()
    for size in ("16 KiB", "128 KiB"):
        row = next(line for line in told.splitlines() if line.startswith(f"│ {size:>7} "))
        send, io, together, _ = map(float, re.findall(r"\d+\.\d+", row))
        assert 0 < send < together < 100
        assert abs(send + io - together) < 0.02
    calls, each, share = re.search(r"called (\S+) times a record, (\d+) ns each: (\S+)% of", told).groups()
    assert 0 < float(calls) < 0.1
    assert 0 < int(each) < 100_000
    assert float(share) < 5
    assert "accumulator.try_append" in told
    assert "kafka.protocol" in told
