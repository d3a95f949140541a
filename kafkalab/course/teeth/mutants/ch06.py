"""Chapter 06: the codec, the guess of how much fits into a batch, the memory that a batch takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import compression
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.compression import CompressionRatioEstimator
from kafkalab.producer.config import ProducerConfig

# --- codec ----------------------------------------------------------------------------------------


def _codec(change: Callable[[Any], Any]) -> None:
    """Let every codec be changed before it is used."""

    def made(original: Any, kind: Any, level: Any = None) -> Any:
        codec = original(kind, level)
        return codec and change(codec)

    around(compression, "compressor", made)


@mutant("codec", killer="4.3.5-codecs")
def compression_left_out() -> None:
    """The setting compression_type is ignored."""
    around(compression, "compressor", lambda original, kind, level=None: None)


@mutant("codec", killer="4.3.5-codecs")
def attributes_forgotten() -> None:
    """Compressed batches do not say so."""

    def encode(original: Any, self: Any, records: Any) -> Any:
        return original(self, records)._replace(codec=0)

    around(ProducerBatch, "_encode", encode)


@mutant("codec", killer="4.3.5-codecs")
def attributes_of_another() -> None:
    """The attributes name the next codec."""
    _codec(lambda codec: codec._replace(id=codec.id % 4 + 1))


@mutant("codec", killer="4.3.5-larger-batches")
def marked_and_left_plain() -> None:
    """The attributes name a codec, the records are as they were."""
    _codec(lambda codec: codec._replace(compress=lambda data: data))


@mutant("codec", killer="4.3.5-larger-batches")
def piece_by_piece() -> None:
    """A batch is compressed a few records at a time (gzip and zstd), not as a whole."""

    def pieces(codec: Any) -> Any:
        def compress(data: bytes) -> bytes:
            return b"".join(codec.compress(data[at : at + 200]) for at in range(0, len(data), 200))

        return codec._replace(compress=compress) if codec.name in {"gzip", "zstd"} else codec

    _codec(pieces)


@mutant("codec", killer="4.3.5-codecs")
def any_name_will_do() -> None:
    """A codec that does not exist is taken for none."""

    def of(original: Any, cls: Any, settings: Any) -> Any:
        if settings.get("compression_type") not in {None, "none", "gzip", "snappy", "lz4", "zstd"}:
            settings = {**settings, "compression_type": "none"}
        return original(cls, settings)

    around(ProducerConfig, "of", of)


@mutant("codec", killer="4.3.5-codecs")
def gzip_unasked() -> None:
    """Without compression_type, gzip is used."""

    def settle(original: Any, self: Any) -> None:
        if self.compression_type == "none":
            object.__setattr__(self, "compression_type", "gzip")
        original(self)

    around(ProducerConfig, "__post_init__", settle)


@mutant("codec", killer="4.3.5-cpu")
def levels_ignored() -> None:
    """Every level is the default."""
    around(compression, "compressor", lambda original, kind, level=None: original(kind))


@mutant("codec", killer="4.8.1-snappy")
def quickest_zstd() -> None:
    """Where no level is given, zstd runs at one of its quickest."""

    def made(original: Any, kind: Any, level: Any = None) -> Any:
        return original(kind, -100 if kind == "zstd" and level is None else level)

    around(compression, "compressor", made)


# --- estimator ------------------------------------------------------------------------------------


@mutant("estimator", killer="4.3.5-estimated-batches")
def never_learns() -> None:
    """What became of earlier batches is forgotten."""
    around(CompressionRatioEstimator, "observe", lambda original, self, topic, raw, compressed: None)


@mutant("estimator", killer="4.3.5-estimated-batches")
def upside_down() -> None:
    """The ratio is raw / compressed."""

    def observe(original: Any, self: Any, topic: str, raw: int, compressed: int) -> None:
        original(self, topic, compressed, raw)

    around(CompressionRatioEstimator, "observe", observe)


@mutant("estimator", killer="4.3.5-estimated-batches")
def hopes_for_the_best() -> None:
    """A topic that was never seen is thought to compress well."""

    def ratio(original: Any, self: Any, topic: str) -> float:
        return float(original(self, topic)) if topic in self._seen else 0.2

    around(CompressionRatioEstimator, "ratio", ratio)


@mutant("estimator", killer="4.3.5-estimated-batches")
def learns_as_java_does() -> None:
    """The ratio comes down by 0.005 a batch."""

    def observe(original: Any, self: Any, topic: str, raw: int, compressed: int) -> None:
        self._seen[topic] = (1000.0, max(1000 * self.ratio(topic) - 5, 1000 * compressed / raw))

    around(CompressionRatioEstimator, "observe", observe)


@mutant("estimator", killer="4.3.5-estimated-batches")
def overfull() -> None:
    """Batches take twice what is thought to fit."""

    def raw_limit(original: Any, self: Any, topic: str, batch_size: int) -> int:
        return 2 * int(original(self, topic, batch_size))

    around(CompressionRatioEstimator, "raw_limit", raw_limit)


# --- memory ---------------------------------------------------------------------------------------


def _pool(size_of: Callable[[int], int]) -> None:
    """Let every batch take, and give back, another number of bytes."""

    def reserve(original: Any, self: Any, size: int, *rest: Any, **more: Any) -> None:
        original(self, size_of(size), *rest, **more)

    around(BufferPool, "reserve", reserve)
    around(BufferPool, "release", lambda original, self, size: original(self, size_of(size)))


@mutant("memory of a batch", killer="4.3.5-buffer-memory")
def memory_of_a_default_batch() -> None:
    """A batch takes no more than 16 kB from the pool, whatever batch_size is."""
    _pool(lambda size: min(size, 16_384))


@mutant("memory of a batch", killer="4.3.5-buffer-memory")
def memory_twice() -> None:
    """A batch takes twice its size."""
    _pool(lambda size: 2 * size)


@mutant("memory of a batch", killer="4.3.5-buffer-memory")
def memory_back_when_sent() -> None:
    """Memory comes back when a batch leaves, not when it is acknowledged."""

    def drain(original: Any, self: Any, *targets: Any) -> Any:
        drained = original(self, *targets)
        for batch in drained:
            self.pool.release(batch.reserved)
            batch.reserved = 0
        return drained

    around(RecordAccumulator, "drain", drain)


@mutant("memory of a batch", killer="4.3.5-buffer-memory")
def memory_of_raw_bytes() -> None:
    """A compressed batch counts as much as its records before compression: it holds no more of them."""
    around(CompressionRatioEstimator, "raw_limit", lambda original, self, topic, batch_size: batch_size)


@mutant("memory of a batch", killer="4.3.5-buffer-memory")
def memory_as_compressed() -> None:
    """With a codec, a batch takes an eighth of batch_size."""

    def made(original: Any, self: Any, setup: Any, trace: Any = None) -> None:
        original(self, setup, trace)
        if self.codec is not None:
            eighth = dataclasses.replace(setup, batch_size=setup.batch_size // 8)
            self.config = eighth

    around(RecordAccumulator, "__init__", made)
