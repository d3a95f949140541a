"""What a learner has shown: read from progress alone, told as a table, handed in as one file."""

import json
from pathlib import Path

import pytest

from kafkalab.course import claims, summary, workcopy
from kafkalab.course import progress as keeping
from kafkalab.course.beliefs import NOT_SEEN, Beliefs
from kafkalab.course.chapters import CHAPTERS
from kafkalab.course.exercise import WITHHELD, Sitting, find
from kafkalab.course.progress import MARKER, NO_SOLUTIONS, Progress
from kafkalab.course.summary import Summary
from kafkalab.course.views.course import LANES, course_picture


def taken(path: Path | None) -> Progress:
    """A learner who did some of chapter 02."""
    progress = Progress(path)
    progress.put("02/predict/burst", "one")
    progress.put("02/happened/burst", "one")
    progress.put("02/predict/twenty", "</script>")
    progress.put("02/happened/twenty", "three")
    progress.put("02/claim/4.2.6-metadata", True)
    progress.put("02/claim/gone-from-the-course", True)
    progress.put("02/exercise/partitioner", "correct")
    progress.put("02/passed/partitioner", "2026-11-25")
    progress.put("02/exercise/serializer", "wrong")
    return progress


def test_nobody_has_shown_anything_yet() -> None:
    shown = Summary(Progress(None))
    assert "Nothing yet" in shown.text
    assert shown.data()["chapters"] == []


def test_the_table_counts_what_progress_holds() -> None:
    shown = Summary(taken(None))
    (line,) = (line for line in shown.text.splitlines() if "02 Workflow" in line)
    of = sum(claim.chapter == "02" for claim in summary.claims.load().values())
    assert line.strip() == (
        "Chapter: 02 Workflow; Predictions: 2; of them right: 1; "
        f"Claims seen: 1 of {of}; Exercises passed: 1 of 2; Finished: no"
    )


def test_the_file_holds_what_was_shown_whatever_was_typed(tmp_path: Path) -> None:
    shown = Summary(taken(tmp_path / "progress.json"))
    target = tmp_path / "ann.html"
    shown.export(target, name="Ann <b>")
    page = target.read_text(encoding="utf-8")
    assert "Ann &lt;b&gt; has shown" in page
    assert "no proof" in page
    assert page.count("</script>") == 1
    assert "http" not in page.partition("<script")[0]
    data = summary.read(target)
    assert data == json.loads(json.dumps(shown.data("Ann <b>")))
    (chapter,) = data["chapters"]
    assert chapter["claims"] == {"4.2.6-metadata": summary.claims.find("4.2.6-metadata").verdict}
    assert chapter["predictions"]["twenty"] == {"predicted": "</script>", "happened": "three"}
    assert chapter["exercises"]["partitioner"] == {"status": "correct", "passed_on": "2026-11-25"}


@pytest.mark.parametrize("text", ["", "<html>", f'<script id="{summary.DATA_ID}">{{"a": 1}}</script>', "[1]"])
def test_a_file_that_is_no_summary_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.html"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x\.html is no summary"):
        summary.read(path)


def test_where_it_cannot_be_written_is_said_first(tmp_path: Path) -> None:
    shown = Summary(taken(tmp_path / "progress.json"))
    with pytest.raises(ValueError, match=r"call it ann\.html"):
        shown.export(tmp_path / "ann.txt")
    with pytest.raises(FileNotFoundError, match="make it first"):
        shown.export(tmp_path / "nowhere" / "ann.html")


def test_without_a_progress_file_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Summary(taken(None)).export(tmp_path / "ann.html")
    assert "nothing was written" in capsys.readouterr().out
    assert not (tmp_path / "ann.html").exists()


def test_a_broken_progress_file_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    path.write_text('{"02/done": tr')
    with pytest.warns(UserWarning, match=r"kept as progress\.broken\.json"):
        progress = Progress(path)
    progress.put("01/done", True)
    assert json.loads(path.read_text()) == {"01/done": True}
    assert path.with_suffix(".broken.json").read_text() == '{"02/done": tr'


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("passed/partitioner", 5),
        ("predict/burst", ["x"]),
        ("happened/burst", {"a": 1}),
        ("claim/4.2.6-metadata", ""),
    ],
)
def test_values_of_another_version_do_not_stop_it(key: str, value: object) -> None:
    progress = taken(None)
    progress.put(f"02/{key}", value)
    assert "02 Workflow" in summary.page(Summary(progress))


