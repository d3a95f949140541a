"""What a learner has shown: read from progress alone, told as a table, handed in as one file."""

import json
import re
from pathlib import Path

import pytest

from kafkalab.course import certificate, claims, normalise, summary, workcopy
from kafkalab.course import progress as keeping
from kafkalab.course.beliefs import NOT_SEEN, Beliefs
from kafkalab.course.chapters import CHAPTERS
from kafkalab.course.exercise import WITHHELD, Sitting, find, registry
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
    of = sum(claim.chapter == "02" for claim in claims.load().values())
    assert line.strip() == (
        "Chapter: 02 Workflow; Predictions: 2; of them right: 1; "
        f"Claims seen: 1 of {of}; Exercises passed: 1 of 2; Finished: no"
    )


def test_only_what_was_chosen_before_looking_counts_and_once_passed_is_passed() -> None:
    progress = taken(None)
    progress.put("02/asked/burst", "How many?")
    progress.put("02/first/burst", "five")  # and changed to "one" after the experiment
    progress.put("02/predict/late", "x")
    progress.put("02/happened/late", "x")
    progress.put("02/first/late", "")
    progress.put("02/predict/untried", "y")
    progress.put("02/exercise/partitioner", "wrong")  # tried again, after it had passed
    (row,) = Summary(progress).begun
    assert row.guesses["burst"] == ("How many?", "five", "one", True)
    assert [name for name, guess in row.guesses.items() if guess.counts] == ["burst", "twenty"]
    assert not any(guess.right for guess in row.guesses.values())
    assert row.exercises["partitioner"] == "correct"
    page = certificate.page(Summary(progress).data())
    for words in ("Predicted “five”; it was “one”.", "Chosen after looking: “x”.", "not tried yet"):
        assert words in page


def test_the_file_holds_what_was_shown_whatever_was_typed(tmp_path: Path) -> None:
    shown = Summary(taken(tmp_path / "progress.json"))
    target = tmp_path / "ann.html"
    shown.export(target, name="Ann <b>")
    page = target.read_text(encoding="utf-8")
    assert "Ann &lt;b&gt;" in page
    assert "Self-reported" in page
    assert page.count("</script>") == 1
    assert "http" not in page.partition("<script")[0]
    data = certificate.read(target)
    assert data == json.loads(json.dumps(shown.data("Ann <b>")))
    (chapter,) = data["chapters"]
    assert chapter["claims"] == {"4.2.6-metadata": claims.find("4.2.6-metadata").verdict}
    assert chapter["predictions"]["twenty"] == {
        "question": "twenty",
        "predicted": "</script>",
        "happened": "three",
        "before": True,
    }
    assert chapter["exercises"]["partitioner"] == {"status": "correct", "passed_on": "2026-11-25"}


def test_nothing_typed_keeps_the_element_with_the_data_open() -> None:
    progress = taken(None)
    progress.put("02/predict/burst", "<!--<script>")
    page = certificate.page(Summary(progress).data("<!--<script>"))
    assert "<" not in page.partition(f'id="{certificate.FORMAT}">')[2].partition("</script>")[0]


@pytest.mark.parametrize(
    "key", ["passed/partitioner", "predict/burst", "happened/burst", "asked/burst", "first/x"]
)
def test_a_strange_value_does_not_stop_it(key: str) -> None:
    progress = taken(None)
    progress.put(f"02/{key}", ["x"])
    assert "02 Workflow" in certificate.page(Summary(progress).data())


BAD = {
    "empty": "",
    "a page": "<html>",
    "other data": f'<script id="{certificate.FORMAT}">{{"a": 1}}</script>',
    "no object": f'<script id="{certificate.FORMAT}">[1]</script>',
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_file_that_is_no_summary_is_refused_and_never_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.html"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x\.html is no summary"):
        certificate.read(path)
    with pytest.raises(FileExistsError, match=r"x\.html holds something else"):
        Summary(taken(None)).export(path)
    assert path.read_text() == text


def test_a_file_that_is_not_there_or_newer_or_changed_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*ann\.html"):
        certificate.collected(tmp_path / "ann.html")
    data = Summary(taken(None)).data("Ann")
    path = tmp_path / "ann.html"
    path.write_text(certificate.page(data | {"version": 2}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"ann\.html is of version 2, not 1: install a newer kafkalab"):
        certificate.read(path)
    text = certificate.page(data).replace('"made_on"', '"made"')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"ann\.html was changed after it was written"):
        certificate.collected(path)


