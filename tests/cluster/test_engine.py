"""Removing networks while another sweep is at it: no engine, an engine's answers."""

from types import SimpleNamespace

import docker.errors
import pytest

from kafkalab.cluster import engine


class Answers:
    """A network whose removal is answered by these status codes in turn, the last one for ever."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.asked = 0

    def remove(self) -> None:
        self.asked += 1
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        if code == 404:
            raise docker.errors.NotFound("gone")
        if code != 204:
            raise docker.errors.APIError("has active endpoints", SimpleNamespace(status_code=code))


@pytest.mark.parametrize(
    ("codes", "asked"), [((204,), 1), ((403, 403, 204), 3), ((403, 404), 2), ((409,), 1)]
)
def test_a_network_is_removed_once_it_is_free(codes: tuple[int, ...], asked: int) -> None:
    network = Answers(*codes)
    engine._remove_network(network)  # type: ignore[arg-type]
    assert network.asked == asked


def test_one_that_another_sweep_holds_for_ever_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "REMOVAL_S", 0.1)
    engine._remove_network(Answers(403))  # type: ignore[arg-type]


def test_other_errors_are_told() -> None:
    with pytest.raises(docker.errors.APIError):
        engine._remove_network(Answers(500))  # type: ignore[arg-type]
