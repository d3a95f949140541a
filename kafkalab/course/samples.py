"""Records that look like real ones, the same in every run: what chapters and exercises send.

Each is a generator of values (bytes), made from a seed. Rule: no method of `random.Random` that another
Python might draw differently; getrandbits(), randrange(), choice() and randbytes() are enough.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

SEED = 6
_KINDS = ("page_view", "add_to_cart", "purchase", "search")
_COUNTRIES = ("DE", "FR", "SE", "PL", "IT")
_LEVELS = ("INFO", "INFO", "INFO", "WARN")
_CONTROLLERS = ("Cart", "Search", "Checkout")


def json_events(count: int, seed: int = SEED) -> Iterator[bytes]:
    """Yield events of a shop as JSON, some 180 bytes each: the same names, different values."""
    pick = random.Random(seed)
    for number in range(count):
        event = {
            "event_id": f"{pick.getrandbits(64):016x}",
            "type": pick.choice(_KINDS),
            "user": f"user-{pick.randrange(5000)}",
            "session": f"{pick.getrandbits(32):08x}",
            "url": f"https://shop.example/products/{pick.randrange(900)}",
            "country": pick.choice(_COUNTRIES),
            "price": pick.randrange(100, 20_000) / 100,
            "at": 1_760_000_000_000 + 37 * number,
        }
        yield json.dumps(event, separators=(",", ":")).encode()


def log_lines(count: int, seed: int = SEED) -> Iterator[bytes]:
    """Yield lines of a web server's log, some 130 bytes each."""
    pick = random.Random(seed)
    for number in range(count):
        at = f"10:{number // 60 % 60:02}:{number % 60:02},{pick.randrange(1000):03}"
        where = f"[http-worker-{pick.randrange(16)}] com.example.shop.{pick.choice(_CONTROLLERS)}Controller"
        what = f"{pick.choice(('GET', 'POST'))} /api/v1/{pick.choice(('cart', 'items', 'orders'))}"
        end = f"answered {pick.choice((200, 200, 200, 404))} in {pick.randrange(400)} ms"
        line = f"2025-10-09 {at} {pick.choice(_LEVELS)} {where} - {what}/{pick.randrange(10**6)} {end}"
        yield line.encode()


def encrypted(count: int, seed: int = SEED, size: int = 300) -> Iterator[bytes]:
    """Yield messages of random bytes: so all looks that is encrypted, or compressed already."""
    pick = random.Random(seed)
    for _ in range(count):
        yield pick.randbytes(size)
