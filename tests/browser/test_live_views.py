"""Log, accumulator, journey, charts and cluster, used as a learner uses them; a click kills a broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from .driver import Browser
from .looking import BOTH, FAINT, barriers, errors, portrait, run, says, view

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.timeout(420)]


SENT = """
from kafkalab.course import Chapter, accumulator_view, journey, log_view
from kafkalab.producer import Producer, Trace
lab = Chapter("00")
topic = lab.topic("live-views", partitions=3)
trace = Trace()
servers = lab.cluster.bootstrap_servers
with Producer(bootstrap_servers=servers, trace=trace, linger_ms=60000, batch_size=2000) as producer:
    for number in range(12):
        producer.send(topic, b"order %d " % number + b"." * 400, key=b"k%d" % (number % 3))
journey(trace, record=1)
""".strip()
FILLED = "accumulator_view(trace)"
LOGGED = """
with Producer(bootstrap_servers=servers, transactional_id="live-views") as producer:
    producer.init_transactions()
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.send(topic, b"paid", key=b"ann", partition=0)
        producer.flush()
        end()
log_view(lab.cluster, topic, isolation="both", numbers=True)
""".strip()
CHARTS = """
from IPython.display import display
from kafkalab.course import bar_chart, line_chart
sizes = {"none": (1070, 1080, 1100), "snappy": 233, "zstd": 149}
display(bar_chart("Size on disk by codec", sizes, "bytes a record", order_only=True))
speed = {"acks=all": [(3, 4, 6), 12, 30], "acks=1": [9, 21, 44]}
line_chart("Throughput", [1000, 16384, 65536], speed, "batch.size (bytes)", "MB/s", measured=True)
""".strip()
CLUSTER = """
from kafkalab.course import Chapter, cluster_view
lab = Chapter("00")
topic = lab.topic("live-cluster", partitions=2, assignment=[[1, 2], [2, 3]])
cluster_view(lab.cluster, topic)
""".strip()

FRONTIER = """
from kafkalab.course import frontier_view
from kafkalab.course.measure import Point
def measure(batch_size, linger_ms, **others):
    if linger_ms == 100:
        raise RuntimeError("no broker answers")
    return Point(batch_size, linger_ms, "3 requests")
points = {"as it comes": Point(5000, 80), "one in flight": Point(1000, 81)}
frontier_view(points, measure=measure)
""".strip()

REFUSING = """
from kafkalab import Cluster
from kafkalab.cluster.errors import NodeStateError
def refuse(broker):
    raise NodeStateError(f"Broker {broker} is dead already: restart it first.")
