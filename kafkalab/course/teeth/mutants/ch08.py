"""Chapter 08: how batches are numbered, what a retry keeps, who is known yet, and when all this is on."""

from __future__ import annotations

from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import config
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.ordering import Ordering, Verdict
from kafkalab.producer.producer import Producer
from kafkalab.producer.record_batch import ProducerState
from kafkalab.producer.sender import Sender


def _ordered_by(ordering: Any) -> None:
    """Let every producer have this ordering (the usual one is a default value, bound for good)."""

    def init(original: Any, self: Any, **options: Any) -> None:
        original(self, **{**options, "ordering": ordering})

    around(Producer, "__init__", init)


# --- numbers --------------------------------------------------------------------------------------


def _numbered(change: Any) -> None:
    """Change a batch's stamp when it gets one: change(stamp, batch, ordering)."""

    def leaves(original: Any, self: Any, batch: Any) -> None:
        fresh = batch.stamp is None
        original(self, batch)
        if fresh:
            batch.stamp = change(batch.stamp, batch, self)

    around(Idempotence, "leaves", leaves)


@mutant("numbers", killer="4.5.3-sequence-per-message")
def counted_from_one() -> None:
    """The first record of a partition has the number 1."""
    _numbered(lambda stamp, *_: stamp._replace(base_sequence=stamp.base_sequence + 1))


@mutant("numbers", killer="4.5.3-sequence-per-message")
def one_count_for_all_partitions() -> None:
    """One partition's first number follows from what others were sent."""

    def change(stamp: ProducerState, batch: Any, ordering: Any) -> ProducerState:
        return stamp._replace(base_sequence=stamp.base_sequence + 5 * batch.target.partition)

    _numbered(change)


@mutant("numbers", killer="4.5.3-sequence-per-message")
def begins_in_epoch_one() -> None:
    """A new producer begins with epoch 1."""
    _numbered(lambda stamp, *_: stamp._replace(epoch=stamp.epoch + 1))


@mutant("numbers", killer="4.5.1-lost-ack")
def always_the_same_number() -> None:
    """Every batch has the same number."""
    _numbered(lambda stamp, *_: stamp._replace(base_sequence=0))


@mutant("numbers", killer="4.5.3-one-session")
def one_id_for_all_producers() -> None:
    """A new producer goes on with the id of the first one."""
    first: list[int] = []

    def change(stamp: ProducerState, batch: Any, ordering: Any) -> ProducerState:
        first.append(stamp.producer_id)
        return stamp._replace(producer_id=first[0])

    _numbered(change)


def _most_out(most: int) -> None:
    """Let so many batches of a partition be out, whatever its leader knows."""

    def admits(original: Any, self: Any, batch: Any) -> bool:
        if batch.stamp is not None or self.producer_id < 0:
            return bool(original(self, batch))
        return len(self._line(batch).out) < most

    around(Idempotence, "admits", admits)


# --- retries --------------------------------------------------------------------------------------


@mutant("retries", killer="4.5.1-lost-ack")
def retry_renumbered() -> None:
    """A retry gets a number of its own."""
    around(Idempotence, "returned", lambda original, self, batch, **_: original(self, batch, renumber=True))


@mutant("retries", killer="4.5.1-lost-ack")
def not_numbered() -> None:
    """An idempotent producer numbers nothing."""
    _ordered_by(lambda *_: Ordering())


@mutant("retries", killer="4.5.1-many-lost-acks")
def later_ones_fail() -> None:
    """A batch that is not the oldest of those out fails when its answer is lost."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        behind = self._line(batch).out[0] is not batch
        return Verdict.FAIL if behind else original(self, batch, error)

    around(Idempotence, "judge", judge)


@mutant("retries", killer="4.5.1-many-lost-acks")
def one_out_for_ever() -> None:
    """A partition never has more than one batch out."""
    _most_out(1)


@mutant("retries", killer="4.5.1-lost-ack")
def idempotent_anyway() -> None:
    """The setting enable_idempotence=False is ignored."""
    around(config, "idempotent", lambda original, given: given.required_acks == -1 and given.retries > 0)


@mutant("retries", killer="4.5.1-lost-ack")
def acknowledged_early() -> None:
    """A record that has to be tried again is acknowledged instead, without an offset."""
    around(Sender, "_retry", lambda original, self, batch, error, **how: self._acknowledge(batch, None))


# --- the first batch ------------------------------------------------------------------------------


@mutant("the first batch", killer="4.5.1-first-batch")
def trusted_at_once() -> None:
    """Five batches are out before the leader has acknowledged one."""
    _most_out(5)


@mutant("the first batch", killer="4.5.1-first-batch")
def refused_is_known() -> None:
    """A line counts as proven as soon as something of it has left."""

    def leaves(original: Any, self: Any, batch: Any) -> None:
        original(self, batch)
        self._line(batch).known = True

    around(Idempotence, "leaves", leaves)


@mutant("the first batch", killer="4.5.1-first-batch")
def refused_is_acknowledged() -> None:
    """A refused first batch is taken for an acknowledged one."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        return original(self, batch, error) if self._line(batch).known else Verdict.ACKNOWLEDGE

    around(Idempotence, "judge", judge)


@mutant("the first batch", killer="4.5.1-first-batch")
def refused_is_final() -> None:
    """A first batch that is refused fails."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        return original(self, batch, error) if self._line(batch).known else Verdict.FAIL

    around(Idempotence, "judge", judge)


@mutant("the first batch", killer="4.5.1-first-batch")
def two_are_trusted() -> None:
    """Two batches of a partition may be out from the start."""
    _most_out(2)


# --- whether it is on -----------------------------------------------------------------------------


def _by_default(**changed: Any) -> None:
    def init(original: Any, self: Any, **settings: Any) -> None:
        original(self, **{**changed, **settings})

    around(ProducerConfig, "__init__", init)


@mutant("whether it is on", killer="4.8.3-default-on")
def off_by_default() -> None:
    """Idempotence is off unless it is asked for."""
    _by_default(enable_idempotence=False)


@mutant("whether it is on", killer="4.5.2-silently-off")
def always_asked_for() -> None:
    """acks=1 is refused, though nobody asked for idempotence."""
    _by_default(enable_idempotence=True)


@mutant("whether it is on", killer="4.5.2-implies")
def ten_retries() -> None:
    """An idempotent producer gets ten retries."""
    _by_default(retries=10)


@mutant("whether it is on", killer="4.8.3-acks-0-or-1")
def contradiction_taken() -> None:
    """enable_idempotence=True with acks=1 or 0 is taken."""
    around(config, "_against_idempotence", lambda original, given: "" if given.retries else "retries=0")


@mutant("whether it is on", killer="4.5.2-implies")
def six_in_flight_taken() -> None:
    """Six in flight are taken."""
    config.MAX_IN_FLIGHT = 6


@mutant("whether it is on", killer="4.5.2-switch-on")
def on_in_name_only() -> None:
    """A producer whose settings say nothing of idempotence numbers nothing."""

    def init(original: Any, self: Any, **options: Any) -> None:
        if "enable_idempotence" not in options:
            options["ordering"] = lambda *_: Ordering()
        original(self, **options)

    around(Producer, "__init__", init)
