from __future__ import annotations

from typing import Any

import pytest

from kafkalab.course import chapter as chapter_module
from kafkalab.course import chapters
from kafkalab.course.chapter import Chapter, CourseMap
from kafkalab.course.progress import Progress


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []
    monkeypatch.setattr(chapter_module, "display", seen.append)
    return seen


@pytest.fixture
def lab(fake_cluster: Any, progress: Progress) -> Chapter:
    return Chapter("01", cluster=fake_cluster, progress=progress)


def test_set_up_heals_the_cluster(lab: Chapter, fake_cluster: Any) -> None:
    assert fake_cluster.healed == 1


def test_card_is_the_same_in_every_run_and_links_to_its_neighbours(lab: Chapter, fake_cluster: Any) -> None:
    again = Chapter("1", cluster=fake_cluster, progress=Progress(None))
    assert repr(lab) == repr(again)
    assert lab._repr_html_() == again._repr_html_()
    assert "00_start_here.ipynb" in lab._repr_html_()
    assert "02_workflow.ipynb" in lab._repr_html_()
    assert "Brokers 1, 2, 3 are ready" in repr(lab)
    assert "fake" not in repr(lab) + lab._repr_html_()


def test_topic_is_recreated_under_the_learners_prefix(lab: Chapter, fake_cluster: Any) -> None:
    fake_cluster.prefix = "ann-"
    assert lab.topic("orders", partitions=3) == "ann-orders"
    assert fake_cluster.topics == [("ann-orders", {"partitions": 3})]


def test_prediction_is_kept_and_shown_beside_what_happened(lab: Chapter, shown: list[Any]) -> None:
    lab.predict("who", "Who leads?", ["broker 1", "broker 2"])
    shown[0].answer = 1
    lab.observe("who", correct="broker 1", because="It is the first replica.")
    assert "You predicted: broker 2" in repr(shown[1])
    assert "What happened: broker 1" in repr(shown[1])
    assert lab.progress.get("01/predict/who") == "broker 2"


def test_what_is_chosen_after_the_experiment_is_no_prediction(lab: Chapter, shown: list[Any]) -> None:
    for name in ("before", "after"):
        lab.predict(name, "Who leads?", ["broker 1", "broker 2"])
    before, after = shown
    before.answer = 1
    assert lab.progress.get("01/first/before") is None
    for name in ("before", "after"):
        lab.observe(name, correct="broker 1", because="It is the first replica.")
    for each in (before, after):
        each.answer = 0
    assert lab.progress.under("01/first") == {"before": "broker 2", "after": ""}
    before.answer = 1
    before.answer = 0
    assert lab.progress.get("01/first/before") == "broker 2"
    assert lab.progress.get("01/predict/before") == "broker 1"
    assert lab.progress.get("01/asked/after") == "Who leads?"


def test_a_kept_prediction_comes_back_in_the_next_session(lab: Chapter, shown: list[Any]) -> None:
    for answer in (1, -1):
        lab.predict("who", "Who leads?", ["broker 1", "broker 2"])
        if answer > 0:
            shown[-1].answer = answer
    assert shown[-1].chosen == "broker 2"


def test_unanswered_prediction_is_neutral(lab: Chapter, shown: list[Any]) -> None:
    lab.predict("who", "Who leads?", ["broker 1", "broker 2"])
    lab.observe("who", correct="broker 1", because="It is the first replica.")
    assert "no prediction made" in repr(shown[1])
    assert repr(shown[1]).startswith("Observed: broker 1")


def test_an_experiment_that_shows_something_else_is_an_error(lab: Chapter, shown: list[Any]) -> None:
    lab.predict("who", "Who leads?", ["broker 1", "broker 2"])
    with pytest.raises(AssertionError, match="'who': 'broker 1' is what this experiment shows, but not in"):
        lab.observe("who", correct="broker 1", shown=False, because="It is the first replica.")
    assert len(shown) == 1
    assert lab.progress.get("01/happened/who") is None


def test_observe_before_predict_says_which_cell_to_run(lab: Chapter) -> None:
    with pytest.raises(LookupError, match=r'Run the cell with lab.predict\("who"'):
        lab.observe("who", correct="a", because="b")


def test_claim_shows_evidence_or_raises_with_it(lab: Chapter, shown: list[Any]) -> None:
    lab.claim("4.1.1-round-robin", holds=True, evidence="24 of 24 records on one partition")
    assert "24 of 24" in repr(shown[0])
    assert "outdated" in shown[0]._repr_html_()
    with pytest.raises(AssertionError, match="6 of 24"):
        lab.claim("4.1.1-round-robin", holds=False, evidence="6 of 24")


def test_claim_of_another_chapter_is_refused(lab: Chapter) -> None:
    with pytest.raises(ValueError, match="belongs to chapter 02, not 01"):
        lab.claim("4.2.1-record-fields", holds=True)


def test_unknown_claim_names_the_nearest(lab: Chapter) -> None:
    with pytest.raises(LookupError, match=r"Did you mean '4.1.1-round-robin'"):
        lab.claim("4.1.1-roundrobin", holds=True)


def test_done_is_kept_and_names_the_next_chapter(lab: Chapter, shown: list[Any]) -> None:
    lab.done()
    assert lab.progress.get("01/done") is True
    assert "Next: 02 Workflow" in repr(shown[0])
    assert "01 Architecture" in repr(CourseMap(lab.progress))
    assert repr(CourseMap(lab.progress)).splitlines()[1].endswith("done")


def test_unknown_chapter_lists_what_there_is() -> None:
    with pytest.raises(LookupError, match=r"no chapter '13'; chapters are 00, 01"):
        chapters.find("13")


@pytest.mark.parametrize("name", ["01", "1", "architecture", "01_architecture", "01_architecture.ipynb"])
def test_a_chapter_has_many_names(name: str) -> None:
    assert chapters.find(name).number == "01"


def test_an_appendix_is_beside_the_path(fake_cluster: Any, progress: Progress) -> None:
    entry = chapters.find("A3")
    assert chapters.neighbours(entry) == (None, None)
    appendix = Chapter("A3", cluster=fake_cluster, progress=progress)
    assert repr(appendix).startswith("Appendix A3: The pictures")
    assert "A3 The pictures" in repr(CourseMap(progress))


def test_first_and_last_chapter_have_one_neighbour() -> None:
    assert chapters.neighbours(chapters.CHAPTERS[0])[0] is None
    assert chapters.neighbours(chapters.CHAPTERS[-1])[1] is None


def test_the_map_can_name_the_sections_of_the_outline(progress: Progress) -> None:
    plain, full = CourseMap(progress), CourseMap(progress, outline=True)
    assert plain.text == full.text
    assert [each.text for each in full.markup.iter("th")] == [
        "Chapter",
        "Question",
        "Outline",
        "Builds on",
        "Minutes",
        "Done",
    ]
    assert "4.3.1, 4.8.2" not in "".join(plain.markup.itertext())
    assert "4.3.1, 4.8.2" in "".join(full.markup.itertext())
