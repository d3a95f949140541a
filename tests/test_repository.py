"""What no single module can promise: the files around the package agree with it, and stay small."""

from __future__ import annotations

import ast
import os
import re
import statistics
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from kafkalab import KAFKA_VERSION

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = sorted((ROOT / "kafkalab").rglob("*.py"))


def test_the_conda_environment_names_nothing_that_pyproject_does_not() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["dependencies"] == [f"python{PROJECT['requires-python']}", "pip", {"pip": ["-e ."]}]


def test_every_dependency_has_its_reason() -> None:
    design = (ROOT / "DESIGN.md").read_text(encoding="utf-8").split("## What we depend on")[1]
    extras = PROJECT["optional-dependencies"]
    for requirement in [*PROJECT["dependencies"], *extras["test"], *extras["dev"]]:
        name = re.match(r"[\w-]+", requirement).group()  # type: ignore[union-attr]
        assert re.search(rf"\b{name}\b", design), f"DESIGN.md does not say what {name} is for"


def test_one_kafka_version() -> None:
    lock = (ROOT / "kafkalab/cluster/jars.lock").read_text(encoding="utf-8")
    assert re.search(rf"org\.apache\.kafka:kafka_2\.13:{re.escape(KAFKA_VERSION)}\b", lock)
    # The outline has a section with the same number: "4.3.1" alone, and claims such as "4.3.1-acks-0".
    version = re.compile(rf"(?<!\"){re.escape(KAFKA_VERSION)}(?!-)|VERSION = \"{re.escape(KAFKA_VERSION)}")
    elsewhere = [path for path in MODULES if version.search(path.read_text(encoding="utf-8"))]
    assert elsewhere == [ROOT / "kafkalab/__init__.py"]


def test_modules_can_be_read_in_one_sitting() -> None:
    long = {path.name: lines for path in MODULES if (lines := _lines(path)) > 300}
    assert not long


def test_functions_of_the_producer_are_short() -> None:
    sizes = [
        (node.end_lineno or 0) - node.body[0].lineno + 1 - _has_docstring(node)
        for path in (ROOT / "kafkalab/producer").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    assert statistics.median(sizes) <= 10


def test_a_wheel_brings_the_course_along(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-P", "-m", "kafkalab.cli", "new", str(tmp_path / "mine")]
    subprocess.run(command, check=True, capture_output=True, env=environment, cwd=tmp_path)
    written = {path.name for path in (tmp_path / "mine").glob("*.ipynb")}
    assert written == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _has_docstring(function: ast.FunctionDef) -> int:
    first = function.body[0]
    return (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0
