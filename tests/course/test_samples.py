"""Samples are the same in every run, and compress as what they stand for."""

import json
import zlib

import pytest

from kafkalab.course import samples


@pytest.mark.parametrize("make", [samples.json_events, samples.log_lines, samples.encrypted])
def test_the_same_seed_makes_the_same_records(make):
    assert list(make(20)) == list(make(30))[:20] != list(make(20, seed=7))


def test_they_never_change():
    """Chapters show their bytes and count their records: a change makes every notebook anew."""
    first = [next(iter(make(1))) for make in (samples.json_events, samples.log_lines, samples.encrypted)]
    assert [zlib.crc32(each) for each in first] == [381296420, 855253009, 2398804890]


def test_events_are_json_and_encrypted_messages_do_not_compress():
    assert {json.loads(each)["country"] for each in samples.json_events(100)} == {
        "DE",
        "FR",
        "IT",
        "PL",
        "SE",
    }
    for make, most in ((samples.json_events, 0.35), (samples.log_lines, 0.35)):
        text = b"".join(make(500))
        assert len(zlib.compress(text)) < most * len(text)
    noise = b"".join(samples.encrypted(500))
    assert len(zlib.compress(noise)) >= len(noise)
