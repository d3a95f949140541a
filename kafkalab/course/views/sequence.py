"""A sequence diagram: what went between clients, proxy and brokers, and what got lost.

    proxy recording -> Messages (exchange.py) -> rows -> SVG and words

Order only: the static form is the same in every run as long as the order of the messages is (what a chapter
does for that is said at `sequence_diagram`). The live form tells milliseconds. A lost message ends in a
cross at the proxy. Long recordings show their ends, and every message that was lost, refused or repeated.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from kafkalab.course.cards import Picture
from kafkalab.course.markup import Node, tag
from kafkalab.course.views.exchange import Message, choose, tell
from kafkalab.course.views.live import Explorer
from kafkalab.course.views.style import WIDTH, arrow, badge, cross, fit, panel, text

MOST_ROWS = 60
_LEFT, _PROXY, _RIGHT, _TOP, _LINE = 92.0, 452.0, 800.0, 90, 17
EACH, TOGETHER = "each", "together"


class Lanes(NamedTuple):
    """Where everybody's line is: x by client id, and by broker (0: all of them together)."""

    clients: dict[str, float]
    brokers: dict[int, float]

    @property
    def text_x(self) -> float:
        """Where what a message says begins: right of the clients."""
        return max(self.clients.values()) + 14

    def ends(self, message: Message) -> tuple[float, float]:
        """Return where a message's arrow begins and ends."""
        client = self.clients[message.frame.client_id]
        broker = self.brokers.get(message.frame.broker, self.brokers.get(0, _RIGHT))
        if message.is_request:
            return client, _PROXY if message.lost else broker
        if message.frame.fate == "made":
            return _PROXY, client
        return broker, _PROXY if message.lost else client


def sequence_diagram(
    proxy: Any,
    client: str | Sequence[str] | None = None,
    apis: Sequence[str] | None = ("Produce",),
    title: str = "",
    *,
    topic: str | None = None,
    brokers: str = EACH,
    by_broker: bool = False,
) -> Explorer:
    """Return the diagram of what `proxy` recorded: FaultProxy(..., record=True), or its list of frames.

    `client` (one client id or several), `apis` (None: all) and `topic` choose messages. `brokers="together"`
    draws one lane for all of them: for topics whose leaders nobody assigned. `by_broker=True` draws each
    client's conversation with one broker after the other, instead of all messages in order.

    The picture is the same in every run if the order of messages is: send one record at a time (`.result()`
    before the next), or hold answers at the proxy (`rule = proxy.hold("Produce")`, send, `rule.wait()`,
    `rule.release()`). Requests under way at once, to one broker, come in any order with their answers; those
    to several brokers do so unless `by_broker=True`; so do clients that work at the same time: choose one.
    Take the picture when the last answer is there (after `close()`). Whether a timeout is told in time to
    repeat a request once or twice is no order either: make it certain with `delivery_timeout_ms`.
    Raises LookupError if nothing was recorded that fits.
    """
    recording = list(getattr(proxy, "frames", proxy))
    clients = [client] if isinstance(client, str) else client
    chosen = choose(recording, clients, apis, topic)
    if not chosen:
        raise LookupError(
            f"The proxy recorded none of {', '.join(apis or ['any message'])} (client={client!r}, "
            f"topic={topic!r}) among {len(recording)} frames: was it made with record=True and used?"
        )
    if by_broker:
        chosen.sort(key=lambda frame: (frame.client_id, frame.broker))
    messages = tell(chosen, recording)
    picture = draw(messages, title or "Who said what to whom", brokers)
    return Explorer(picture, details(messages), "message", unfolds=True)


