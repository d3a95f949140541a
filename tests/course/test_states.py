from kafkalab.course.views import states
from kafkalab.producer.transaction_states import TRANSITIONS


def test_the_page_about_transactions_is_drawn_from_the_table():
    assert states.PAGE.read_text(encoding="utf-8") == states.page(), "python -m kafkalab.course.views.states"


def test_every_step_of_the_table_is_in_the_picture():
    arrows = states.diagram().count(" --> ") - 1
    assert arrows == sum(len(steps) for steps in TRANSITIONS.values()) - (len(TRANSITIONS) - 1)
