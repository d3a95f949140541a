"""The live views, used as a learner uses them: with a mouse, with the keyboard, in both themes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from .driver import Browser
from .looking import BOTH, FAINT, barriers, errors, portrait, run, says, view

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.timeout(420)]


LOST = """
from kafkalab import FaultProxy
from kafkalab.course import Chapter, bytes_compare, bytes_view, record_batches, sequence_diagram
from kafkalab.faults.recorder import Recorder
from kafkalab.producer import Producer
lab = Chapter("00")
topic = lab.topic("views", assignment=[[1, 2, 3]])
with FaultProxy(lab.cluster.bootstrap_servers, record=Recorder(keep=True)) as proxy:
    proxy.drop_response("Produce", nth=2, reset=True)
    with Producer(bootstrap_servers=proxy.bootstrap_servers) as producer:
        for number in range(3):
            producer.send(topic, b"order %d" % number, key=b"ann", timestamp_ms=1_700_000_000_000).result(30)
sequence_diagram(proxy, title="One answer is lost")
""".strip()
BYTES = """
request = proxy.recorder.find(api="Produce", direction="request")[0].raw
bytes_view(request, "What went over the wire")
""".strip()
POINTED = """
from kafkalab.course.exercise import Exercise, Result, Sitting
from kafkalab.course.progress import Progress
batch = record_batches(request)[0]
result = Result("wrong", "The batch says it holds two records.", view=bytes_view(
    batch[:60] + bytes([2]) + batch[61:], wrong={60: "there is one record"}))
asked = Exercise("00", "count", "Count.", ("", ""), "count", object, lambda answer, bench: result)
Sitting(asked, lab.cluster, Progress(None)).check(type("Answer", (), {"count": lambda self: 2}))
""".strip()
COMPARED = """
sent = proxy.recorder.find(api="Produce", direction="request")
first, second = (record_batches(each.raw)[0] for each in sent[:2])
bytes_compare(first, second, ("first batch", "second batch"))
""".strip()


JOURNEY = """
from kafkalab.course import journey
from kafkalab.producer import Trace
trace = Trace()
with Producer(bootstrap_servers=lab.cluster.bootstrap_servers, trace=trace) as producer:
    producer.send(topic, b"order", key=b"ann").result(30)
journey(trace)
""".strip()


@BOTH
def test_views_answer_to_mouse_and_keyboard(browser: Browser, copy: Path, scheme: str) -> None:
    run(browser, copy, [LOST, BYTES, COMPARED, POINTED, JOURNEY])
    assert errors(browser) == []
    assert_sequence_can_be_stepped_through(browser, scheme)
    assert_bytes_and_fields_are_linked(browser, scheme)
    assert_differences_are_told(browser, scheme)
    assert_a_check_points_at_the_byte(browser, scheme)
    assert_a_journey_tells_its_times(browser, scheme)
    assert browser.page.evaluate(FAINT) == []
    assert barriers(browser) == []
    assert browser.outside == []
    assert_what_is_saved_is_the_static_form(browser, copy)


def assert_sequence_can_be_stepped_through(browser: Browser, scheme: str) -> None:
    shown = view(browser, 0)
    shown.scroll_into_view_if_needed()
    expect(says(shown)).to_contain_text("Point at a message")
    portrait(browser, shown, "sequence", scheme)
    shown.get_by_text("Produce answer lost").hover()
    expect(says(shown)).to_contain_text("answer lost")
    expect(says(shown)).to_contain_text(" ms after its request")
    expect(shown.locator("g.later")).to_have_count(0)
    slider = shown.get_by_role("slider", name="Message")
    slider.focus()
    slider.press("Home")
    for _ in range(3):
        slider.press("ArrowRight")
    expect(says(shown)).to_contain_text("(p1, 0, 1) 1 record")
    assert slider.get_attribute("aria-valuetext") == says(shown).text_content()
    expect(shown.locator("g.later")).to_have_count(5)
    assert outline(slider) == "solid"
    portrait(browser, shown, "sequence-stepped", scheme)
    shown.get_by_role("button", name="Next").click()
    expect(shown.locator("g.later")).to_have_count(4)
    for _ in range(4):
        shown.get_by_role("button", name="Back").click()
    expect(shown.get_by_role("button", name="Back")).to_be_disabled()
    expect(shown.locator("g.later")).to_have_count(0)


def assert_bytes_and_fields_are_linked(browser: Browser, scheme: str) -> None:
    shown = view(browser, 1)
    part = shown.locator("g[data-part]").filter(has_text="'order 0'").get_attribute("data-part")
    digits = shown.locator(f".dump .run[data-part='{part}']").first
    digits.scroll_into_view_if_needed()
    digits.hover()
    expect(says(shown)).to_contain_text("value = 'order 0'")
    expect(shown.locator("g.on")).to_have_count(1)
    expect(shown.locator("g.on")).to_contain_text("'order 0'")
    expect(shown.locator("g.on")).to_be_in_viewport()
    portrait(browser, shown, "bytes", scheme)
    slider = shown.get_by_role("slider", name="Field")
    slider.focus()
    slider.press("End")
    expect(shown.locator("g.on")).to_be_in_viewport()
    slider.press("Home")
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    expect(says(shown)).to_contain_text("Bytes 0 to 3, size = ")
    expect(shown.locator(".dump .run.on")).to_have_count(1)
    expect(says(shown)).not_to_contain_text("(varies)")


def assert_differences_are_told(browser: Browser, scheme: str) -> None:
    shown = view(browser, 2)
    shown.get_by_text("base sequence").hover()
    expect(says(shown)).to_have_text("DIFFERENT base sequence: 0 | 1")
    portrait(browser, shown, "compare", scheme)


def assert_a_check_points_at_the_byte(browser: Browser, scheme: str) -> None:
    shown = view(browser, 3)
    expect(browser.page.get_by_text("The batch says it holds two records.", exact=True)).to_be_visible()
    shown.locator("g[data-part]").filter(has_text="✕ record count").hover()
    expect(says(shown)).to_have_text("Bytes 57 to 60, record count = 2: there is one record")
    portrait(browser, shown, "check", scheme)


def assert_a_journey_tells_its_times(browser: Browser, scheme: str) -> None:
    shown = view(browser, 4)
    shown.get_by_text("Appended to the log").hover()
    expect(says(shown)).to_contain_text(" ms later)")
    for _ in range(3):
        shown.get_by_role("button", name="Back").click()
    expect(shown.locator("g.later")).not_to_have_count(0)
    portrait(browser, shown, "journey", scheme)


def assert_what_is_saved_is_the_static_form(browser: Browser, copy: Path) -> None:
    browser.save()
    saved = (copy / "scratch.ipynb").read_text()
    assert "widget-view" not in saved
    assert " ms after its request" not in saved
    assert saved.count("data:image/svg+xml") == 5


def outline(focused: Locator) -> str:
    return str(focused.evaluate("node => getComputedStyle(node).outlineStyle"))
