"""The first and the last to see a record (KIP-42).

`on_send` runs on the caller's thread before the serializers and may replace the record;
`on_acknowledgement` runs on the I/O thread before the future's callbacks. An interceptor is a
guest: its exceptions are logged and never reach the application (Java: `ProducerInterceptors`).
"""

import logging
from collections.abc import Sequence

from kafkalab.producer.record import ProducerRecord, RecordMetadata

log = logging.getLogger(__name__)


class ProducerInterceptor:
    """Override what you need (Java: `ProducerInterceptor`)."""

    def on_send(self, record: ProducerRecord) -> ProducerRecord:
        """Look at the record, or return another one, before it is serialized."""
        return record

    def on_acknowledgement(self, metadata: RecordMetadata | None, error: BaseException | None) -> None:
        """Learn how it ended: `metadata` when the broker acknowledged, else `error`."""


class ProducerInterceptors:
    """The configured interceptors as one, in order (Java: `ProducerInterceptors`)."""

    def __init__(self, interceptors: Sequence[ProducerInterceptor] = ()) -> None:
        self._interceptors = tuple(interceptors)

    def __bool__(self) -> bool:
        return bool(self._interceptors)

    def on_send(self, record: ProducerRecord) -> ProducerRecord:
        """Pass the record through the chain; one that raises is skipped."""
        for interceptor in self._interceptors:
            try:
                returned = interceptor.on_send(record)
                if not isinstance(returned, ProducerRecord):
                    raise TypeError(f"on_send returned {returned!r}: return a ProducerRecord")
                record = returned
            except Exception:
                log.exception("%r.on_send failed; the record goes on unchanged by it", interceptor)
        return record

    def on_acknowledgement(self, metadata: RecordMetadata | None, error: BaseException | None) -> None:
        """Tell every interceptor the outcome."""
        for interceptor in self._interceptors:
            try:
                interceptor.on_acknowledgement(metadata, error)
            except Exception:
                log.exception("%r.on_acknowledgement failed", interceptor)
