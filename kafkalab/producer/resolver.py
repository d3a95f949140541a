"""Names to addresses without blocking: the system's look-up can take a minute, and the I/O thread has none.

Rules: one look-up per name at a time, each on a daemon thread of its own; every result is used once,
so a name that moved is found again; numeric addresses need no look-up.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias

Address: TypeAlias = tuple[str, int]
Found: TypeAlias = list[tuple[Any, ...]]
"""What socket.getaddrinfo returns."""


class Resolver:
    """Look names up; `on_done` is called, on another thread, when one is known."""

    def __init__(self, on_done: Callable[[], object]) -> None:
        self._on_done = on_done
        self._lookups: dict[Address, Future[Found]] = {}

    def __call__(self, address: Address) -> Found | None:
        """Return the addresses of (host, port), None while it is being looked up; raises OSError."""
        with contextlib.suppress(OSError, ValueError):  # that is a name
            return socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        if address not in self._lookups:
            self._lookups[address] = Future()
            threading.Thread(target=self._look_up, args=(address,), daemon=True).start()
        elif self._lookups[address].done():
            return self._lookups.pop(address).result()
        return None

    def _look_up(self, address: Address) -> None:
        lookup = self._lookups[address]
        try:
            lookup.set_result(socket.getaddrinfo(*address, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            lookup.set_exception(OSError(f"host {address[0]!r} is not found: {error}"))
        self._on_done()
