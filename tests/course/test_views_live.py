from __future__ import annotations

from typing import Any

import pytest

from kafkalab.course.cards import Picture, Shown
from kafkalab.course.markup import tag
from kafkalab.course.views.live import Explorer, LiveView


class Drawn(LiveView):
    _esm = "export default { render() {} }"

    def static(self) -> Shown:
        return Picture(tag("svg", width=10), "A line.", "a line")


def test_a_live_view_brings_its_static_form_along() -> None:
    data, _ = Drawn()._repr_mimebundle_()
    assert data["text/plain"] == "a line" == repr(Drawn())
    assert 'alt="A line."' in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_the_static_form_is_the_same_for_every_widget() -> None:
    def told(view: Any) -> tuple[str, str]:
        data = view._repr_mimebundle_()[0]
        return data["text/plain"], data["text/html"]

    assert told(Drawn()) == told(Drawn())


def test_a_view_without_a_static_form_is_a_mistake() -> None:
    with pytest.raises(NotImplementedError):
        repr(LiveView())


def explorer() -> Explorer:
    picture = Picture(tag("svg", tag("g", data_part=0), width=10), "A line.", "a line")
    return Explorer(picture, ["12 ms: the line"], "line", unfolds=True)


def test_an_explorer_keeps_what_is_measured_out_of_its_static_form() -> None:
    view = explorer()
    data, _ = view._repr_mimebundle_()
    assert "12 ms" not in data["text/html"] + data["text/plain"]
    assert view.details == ["12 ms: the line"]
    assert view.equivalent == data["text/plain"] == "a line"


def test_an_explorer_hands_its_script_the_picture_and_both_palettes() -> None:
    state = explorer().get_state()
    assert '<g data-part="0"' in state["drawing"]
    assert state["alt"] == "A line."
    assert state["hint"] == "Point at a line, or go through them with the slider."
    assert all(len(pair) == 2 for pair in state["colours"].values())
