"""JupyterLab in headless Chromium: a lab server, a page on it, and what a learner does with a notebook."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from kafkalab.cluster.polling import wait_until

TOKEN = "browser-test"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
]
PRIVATE = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "IPYTHONDIR",
)

# Resolves once the current notebook's kernel is idle; asks for its info where the first answer got lost.
KERNEL_IDLE = """async () => {
  const pause = () => new Promise(resolve => setTimeout(resolve, 200));
  for (let tries = 0; tries < 450; tries++) {
    const session = jupyterapp.shell.currentWidget?.sessionContext;
    const kernel = session?.session?.kernel;
    if (session?.isReady && kernel?.status === 'idle') return true;
    if (kernel?.connectionStatus === 'connected' && kernel.status === 'unknown') kernel.requestKernelInfo();
    await pause();
  }
  return false;
}"""
RUN_ALL = "jupyterapp.commands.execute('notebook:run-all-cells')"
SAVE = "jupyterapp.commands.execute('docmanager:save')"
CELLS = "jupyterapp.shell.currentWidget.content.model.toJSON().cells"


@contextlib.contextmanager
def lab_server(copy: Path, home: Path) -> Iterator[str]:
    """Run `kafkalab lab` on the working copy `copy`; yield its address. The cluster is the environment's."""
    port = _free_port()
    command = [
        sys.executable,
        "-m",
        "kafkalab.cli",
        "lab",
        "--dir",
        str(copy),
        "--no-browser",
        f"--port={port}",
    ]
    options = ["--ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"]
    private = {name: str(home / name.lower()) for name in PRIVATE}
    environment = {name: value for name, value in os.environ.items() if name != "KAFKALAB_PROGRESS"} | private
    with (
        (home / "lab.log").open("w") as log,
        subprocess.Popen(
            [*command, *options], env=environment, stdout=log, stderr=subprocess.STDOUT
        ) as server,
    ):
        try:
            base = f"http://127.0.0.1:{port}"
            wait_until("the lab serves", lambda: _answers(base), bool, timeout=90)
            yield base
        finally:
            server.terminate()
            server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/api?token={TOKEN}", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


class Browser:
    """A page on the lab, and every address outside the lab that it asked for."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.outside: list[str] = []
        page.on("request", self._note)

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.base, self.base.replace("http", "ws"), "data:", "blob:")):
            self.outside.append(request.url)

    def open(self, path: str) -> None:
        """Open a notebook and wait for its kernel."""
        self.page.goto(f"{self.base}{path}{'&' if '?' in path else '?'}token={TOKEN}")
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
        assert self.page.evaluate(KERNEL_IDLE)

    def run_all(self) -> bool:
        """Run all cells; True if none raised."""
        return bool(self.page.evaluate(RUN_ALL))

    def cells(self) -> list[Any]:
        """Return the cells as the notebook's model has them."""
        return list(self.page.evaluate(CELLS))

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate(SAVE)


@contextlib.contextmanager
def chromium(base: str, scheme: Any = "light") -> Iterator[Browser]:
    """Yield a page of headless Chromium, 1280 pixels wide."""
    executable = next(path for path in map(shutil.which, BROWSERS) if path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(30_000)
        yield Browser(page, base)
        browser.close()
