"""The parts that need no broker: generators, lock file, ports, processes, waiting, state files."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from kafkalab import KAFKA_VERSION
from kafkalab.cluster import WaitTimeoutError, embedded, home, jars, java, lock, statefile
from kafkalab.cluster.backend import Place
from kafkalab.cluster.keeper import new_id
from kafkalab.cluster.polling import wait_until
from kafkalab.cluster.ports import RANGE, free_ports, is_free
from kafkalab.cluster.processes import ProcessId, find, identify, kill, spawn, tail
from kafkalab.cluster.properties import (
    LAB_SETTINGS,
    LAB_TIMEOUTS,
    as_text,
    meta_properties,
    server_properties,
)

PLACES = {
    100: Place("127.0.0.1", 1, 1, "127.0.0.1", 9000, "/data/100"),
    1: Place("0.0.0.0", 9094, 19094, "10.0.0.1", 9001, "/data/1"),
    2: Place("0.0.0.0", 9094, 29094, "10.0.0.2", 9002, "/data/2"),
}


def test_a_broker_advertises_what_each_side_can_reach():
    properties = server_properties(1, "broker", PLACES, [100])
    assert properties["listeners"] == "CLIENT://0.0.0.0:9094,INTERNAL://0.0.0.0:9001"
    assert properties["advertised.listeners"] == "CLIENT://127.0.0.1:19094,INTERNAL://10.0.0.1:9001"
    assert properties["controller.quorum.voters"] == "100@127.0.0.1:9000"
    assert properties["offsets.topic.replication.factor"] == "2"


def test_a_controller_serves_no_clients():
    properties = server_properties(100, "controller", PLACES, [100])
    assert properties["listeners"] == "CONTROLLER://127.0.0.1:9000"
    assert "advertised.listeners" not in properties


def test_lab_timings_stand_beside_production_and_can_be_left_out():
    lab = server_properties(1, "broker", PLACES, [100])
    kafka = server_properties(1, "broker", PLACES, [100], profile="kafka")
    assert all(setting.lab != setting.production and setting.why for setting in LAB_SETTINGS)
    assert lab["broker.session.timeout.ms"] == "3000"
    assert not {setting.name for setting in LAB_TIMEOUTS} & kafka.keys()


def test_files_are_written_as_java_reads_them():
    assert as_text({"log.dirs": r"C:\data", "a": "b"}) == "log.dirs=C:\\\\data\na=b\n"
    assert meta_properties("c", 1, "d") == "version=1\ncluster.id=c\nnode.id=1\ndirectory.id=d\n"


def test_ids_look_like_kafkas():
    ids = {new_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(made) == 22 and not made.startswith("-") for made in ids)


@pytest.mark.parametrize(
    ("lock_file", "roots"), [(jars.LOCK_FILE, lock.NODE), (jars.TOOLS_LOCK_FILE, lock.TOOLS)]
)
def test_a_lock_file_fits_the_pinned_release(lock_file, roots):
    locked = jars.locked(lock_file)
    versions = {jar.version for jar in locked if jar.group == "org.apache.kafka"}
    assert versions == {KAFKA_VERSION}
    assert {root[:3] for root in roots} <= {jar[:3] for jar in locked}
    assert list(locked) == sorted(set(locked))
    assert all(len(jar.sha256) == 64 and jar.size > 1000 for jar in locked)
    assert [jars.parse(jar.line()) for jar in locked] == list(locked)


def test_the_class_path_is_explicit_and_in_a_fixed_order():
    command = java.command("kafka.Kafka", ["server.properties"], "lab")
    path = command[command.index("-cp") + 1].split(os.pathsep)
    assert [jar.filename for jar in jars.locked()] == [Path(jar).name for jar in path]
    assert command[-2:] == ["kafka.Kafka", "server.properties"]


def test_ports_lie_where_no_client_gets_them_by_chance():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(port in RANGE for port in ports)
    with socket.create_server(("127.0.0.1", ports[0])):
        assert not is_free(ports[0])
    assert is_free(ports[0])


def test_waiting_ends_with_the_result_or_with_what_was_seen():
    seen = iter([0, 1, 2, 3])
    assert wait_until("it grows", lambda: next(seen), lambda n: n == 2) == 2
    with pytest.raises(
        WaitTimeoutError, match=r"Waited 0 s in vain until pigs fly\. Last seen: 'no wings'\. log"
    ):
        wait_until("pigs fly", lambda: "no wings", lambda _: False, timeout=0, evidence=lambda: "log")


def test_a_refused_connection_counts_as_not_yet():
    tries = iter([ConnectionRefusedError("not yet"), None])

    def look():
        error = next(tries)
        if error:
            raise error
        return "up"

    assert wait_until("it is up", look) == "up"


def test_a_process_is_told_apart_from_a_later_one_with_its_pid(tmp_path):
    process = spawn([sys.executable, "-c", "print('hello', flush=True); input()"], tmp_path / "log")
    assert process.wait(20) == 1  # no stdin: input() fails
    assert "hello" in tail(tmp_path / "log", 99)
    assert tail(tmp_path / "none", 1).startswith("(no log at")
    me = identify()
    assert find(me).pid == os.getpid()
    assert find(replace_created(me)) is None
    kill(replace_created(me))


def replace_created(identity):
    return ProcessId(identity.pid, identity.created - 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child's life to its parent's")
def test_a_child_dies_with_its_parent(tmp_path):
    code = (
        "import sys, pathlib; from kafkalab.cluster.processes import spawn\n"
        "child = spawn(['sleep', '60'], pathlib.Path(sys.argv[1]))\n"
        "print(child.pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        child = identify(int(parent.stdout.readline()))
        # It is tied once it is what it was started for; what dies earlier, the next start's sweep covers.
        wait_until("the child runs", lambda: psutil.Process(child.pid).name() == "sleep", timeout=5)
        parent.kill()
    wait_until("the child is gone", lambda: find(child) is None, timeout=5)


def test_a_state_survives_writing_and_reading(own_state):
    fresh = statefile.new_state("id", "embedded", KAFKA_VERSION)
    directory = statefile.create(fresh, "name")
    assert statefile.read(directory) == fresh
    full = replace(
        fresh, keeper=identify(), keeper_address=("h", 1), brokers={1: 2}, node_processes=[identify()]
    )
    statefile.write(directory, full)
    assert statefile.read(directory) == full
    assert len(statefile.key(directory)) == 32
    with pytest.raises(OSError, match="name"):
        statefile.create(fresh, "name")


def test_scratch_of_killed_first_starts_is_swept(empty_home):
    old, fresh = (home.cache_dir() / f"{home.SCRATCH}{name}" for name in ("old", "fresh"))
    for scratch in old, fresh:
        scratch.mkdir(parents=True)
    os.utime(old, (0, 0))
    embedded.sweep()
    assert not old.exists()
    assert fresh.exists()


def test_sweeping_takes_the_dead_and_leaves_the_living_and_the_newborn(own_state):
    alive = statefile.create(statefile.new_state("a", "embedded", KAFKA_VERSION), "alive")
    gone = replace(statefile.new_state("d", "embedded", KAFKA_VERSION), starter=replace_created(identify()))
    dead = statefile.create(gone, "dead")
    newborn = alive.parent / ".new-x"
    newborn.mkdir()
    old = alive.parent / ".new-y"
    old.mkdir()
    os.utime(old, (0, 0))
    assert set(statefile.sweep()) == {dead, old}
    assert alive.exists()
    assert newborn.exists()
