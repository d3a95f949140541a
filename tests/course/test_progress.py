from __future__ import annotations

import json
import subprocess
import sys
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


def test_a_kernel_does_not_put_back_what_another_has_changed_since(tmp_path: Path) -> None:
    Progress(tmp_path / "p.json").put("a", "old")
    one, two = Progress(tmp_path / "p.json"), Progress(tmp_path / "p.json")
    one.put("a", "new")
    two.put("b", 2)
    assert Progress(tmp_path / "p.json").get("a") == "new"
    assert two.get("a") == "new"


WRITER = """
import sys
from pathlib import Path
from kafkalab.course.progress import Progress
for number in range(40):
    Progress(Path(sys.argv[1])).put(f"{sys.argv[2]}/{number}", True)  # a new one repairs nothing later
"""


def test_notebooks_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    commands = [[sys.executable, "-c", WRITER, str(path), name] for name in "abc"]
    here = Path(progress.__file__).parents[2]  # whose package is imported
    writers = [subprocess.Popen(command, cwd=here) for command in commands]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    kept = Progress(path)
    assert {name: len(kept.under(name)) for name in "abc"} == {"a": 40, "b": 40, "c": 40}
    assert [each.name for each in tmp_path.iterdir()] == ["p.json"]


def test_the_lock_of_one_who_died_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.lock").touch()
    monkeypatch.setattr(progress, "PATIENCE_S", 0.05)
    Progress(tmp_path / "p.json").put("a", 1)
    assert Progress(tmp_path / "p.json").get("a") == 1
    assert not (tmp_path / "p.lock").exists()


def test_a_lock_that_others_hold_is_not_broken_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Progress(tmp_path / "p.json")
    with monkeypatch.context() as busy:
        busy.setattr(progress, "PATIENCE_S", 0.02)
        busy.setattr(progress, "_locked", lambda lock: False)
        kept.put("a", 1)
    assert kept.get("a") == 1
    assert not (tmp_path / "p.json").exists()
    kept.put("b", 2)
    assert Progress(tmp_path / "p.json").get("a") == 1


def test_the_file_says_its_version_and_one_from_before_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"01/done": true}')
    kept = Progress(path)
    assert kept.get("01/done") is True
    kept.put("02/done", True)
    assert json.loads(path.read_text()) == {"kafkalab-progress": 1, "01/done": True, "02/done": True}
    assert Progress(path).under("01") == {"done": True}


def test_a_file_of_a_newer_course_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(newer := '{"kafkalab-progress": 2, "01": {"done": true}}')
    with pytest.warns(UserWarning, match=r"p\.json is of format 2, this kafkalab reads 1: install the newer"):
        kept = Progress(path)
    kept.put("02/done", True)
    assert kept.get("02/done") is True
    assert kept.path is None
    assert path.read_text() == newer


def test_while_a_file_cannot_be_read_it_stays_and_what_is_new_waits(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.mkdir()
    with pytest.warns(UserWarning, match=r"p\.json cannot be read \(.*make it readable"):
        kept = Progress(path)
    kept.put("a", 1)
    assert kept.get("a") == 1
    assert path.is_dir()
    path.rmdir()
    path.write_text('{"c": 3}')
    kept.put("b", 2)
    assert json.loads(path.read_text()) == {"kafkalab-progress": 1, "a": 1, "b": 2, "c": 3}


def test_who_deletes_the_file_begins_again(tmp_path: Path) -> None:
    kept = Progress(tmp_path / "p.json")
    kept.put("a", 1)
    (tmp_path / "p.json").unlink()
    kept.put("b", 2)
    assert Progress(tmp_path / "p.json").get("a") is None


def test_a_file_saved_by_a_windows_editor_is_read(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"a": 1}', encoding="utf-8-sig")
    assert Progress(tmp_path / "p.json").get("a") == 1


def test_a_file_that_breaks_meanwhile_is_written_anew_from_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    Progress(path).put("a", 1)
    kept = Progress(path)
    for text in ("{", "[]"):
        path.write_text(text)
        with pytest.warns(UserWarning, match="a new one begins"):
            kept.put("b", text)
    assert Progress(path).get("a") == 1
    broken = sorted(each.read_text() for each in tmp_path.glob("p.broken*.json"))
    assert broken == ["[]", "{"]


def test_others_may_read_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    progress.replace_text(tmp_path / "page.html", "x")
    assert (tmp_path / "page.html").stat().st_mode == (tmp_path / "plain").stat().st_mode


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
        with pytest.warns(UserWarning, match="cannot be read"):
            kept = Progress(path)
        kept.put("b", 2)
        assert kept.get("b") == 2
    assert json.loads(path.read_text()) == {"a": 1}
    kept.put("c", 3)
    assert json.loads(path.read_text()) == {"kafkalab-progress": 1, "a": 1, "b": 2, "c": 3}


def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.json"
    Progress(path).put("a", 1)
    monkeypatch.setattr(Path, "replace", _refuse)
    Progress(path).put("b", 2)
    assert json.loads(path.read_text()) == {"kafkalab-progress": 1, "a": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["p.json"]


def _refuse(*_: Any, **__: Any) -> str:
    raise PermissionError("locked by another program")
