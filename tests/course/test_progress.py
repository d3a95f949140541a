from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def test_what_another_kernel_wrote_since_stays(tmp_path: Path) -> None:
    one = Progress(tmp_path / "p.json")
    one.put("02/exercise/x", "wrong")
    Progress(tmp_path / "p.json").put("02/exercise/x", "correct")
    one.put("02/done", True)
    assert one.get("02/exercise/x") == "correct"
    assert Progress(tmp_path / "p.json").get("02/exercise/x") == "correct"


def test_who_deletes_the_file_begins_again(tmp_path: Path) -> None:
    kept = Progress(tmp_path / "p.json")
    kept.put("a", 1)
    (tmp_path / "p.json").unlink()
    kept.put("b", 2)
    assert json.loads((tmp_path / "p.json").read_text()) == {"b": 2}


def test_a_file_that_breaks_meanwhile_is_written_from_memory(tmp_path: Path) -> None:
    kept = Progress(tmp_path / "p.json")
    kept.put("a", 1)
    (tmp_path / "p.json").write_text("{")
    with pytest.warns(UserWarning, match="kept as"):
        kept.put("b", 2)
    assert json.loads((tmp_path / "p.json").read_text()) == {"a": 1, "b": 2}


def test_every_broken_file_is_kept(tmp_path: Path) -> None:
    for text in ("{1", "{2"):
        (tmp_path / "p.json").write_text(text)
        with pytest.warns(UserWarning, match="kept as"):
            Progress(tmp_path / "p.json")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "p.broken.json": "{1",
        "p.broken2.json": "{2",
    }


def test_a_file_locked_for_a_moment_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"a": 1}')
    with monkeypatch.context() as locked:
        locked.setattr(Path, "read_text", _refuse)
        kept = Progress(path)
        kept.put("b", 2)
        assert kept.get("b") == 2
    assert json.loads(path.read_text()) == {"a": 1}
    kept.put("c", 3)
    assert json.loads(path.read_text()) == {"a": 1, "b": 2, "c": 3}


def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.json"
    Progress(path).put("a", 1)
    monkeypatch.setattr(Path, "replace", _refuse)
    Progress(path).put("b", 2)
    assert json.loads(path.read_text()) == {"a": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["p.json"]


def test_a_file_saved_by_a_windows_editor_is_read(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"a": 1}', encoding="utf-8-sig")
    assert Progress(tmp_path / "p.json").get("a") == 1


def _refuse(*_: Any, **__: Any) -> str:
    raise PermissionError("locked by another program")
