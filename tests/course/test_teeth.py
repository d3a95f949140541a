"""The teeth themselves: a kill is a kill, a survivor is told, and chapters show what they always show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest

from kafkalab.course import claims, exercise
from kafkalab.course.normalise import code_cells
from kafkalab.course.teeth import __main__ as command
from kafkalab.course.teeth import kernel, patch, slices

from .conftest import notebook

ROOT = Path(__file__).parents[2]
TABLE = patch.table()
CHAPTERS = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))}


class TestTable:
    def test_keys_are_unique_and_every_mutant_says_what_is_broken(self) -> None:
        assert len({each.key for each in TABLE}) == len(TABLE)
        assert all(each.fault.endswith(".") for each in TABLE)

    def test_every_killer_is_a_claim_or_an_exercise_of_the_chapter(self) -> None:
        known = {(each.chapter, name) for name, each in claims.load().items()}
        known |= {(chapter, f"exercise {name}") for chapter, name in exercise.registry()}
        assert not [each.key for each in TABLE if (each.chapter, each.killer) not in known]

    def test_every_chapter_with_claims_is_broken_in_five_ways_at_least(self) -> None:
        taught = {each.chapter for each in claims.load().values()} & CHAPTERS.keys()
        assert not [number for number in taught if sum(each.chapter == number for each in TABLE) < 5]

    def test_one_per_part_is_the_first_of_each(self) -> None:
        found = command.chosen("01", (), one_per_part=True)
        assert [each.part for each in found] == list(
            dict.fromkeys(e.part for e in TABLE if e.chapter == "01")
        )
        assert found[0] is next(each for each in TABLE if each.chapter == "01")

    @pytest.mark.parametrize("only", ["off-by-one", "01/off-by-one"])
    def test_a_mutant_has_two_names(self, only: str) -> None:
        assert [each.key for each in command.chosen(None, [only], one_per_part=False)] == ["01/off-by-one"]

    def test_an_unknown_mutant_is_refused(self) -> None:
        with pytest.raises(Exception, match=r"No mutant is called off-by-two\. See --list"):
            command.chosen(None, ["off-by-one", "off-by-two"], one_per_part=False)
        with pytest.raises(Exception, match="None is there; chapters with mutants: 01, 02"):
            command.chosen("00", (), one_per_part=False)


def test_mutants_change_what_runs_and_not_what_is_shown() -> None:
    script = Path(__file__).with_name("broken_sources.py")
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.strip() == ""
    assert int(told.stderr.split()[0]) > 300


class TestKills:
    @staticmethod
    def cell(name: str, said: str) -> Any:
        error = nbformat.v4.new_output("error", ename=name, evalue=said, traceback=[])
        return nbformat.v4.new_code_cell("x", outputs=[error])

    def test_a_claim_that_does_not_hold_kills(self) -> None:
        claim = claims.find("4.1.1-key-hash")
        with pytest.raises(AssertionError) as caught:
            claims.execute(claim, holds=False, evidence="")
        assert kernel.killed_by(self.cell("AssertionError", str(caught.value))) == "4.1.1-key-hash"

    def test_a_solution_that_is_judged_wrong_kills(self) -> None:
        said = "Exercise linger: its solution is judged wrong: no"
        assert kernel.killed_by(self.cell("AssertionError", said)) == "exercise linger"

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("AssertionError", "slow > 10 * quick"),
            ("AssertionError", ""),
            ("ImportError", "no module"),
            ("TimeoutError", "Claim 4.1 (verdict: true) did not hold"),
            ("RuntimeError", "Exercise linger: Your code, or what it led to, raised KeyError"),
        ],
    )
    def test_other_errors_do_not(self, name: str, said: str) -> None:
        assert kernel.killed_by(self.cell(name, said)) is None

    def test_solutions_are_judged(self, monkeypatch: pytest.MonkeyPatch, fake_cluster: Any) -> None:
        verdicts = {"fine": exercise.Result("correct", ""), "off": exercise.Result("wrong", "no")}
        monkeypatch.setattr(kernel.clusters, "join", lambda: fake_cluster)
        fake = {name: SimpleNamespace(solution=object, name=name) for name in verdicts}
        monkeypatch.setattr(kernel.exercise, "registry", lambda: {("01", n): e for n, e in fake.items()})
        monkeypatch.setattr(kernel.exercise, "judge", lambda each, *_: verdicts[each.name])
        with pytest.raises(AssertionError, match="Exercise off: its solution is judged wrong: no"):
            kernel.solve("01")
        verdicts["off"] = exercise.Result("wrong", f"{exercise.RAISED} KeyError: 1")
        with pytest.raises(RuntimeError, match="KeyError"):
            kernel.solve("01")
        kernel.solve("02")


SOURCES = (
    "lab = Chapter('01')",
    "import json\ntopic = lab.topic('a')",
    "unrelated = lab.topic('b')",
    "trace = Trace()",
    "def spread(send): return [send(topic, each) for each in json.loads('[1]')]",
    "lab.cluster.kill(2)\nprint(unrelated)",
    "trace.clear()",
    "lab.predict('who', 'Who?', ['a', 'b'])",
    "[trace for trace in (1, 2)]",
    "lab.cluster.heal()",
    "lab.observe('who', correct='a', because='b')\nlab.claim('x', spread(trace) and await topic)",
    "lab.claim('y', unrelated)",
    "%time magic",
)


class TestSlices:
    def test_what_a_claim_needs_and_no_more(self) -> None:
        assert slices.cells_for(SOURCES, "x") == [0, 1, 3, 4, 6, 7, 10]

    def test_faults_come_all_or_none(self) -> None:
        assert slices.cells_for(SOURCES, "y") == [0, 2, 5, 9, 11]

    def test_an_assignment_ends_the_search(self) -> None:
        assert slices.cells_for(["a = 1", "a = 2", "a += 0", "lab.claim('x', a)"], "x") == [1, 2, 3]

    def test_a_loop_needs_nobody_elses_variable(self) -> None:
        loops = "for _ in b:\n    for n in b:\n        a = n"
        assert slices.cells_for(["n = 1", "b = [2]", loops, "lab.claim('x', a)"], "x") == [1, 2, 3]
        assert slices.cells_for(["n = [1]", "for n in n: a = n", "lab.claim('x', a)"], "x") == [0, 1, 2]

    def test_an_unknown_claim_is_refused(self) -> None:
        with pytest.raises(LookupError, match="No cell executes claim 'z'"):
            slices.cells_for(SOURCES, "z")


BLUNT = 'from kafkalab.course import Chapter\nlab = Chapter("01")'
SHARP = """from kafkalab.producer import DefaultPartitioner, Partitions, murmur2
chosen = DefaultPartitioner().partition("t", b"k", None, Partitions(range(6)))
lab.claim("4.1.1-key-hash", chosen == (murmur2(b"k") & 0x7FFFFFFF) % 6)"""


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("cells", "key", "killer"),
    [
        ((BLUNT, SHARP), "01/off-by-one", "4.1.1-key-hash"),
        ((BLUNT, SHARP), None, None),
        ((BLUNT, "assert not lab"), "01/off-by-one", None),
        ((BLUNT,), "01/interceptor-not-told", "exercise interceptor"),
    ],
)
def test_in_a_kernel(cluster: Any, tmp_path: Path, cells: Any, key: str | None, killer: str | None) -> None:
    mutant = next((each for each in TABLE if each.key == key), None)
    found = kernel.run(code_cells(notebook(*cells, executed=False)), tmp_path, "01", mutant)
    assert found.killer == killer
    assert bool(found.trouble) is ("assert not lab" in cells)


@pytest.mark.cluster
def test_slices_of_the_committed_chapters_run_through(cluster: Any) -> None:
    assert command.Chapter("01").run(None, "4.1.1-key-hash").trouble == ""
