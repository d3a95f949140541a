from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from kafkalab.course import chapters, hints
from kafkalab.course.chapter import Chapter
from kafkalab.producer import ProducerClosedError

FIRST = chapters.find("01")


def cluster(**states: str) -> Any:
    nodes = [SimpleNamespace(node_id=int(n[1:]), role="broker", state=state) for n, state in states.items()]
    return SimpleNamespace(status=lambda: SimpleNamespace(nodes=nodes))


def test_a_missing_name_leads_to_the_cell_that_makes_it() -> None:
    error = NameError("name 'orders' is not defined", name="orders")
    assert hints.hint(error, FIRST, None) == (
        "'orders' comes from the cell that begins with "
        "'orders = lab.topic(\"orders\", partitions=6, replication_factor=3)'. "
        "Run the chapter's cells in order, from the first."
    )


@pytest.mark.parametrize("name", ["ordres", None])
def test_a_name_that_no_cell_makes_gets_no_hint(name: str | None) -> None:
    assert hints.hint(NameError("?", name=name), FIRST, None) is None


def test_a_closed_producer_is_made_anew_by_running_the_chapter() -> None:
    assert "from the first" in str(hints.hint(ProducerClosedError(), FIRST, None))


def test_an_interrupted_cell_may_have_left_brokers_down() -> None:
    assert hints.hint(KeyboardInterrupt(), FIRST, cluster(_1="running", _2="running")) is None
    told = hints.hint(KeyboardInterrupt(), FIRST, cluster(_1="dead", _2="running", _3="paused"))
    assert (
        told == "Still down: broker 1 (dead), broker 3 (paused). lab.cluster.heal() brings all brokers back."
    )


def test_a_chapter_that_is_not_installed_gives_no_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise FileNotFoundError

    monkeypatch.setattr(hints.workcopy, "source", gone)
    assert hints.hint(NameError("?", name="orders"), FIRST, None) is None


def test_in_a_shell_the_error_stays_what_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fake_cluster: Any, progress: Any
) -> None:
    shell = InteractiveShell()
    monkeypatch.setattr(hints, "running_shell", lambda: shell)
    for _ in range(2):  # the cell that makes the chapter may run twice
        Chapter("01", cluster=fake_cluster, progress=progress)
    result = shell.run_cell("orders")
    assert isinstance(result.error_in_exec, NameError)
    told = capsys.readouterr().out
    assert told.count("name 'orders' is not defined") == 1
    assert told.count("comes from the cell that begins with") == 1
    shell.run_cell("1 / 0")
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert shell.run_cell("orders = 1").success


def test_outside_of_a_shell_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "running_shell", lambda: None)
    hints.install(FIRST, None)