def details(messages: Sequence[Message]) -> list[str]:
    """Return what the live form says of each message drawn: when it was, and all that is in it."""
    start = messages[0].frame.at
    asked: dict[tuple[int, int], float] = {}
    told = {}
    for number, message in enumerate(messages):
        frame = message.frame
        words = f"{(frame.at - start) * 1000:.1f} ms: {said(message)}"
        key = frame.connection, frame.correlation_id
        if message.is_request:
            asked[key] = frame.at
        elif key in asked:
            words += f"; {(frame.at - asked[key]) * 1000:.1f} ms after its request"
        told[number] = f"{words}; {frame.size} bytes"
    return [told[at] for at in kept(messages)]


class Gap(NamedTuple):
    """Messages left out, and how many of them were lost, refused or repeated."""

    messages: int
    wrong: int


def kept(messages: Sequence[Message], most: int = MOST_ROWS) -> list[int]:
    """Return the places of the messages that are drawn: all, or both ends and what went wrong between."""
    if len(messages) <= most:
        return list(range(len(messages)))
    ends = most // 3
    worth = [at for at, each in enumerate(messages) if each.tells_more]
    middle = [at for at in worth if ends <= at < len(messages) - ends][:ends]
    return [*range(ends), *middle, *range(len(messages) - ends, len(messages))]


def shorten(messages: Sequence[Message]) -> list[Message | Gap]:
    """Return the messages that are drawn, with gaps for those left out."""
    rows: list[Message | Gap] = []
    for before, at in itertools.pairwise([-1, *kept(messages)]):
        if at - before > 1:
            rows.append(Gap(at - before - 1, sum(each.tells_more for each in messages[before + 1 : at])))
        rows.append(messages[at])
    return rows


def draw(messages: Sequence[Message], title: str, brokers: str = EACH) -> Picture:
    """Return the picture of `messages` under `title`."""
    if brokers not in (EACH, TOGETHER):
        raise ValueError(f'brokers={brokers!r} is neither "each" nor "together".')
    lanes = arrange(messages, brokers)
    rows, drawn, y, number = shorten(messages), [], float(_TOP), 0
    for row in rows:
        number += isinstance(row, Message)
        drawn.append(_row(row, number, y, lanes) if isinstance(row, Message) else _gap(row, y, lanes))
        y += _height(row)
    legend = _legend(messages)
    bottom = y + 6
    head = [text(16, 29, fit(title, WIDTH - 32, 8.2), "title"), *_heads(lanes, bottom)]
    svg = panel(bottom + 22 * len(legend) + 12, *head, *drawn, *_below(legend, bottom + 16))
    words = [title, *_words(rows, brokers), *legend]
    lost = sum(message.lost for message in messages)
    alt = f"{title}: {len(messages)} messages between client, proxy and brokers, {lost} of them lost."
    return Picture(svg, alt, "\n".join(words))


def arrange(messages: Sequence[Message], brokers: str = EACH) -> Lanes:
    """Give every client (in order of appearance) and every broker (by number) a lane."""
    clients = list(dict.fromkeys(message.frame.client_id for message in messages))
    nodes = [0] if brokers == TOGETHER else sorted({message.frame.broker for message in messages})
    gap = min(96.0, 192.0 / len(clients))
    step = 0 if len(nodes) == 1 else (_RIGHT - _PROXY - 112) / (len(nodes) - 1)
    return Lanes(
        {name: _LEFT + at * gap for at, name in enumerate(clients)},
        {node: _RIGHT - (len(nodes) - 1 - at) * step for at, node in enumerate(nodes)},
    )


def _height(row: Message | Gap) -> int:
    return 40 if isinstance(row, Gap) else max(40, 34 + _LINE * len(row.lines)) + 22 * row.anew


def _heads(lanes: Lanes, bottom: float) -> list[Node]:
    one = len(lanes.clients) == 1
    heads = [_head(x, "Client" if one else name, "lane", 88, bottom) for name, x in lanes.clients.items()]
    names = {node: f"Broker {node}" if node else "Brokers" for node in lanes.brokers}
    heads.append(_head(_PROXY, "Proxy", "lane", 88, bottom))
    return heads + [_head(x, names[node], "broker-box", 88, bottom) for node, x in lanes.brokers.items()]


