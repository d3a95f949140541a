"""The configuration really compares: a notebook whose committed output is not what it prints, fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]


def pytest_on(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    output = nbformat.v4.new_output("stream", name="stdout", text=text)
    cell = nbformat.v4.new_code_cell("print('as it is')", outputs=[output], execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "demo.ipynb")
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), str(folder / "demo.ipynb")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(("text", "code"), [("as it is\n", 0), ("as it was\n", 1)])
def test_outputs_are_compared(tmp_path: Path, text: str, code: int) -> None:
    result = pytest_on(tmp_path, text)
    assert result.returncode == code, result.stdout
    assert ("Cell outputs differ" in result.stdout) is bool(code)
