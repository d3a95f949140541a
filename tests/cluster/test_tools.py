"""Kafka's tools and a compiled program run wherever the embedded nodes do."""

import json
import subprocess

import pytest

from kafkalab.cluster import tools
from kafkalab.cluster.errors import JavaToolError

HELLO = """
import org.apache.kafka.common.utils.Utils;

public class Hello {
    public static void main(String[] arguments) throws Exception {
        byte[] asked = System.in.readAllBytes();
        System.out.println(arguments[0] + " " + Utils.toPositive(Utils.murmur2(asked)));
    }
}
"""


@pytest.fixture
def hello(tmp_path):
    source = tmp_path / "Hello.java"
    source.write_text(HELLO)
    return source


def test_a_program_is_compiled_once_and_runs(hello):
    classes = tools.compiled(hello)
    written = (classes / "Hello.class").stat().st_mtime_ns
    # A vector of Kafka's own UtilsTest: murmur2("foobar") = -790332482.
    assert tools.run("Hello", "says", classes=classes, stdin="foobar") == f"says {-790332482 & 0x7FFFFFFF}\n"
    assert tools.compiled(hello) == classes
    assert (classes / "Hello.class").stat().st_mtime_ns == written


def test_another_source_is_another_class(hello):
    first = tools.compiled(hello)
    hello.write_text(HELLO + "// changed\n")
    assert tools.compiled(hello) != first


def test_what_does_not_compile_says_why_and_is_not_kept(hello):
    hello.write_text(HELLO.replace("murmur2", "murmur3"))
    for _ in range(2):
        with pytest.raises(JavaToolError, match=r"murmur3\(byte\[\]\) is undefined"):
            tools.compiled(hello)


def test_a_tool_that_fails_says_why():
    with pytest.raises(JavaToolError, match=r"(?s)DumpLogSegments failed .*nothing is not a recogni"):
        tools.run(tools.DUMP_LOG, "--nothing")


def test_a_tool_that_does_not_end_is_killed(tmp_path):
    source = tmp_path / "Forever.java"
    source.write_text(
        "class Forever { public static void main(String[] a) throws Exception { Thread.sleep(9999); } }"
    )
    with pytest.raises(JavaToolError, match="Forever did not end within 1 s"):
        tools.run("Forever", classes=tools.compiled(source), timeout=1)


@pytest.mark.cluster
def test_every_tool_the_course_needs_runs_on_a_real_cluster(cluster):
    topic = cluster.prefix + "java-tools"
    cluster.recreate_topic(topic, partitions=1)
    servers = ("--bootstrap-server", cluster.bootstrap_servers)
    told = tools.run(
        tools.VERIFIABLE_PRODUCER, *servers, "--topic", topic, "--max-messages", "3", "--throughput", "1000"
    )
    events = [json.loads(line) for line in told.splitlines()]
    assert [event["offset"] for event in events if event["name"] == "producer_send_success"] == [0, 1, 2]
    told = tools.run(
        tools.PRODUCER_PERFORMANCE,
        *servers,
        *("--topic", topic, "--num-records", "7", "--record-size", "10", "--throughput", "-1"),
    )
    assert told.startswith("7 records sent")
    told = tools.run(
        tools.CONSOLE_CONSUMER, *servers, "--topic", topic, "--from-beginning", "--max-messages", "10"
    )
    assert told.splitlines()[:3] == ["0", "1", "2"]
    assert [len(line) for line in told.splitlines()[3:]] == [10] * 7
    if cluster.backend == "embedded":
        log = cluster.directory / str(cluster.leader(topic, 0)) / "data" / f"{topic}-0" / f"{0:020}.log"
        told = tools.run(tools.DUMP_LOG, "--files", str(log))
        assert "baseOffset: 0 " in told
        assert told.count("isvalid: true") == told.count("baseOffset: ") > 0


def test_options_that_only_a_node_needs_are_not_a_clients():
    client = tools.command("Main", flags=tools.CLIENT)
    assert [flag for flag in client if flag.startswith("-Xm")] == ["-Xmx512M"]
    assert "-XX:+UseG1GC" in client
    done = subprocess.run([*client[:-1], "no.such.Main"], capture_output=True, text=True, check=False)
    assert "Unrecognized" not in done.stderr
    assert "no.such.Main" in done.stderr
