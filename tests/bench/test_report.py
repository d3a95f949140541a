"""What the bench says, writes and draws; the figures are another matter."""

import json

import pytest
from rich.console import Console

from kafkalab.bench import command, plot, producers, report, running, scenarios
from kafkalab.bench.job import Job, Measure, Outcome
from kafkalab.bench.producers import Plan, Result
from kafkalab.bench.running import BenchError
from kafkalab.bench.scenarios import SCENARIOS, Entrant, chosen

BY_NAME = {each.name: each for each in SCENARIOS}
SPEED = Result(
    BY_NAME["throughput-16KiB"],
    {
        "kafkalab": {"records_per_s": 3000.4, "cpu_us": 2.5},
        "other": {"records_per_s": 1500.0},
        "Java": {"records_per_s": 2000.0, "cold_records_per_s": 500.0},
    },
    3,
)
LATENCY = Result(
    BY_NAME["latency"],
    {"kafkalab": {"p50_ms": 1.0, "p99_ms": 4.0}, "other": {"p50_ms": 2.0, "p99_ms": 2.0}},
    3,
)
MEMORY = Result(BY_NAME["memory-10B"], {"kafkalab": {"grown_mb": 60.2, "accepted": 70_000}}, 1)


def printed(results):
    console = Console(record=True, width=160)
    command.show(results, console)
    return console.export_text()


def test_tables_say_how_we_compare():
    text = printed([SPEED, LATENCY, MEMORY])
    for words in ("1,500 (2.00x)", "2,000 (1.50x); cold 500", "2.00 / 2.00 (2.00x / 0.50x)", "60 (70,000)"):
        assert words in text
    assert "2.50" in text
    assert "medians of 3 alternating runs" in text
    assert "34 + 64 MB" in text


def test_json_has_the_agreed_shape():
    speed, latency, memory = report.as_json([SPEED, LATENCY, MEMORY])["scenarios"]
    assert speed["name"] == "throughput-16KiB"
    assert speed["clients"]["kafkalab"] == {"records_per_s": 3000, "cpu_us": 2.5}
    assert latency["clients"]["other"] == {"p50_ms": 2.0, "p99_ms": 2.0}
    assert memory["clients"] == {"kafkalab": {"grown_mb": 60.2, "accepted": 70_000}}


def test_the_picture_is_the_same_every_time(tmp_path):
    for name in ("a.svg", "b.svg"):
        plot.save([SPEED, LATENCY, MEMORY], tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert all(words in text for words in ("kafkalab", "1,500", "p99 in ms", SPEED.scenario.title))
    plot.save([], tmp_path / "none.png")
    assert (tmp_path / "none.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("json_file", "plot_file"), [(None, "x.gif"), (None, "no/x.svg"), ("no/x.json", None)]
)
def test_files_that_cannot_be_written_are_refused_first(tmp_path, json_file, plot_file):
    files = [name and tmp_path / name for name in (json_file, plot_file)]
    with pytest.raises((ValueError, OSError), match=r"x\.(gif|svg|json)"):
        command.producer_bench([], Plan(), *files, console=Console(quiet=True))


def test_scenarios_are_found_by_name_and_beginning():
    assert [each.name for each in chosen(["throughput"])] == ["throughput-16KiB", "throughput-128KiB"]
    assert chosen(["latency"]) == [BY_NAME["latency"]]
    assert chosen([]) == list(SCENARIOS)
    with pytest.raises(LookupError, match="no scenario is called 'latncy': did you mean 'latency'"):
        chosen(["latncy"])


def test_every_round_begins_with_another_client():
    entrants = [Entrant(name) for name in "abc"]
    order = "".join(each.name for each in producers.turns(entrants, 4))
    assert order == "abc" + "bca" + "cab" + "abc"


def test_all_clients_of_a_scored_scenario_have_the_same_settings():
    for scenario in SCENARIOS:
        settings = [scenario.settings_of(each) for each in scenario.entrants]
        assert not scenario.scored or all(each == settings[0] for each in settings)
        assert all(each["acks"] == "all" and each["enable.idempotence"] for each in settings)


def test_a_job_survives_the_way_to_its_process():
    job = Job("a", Measure.LATENCY, "h:1", "t", 5, settings={"linger.ms": 5})
    assert Job.from_json(job.as_json()) == job
    assert Outcome.from_json(Outcome(1, 2, {"p50_ms": 0.5}).as_json()) == Outcome(1, 2, {"p50_ms": 0.5})


def test_a_client_that_is_not_installed_is_left_out_with_a_line(monkeypatch):
    monkeypatch.setattr(producers.importlib.util, "find_spec", lambda name: None)
    console = Console(record=True, width=160)
    results = list(producers.measure([_small()], None, Plan(1), console))
    assert list(results[0].figures) == ["kafkalab"]
    assert (
        "confluent-kafka is left out: it is not installed (pip install confluent-kafka)"
        in console.export_text()
    )


def _small():
    return scenarios.Scenario(
        "small",
        "few",
        (Entrant("kafkalab"), Entrant("confluent-kafka")),
        place=scenarios.Place.SINK,
        records=50,
    )


def test_a_peer_that_fails_is_left_out_and_ours_is_not_forgiven(monkeypatch):
    def run(job):
        if job.client == failing:
            raise BenchError("it broke")
        return Outcome(1, 0, {"records_per_s": 1.0})

    monkeypatch.setattr(running, "run", run)
    console = Console(record=True, width=160)
    failing = "confluent-kafka"
    (result,) = producers.measure([_small()], None, Plan(2), console)
    assert list(result.figures) == ["kafkalab"]
    assert console.export_text().count("confluent-kafka is left out here: it broke") == 1
    failing = "kafkalab"
    with pytest.raises(BenchError):
        list(producers.measure([_small()], None, Plan(2), console))


def test_what_was_measured_before_an_interruption_is_shown_and_written(monkeypatch, tmp_path):
    def measure(*_):
        yield SPEED
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "measure", measure)
    console = Console(record=True, width=160)
    with pytest.raises(KeyboardInterrupt):
        command.producer_bench(["sink"], Plan(), tmp_path / "bench.json", None, console=console)
    assert "1,500 (2.00x)" in console.export_text()
    assert len(json.loads((tmp_path / "bench.json").read_text())["scenarios"]) == 1


@pytest.mark.cluster
def test_a_whole_run_in_small(cluster, tmp_path):
    names = ["throughput-16KiB", "latency", "tracing"]
    console = Console(record=True, width=160)
    files = (tmp_path / "bench.json", tmp_path / "bench.svg")
    results = command.producer_bench(names, Plan(1, 200), *files, attach=True, console=console)
    written = json.loads(files[0].read_text())
    assert written == json.loads(json.dumps(report.as_json(results)))
    clients = {each["name"]: each["clients"] for each in written["scenarios"]}
    assert list(clients) == names
    assert {"kafkalab", "confluent-kafka", "Java", "kafka-python"} <= set(clients["throughput-16KiB"])
    assert all(each["records_per_s"] > 0 for each in clients["throughput-16KiB"].values())
    assert all(set(each) == {"p50_ms", "p99_ms"} for each in clients["latency"].values())
    assert results[0].scenario.title in files[1].read_text(encoding="utf-8")
    assert not [name for name in cluster.topics() if "bench-throughput" in name]
