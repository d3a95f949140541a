"""Compression of batches, and how much fits into one (Java: `Compression`, `CompressionRatioEstimator`).

A batch is compressed as a whole when it is closed: the records after its header, never the header, so
brokers and consumers see how it is compressed without unpacking it. While it is open nobody knows
how small it will be, so the estimator guesses from what earlier batches of the topic became.

Rules: every format is framed as the Java client frames it, for readers are particular about that.

Leaves out: splitting a batch that came out too large (batch.py).
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import zstandard
from kafka.codec import gzip_decode, lz4_decode, lz4_encode, snappy_decode, snappy_encode, zstd_decode

Compress: TypeAlias = Callable[[bytes], bytes]


class Codec(NamedTuple):
    """A way to compress: call it with bytes, get fewer."""

    id: int
    """What the lowest three bits of a batch's attributes say."""
    name: str
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes], bytes]


def compressor(compression_type: str | None, level: int | None = None) -> Codec | None:
    """Return the codec for `compression_type` (checked in config.py), None for "none".

    `level` None is Java's default: gzip -1 (zlib's own, 6), zstd 3, lz4 9. LZ4's 9 stands for its fast
    mode, in Java, too; the other levels from 3 on are its slow one, up to 12, its last.
    """
    if compression_type in {None, "none"}:
        return None
    name = str(compression_type)
    number, make, decompress = _CODECS[name]
    return Codec(number, name, make(level), decompress)


def _gzip(level: int | None) -> Compress:
    return partial(zlib.compress, level=-1 if level is None else level, wbits=31)  # 31: gzip's framing


def _snappy(_: int | None) -> Compress:
    encode: Compress = snappy_encode
    return encode


def _lz4(level: int | None) -> Compress:
    fast = level in {None, 9}
    return partial(lz4_encode, compression_level=0 if fast else level, store_size=False)  # as Java frames it


def _zstd(level: int | None) -> Compress:
    # Making a compressor costs half as much as compressing 16 KiB, so one is kept. Two threads at once
    # would corrupt it, and a picture of an open batch is drawn by another thread than the sender's.
    context, lock = zstandard.ZstdCompressor(level=3 if level is None else level), threading.Lock()

    def compress(data: bytes) -> bytes:
        with lock:
            return context.compress(data)

    return compress


_CODECS: dict[str, tuple[int, Callable[[int | None], Compress], Compress]] = {
    "gzip": (1, _gzip, gzip_decode),
    "snappy": (2, _snappy, snappy_decode),
    "lz4": (3, _lz4, lz4_decode),
    "zstd": (4, _zstd, zstd_decode),
}

_MARGIN = 1.05  # Java: COMPRESSION_RATE_ESTIMATION_FACTOR
_MOST = 20  # no batch holds more than this many times batch_size, however well it compresses
_MEMORY = 32 * 1024  # what was learned from more bytes than this fades
_SMALL = 4 * 1024  # a batch much smaller says little of how a full one compresses
_UNKNOWN = (1024.0, 1024.0)  # as if 1 KiB had not become smaller: the first real batch outweighs it


class CompressionRatioEstimator:
    """Guess how many raw bytes of a topic make a batch of batch_size compressed bytes.

    The ratio is an average over the raw bytes seen lately, in which small batches count for less than
    their bytes: one lonely record, which compresses badly, must not make the full batches after it
    small. (Java's ratio jumps up at once and comes down by 0.005 per batch.)

    No lock: a topic's state is one immutable pair, replaced whole, so any thread reads a consistent
    one; only the I/O thread observes, and were there two, the worst is that one batch is not counted.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}  # weighted bytes: raw, compressed

    def ratio(self, topic: str) -> float:
        """Return the expected compressed / raw; 1 for a topic never seen."""
        raw, compressed = self._seen.get(topic, _UNKNOWN)
        return compressed / raw

    def raw_limit(self, topic: str, batch_size: int) -> int:
        """Return how many raw bytes to put into a batch of `topic`: from batch_size to 20 times that."""
        limit = batch_size / (self.ratio(topic) * _MARGIN)
        return int(min(max(limit, batch_size), batch_size * _MOST))

    def observe(self, topic: str, raw: int, compressed: int) -> None:
        """Learn that a batch of `raw` bytes became `compressed` bytes."""
        weight = raw / (raw + _SMALL)
        raw_before, compressed_before = self._seen.get(topic, _UNKNOWN)
        keep = min(1.0, _MEMORY / raw_before)
        self._seen[topic] = (
            raw_before * keep + raw * weight,
            compressed_before * keep + compressed * weight,
        )
