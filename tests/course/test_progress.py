from __future__ import annotations

from pathlib import Path

import pytest

from kafkalab.course import progress
from kafkalab.course.progress import Progress


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KAFKALAB_PROGRESS", "KAFKALAB_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_values_outlive_the_process(tmp_path: Path) -> None:
    Progress(tmp_path / "p.json").put("01/done", True)
    assert Progress(tmp_path / "p.json").get("01/done") is True
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]


def test_two_kernels_do_not_forget_each_others_values(tmp_path: Path) -> None:
    one, two = Progress(tmp_path / "p.json"), Progress(tmp_path / "p.json")
    one.put("a", 1)
    two.put("b", 2)
    assert Progress(tmp_path / "p.json").get("a") == 1


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00"])
def test_a_broken_file_is_an_empty_one(tmp_path: Path, content: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(content, encoding="utf-8")
    with pytest.warns(UserWarning, match=r"p\.json cannot be read; it was kept as p\.broken\.json"):
        kept = Progress(path)
    assert kept.get("a") is None
    kept.put("a", 1)
    assert Progress(path).get("a") == 1


def test_a_disk_that_refuses_does_not_stop_a_lesson(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = Progress(tmp_path / "file" / "p.json")
    kept.put("a", 1)
    assert kept.get("a") == 1


def test_where_progress_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_HOME", str(tmp_path / "home"))
    assert progress.open_progress().path == tmp_path / "home" / "progress.json"
    (tmp_path / progress.MARKER).mkdir()
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert progress.open_progress().path == tmp_path / progress.MARKER / "progress.json"
    monkeypatch.setenv("KAFKALAB_PROGRESS", "off")
    assert progress.open_progress().path is None
