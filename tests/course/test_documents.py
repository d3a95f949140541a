from __future__ import annotations

import json
from pathlib import Path

import pytest

from kafkalab.course import chapters, claims, claims_table, documents, glossary, normalise, settings_index
from kafkalab.course.glossary import Term
from kafkalab.producer import ProducerConfig

from .conftest import notebook

ROOT = Path(__file__).parents[2]
TOML = """
["4.2.10-late"]
section = "4.2, step 10"
belief = "a | b"
fact = "f"
verdict = "false"
chapter = "02"
subject = "broker"

["4.2.2-early"]
section = "4.2, step 2"
belief = "c"
fact = "g"
verdict = "true"
chapter = "01"
subject = "client"
"""


def test_committed_documents_are_what_their_data_says() -> None:
    assert not [path.name for path in documents.stale(ROOT)], "make docs"


def test_a_document_that_says_something_else_or_is_missing_is_stale(tmp_path: Path) -> None:
    wanted = {"a.md": lambda: "now", "b.md": lambda: "here", "c.md": lambda: "as it is"}
    (tmp_path / "a.md").write_text("before", encoding="utf-8")
    (tmp_path / "c.md").write_text("as it is", encoding="utf-8")
    assert documents.stale(tmp_path, wanted) == {tmp_path / "a.md": "now", tmp_path / "b.md": "here"}


def test_claims_stand_in_the_order_of_the_outline_and_link_to_chapters_that_exist() -> None:
    made = claims_table.text(claims.parse(TOML), {"01": "01_x.ipynb"})
    assert made.splitlines()[-2:] == [
        "| 4.2, step 2 | c | true | g | [01](../notebooks/01_x.ipynb) | client |",
        r"| 4.2, step 10 | a \| b | false | f | 02 | broker |",
    ]
    assert "2 claims: 1 true, 1 false. 1 wait for a chapter that is not written." in made


def test_the_readme_links_every_document() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [name for name in documents.DOCUMENTS if f"]({name})" not in readme and name != "README.md"]


def prose(made: str) -> str:
    return "".join(json.loads(made)["cells"][0]["source"])


def test_settings_are_found_where_they_are_used_or_mentioned() -> None:
    chapter = notebook(
        "Producer(linger_ms=5, **{'batch_size': 1})",
        "ProduceRequest(acks=-1)\nretries = 3",
        "lab.topic('t', config={'min.insync.replicas': '2'})\nprint(producer.config.max_block_ms)",
        "%magic acks=1",
        ("md", "Neither acks nor retries, but `enable.idempotence=true`, `no.such.thing` and"),
        ("md", "[memory](https://kafka.apache.org/documentation/#producerconfigs_buffer.memory)"),
    )
    assert set(settings_index.in_code(chapter)) == {
        *("linger.ms", "batch.size", "min.insync.replicas", "max.block.ms"),
    }
    assert set(settings_index.in_prose(chapter)) == {"enable.idempotence", "buffer.memory"}
    lines = [line for line in prose(settings_index.text({"00": chapter})).splitlines() if "| [" in line]
    assert [line.split("`")[1] for line in lines] == [
        *("batch.size", "linger.ms", "buffer.memory", "max.block.ms", "enable.idempotence"),
        "min.insync.replicas",
    ]
    assert lines[1].endswith("| **[00](00_start_here.ipynb)** |")
    assert lines[2].endswith("| [00](00_start_here.ipynb) |")


def test_a_setting_that_no_prose_links_to_is_found() -> None:
    link = "[`acks=all`](https://kafka.apache.org/documentation/#producerconfigs_acks)"
    chapter = notebook(("md", f"{link}, `linger.ms=5`, `batch.size`, `linger_ms` and `no.such.thing`."))
    assert settings_index.unlinked(chapter) == ["batch.size", "linger.ms"]


@pytest.mark.parametrize("entry", chapters.CHAPTERS, ids=lambda entry: entry.number)
def test_every_chapter_links_its_settings(entry: chapters.ChapterEntry) -> None:
    assert settings_index.unlinked(normalise.read(ROOT / "notebooks" / entry.notebook)) == []


def test_every_setting_of_the_producer_has_its_meaning() -> None:
    assert settings_index.meanings().keys() == ProducerConfig.__dataclass_fields__.keys()


def test_words_are_in_order_and_link_to_chapters_that_exist() -> None:
    terms = glossary.load()
    names = [term.name.lower() for term in terms]
    assert names == sorted(set(names))
    assert all(term.means.endswith((".", ")")) and len(term.means) < 130 for term in terms)
    made = prose(glossary.text([Term("a", "x.", "00"), Term("b", "y.", "11")], {"00": "00_x.ipynb"}))
    assert made.splitlines()[-2:] == ["| **a** | x. | [00](00_x.ipynb) |", "| **b** | y. | 11 |"]
