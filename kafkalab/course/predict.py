"""Predictions: say what will happen, run the experiment, compare.

The live form is a widget with radio buttons; its static form (text/html, text/plain) shows the question and
its options, is the same in every run and is what a notebook shows without a kernel. An answer is handed to
`on_answer` at once. Leaves out: scores. A wrong prediction is the point of making one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import traitlets

from kafkalab.course.cards import Shown, card, pairs, paragraph
from kafkalab.course.markup import tag
from kafkalab.course.views.live import ASSETS, LiveView

UNANSWERED = -1


class Prediction(LiveView):
    """A question with options; `answer` is the index of the chosen one, -1 for none."""

    _esm = ASSETS / "predict.js"
    name = traitlets.Unicode().tag(sync=True)
    question = traitlets.Unicode().tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    answer = traitlets.Int(UNANSWERED).tag(sync=True)

    def __init__(
        self,
        name: str,
        question: str,
        options: Sequence[str],
        *,
        kept: str | None = None,
        on_answer: Callable[[str], None] | None = None,
    ) -> None:
        """Ask `question`; `kept` is an answer given in an earlier session."""
        _check(name, options)
        answer = options.index(kept) if kept in options else UNANSWERED
        super().__init__(name=name, question=question, options=list(options), answer=answer)
        if on_answer is not None:
            self.observe(lambda change: on_answer(self.options[change["new"]]), "answer")

    @property
    def chosen(self) -> str | None:
        """The text of the chosen option, or None."""
        return None if self.answer == UNANSWERED else str(self.options[self.answer])

    def static(self) -> Shown:
        """Return the form that needs no kernel: question and options, no answer."""
        lines = [
            f"Predict: {self.question}",
            *(f"  {n}. {option}" for n, option in enumerate(self.options, 1)),
        ]
        options = tag("ol", *(tag("li", option) for option in self.options))
        return card("predict", f"Predict: {self.question}", options, text="\n".join(lines))


def _check(name: str, options: Sequence[str]) -> None:
    if isinstance(options, str) or len(set(options)) != len(options) or len(options) < 2:
        raise ValueError(
            f"Prediction {name!r}: options are {options!r}, expected two or more different texts."
        )


def outcome(prediction: Prediction, correct: str, because: str) -> Shown:
    """Return what happened beside what was predicted; ValueError if `correct` is none of the options."""
    if correct not in prediction.options:
        raise ValueError(
            f"Prediction {prediction.name!r}: correct={correct!r} is none of {list(prediction.options)}."
        )
    rows = {"You predicted": prediction.chosen or "(no prediction made)", "What happened": correct}
    lines = [
        f"{_judgement(prediction.chosen, correct)}",
        *(f"  {name}: {value}" for name, value in rows.items()),
    ]
    title = _judgement(prediction.chosen, correct)
    return card("predict", title, pairs(rows), paragraph(because), text="\n".join([*lines, f"  {because}"]))


def _judgement(chosen: str | None, correct: str) -> str:
    if chosen is None:
        return f"Observed: {correct}"
    return "As you predicted" if chosen == correct else "Not what you predicted: now you know something new"