def test_nothing_typed_can_end_or_keep_open_the_element_with_the_data() -> None:
    progress = taken(None)
    progress.put("02/predict/burst", "<!--<script>")
    data = summary.page(Summary(progress)).partition(f'id="{summary.DATA_ID}">')[2].partition("</script>")[0]
    assert "<" not in data
    assert json.loads(data)["chapters"][0]["predictions"]["burst"]["predicted"] == "<!--<script>"


def test_only_an_older_summary_is_replaced(tmp_path: Path) -> None:
    shown = Summary(taken(tmp_path / "progress.json"))
    shown.export(tmp_path / "ann.html")
    shown.export(tmp_path / "ann.html", name="Ann")
    assert summary.read(tmp_path / "ann.html")["name"] == "Ann"
    for content in (b"<p>my thesis", b"\xff\xfe"):
        (tmp_path / "thesis.html").write_bytes(content)
        with pytest.raises(FileExistsError, match=r"thesis\.html holds something else"):
            shown.export(tmp_path / "thesis.html")
        assert (tmp_path / "thesis.html").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ann.html", "progress.json", "thesis.html"]


def test_a_verdict_shows_once_it_was_seen() -> None:
    seen, other = [claim for claim in claims.load().values() if claim.chapter == "02"][:2]
    progress = Progress(None)
    progress.put(f"02/claim/{seen.id}", True)
    shown = Beliefs(progress)
    of = sum(claim.chapter == "02" for claim in claims.load().values())
    assert shown.text.startswith(f"1 of {len(claims.load())} claims seen")
    assert f"02 Workflow: 1 of {of}" in shown.text
    page = "".join(shown.markup.itertext())
    assert seen.fact in page
    assert other.belief in page
    assert other.fact not in page
    assert page.count(NOT_SEEN) == len(claims.load()) - 1


def test_every_chapter_is_on_the_map_once() -> None:
    placed = [number for lane in LANES.values() for number in lane]
    assert sorted(placed) == sorted(set(placed))
    assert {entry.number for entry in CHAPTERS} <= set(placed)
    words = course_picture(CHAPTERS, {"02"}).text
    assert words.count("(done)") == 1
    assert "02 Workflow (done)" in words


def test_a_copy_without_solutions_shows_hints_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workcopy.update(tmp_path / "with")
    workcopy.update(tmp_path / "without", solutions=False)
    workcopy.update(tmp_path / "without")  # an update by whoever it is leaves it so
    assert (tmp_path / "without" / MARKER / NO_SOLUTIONS).exists()
    for name, shown in (("with", "class "), ("without", WITHHELD)):
        monkeypatch.chdir(tmp_path / name)
        sitting = Sitting(find("02", "partitioner"), None, Progress(None))
        sitting.solution()
        told = capsys.readouterr().out
        assert shown in told
        assert (WITHHELD in told) is (name == "without")
        sitting.hint()
        assert "Hint 1" in capsys.readouterr().out


def test_progress_is_found_from_the_copy_the_lab_and_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAFKALAB_PROGRESS", raising=False)
    monkeypatch.setenv("KAFKALAB_HOME", str(tmp_path / "home"))
    workcopy.update(tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    assert keeping.working_copy() is None
    assert summary.progress_of(tmp_path / "copy").path == tmp_path / "copy" / MARKER / "progress.json"
    assert summary.progress_of(None).path == tmp_path / "home" / "progress.json"
    workcopy.update(workcopy.default_target())
    assert summary.progress_of(None).path == workcopy.default_target() / MARKER / "progress.json"
    monkeypatch.chdir(tmp_path / "copy")
    assert summary.progress_of(None).path == tmp_path / "copy" / MARKER / "progress.json"