def _head(x: float, name: str, style: str, width: float, bottom: float) -> Node:
    return tag(
        "g",
        tag("path", d=f"M{x:g} 74V{bottom:g}", class_="rule"),
        tag("rect", x=x - width / 2, y=44.0, width=width, height=30, rx=6, class_=style),
        text(x, 64, fit(name, width - 6, 8.4), "title middle"),
    )


def _row(message: Message, number: int, y: float, lanes: Lanes) -> Node:
    kind = "failure" if message.failed else "request" if message.is_request else "answer"
    begin, end = lanes.ends(message)
    top = y + 22 * message.anew
    line = top + 26
    x = lanes.text_x
    room = _PROXY - x - 8
    style = "mono failure-ink bold" if message.failed else "mono muted"
    return tag(
        "g",
        tag(
            "rect",
            x=8.0,
            y=top,
            width=WIDTH - 16.0,
            height=_height(message) - 22 * message.anew,
            class_="hit",
        ),
        _connection(message, y, lanes) if message.anew else None,
        badge(kind, 24, line - 4, str(number)),
        text(x, line - 8, fit(message.title, room, 8.2), "title"),
        *(text(x, line + 14 + at * _LINE, fit(words, room), style) for at, words in enumerate(message.lines)),
        *_arrow(message, begin, end, line, kind),
        data_part=number - 1,
    )


def _arrow(message: Message, begin: float, end: float, y: float, kind: str) -> list[Node]:
    if message.lost:
        right = message.is_request
        x, style = (end + 14, "small failure-ink bold") if right else (end - 14, "small failure-ink bold end")
        return [*cross([(begin, y), (end, y)], kind), text(x, y + 4, message.note, style)]
    drawn = [arrow([(begin, y), (end, y)], kind, dashed=message.retry)]
    if message.note:
        drawn.append(text(_PROXY + 12, y - 7, message.note, "small failure-ink bold"))
    return drawn


def _connection(message: Message, y: float, lanes: Lanes) -> Node:
    end = lanes.brokers.get(message.frame.broker, _RIGHT)
    begin = lanes.clients[message.frame.client_id]
    return tag(
        "g",
        tag("path", d=f"M{begin:g} {y + 16:g}H{end:g}", class_="rule dashed"),
        text(lanes.text_x, y + 11, "a new connection", "small muted"),
    )


def _gap(gap: Gap, y: float, lanes: Lanes) -> Node:
    return text(lanes.text_x, y + 22, f"⋮ {_left_out(gap)}", "muted")


def _left_out(gap: Gap) -> str:
    return f"{gap.messages} more messages, {gap.wrong or 'none'} of them lost, refused or repeated"


def _legend(messages: Sequence[Message]) -> list[str]:
    said = " ".join(line for message in messages for line in message.lines)
    if "(p" not in said:
        return []
    return ["(p1, 0, 5): producer id (p1 is the first one seen), epoch, sequence number of the first record"]


def _below(legend: Sequence[str], y: float) -> list[Node]:
    return [text(24, y + 22 * at, line, "small muted") for at, line in enumerate(legend)]


def _words(rows: Sequence[Message | Gap], brokers: str) -> list[str]:
    words, number = [], 0
    for row in rows:
        number += isinstance(row, Message)
        words.append(
            f"  {number}. {said(row, brokers)}" if isinstance(row, Message) else f"  ({_left_out(row)})"
        )
    return words


def said(message: Message, brokers: str = EACH) -> str:
    """Return a message in one line of words."""
    frame = message.frame
    broker = f"broker {frame.broker}" if brokers == EACH else "broker"
    client = frame.client_id or "client"
    origin = "proxy" if frame.fate == "made" else broker
    way = f"{client} -> {broker}" if message.is_request else f"{origin} -> {client}"
    parts = [f"{way}: {message.title}", *message.lines, *([f"[{message.note}]"] if message.note else [])]
    return "; ".join(parts) + (" (on a new connection)" if message.anew else "")
