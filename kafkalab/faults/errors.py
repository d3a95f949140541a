"""What can go wrong with the fault lab itself, each as one exception class.

Rules: every message names the value, what is allowed and the fix.
"""


class FaultError(Exception):
    """Base of everything that the fault lab raises on purpose."""


class RuleError(FaultError, ValueError):
    """A rule that cannot be: an unknown API or error name, a number out of range."""


class RuleTimeoutError(FaultError, TimeoutError):
    """A rule did not fire in the time given; the message says how many requests it saw."""


class FrameError(FaultError):
    """Bytes that are no Kafka frame, or a frame that cannot be read and written back unchanged."""
