from __future__ import annotations

from pathlib import Path

from kafkalab.course import claims, claims_table, documents

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
    assert not [name for name in documents.DOCUMENTS if f"]({name})" not in readme]
