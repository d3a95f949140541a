"""The README's picture: a learner's quarter of an hour in the real lab, as a small animation.

    python -m tests.browser.pictures docs/lab.gif      # make pictures

Every frame is a screenshot of JupyterLab in headless Chromium; the brokers under it are real, and
so is the one that is killed. The script does what a learner does: choose, run a cell, click, write an answer.
The pointer is drawn, since a headless browser has none. Pillow comes with matplotlib.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops
from playwright.sync_api import Locator

from .driver import Browser, chromium, lab_server

SIZE = {"width": 1000, "height": 600}
COLOURS = 64
MOST_BYTES = 1_500_000
SHORT, MIDDLE, LONG = 1000, 2500, 4500  # milliseconds that a frame is seen

CELL_WITH = """text => {
  const cells = jupyterapp.shell.currentWidget.content.widgets;
  const has = ({model}) => model.type === 'code' && model.sharedModel.getSource().includes(text);
  return cells.findIndex(has);
}"""
RUN_TO = """async index => {
  const panel = jupyterapp.shell.currentWidget.content;
  panel.deselectAll();
  panel.activeCellIndex = index;
  await jupyterapp.commands.execute('notebook:run-all-above');
  return jupyterapp.commands.execute('notebook:run-cell');
}"""
RUN_ONE = """index => {
  const panel = jupyterapp.shell.currentWidget.content;
  panel.deselectAll();
  panel.activeCellIndex = index;
  return jupyterapp.commands.execute('notebook:run-cell');
}"""
WRITE = """([index, source]) => {
  jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.setSource(source);
}"""
SHOW = """async ([index, above]) => {
  const panel = jupyterapp.shell.currentWidget.content;
  await panel.scrollToItem(index, 'start');
  const outer = panel.node.querySelector('.jp-WindowedPanel-outer') ?? panel.node;
  outer.scrollBy(0, -above);
}"""
POINT = """([x, y]) => {
  document.querySelector('#pointer')?.remove();
  const arrow = '<svg width="22" height="32" viewBox="0 0 11 16" xmlns="http://www.w3.org/2000/svg">'
    + '<path d="M0 0v13l3-3 2 5 2-1-2-5h5z" stroke="white"/></svg>';
  const style = `position:fixed;z-index:99999;pointer-events:none;left:${x}px;top:${y}px`;
  document.body.insertAdjacentHTML('beforeend', `<div id="pointer" style="${style}">${arrow}</div>`);
}"""
CALM = "#jp-bottom-panel, .jp-SideBar, .jp-cell-toolbar { visibility: hidden } "

WRONG = """class Numbering:
    def first_sequence(self, target, history):
        if not history:
            return 0
        return (history[-1].sequence + history[-1].records) % 2**31"""
RIGHT = """class Numbering:
    def first_sequence(self, target, history):
        for batch in reversed(history):
            if batch.target == target:
                return (batch.sequence + batch.records) % 2**31
        return 0"""


class Film:
    """Frames, each with the time that it is seen."""

    def __init__(self, browser: Browser) -> None:
        self.browser, self.page = browser, browser.page
        self.frames: list[tuple[Image.Image, int]] = []

    def open(self, notebook: str) -> None:
        """Open a chapter, with nothing around it."""
        self.browser.open(f"/doc/tree/{notebook}?reset")
        self.page.add_style_tag(content=CALM)

    def run(self, text: str, *, first: bool = False) -> int:
        """Run the cell that holds `text` (`first`: and all above it); return its number."""
        index = self.page.evaluate(CELL_WITH, text)
        assert index >= 0, f"no cell holds {text!r}"
        assert self.page.evaluate(RUN_TO if first else RUN_ONE, index), text
        return int(index)

    def write(self, text: str, source: str) -> None:
        """Replace the source of the cell that holds `text`."""
        self.page.evaluate(WRITE, [self.page.evaluate(CELL_WITH, text), source])

    def show(self, index: int, above: int = 0) -> None:
        """Bring the cell to the top of the window, `above` pixels of what is before it with it."""
        self.page.evaluate("document.querySelector('#pointer')?.remove()")
        for _ in range(2):  # cells are drawn when they come in sight, and then have other heights
            self.page.evaluate(SHOW, [index, above])
            self.page.wait_for_timeout(500)

    def show_picture(self, title: str) -> None:
        """Bring the picture of that title to the top of the window."""
        self.page.get_by_text(title).last.evaluate("node => node.scrollIntoView({block: 'start'})")
        self.page.wait_for_timeout(500)

    def point(self, at: Locator) -> None:
        """Put the pointer on something."""
        box = at.bounding_box()
        assert box is not None
        self.page.evaluate(POINT, [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])

    def take(self, milliseconds: int) -> None:
        """Keep what is seen now."""
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        self.frames.append((picture, milliseconds))

    def save(self, path: Path) -> None:
        """Write the animation; all frames share one palette, so that what stays the same costs nothing."""
        whole = Image.new("RGB", (SIZE["width"], SIZE["height"] * len(self.frames)))
        for number, (picture, _) in enumerate(self.frames):
            whole.paste(picture, (0, number * SIZE["height"]))
        palette = whole.quantize(COLOURS, dither=Image.Dither.NONE)
        first, *rest = [
            picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture, _ in self.frames
        ]
        times = [time for _, time in self.frames]
        first.save(path, save_all=True, append_images=rest, duration=times, loop=0, optimize=True)


def a_broker_dies(film: Film) -> None:
    """Chapter 00: predict, kill, see, compare."""
    page = film.page
    film.open("00_start_here.ipynb")
    index = film.run('"after-the-kill",\n    "The broker', first=True)
    film.show(index, above=60)
    film.take(MIDDLE)
    choice = page.get_by_role("radio", name="lost for good")
    film.point(choice)
    choice.check()
    film.take(MIDDLE)
    index = film.run("lab.cluster.kill(victim)")
    film.show(index)
    film.take(LONG)
    film.run("survivors =")
    index = film.run("lab.observe(")
    film.show(index, above=120)
    film.take(LONG)


def a_click_kills(film: Film) -> None:
    """Chapter 00, its end: the picture with buttons."""
    page = film.page
    index = film.run("cluster_view(lab.cluster, greetings)", first=True)
    film.show(index, above=-110)
    button = page.get_by_role("button", name="kill broker 2")
    film.point(button)
    film.take(MIDDLE)
    button.click()
    page.get_by_text("Broker 2 was killed.").wait_for()
    page.wait_for_timeout(5000)  # until the picture has followed the election
    film.take(LONG)


def an_answer_is_lost(film: Film) -> None:
    """Chapter 08: the same fault without numbers and with them; then numbers of one's own."""
    film.open("08_idempotence.ipynb")
    index = film.run("log_view(lab.cluster, plain.topic", first=True)
    film.show_picture("Idempotent: the answer to m1 is lost")
    film.take(LONG)
    film.show(index, above=-20)
    film.take(LONG)
    film.show(film.run("log_view(lab.cluster, numbered.topic"), above=-20)
    film.take(LONG)
    film.write("class Numbering", WRONG)
    film.run('lab.exercise("numbering")')
    for source, time in ((WRONG, LONG), (RIGHT, LONG)):
        film.write("class Numbering", source)
        film.run("class Numbering")
        index = film.run("exercise.check(Numbering())")
        film.show(index - 1)
        film.take(time)


def difference(one: Image.Image, other: Image.Image) -> bool:
    """Tell whether two frames differ."""
    return ImageChops.difference(one, other).getbbox() is not None


def main(target: Path) -> None:
    """Film, and write the animation to `target`."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        with lab_server(home / "copy", home) as base, chromium(base) as browser:
            browser.page.set_viewport_size(SIZE)
            browser.page.set_default_timeout(180_000)
            film = Film(browser)
            for scene in (a_broker_dies, a_click_kills, an_answer_is_lost):
                scene(film)
    same = [
        number
        for number, pair in enumerate(zip(film.frames, film.frames[1:], strict=False))
        if not difference(pair[0][0], pair[1][0])
    ]
    assert not same, f"frames {same} show what the next one shows"
    film.save(target)
    size = target.stat().st_size
    print(f"{target}: {len(film.frames)} frames, {size:,} bytes")  # noqa: T201 - a command
    assert size < MOST_BYTES, f"more than {MOST_BYTES:,} bytes: fewer colours, or fewer frames"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
