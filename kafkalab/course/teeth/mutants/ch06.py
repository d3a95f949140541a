"""Chapter 06: codecs and levels, what they work on and cost, and the guess how small a batch becomes."""

from __future__ import annotations

import zlib
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import compression
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.compression import CompressionRatioEstimator
from kafkalab.producer.config import ProducerConfig

# --- codecs ---------------------------------------------------------------------------------------


def _codec(replacement: Any) -> None:
    around(compression, "compressor", replacement)


@mutant("codecs", killer="4.3.5-codecs")
def compression_ignored() -> None:
    """Nothing is compressed."""
    _codec(lambda original, name, level=None: None)


@mutant("codecs", killer="4.3.5-codecs")
def always_gzip() -> None:
    """Whatever is chosen, gzip compresses."""
    _codec(lambda original, name, level=None: original(name and name != "none" and "gzip"))


@mutant("codecs", killer="4.3.5-codecs")
def not_said_in_the_attributes() -> None:
    """The attributes do not say that the batch is compressed."""

    def encode(original: Any, self: Any, records: Any) -> Any:
        return original(self, records)._replace(codec=0)

    around(ProducerBatch, "_encode", encode)


@mutant("codecs", killer="4.3.5-codecs")
def gzip_by_default() -> None:
    """By default gzip compresses."""

    def of(original: Any, cls: Any, settings: dict[str, Any]) -> Any:
        return original(cls, {"compression_type": "gzip"} | settings)

    around(ProducerConfig, "of", of)
    around(
        ProducerConfig,
        "__init__",
        lambda original, self, **settings: original(self, **{"compression_type": "gzip"} | settings),
    )


@mutant("codecs", killer="4.3.5-codecs")
def unknown_codec_ignored() -> None:
    """An unknown codec means no compression."""

    def of(original: Any, cls: Any, settings: dict[str, Any]) -> Any:
        known = settings.get("compression_type") in {None, "none", "gzip", "snappy", "lz4", "zstd"}
        return original(cls, settings if known else settings | {"compression_type": "none"})

    around(ProducerConfig, "of", of)


# --- what is compressed, and how well -------------------------------------------------------------


@mutant("batches", killer="4.3.5-larger-batches")
def does_not_compress() -> None:
    """Batches are packed, and not made smaller."""
    _codec(
        lambda original, name, level=None: original(name, 0) if name == "nothing" else _stored(original, name)
    )


def _stored(original: Any, name: Any) -> Any:
    codec = original(name)
    if codec is None:
        return None
    return original("gzip")._replace(compress=lambda data: zlib.compress(data, level=0, wbits=31))


@mutant("batches", killer="4.3.5-larger-batches")
def a_record_a_batch() -> None:
    """Each record is compressed for itself."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        return None if len(self) else original(self, record, body)

    around(ProducerBatch, "try_append", append)


@mutant("batches", killer="4.3.5-always-smaller")
def only_if_smaller() -> None:
    """What would grow stays as it is, as in librdkafka."""

    def encode(original: Any, self: Any, records: Any) -> Any:
        packed, codec = original(self, records), self._codec
        self._codec = None
        plain = original(self, records)
        self._codec = codec
        return packed if len(packed.data) < len(plain.data) else plain

    around(ProducerBatch, "_encode", encode)


@mutant("batches", killer="4.3.5-cpu")
def level_ignored() -> None:
    """compression_level is ignored."""
    _codec(lambda original, name, level=None: original(name))


@mutant("batches", killer="4.3.5-cpu")
def compressed_for_nothing() -> None:
    """Without compression, too, the CPU compresses, and throws it away."""

    def encode(original: Any, self: Any, records: Any) -> Any:
        plain = original(self, records)
        if self._codec is None:
            compression.compressor("gzip").compress(plain.data)  # type: ignore[union-attr]
        return plain

    around(ProducerBatch, "_encode", encode)


# --- memory ---------------------------------------------------------------------------------------


@mutant("memory", killer="4.3.5-buffer-memory")
def small_reservations() -> None:
    """A batch reserves an eighth of batch_size."""

    def reserve(original: Any, self: Any, size: int, *rest: Any, **options: Any) -> Any:
        return original(self, size // 8, *rest, **options)

    around(BufferPool, "reserve", reserve)


@mutant("memory", killer="4.3.5-buffer-memory")
def memory_by_packed_size() -> None:
    """A closed batch keeps only the memory that its bytes need."""

    def seal(original: Any, self: Any) -> Any:
        sealed = original(self)
        if sealed and self._codec is not None:
            self.reserved = min(self.reserved, self.size)
        return sealed

    around(ProducerBatch, "seal", seal)


# --- the guess ------------------------------------------------------------------------------------


@mutant("estimator", killer="4.3.5-estimated-batches")
def never_learns() -> None:
    """The estimator never learns."""
    around(CompressionRatioEstimator, "observe", lambda original, self, topic, raw, compressed: None)


@mutant("estimator", killer="4.3.5-estimated-batches")
def optimist() -> None:
    """The estimator expects a fifth from the start."""
    around(CompressionRatioEstimator, "ratio", lambda original, self, topic: min(original(self, topic), 0.2))


@mutant("estimator", killer="4.3.5-estimated-batches")
def learns_the_wrong_way() -> None:
    """The estimator takes raw bytes for compressed ones."""
    around(
        CompressionRatioEstimator,
        "observe",
        lambda original, self, topic, raw, compressed: original(self, topic, compressed, raw),
    )


@mutant("estimator", killer="4.3.5-estimated-batches")
def learns_too_little() -> None:
    """The estimator believes a tenth of what it sees."""

    def observe(original: Any, self: Any, topic: str, raw: int, compressed: int) -> None:
        original(self, topic, raw, raw - (raw - compressed) // 10)

    around(CompressionRatioEstimator, "observe", observe)


@mutant("estimator", killer="4.3.5-estimated-batches")
def limit_as_without() -> None:
    """A batch takes batch_size bytes before compression."""
    around(CompressionRatioEstimator, "raw_limit", lambda original, self, topic, batch_size: batch_size)