def test_a_teacher_collects_what_a_class_hands_in(tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        Summary(taken(None)).export(tmp_path / f"{name}.html", name=name.title())
    Summary(taken(None)).export(tmp_path / "bob.html", name="Bob again")
    head, *lines = certificate.collected(*sorted(tmp_path.glob("*.html"))).text.splitlines()[1:]
    assert head.split()[:2] == ["Name", "Chapters"]
    assert [line.split("  ")[0] for line in lines] == ["Ann", "Bob again"]
    told = " ".join(lines[0].split())
    assert told.startswith(
        f"Ann 0 of {len(CHAPTERS)} 1 of {len(claims.load())} 1 of {len(registry())} 1 of 2 "
    )


def test_where_it_cannot_be_written_is_said_first(tmp_path: Path) -> None:
    shown = Summary(taken(tmp_path / "progress.json"))
    with pytest.raises(ValueError, match=r"call it ann\.html"):
        shown.export(tmp_path / "ann.txt")
    with pytest.raises(FileNotFoundError, match="make it first"):
        shown.export(tmp_path / "nowhere" / "ann.html")


def test_before_anything_was_shown_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Summary(Progress(None)).export(tmp_path / "ann.html")
    assert "nothing was written" in capsys.readouterr().out
    assert not (tmp_path / "ann.html").exists()


def test_only_an_older_summary_is_replaced(tmp_path: Path) -> None:
    shown = Summary(taken(tmp_path / "progress.json"))
    shown.export(tmp_path / "ann.html")
    shown.export(tmp_path / "ann.html", name="Ann")
    assert certificate.read(tmp_path / "ann.html")["name"] == "Ann"
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
    picture = course_picture(CHAPTERS, {"02"}, {"03"})
    lines = picture.text.splitlines()
    assert [line[2:4] for line in lines if line.endswith("; done)")] == ["02"]
    assert [line[2:4] for line in lines if line.endswith("; begun)")] == ["03"]
    assert picture.alt.endswith("1 finished, 1 begun.")
    assert Summary(taken(None)).map.alt.endswith("0 finished, 1 begun.")


def test_what_a_chapter_builds_on_is_what_its_first_lines_say() -> None:
    for entry in CHAPTERS:
        assert all(need < entry.number for need in entry.needs)
        first = normalise.read(workcopy.source() / entry.notebook).cells[0].source
        says = [part for part in first.split(" · ") if part.startswith("needs ")]
        linked = sorted(set(re.findall(r"\]\((\d\d)_", "".join(says))))
        assert linked == list(entry.needs), entry.notebook


@pytest.mark.parametrize("lacking", [entry.number for entry in CHAPTERS])
def test_the_map_can_be_drawn_without_any_one_chapter(lacking: str) -> None:
    some = [entry for entry in CHAPTERS if entry.number != lacking]
    assert f"  {lacking} " not in course_picture(some).text


def test_a_copy_without_solutions_shows_hints_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workcopy.update(tmp_path / "with")
    workcopy.update(tmp_path / "without", solutions=False)
    report = workcopy.update(tmp_path / "without")  # an update by whoever it is leaves it so
    assert any("shows nothing in this copy" in line for line in report.lines())
    assert (tmp_path / "without" / MARKER / NO_SOLUTIONS).exists()
    workcopy.update(tmp_path / "back", solutions=False)
    assert workcopy.update(tmp_path / "back", solutions=True).solutions
    for name, shown in (("with", "class "), ("without", WITHHELD), ("back", "class ")):
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
    with pytest.raises(NotADirectoryError, match=r"none is no working copy: give one"):
        summary.progress_of(tmp_path / "none")
    assert summary.progress_of(tmp_path / "copy").path == tmp_path / "copy" / MARKER / "progress.json"
    assert summary.progress_of(None).path == tmp_path / "home" / "progress.json"
    workcopy.update(workcopy.default_target())
    assert summary.progress_of(None).path == workcopy.default_target() / MARKER / "progress.json"
    monkeypatch.chdir(tmp_path / "copy")
    assert summary.progress_of(None).path == tmp_path / "copy" / MARKER / "progress.json"
