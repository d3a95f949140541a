"""Free ports on the loopback interface, and who holds a port that is not free.

Rules
- Ports are chosen once per cluster and kept over restarts. Between choice and bind another process may take
  one; the first start then tries again with new ones, a restart raises PortTakenError.
- They lie below the range from which the system takes source ports (Linux: from 32768, others: from 49152).
  Inside it, a client that keeps dialling a dead broker's port is sooner or later given that very port as its
  source, connects to itself, and the broker cannot come back.
"""

import os
import random
import socket

import psutil

from kafkalab.cluster.errors import PortTakenError

LOOPBACK = "127.0.0.1"
RANGE = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that nobody holds as of now."""
    chosen: list[int] = []
    for port in random.sample(RANGE, len(RANGE)):
        if len(chosen) == count:
            break
        if is_free(port):
            chosen.append(port)
    return chosen


def is_free(port: int) -> bool:
    """Tell whether `port` can be bound on the loopback."""
    with socket.socket() as probe:
        if os.name == "posix":
            # As Java does: connections that linger in TIME_WAIT after a kill do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require_free(port: int, node: str) -> None:
    """Raise PortTakenError, naming the holder if the system tells, when `port` cannot be bound."""
    if not is_free(port):
        raise PortTakenError(
            f"Port {port} of {node} is held by {_holder(port)}. A node keeps its ports over restarts, "
            "because clients know them: end that process, or stop this cluster and start a new one."
        )


def _holder(port: int) -> str:
    try:
        listening = [c for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port]
        pid = next(c.pid for c in listening if c.status == psutil.CONN_LISTEN and c.pid)
        return f"process {pid} ({psutil.Process(pid).name()})"
    except (psutil.Error, StopIteration):
        return "another process"
