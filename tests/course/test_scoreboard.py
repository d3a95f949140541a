"""The scoreboard: order, files, merging, and what is said of files that are none."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from kafkalab.course import scoreboard
from kafkalab.course.progress import Progress
from kafkalab.course.runs import Run
from kafkalab.course.scoreboard import Row, Scoreboard, ScoreboardError, compete
from kafkalab.faults import Audit


def run(rate: float = 400.0, slowest: float = 4.5, **hurt: int) -> Run:
    return Run("x", 8, {"acks": "1"}, Audit("t", (), 0), {"calm": hurt}, rate, [0.1, slowest])


def row(name: str, rate: float = 400.0, slowest: float = 4.5, **hurt: int) -> Row:
    return Row.of(name, run(rate, slowest, **hurt), run(100.0))


def test_the_goal_comes_first_then_the_rate_then_patience() -> None:
    board = Scoreboard()
    for each in (row("slow", 130), row("hurt", 900, lost=2), row("late", 200, 6), row("first", 200, 5)):
        board.add(each)
    assert [each.name for each in board.rows] == ["first", "late", "slow", "hurt"]
    assert "2 lost" in repr(board)
    assert board.rows[0].ratio == 2.0
    assert not board.rows[-1].reached


def test_a_reference_that_never_came_through_is_no_division_by_zero() -> None:
    assert Row.of("ann", run(), run(0.0)).ratio == 0.0


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, None, 3])
def test_a_name_is_needed(name: Any) -> None:
    with pytest.raises(ScoreboardError, match="1 to 40 characters"):
        Row.of(name, run(), run())


def test_a_board_is_kept_beside_the_progress_and_kernels_do_not_forget_each_other(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "progress.json")
    one, two = Scoreboard.beside(progress), Scoreboard.beside(progress)
    one.add(row("ann"))
    two.add(row("bob"))
    assert {each.name for each in Scoreboard.beside(progress).rows} == {"ann", "bob"}
    assert [path.name for path in tmp_path.iterdir()] == ["scoreboard.json"]


def test_files_of_a_class_are_merged_each_row_once(tmp_path: Path) -> None:
    files = []
    for name in ("ann", "bob"):
        board = Scoreboard()
        board.add(row(name))
        files.append(board.export(tmp_path / f"{name}.json"))
    merged = Scoreboard.merged(*files, files[0])
    assert [each.name for each in merged.rows] == ["ann", "bob"]
    with pytest.raises(FileExistsError, match="give another name"):
        merged.export(files[0])


def good() -> dict[str, Any]:
    return {"format": "kafkalab-scoreboard", "version": 1, "rows": [dataclasses.asdict(row("ann"))]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told.update(format="else"), "is no scoreboard"),
        (lambda told: told.update(version=2), "of version 2; this course reads 1"),
        (lambda told: told.update(rows={}), "rows is {}, expected a list"),
        (lambda told: told["rows"].append(3), "row 2 is 3, expected an object"),
        (lambda told: told["rows"][0].pop("seed"), "row 1 has no 'seed'"),
        (lambda told: told["rows"][0].update(rate="fast"), "rate is 'fast', expected float"),
        (lambda told: told["rows"][0].update(rate=-1), "rate is -1, expected float"),
        (lambda told: told["rows"][0].update(reached=1), "reached is 1, expected bool"),
        (lambda told: told["rows"][0].update(counts={"lost": "x"}), "counts is {'lost': 'x'}"),
    ],
)
def test_a_file_that_is_none_is_refused_and_left_alone(tmp_path: Path, change: Any, said: str) -> None:
    content = good()
    change(content)
    path = tmp_path / "scoreboard.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ScoreboardError) as caught:
        Scoreboard(path)
    assert said in str(caught.value)
    assert json.loads(path.read_text(encoding="utf-8")) == content


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "board.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ScoreboardError, match=r"board\.json is no"):
        Scoreboard.merged(path)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScoreboardError, match=r"ann\.json cannot be read"):
        Scoreboard.merged(tmp_path / "ann.json")


def test_a_name_is_text_wherever_it_is_shown() -> None:
    board = Scoreboard()
    board.add(row("<b>ann</b>"))
    assert "&lt;b&gt;ann" in board._repr_html_()


def test_to_compete_is_to_sail_beside_the_defaults(
    monkeypatch: pytest.MonkeyPatch, fake_cluster: Any
) -> None:
    class Mine:
        def settings(self) -> dict[str, Any]:
            return {"compression_type": "zstd"}

    class Untouched:
        def settings(self) -> Any: ...

    sailed: list[Any] = []

    def storm(cluster: Any, weather: Any, entries: Any) -> dict[str, Run]:
        sailed.append((weather.seed, entries))
        return {name: run(400.0 if options else 100.0) for name, options in entries.items()}

    monkeypatch.setattr(scoreboard, "storm", storm)
    monkeypatch.setattr(scoreboard, "display", lambda _: None)
    board = Scoreboard()
    compete(board, fake_cluster, "ann", Untouched())
    assert (board.rows, sailed) == ([], [])
    compete(board, fake_cluster, "ann", Mine(), seed=5)
    assert sailed == [(5, {"defaults": {}, "entry": {"compression_type": "zstd"}})]
    assert [(each.name, each.ratio, each.reached) for each in board.rows] == [("ann", 4.0, True)]
