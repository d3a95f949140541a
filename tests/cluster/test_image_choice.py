import io
from collections.abc import Iterator

import pytest
from registry import Registry, registry
from rich.console import Console

from kafkalab.cluster import containers, image_choice
from kafkalab.cluster.choice import choose
from kafkalab.cluster.cluster import Cluster
from kafkalab.cluster.engine import engine
from kafkalab.cluster.errors import BackendChoiceError, EngineError, ImageError

NOWHERE = "127.0.0.1:1/no/image:1"


@pytest.fixture
def quiet() -> Console:
    return Console(file=io.StringIO())


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with registry() as server:
        monkeypatch.setenv("KAFKALAB_IMAGE", server.image)
        yield server
        with engine() as client:
            if image_choice.present(client):
                client.images.remove(server.image)


@pytest.mark.parametrize("address", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_no_engine_is_told_with_its_ways_out(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    reason = containers.unavailable()
    assert reason is not None
    for word in ("No Docker engine answers", address.partition("://")[2], "KAFKALAB_BACKEND=embedded"):
        assert word in reason
    with pytest.raises(EngineError, match="Start Docker"), engine():
        pass


def test_no_engine_makes_auto_embedded_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.delenv("KAFKALAB_BOOTSTRAP", raising=False)
    assert choose("auto").name == "embedded"
    assert "No Docker engine answers" in choose("auto").reason
    with pytest.raises(BackendChoiceError, match="Start Docker"):
        choose("containers")


def test_auto_is_embedded_when_the_pull_fails(monkeypatch: pytest.MonkeyPatch, quiet: Console) -> None:
    def fail(*_: object) -> dict[str, str]:
        raise ImageError("too slow")

    monkeypatch.setattr(containers, "unavailable", lambda: None)
    monkeypatch.setattr(containers, "prepare", fail)
    monkeypatch.setenv("KAFKALAB_BACKEND", "auto")
    monkeypatch.delenv("KAFKALAB_BOOTSTRAP", raising=False)
    with Cluster.start(brokers=1, console=quiet) as started:
        assert started.backend == "embedded"
    assert isinstance(quiet.file, io.StringIO)
    assert "embedded instead: too slow" in quiet.file.getvalue()
    with pytest.raises(ImageError, match="too slow"):
        Cluster.start(backend="containers", console=quiet)


def test_an_engine_on_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://engine.example:2375")
    assert "engine.example" in str(containers.unavailable())


def test_sweep_without_engine_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    containers.sweep()


@pytest.mark.containers
def test_a_missing_image_without_registry_names_the_ways_out(
    monkeypatch: pytest.MonkeyPatch, quiet: Console
) -> None:
    monkeypatch.setenv("KAFKALAB_IMAGE", NOWHERE)
    for message in (containers.unavailable(), _failure(quiet)):
        for word in (NOWHERE, "kafkalab up --build-image", "KAFKALAB_BACKEND=embedded"):
            assert word in str(message)


def _failure(console: Console) -> str:
    with pytest.raises(ImageError) as caught:
        containers.prepare(console, "lab")
    return str(caught.value)


@pytest.mark.containers
def test_the_local_image_goes_before_the_official_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Both:
        class images:  # noqa: N801 -- as docker-py has it
            get = staticmethod(str)

    monkeypatch.delenv("KAFKALAB_IMAGE", raising=False)
    assert image_choice.present(Both) == image_choice.LOCAL
    monkeypatch.setenv("KAFKALAB_IMAGE", "mine:1")
    assert image_choice.present(Both) == "mine:1"


@pytest.mark.containers
def test_a_missing_image_is_pulled(served: Registry, quiet: Console) -> None:
    assert containers.unavailable() is None
    assert image_choice.ensure(quiet) == served.image
    with engine() as client:
        assert image_choice.present(client) == served.image


@pytest.mark.containers
def test_a_registry_that_stalls_is_given_up(served: Registry, quiet: Console) -> None:
    served.stall = True
    with pytest.raises(ImageError, match="cannot be pulled"):
        image_choice.pull(served.image, quiet, stall=1.0)


@pytest.mark.containers
def test_a_pull_that_takes_too_long_is_given_up(served: Registry, quiet: Console) -> None:
    with pytest.raises(ImageError, match="not pulled within 0 s"):
        image_choice.pull(served.image, quiet, timeout=0)
