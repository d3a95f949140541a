"""Every failure names what is wrong, what is expected and the way out."""

import shutil
import subprocess
import sys

import psutil
import pytest

from kafkalab.cluster import (
    BackendChoiceError,
    CacheError,
    ChecksumError,
    Cluster,
    DownloadError,
    NodeDiedError,
    PortTakenError,
    choice,
    download,
    first_start,
    home,
    jars,
    java,
    starting,
    statefile,
    storage,
)
from kafkalab.cluster.starting import Plan


@pytest.fixture
def copied_cache(cache_with_jars, empty_home):
    """A cache of its own that a test may break; jars are shared."""
    empty_home.joinpath("cache").mkdir(parents=True)
    for path in cache_with_jars.iterdir():
        if path.is_dir():
            (home.cache_dir() / path.name).symlink_to(path, target_is_directory=True)
        elif path.suffix in {".checkpoint", ".aot"}:
            shutil.copy2(path, home.cache_dir())
    return home.cache_dir()


@pytest.fixture
def cache_with_jars(console):
    from kafkalab.cluster import embedded

    embedded.prepare(console, "lab")
    return home.cache_dir()


def test_wrong_backend(monkeypatch):
    monkeypatch.setenv(choice.BACKEND_VARIABLE, "podman")
    with pytest.raises(
        BackendChoiceError,
        match=r"KAFKALAB_BACKEND='podman' is no back end.*auto, containers, embedded, external",
    ):
        Cluster.start()
    with pytest.raises(BackendChoiceError, match=r"^backend='vm' is no back end"):
        Cluster.start(backend="vm")


def test_external_needs_an_address(monkeypatch):
    monkeypatch.delenv(choice.BOOTSTRAP_VARIABLE, raising=False)
    with pytest.raises(BackendChoiceError, match="needs KAFKALAB_BOOTSTRAP=host:port"):
        choice.choose("external")


def test_auto_says_why(monkeypatch):
    monkeypatch.delenv(choice.BOOTSTRAP_VARIABLE, raising=False)
    monkeypatch.setattr(choice.module("containers"), "unavailable", lambda: "no engine.")
    assert choice.choose("auto")[:2] == ("embedded", "no containers: no engine.")
    with pytest.raises(BackendChoiceError, match=r"backend=containers cannot be used here: no engine\."):
        choice.choose("containers")
    monkeypatch.setattr(choice.module("containers"), "unavailable", lambda: None)
    assert choice.choose("auto").name == "containers"
    monkeypatch.setenv(choice.BOOTSTRAP_VARIABLE, "host:9092")
    assert choice.choose("auto")[:2] == ("external", "KAFKALAB_BOOTSTRAP names a cluster")


def test_first_start_without_network(empty_home, monkeypatch, console):
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DownloadError, match=r"could not be fetched.*needs the network once.*KAFKALAB_HOME"):
        Cluster.start(backend="embedded", console=console)
    assert list(jars.jars_dir().iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("unshare"), reason="needs Linux namespaces")
def test_a_start_needs_no_network_once_the_cache_is_filled(copied_cache):
    code = (
        "from kafkalab.cluster import Cluster\n"
        "with Cluster.start(brokers=1, backend='embedded') as cluster: cluster.create_topic('offline')"
    )
    alone = ["unshare", "--net", "--map-root-user", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine forbids network namespaces")
    done = subprocess.run([*alone, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_jar_with_another_checksum_is_not_kept(empty_home, monkeypatch, tmp_path):
    wrong = tmp_path / "wrong.jar"
    wrong.write_bytes(b"not what the lock says")
    monkeypatch.setattr(download, "_download", lambda jar, scratch: wrong)
    jars.jars_dir().mkdir(parents=True)
    with pytest.raises(ChecksumError, match=r"lz4-java.*SHA-256.*lock file says.*not kept.*another network"):
        download.fetch_one(jars.locked()[0])
    assert list(jars.jars_dir().iterdir()) == []


def test_jars_are_fetched_from_the_registry_and_checked(empty_home):
    small = min(jars.locked(), key=lambda jar: jar.size)
    jars.jars_dir().mkdir(parents=True)
    download.fetch_one(small)
    assert (jars.jars_dir() / small.filename).stat().st_size == small.size
    assert small not in jars.missing()


def test_cache_that_cannot_be_written(monkeypatch, tmp_path, console):
    (tmp_path / "file").touch()
    monkeypatch.setenv(home.HOME_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(CacheError, match=r"file.* cannot be written.*KAFKALAB_HOME"):
        Cluster.start(backend="embedded", console=console)


def test_disk_nearly_full(empty_home, monkeypatch, console):
    full = psutil.disk_usage("/")._replace(free=5_000_000)
    monkeypatch.setattr(psutil, "disk_usage", lambda path: full)
    with pytest.raises(CacheError, match=r"nearly full: 5 MB free, kafkalab needs \d+ MB"):
        Cluster.start(backend="embedded", console=console)
    with pytest.raises(CacheError, match=r"nearly full: 5 MB free, kafkalab needs 300 MB"):
        statefile.create(statefile.new_state("id", "embedded", "4"), "id")


@pytest.mark.cluster
def test_a_node_that_dies_at_start_shows_its_log(copied_cache, console):
    storage.kept_checkpoint().write_bytes(b"no checkpoint at all")
    with pytest.raises(
        NodeDiedError, match=r"(?s)Node 100 ended while it was starting\. Its log ends:.*ERROR"
    ):
        Cluster.start(brokers=1, backend="embedded", console=console)
    assert list(home.clusters_dir().iterdir()) == []


@pytest.mark.cluster
@pytest.mark.parametrize("damage", ["garbage", "truncated", "missing"])
def test_a_broken_aot_cache_only_costs_time(copied_cache, console, damage, monkeypatch):
    monkeypatch.setattr(first_start, "ensure_aot", lambda console: None)
    for role in java.ROLES:
        cache = java.aot_cache(role)
        content = {"garbage": b"garbage" * 1000, "truncated": cache.read_bytes()[: 1 << 20]}
        cache.unlink()
        if damage in content:
            cache.write_bytes(content[damage])
    with Cluster.start(brokers=1, backend="embedded", console=console) as cluster:
        cluster.create_topic("slow-but-sure")


def test_a_failing_aot_training_is_told_and_survived(copied_cache, monkeypatch):
    from rich.console import Console

    for role in java.ROLES:
        java.aot_cache(role).unlink()

    def fail(scratch):
        raise OSError("no luck")

    monkeypatch.setattr(first_start, "_train", fail)
    with Console(record=True, width=200, file=None, stderr=True) as told:
        first_start.ensure_aot(told)
    assert "no AOT cache, starts stay slow (no luck)" in told.export_text()


def test_a_port_taken_at_the_first_start_means_another_try(monkeypatch, console):
    tries = []

    def unlucky(plan, settings):
        tries.append(plan)
        raise PortTakenError("Port 1 is taken")

    module = choice.module("embedded")
    monkeypatch.setattr(module, "prepare", lambda console, profile: {})
    monkeypatch.setattr(starting, "_start_once", unlucky)
    with pytest.raises(PortTakenError, match="Port 1 is taken"):
        starting.start(Plan("embedded", 1, "lab"), console)
    assert len(tries) == starting.ATTEMPTS
