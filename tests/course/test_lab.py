"""`kafkalab lab` as a learner runs it: its own cluster under it, and nothing left of it after Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kafkalab.cluster.home import cache_dir
from kafkalab.cluster.polling import wait_until


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT as a terminal's Ctrl-C does")
@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGKILL]], ids=["ctrl-c", "sigkill"])
def test_the_lab_takes_its_cluster_with_it(tmp_path: Path, signals: list[signal.Signals]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "cache").symlink_to(cache_dir())
    unwanted = ("KAFKALAB_CLUSTER", "KAFKALAB_BOOTSTRAP")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment |= {"KAFKALAB_HOME": str(home), "KAFKALAB_BACKEND": "embedded"}
    command = [sys.executable, "-m", "kafkalab.cli", "lab", "--dir", str(tmp_path / "copy"), "--no-browser"]
    log = tmp_path / "lab.log"
    with log.open("w") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as server:
        try:
            wait_until("the lab serves", log.read_text, lambda text: "/lab/tree/" in text, timeout=90)
            nodes = psutil.Process(server.pid).children(recursive=True)
            assert any("java" in node.name() for node in nodes)
            for each in signals:
                server.send_signal(each)
            server.wait(60)
        finally:
            server.kill()  # whatever went wrong: leaving the block waits for its end
    wait_until("its nodes are gone", lambda: [n for n in nodes if n.is_running()], lambda left: not left)
    if signals == [signal.SIGINT]:
        assert list((home / "state" / "clusters").iterdir()) == []
