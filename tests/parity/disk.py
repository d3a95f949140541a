"""What lies on the disk, as Kafka's own DumpLogSegments shows it."""

import os
import re
from itertools import pairwise

from kafkalab.cluster import tools

_FILE = re.compile(r"^Dumping (.*)$", re.MULTILINE)
_BATCH = re.compile(r"^baseOffset: .*$", re.MULTILINE)
_FIELD = re.compile(r"(\w+): (\S+)")
_MARKER = re.compile(r"endTxnMarker: (\w+)")


def batches(cluster, *topics):
    """Return, topic by topic, the batches of partition 0 with all their fields; each must be valid."""
    logs = [_log(cluster, topic) for topic in topics]
    text = tools.run(tools.DUMP_LOG, "--print-data-log", "--files", ",".join(map(str, logs)))
    _, *parts = _FILE.split(text)
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    return [_batches(found[os.fspath(log)]) for log in logs]


def _log(cluster, topic):
    node = cluster.directory / str(cluster.leader(topic, 0))
    return node / "data" / f"{topic}-0" / f"{0:020}.log"


def _batches(text):
    read = []
    # Between two batches' lines stand those of the first one's records; a marker is the only one of its kind.
    starts = [*(each.start() for each in _BATCH.finditer(text)), len(text)]
    for start, end in pairwise(starts):
        line, _, records = text[start:end].partition("\n")
        batch = dict(_FIELD.findall(line))
        assert batch["isvalid"] == "true", line
        read.append(batch | {"marker": ",".join(_MARKER.findall(records))})
    return read
