"""Write jars.lock: every jar that an embedded node needs, by exact coordinates, size and SHA-256.

Run `python -m kafkalab.cluster.lock` after changing KAFKA_VERSION; needs Maven (`mvn`) on the PATH, once, on
the maintainer's machine. Learners need none: they fetch artifact by artifact (download.py), so no other
dependency resolution than Maven's ever decides a version.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kafkalab import KAFKA_VERSION
from kafkalab.cluster.jars import LOCK_FILE, Jar

LOG4J_VERSION = "2.25.5"
ROOTS = (
    ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
    # Kafka logs through slf4j 1.7 and brings log4j, but not the bridge between them.
    ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION),
)
HEADER = f"""\
# The jars of Apache Kafka {KAFKA_VERSION}, in class path order: coordinates, size in bytes, SHA-256.
# Written by `python -m kafkalab.cluster.lock`; do not edit.
"""


def pom() -> str:
    """Return a Maven project that depends on the roots and nothing else."""
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        "</dependency>"
        for group, artifact, version in ROOTS
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>kafkalab</groupId><artifactId>lock</artifactId><version>1</version>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )


def resolve(directory: Path) -> list[Jar]:
    """Let Maven resolve the roots into `directory`; return what it chose, sorted by coordinates."""
    mvn = shutil.which("mvn")
    if mvn is None:
        sys.exit("python -m kafkalab.cluster.lock needs Maven: no `mvn` on the PATH. Install it first.")
    (directory / "pom.xml").write_text(pom())
    order = [mvn, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]
    layout = ["-DoutputDirectory=jars", "-Dmdep.useRepositoryLayout=true"]
    subprocess.run([*order, *layout], cwd=directory, check=True)
    return sorted(_jar(path, directory / "jars") for path in (directory / "jars").rglob("*.jar"))


def _jar(path: Path, root: Path) -> Jar:
    *group, artifact, version, _ = path.relative_to(root).parts
    data = path.read_bytes()
    return Jar(".".join(group), artifact, version, len(data), hashlib.sha256(data).hexdigest())


def main() -> None:
    """Resolve and write the lock file beside this module."""
    with tempfile.TemporaryDirectory() as directory:
        jars = resolve(Path(directory))
    LOCK_FILE.write_text(HEADER + "".join(f"{jar.line()}\n" for jar in jars))
    sys.stdout.write(f"{LOCK_FILE.name}: {len(jars)} jars, {sum(jar.size for jar in jars) / 1e6:.0f} MB\n")


if __name__ == "__main__":
    main()
