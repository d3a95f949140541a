from __future__ import annotations

from pathlib import Path

import pytest

from kafkalab.course import normalise, workcopy

from .conftest import notebook


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    folder = tmp_path / "origin"
    folder.mkdir()
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tmp_path / "mine"


def publish(origin: Path, name: str, *cells: str) -> None:
    built = notebook(*cells)
    built.cells[0].outputs = []
    normalise.write(normalise.normalise(built), origin / name)


def sources(path: Path) -> list[str]:
    return [cell.source for cell in normalise.read(path).cells]


def test_a_new_copy_has_no_outputs(origin: Path, mine: Path) -> None:
    publish(origin, "00.ipynb", "x = 1")
    report = workcopy.update(mine, origin)
    assert report.added == ["00.ipynb"]
    cell = normalise.read(mine / "00.ipynb").cells[0]
    assert (cell.source, cell.execution_count, cell.outputs) == ("x = 1", None, [])


def test_a_learners_cells_stay_and_new_chapters_come(origin: Path, mine: Path) -> None:
    publish(origin, "00.ipynb", "x = 1")
    workcopy.update(mine, origin)
    normalise.write(notebook("x = 42"), mine / "00.ipynb")
    publish(origin, "01.ipynb", "y = 1")
    report = workcopy.update(mine, origin)
    assert (report.added, report.kept, report.beside) == (["01.ipynb"], ["00.ipynb"], {})
    assert sources(mine / "00.ipynb") == ["x = 42"]


def test_a_changed_chapter_is_written_beside_once_and_said(origin: Path, mine: Path) -> None:
    publish(origin, "00.ipynb", "x = 1")
    workcopy.update(mine, origin)
    publish(origin, "00.ipynb", "x = 2")
    report = workcopy.update(mine, origin)
    (new,) = report.beside.values()
    assert sources(mine / "00.ipynb") == ["x = 1"]
    assert sources(mine / new) == ["x = 2"]
    assert any("00.ipynb has a newer version: see 00.new-" in line for line in report.lines())
    assert workcopy.update(mine, origin).beside == {}


def test_a_directory_with_a_notebook_of_that_name_is_safe(origin: Path, mine: Path) -> None:
    publish(origin, "00.ipynb", "x = 1")
    mine.mkdir()
    normalise.write(notebook("something = 'else'"), mine / "00.ipynb")
    report = workcopy.update(mine, origin)
    assert list(report.beside) == ["00.ipynb"]
    assert sources(mine / "00.ipynb") == ["something = 'else'"]


def test_a_lost_manifest_does_not_offer_what_is_there(origin: Path, mine: Path) -> None:
    publish(origin, "00.ipynb", "x = 1")
    workcopy.update(mine, origin)
    (mine / ".kafkalab" / "manifest.json").write_text("broken")
    assert workcopy.update(mine, origin).kept == ["00.ipynb"]


def test_a_file_is_no_directory(tmp_path: Path, origin: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is a file; give a directory"):
        workcopy.update(tmp_path / "file", origin)


def test_an_installation_without_notebooks_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workcopy, "PACKAGE", tmp_path / "kafkalab")
    with pytest.raises(FileNotFoundError, match="install it again"):
        workcopy.source()


def test_where_the_copy_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KAFKALAB_HOME", raising=False)
    assert workcopy.default_target() == workcopy.PACKAGE.parent / "work"
    monkeypatch.setattr(workcopy, "PACKAGE", tmp_path / "kafkalab")
    assert workcopy.default_target().name == "course"
    monkeypatch.setenv("KAFKALAB_HOME", str(tmp_path))
    assert workcopy.default_target() == tmp_path / "course"


def test_a_wheel_carries_the_notebooks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "kafkalab" / "_course" / "notebooks"
    folder.mkdir(parents=True)
    monkeypatch.setattr(workcopy, "PACKAGE", tmp_path / "kafkalab")
    assert workcopy.source() == folder
