"""What the comparison of producers says and writes; the figures are another matter."""

import json

import pytest
from rich.console import Console

from kafkalab.bench import producers
from kafkalab.bench.producers import Scenario, as_json, installed, producer_bench, table


def test_the_table_says_how_many_times_as_fast_we_are():
    console = Console(record=True, width=120)
    console.print(table([Scenario("small", 16_384, {"kafkalab": 3000.0, "other": 1500.0})]))
    assert "1,500 (2.00x)" in console.export_text()


def test_json_has_the_agreed_shape():
    told = as_json([Scenario("small", 16_384, {"kafkalab": 3000.4})])
    assert told == {"scenarios": [{"name": "small", "clients": {"kafkalab": {"records_per_s": 3000}}}]}


def test_a_peer_that_is_not_installed_is_left_out_with_a_line(monkeypatch):
    monkeypatch.setattr(producers.importlib.util, "find_spec", lambda name: None)
    console = Console(record=True, width=120)
    assert list(installed(console)) == ["kafkalab"]
    assert (
        "confluent-kafka is left out: it is not installed (pip install confluent-kafka)"
        in console.export_text()
    )


@pytest.mark.cluster
def test_every_client_delivers_and_the_file_is_written(cluster, tmp_path):
    result = producer_bench(2000, 1, tmp_path / "bench.json", Console(quiet=True))
    written = json.loads((tmp_path / "bench.json").read_text())
    assert written == as_json(result)
    assert all(list(each["clients"]) == list(installed(Console(quiet=True))) for each in written["scenarios"])
