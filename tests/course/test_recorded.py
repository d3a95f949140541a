from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from kafkalab.cluster import NotPossibleError
from kafkalab.course import chapters, exercise, hints, normalise, recorded, workcopy
from kafkalab.course.chapter import Chapter

from .conftest import notebook

FIRST = chapters.find("00")
CELLS = (
    'lab = Chapter("00")',
    "topic = lab.topic('a')",
    ("md", "## Power"),
    "before = 1",
    "lab.cluster.kill(1)\nleft = 2",
    ("md", "More of it."),
    "def helper(): return left",
    "lab.cluster.heal()",
    ("md", "Some text.\n\n## Peace"),
    "print(left)",
    "left = 3",
    "print(left, before, helper())",
    "killer.kill(1)",
    "%time magic",
)


def test_what_needs_power_stands_behind_it_or_uses_it_is_not_for_a_guest() -> None:
    built = notebook(*CELLS).cells
    assert [built[at].source for at in recorded.need_power(built)] == [
        *("lab.cluster.kill(1)\nleft = 2", "lab.cluster.heal()", "print(left)"),
    ]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    made = InteractiveShell()
    monkeypatch.setattr(hints, "running_shell", lambda: made)
    return made


def killing_cell() -> Any:
    found = normalise.read(workcopy.source() / FIRST.notebook).cells
    return next(cell for cell in found if "lab.cluster.kill(" in cell.source)


def test_a_guest_sees_the_recording(
    shell: InteractiveShell, fake_cluster: Any, progress: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_cluster.backend = "external"
    for _ in range(2):
        Chapter("00", cluster=fake_cluster, progress=progress)
    cell = killing_cell()
    assert shell.run_cell(cell.source + "  \n").success
    told = capsys.readouterr().out
    assert told.count("Recorded: This cell has to kill") == 1
    assert all(output.text in told for output in cell.outputs if output.output_type == "stream")
    result = shell.run_cell("changed = 1\n" + cell.source)
    assert isinstance(result.error_in_exec, NameError), "a cell that was changed is run"


def test_an_owner_runs_everything(shell: InteractiveShell, fake_cluster: Any, progress: Any) -> None:
    Chapter("00", cluster=fake_cluster, progress=progress)
    assert isinstance(shell.run_cell(killing_cell().source).error_in_exec, NameError)


def test_an_exercise_that_needs_power_says_so(fake_cluster: Any) -> None:
    def check(answer: Any, bench: Any) -> Any:
        raise NotPossibleError("kill(1) is not possible on an external cluster.")

    each = exercise.Exercise("01", "x", "p", ("a", "b"), "partition", _Answer, check)
    result = exercise.judge(each, _Answer(), exercise.Bench(fake_cluster, "01"))
    assert result.status == "not attempted"
    assert "kill(1) is not possible" in result.message


class _Answer:
    def partition(self) -> int:
        return 1
