"""A table of findings: the same in words, what is not fine set off, rows of one shape."""

import pytest

from kafkalab.course import table_view

ROWS = {"modern": {"answer lost": "-", "refused": "-"}, "old": {"answer lost": "twice", "refused": "-"}}


def test_it_says_the_same_in_words():
    assert str(table_view("Two recipes", ROWS)).splitlines() == [
        "Two recipes",
        "        answer lost  refused",
        "modern  -            -",
        "old     twice        -",
    ]


def test_only_what_is_not_fine_is_set_off():
    shown = table_view("Two recipes", ROWS)._repr_html_()
    (marked,) = [cell for cell in shown.split("<td")[1:] if "font-weight:700" in cell]
    assert ">twice<" in marked
    assert "<caption>Two recipes</caption>" in shown


def test_text_is_text():
    assert "&lt;b&gt;" in table_view("<b>", {"a": {"b": "<b>"}})._repr_html_()


def test_a_row_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"'old' has the columns \['refused'\]"):
        table_view("t", {"modern": {"answer lost": "-"}, "old": {"refused": "-"}})
