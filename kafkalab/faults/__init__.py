"""Faults that are addressed and repeatable, and an audit that names what they did.

    from kafkalab import FaultProxy, Sent, audit

Names are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafkalab.faults.auditing import Audit, Finding, Sent, audit
    from kafkalab.faults.errors import FaultError, FrameError, RuleError, RuleTimeoutError
    from kafkalab.faults.proxy import FaultProxy
    from kafkalab.faults.recorder import Frame, Recorder
    from kafkalab.faults.rules import Rule
    from kafkalab.faults.sending import SentLog

__all__ = [
    "Audit",
    "FaultError",
    "FaultProxy",
    "Finding",
    "Frame",
    "FrameError",
    "Recorder",
    "Rule",
    "RuleError",
    "RuleTimeoutError",
    "Sent",
    "SentLog",
    "audit",
]

_NAMES = {
    "auditing": ("Audit", "Finding", "Sent", "audit"),
    "errors": ("FaultError", "FrameError", "RuleError", "RuleTimeoutError"),
    "proxy": ("FaultProxy",),
    "recorder": ("Frame", "Recorder"),
    "rules": ("Rule",),
    "sending": ("SentLog",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"kafkalab.faults has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"kafkalab.faults.{_HOMES[name]}"), name)
