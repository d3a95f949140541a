"""The states of a transactional producer as a picture, drawn from the table that drives it.

`python -m kafkalab.course.views.states` writes docs/transactions.md; a test keeps it up to date. GitHub
and JupyterLab draw Mermaid themselves; the table below it says the same to a screen reader.
"""

from __future__ import annotations

from pathlib import Path

from kafkalab.producer.transaction_states import FATAL, TRANSITIONS, VERBS, State

PAGE = Path(__file__).parents[3] / "docs" / "transactions.md"


def diagram() -> str:
    """Return the state machine in Mermaid's language; the way to FATAL_ERROR, open from everywhere, once."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.UNINITIALIZED.name}"]
    for state, steps in TRANSITIONS.items():
        for event, after in steps.items():
            if event != FATAL:
                label = f"{event}()" if event in VERBS else event
                lines.append(f"    {state.name} --> {after.name}: {label}")
    lines.append(f"    note right of {State.FATAL_ERROR.name}: {FATAL}, from every state")
    return "\n".join(lines)


def table() -> str:
    """Return the states, what they mean and the verbs they allow, as a Markdown table."""
    rows = ["| State | What it means | Allowed |", "|---|---|---|"]
    for state in State:
        allowed = ", ".join(f"`{verb}()`" for verb in VERBS if verb in TRANSITIONS[state])
        rows.append(f"| {state.name} | {state.value} | {allowed or 'nothing'} |")
    return "\n".join(rows)


def page() -> str:
    """Return the whole page."""
    return f"""# The states of a transactional producer

Drawn by `python -m kafkalab.course.views.states` from `TRANSITIONS` in
`kafkalab/producer/transaction_states.py`; do not edit. `close()` is allowed everywhere, and aborts what is
open.

```mermaid
{diagram()}
```

{table()}
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
