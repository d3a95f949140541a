"""A Kafka image's files as one tar stream, put together from what this machine has, without any registry.

Rules
- Layout of apache/kafka: jars in /opt/kafka/libs, the JRE in /opt/java/openjdk, user appuser (uid 1000).
- Beside those only what the JRE loads (asked of `ldd`), the few files of /etc that name look-ups want, a
  temporary folder, and busybox for a look inside where this machine has it.
- File times are kept: the JDK's AOT cache holds only for jars of the same times.

Left out: machines without glibc, and images for another processor than this one (image.py takes the
Dockerfile there). What only desktop programs load (fonts, sound, windows) stays in the JRE, but its libraries
are not added.
"""

import io
import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

APPUSER = 1000
JAVA_HOME = "opt/java/openjdk"
LIBS = "opt/kafka/libs"
DATA = "var/lib/kafka/data"
ENVIRONMENT = {
    "JAVA_HOME": f"/{JAVA_HOME}",
    "PATH": f"/{JAVA_HOME}/bin:/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
}

_ETC = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nappuser:x:1000:1000::/home/appuser:/bin/sh\n",
    "etc/group": "root:x:0:\nappuser:x:1000:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_NATIVE = ("server/jvm", "java", "jimage", "jli", "net", "nio", "zip", "verify", "extnet", "management")
_UNUSED = {"include", "jmods", "man", "docs"}
_APPLETS = ("sh", "ls", "cat", "ps", "kill", "sleep", "tail", "grep", "df", "du", "nc", "ip")


def possible(engine_arch: str) -> str | None:
    """Return None when an image for `engine_arch` (as Docker names it) can be staged here, else why not."""
    here = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return f"this machine is no Linux with glibc ({platform.platform(terse=True)})"
    if here != engine_arch:
        return f"the engine runs on {engine_arch}, this machine is {here}"
    return None


def pack(target: BinaryIO, java_home: Path, jars: Sequence[Path], extra: Mapping[str, bytes]) -> None:
    """Write the image's files to `target` as a tar; `extra` maps further paths to their content."""
    # Links are followed: Debian's JRE points into /etc.
    with tarfile.open(fileobj=target, mode="w", dereference=True) as out:
        _everything(out, java_home, jars, extra)


def _everything(
    out: tarfile.TarFile, java_home: Path, jars: Sequence[Path], extra: Mapping[str, bytes]
) -> None:
    for folder, owner in ((LIBS, 0), (DATA, APPUSER), ("home/appuser", APPUSER), ("root", 0)):
        _folder(out, folder, owner=owner)
    _folder(out, "tmp", mode=0o1777)
    for path in _files(java_home):
        out.add(path, f"{JAVA_HOME}/{path.relative_to(java_home).as_posix()}", filter=_plain)
    for jar in jars:
        out.add(jar, f"{LIBS}/{jar.name}", filter=_plain)
    for library in sorted(libraries(java_home)):
        out.add(library.resolve(), str(library).lstrip("/"), filter=_plain)
    etc = {name: text.encode() for name, text in _ETC.items()}
    for name, content in (etc | dict(extra)).items():
        _file(out, name, content)
    _busybox(out)


def _files(java_home: Path) -> Iterator[Path]:
    """Yield all files of the JRE; a link to nothing (Debian's src.zip) is passed over."""
    for folder, folders, names in os.walk(java_home, followlinks=True):
        folders[:] = sorted(set(folders) - _UNUSED)
        yield from (path for name in sorted(names) if (path := Path(folder, name)).exists())


def libraries(java_home: Path) -> set[Path]:
    """Return the libraries outside `java_home` that a server JVM loads, the dynamic loader among them."""
    native = [java_home / "lib" / folder.parent / f"lib{folder.name}.so" for folder in map(Path, _NATIVE)]
    binaries = [java_home / "bin" / "java", *(path for path in native if path.exists())]
    found = {path for binary in binaries for path in _needs(binary)}
    home = java_home.resolve()
    return {path for path in found if not path.resolve().is_relative_to(home)}


def _needs(binary: Path) -> Iterable[Path]:
    """Yield what `ldd` resolves; lines read `libc.so.6 => /lib/libc.so.6 (0x..)` or `/lib64/ld.so (0x..)`."""
    ldd = shutil.which("ldd") or "ldd"
    listing = subprocess.run([ldd, binary.resolve()], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        path = line.partition("=>")[2] or line
        name = path.split("(")[0].strip()
        if name.startswith("/"):
            yield Path(name)


def _busybox(out: tarfile.TarFile) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        return
    out.add(Path(busybox).resolve(), "bin/busybox", filter=_plain)
    for applet in _APPLETS:
        link = tarfile.TarInfo(f"bin/{applet}")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        out.addfile(link)


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owned by root and readable by all, whoever owns the file on this machine."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    return info


def _folder(out: tarfile.TarFile, path: str, owner: int = 0, mode: int = 0o755) -> None:
    info = tarfile.TarInfo(path)
    info.type, info.mode = tarfile.DIRTYPE, mode
    info.uid = info.gid = owner
    out.addfile(info)


def _file(out: tarfile.TarFile, path: str, content: bytes) -> None:
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(content), 0o644
    out.addfile(info, io.BytesIO(content))
