"""What a learner touches: chapters, predictions, claims, exercises, pictures.

    from kafkalab.course import Chapter
    lab = Chapter("01")

Names are loaded on first use, so that the command line and the static checks stay quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafkalab.course.beliefs import Beliefs
    from kafkalab.course.chapter import Chapter, CourseMap
    from kafkalab.course.source import show_source
    from kafkalab.course.summary import Summary
    from kafkalab.course.views.accumulator import accumulator_view
    from kafkalab.course.views.bytes import bytes_view
    from kafkalab.course.views.charts import bar_chart, line_chart
    from kafkalab.course.views.cluster import cluster_picture
    from kafkalab.course.views.compare import bytes_compare
    from kafkalab.course.views.course import course_picture
    from kafkalab.course.views.fields import record_batches
    from kafkalab.course.views.frontier import frontier_view
    from kafkalab.course.views.journey import journey
    from kafkalab.course.views.language import visual_language
    from kafkalab.course.views.log import log_picture, log_view
    from kafkalab.course.views.operating import cluster_view
    from kafkalab.course.views.sequence import sequence_diagram
    from kafkalab.course.views.tables import table_view

__all__ = [
    "Beliefs",
    "Chapter",
    "CourseMap",
    "Summary",
    "accumulator_view",
    "bar_chart",
    "bytes_compare",
    "bytes_view",
    "cluster_picture",
    "cluster_view",
    "course_picture",
    "frontier_view",
    "journey",
    "line_chart",
    "log_picture",
    "log_view",
    "record_batches",
    "sequence_diagram",
    "show_source",
    "table_view",
    "visual_language",
]

_HOMES = {
    "Beliefs": "beliefs",
    "Chapter": "chapter",
    "CourseMap": "chapter",
    "Summary": "summary",
    "accumulator_view": "views.accumulator",
    "bar_chart": "views.charts",
    "bytes_compare": "views.compare",
    "bytes_view": "views.bytes",
    "cluster_picture": "views.cluster",
    "cluster_view": "views.operating",
    "course_picture": "views.course",
    "frontier_view": "views.frontier",
    "journey": "views.journey",
    "line_chart": "views.charts",
    "log_picture": "views.log",
    "record_batches": "views.fields",
    "sequence_diagram": "views.sequence",
    "log_view": "views.log",
    "show_source": "source",
    "table_view": "views.tables",
    "visual_language": "views.language",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"kafkalab.course has no {name!r}; it has {', '.join(__all__)}.")
    return getattr(importlib.import_module(f"kafkalab.course.{_HOMES[name]}"), name)
