"""A topic of one's own, and waiting for what the producer shows."""

import re
import threading
import time


def make_topic(cluster, request, **settings):
    """Create the topic named after the running test afresh; settings as for Cluster.create_topic()."""
    name = cluster.prefix + "producer-" + re.sub(r"[^a-zA-Z0-9]+", "-", request.node.name)[:80]
    cluster.recreate_topic(name, **settings)
    return name


def wait_until(condition, seconds=15.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        threading.Event().wait(0.005)