other = Cluster.attach()
other.kill = refuse
cluster_view(other, topic)
""".strip()


def is_well(browser: Browser) -> None:
    assert errors(browser) == []
    assert browser.page.evaluate(FAINT) == []
    assert barriers(browser) == []
    assert browser.outside == []


@BOTH
def test_what_was_sent_can_be_looked_into(browser: Browser, copy: Path, scheme: str) -> None:
    run(browser, copy, [SENT, FILLED, LOGGED, CHARTS])
    a_journey_says_milliseconds(browser, scheme)
    the_accumulator_is_stepped_through(browser, scheme)
    a_record_says_all_that_is_known(browser, scheme)
    charts_say_what_was_measured(browser, scheme)
    is_well(browser)
    browser.save()
    saved = (copy / "scratch.ipynb").read_text()
    assert "widget-view" not in saved
    assert " ms later" not in saved


def a_journey_says_milliseconds(browser: Browser, scheme: str) -> None:
    shown = view(browser, 0)
    shown.get_by_text("The batch is drained").hover()
    expect(says(shown)).to_contain_text("I/O thread: The batch is drained")
    expect(says(shown)).to_contain_text(" ms later)")
    portrait(browser, shown, "journey", scheme)
    slider = shown.get_by_role("slider", name="Step")
    slider.focus()
    slider.press("Home")
    slider.press("ArrowRight")
    expect(says(shown)).to_contain_text("1. Your thread: send()")


def the_accumulator_is_stepped_through(browser: Browser, scheme: str) -> None:
    shown = view(browser, 1)
    expect(shown.locator("svg")).to_contain_text("acknowledged")
    slider = shown.get_by_role("slider", name="Step")
    slider.focus()
    slider.press("Home")
    for _ in range(8):
        slider.press("ArrowRight")
    expect(says(shown)).to_contain_text("Step 8 of ")
    expect(shown.locator("svg")).to_contain_text("not sent yet")
    expect(shown.locator("svg")).not_to_contain_text("acknowledged")
    portrait(browser, shown, "accumulator", scheme)
    while "leaves" not in (says(shown).text_content() or ""):
        shown.get_by_role("button", name="Next").click()
    expect(shown.locator("svg")).to_contain_text("in flight")
    portrait(browser, shown, "accumulator-leaving", scheme)


def a_record_says_all_that_is_known(browser: Browser, scheme: str) -> None:
    shown = view(browser, 2)
    shown.get_by_text("aborted").hover()
    expect(says(shown)).to_contain_text("key b'ann', value b'paid'")
    expect(says(shown)).to_contain_text("Here: aborted.")
    portrait(browser, shown, "log", scheme)


def charts_say_what_was_measured(browser: Browser, scheme: str) -> None:
    shown = view(browser, 3)
    expect(shown.locator("svg")).to_contain_text("1,080")
    shown.get_by_text("snappy").hover()
    expect(says(shown)).to_have_text("snappy: 233 bytes a record")
    portrait(browser, shown, "bars", scheme)
    shown = view(browser, 4)
    shown.locator("[data-part]").first.hover()
    expect(says(shown)).to_have_text("acks=all, 1,000: 4 (3 to 6)")
    portrait(browser, shown, "lines", scheme)


@BOTH
def test_a_click_measures_and_adds_the_point(browser: Browser, copy: Path, scheme: str) -> None:
    run(browser, copy, [FRONTIER])
    shown = view(browser, 0)
    expect(shown.locator("svg")).to_contain_text("5,000 records/s, 80 ms, frontier")
    shown.get_by_role("slider", name="batch_size").press("ArrowRight")
    button = shown.get_by_role("button", name="Measure")
    button.click()
    expect(says(shown)).to_have_text("65536, 5, none, all, 5: 65,536 records/s, 5 ms. 3 requests")
    expect(shown.locator("svg")).to_contain_text("65,536 records/s, 5 ms, frontier")
    portrait(browser, shown, "frontier", scheme)
    shown.get_by_role("slider", name="linger_ms").press("End")
    button.click()
    expect(says(shown)).to_have_text("RuntimeError: no broker answers")
    is_well(browser)


@BOTH
def test_a_click_kills_a_broker_and_brings_it_back(
    browser: Browser, copy: Path, scheme: str, cluster: Any
) -> None:
    run(browser, copy, [CLUSTER, REFUSING])
    shown = view(browser, 0)
    expect(shown.get_by_role("button", name="restart broker 2")).to_be_disabled()
    shown.get_by_role("button", name="kill broker 2").click()
    expect(says(shown)).to_contain_text("Broker 2 was killed.", timeout=15_000)
    expect(says(shown)).to_contain_text("broker 2 dead")
    assert state(cluster, 2) == "dead"
    cluster.wait_leader("live-cluster", 1, other_than=2)
    cluster.wait_isr("live-cluster", 1, ids=[3])
    row = shown.locator("svg g").filter(has_text="live-cluster-1").first
    expect(row).to_contain_text("behind", timeout=20_000)
    portrait(browser, shown, "cluster-killed", scheme)
    restart = shown.get_by_role("button", name="restart broker 2")
    restart.focus()
    restart.press("Enter")
    expect(says(shown)).to_contain_text("Broker 2 was restarted.", timeout=40_000)
    assert state(cluster, 2) == "running"
    shown.get_by_role("button", name="pause broker 3").click()
    expect(says(shown)).to_contain_text("broker 3 paused", timeout=15_000)
    assert state(cluster, 3) == "paused"
    shown.get_by_role("button", name="resume broker 3").click()
    expect(says(shown)).to_contain_text("broker 3 running", timeout=15_000)
    an_error_is_told(browser, scheme)
    is_well(browser)
    cluster.heal()


def an_error_is_told(browser: Browser, scheme: str) -> None:
    shown = view(browser, 1)
    shown.get_by_role("button", name="kill broker 1").click()
    expect(says(shown)).to_have_text("NodeStateError: Broker 1 is dead already: restart it first.")
    portrait(browser, shown, "cluster-error", scheme)


def state(cluster: Any, broker: int) -> str:
    return next(str(node.state) for node in cluster.status().nodes if node.node_id == broker)
