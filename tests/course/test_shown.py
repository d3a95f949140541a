from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from kafkalab.course import claims
from kafkalab.course.cards import Picture, Shown, card
from kafkalab.course.markup import html, tag
from kafkalab.course.predict import Prediction, outcome
from kafkalab.course.source import show_source


def greet(name: str) -> str:
    """Say hello.

    Politely.
    """

    return f"hello {name}"


def test_markup_escapes_and_nests() -> None:
    node = tag("p", "a < b", tag("b", "x"), " & c", None, class_="k", stroke_width=1.50, id=None)
    assert html(node) == '<p class="k" stroke-width="1.5">a &lt; b<b>x</b> &amp; c</p>'


def test_a_card_has_a_text_twin() -> None:
    shown = card("claim", "Title", "body", text="Title: body")
    assert repr(shown) == "Title: body"
    assert "<strong>Title</strong>" in shown._repr_html_()


def test_a_picture_is_an_image_with_alt_and_words() -> None:
    picture = Picture(tag("svg", width="640"), "A picture.", "line one\nline two")
    data = picture._repr_mimebundle_()
    root = ET.fromstring(data["text/html"].replace('width="640">', 'width="640"/>'))
    image = root.find("img")
    assert image is not None
    assert image.get("alt") == "A picture."
    assert str(image.get("src")).startswith("data:image/svg+xml;base64,")
    assert root.findtext("details/pre") == data["text/plain"] == "line one\nline two"


def test_prediction_has_a_static_form_whatever_was_answered() -> None:
    prediction = Prediction("p", "Which <one>?", ["a", "b"])
    before = prediction._repr_mimebundle_()[0]
    prediction.answer = 1
    after = prediction._repr_mimebundle_()[0]
    assert before["text/html"] == after["text/html"]
    assert "Which &lt;one&gt;?" in before["text/html"]
    assert before["text/plain"] == repr(prediction) == "Predict: Which <one>?\n  1. a\n  2. b"
    assert "application/vnd.jupyter.widget-view+json" in before


def test_a_kept_answer_that_is_no_option_any_more_is_forgotten() -> None:
    assert Prediction("p", "Which?", ["a", "b"], kept="c").chosen is None


@pytest.mark.parametrize("options", [["only"], ["a", "a"], "ab"])
def test_options_are_two_different_texts_or_more(options: list[str]) -> None:
    with pytest.raises(ValueError, match="two or more different texts"):
        Prediction("p", "Which?", options)


def test_outcome_must_be_one_of_the_options() -> None:
    with pytest.raises(ValueError, match=r"correct='c' is none of \['a', 'b'\]"):
        outcome(Prediction("p", "Which?", ["a", "b"]), "c", "because")


@pytest.mark.parametrize(("answer", "title"), [(0, "As you predicted"), (1, "Not what you predicted")])
def test_outcome_compares(answer: int, title: str) -> None:
    prediction = Prediction("p", "Which?", ["a", "b"])
    prediction.answer = answer
    assert title in outcome(prediction, "a", "because")._repr_html_()


def test_source_is_the_code_that_runs() -> None:
    shown = show_source(greet)
    assert shown.code.startswith("def greet(name: str) -> str:")
    assert "```python\ndef greet" in shown._repr_mimebundle_()["text/markdown"]
    assert show_source(greet, docstring=False).code.splitlines() == [
        "def greet(name: str) -> str:",
        '    return f"hello {name}"',
    ]


def test_source_of_a_method_is_dedented() -> None:
    assert show_source(Shown._repr_html_).code.startswith("def _repr_html_(self)")
    assert show_source(Shown._repr_html_).title == "kafkalab.course.cards.Shown._repr_html_"


def test_source_of_a_module() -> None:
    assert show_source(claims).title == "kafkalab.course.claims"


@pytest.mark.parametrize("thing", [3, len])
def test_things_without_source_are_refused(thing: object) -> None:
    with pytest.raises(TypeError, match="has no Python source to show"):
        show_source(thing)  # type: ignore[arg-type]
