"""The corpus that ships: complete, stable, and true to the contracts that it is made from."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from exo_assets.archive.contracts import CONTRACTS
from exo_assets.corpus import archive_columns
from exo_assets.corpus.archive_columns import DefinitionError, column_documents, definitions
from exo_assets.corpus.chunks import chunk_table
from exo_assets.corpus.document import documents_table
from exo_assets.corpus.own_documents import own_documents
from exo_assets.corpus.plain_text import clean_text
from exo_assets.corpus.tokens import plain_tokens
from exo_assets.features.registry import FEATURES
from exo_assets.warehouse.catalogue import upstream


def test_the_corpus_keeps_its_contract_and_comes_out_the_same() -> None:
    documents = own_documents()
    rows = documents_table(documents)
    assert rows.height > 200
    assert rows["document_id"].is_sorted()
    assert set(rows["source"]) == {"package", "archive_columns"}
    assert rows.equals(documents_table(own_documents()))
    assert all(clean_text(d.text) == d.text for d in documents)


def test_texts_tables_and_features_are_in_it() -> None:
    text = {d.document_id: d.text for d in own_documents()}
    assert "How a transit signal is vetted" in text["exo:exo_assets/corpus/vetting.md"]
    assert {"exo:README.md", "exo:exo_assets/archive/snapshot/README.md"} < set(text)
    for table in upstream().values():
        if not table.name.startswith("raw_nea__"):
            assert all(f"- {table.name}.{c.name}: " in text[f"exo:table/{table.name}"] for c in table.columns)
    features = "\n".join(t for name, t in text.items() if name.startswith("exo:features/"))
    assert all(f"- {f.name}" in features for f in FEATURES)


def test_every_column_of_the_contracts_is_defined() -> None:
    named = {d.column for d in definitions()} | {u for d in definitions() for u in d.uncertainties}
    assert {c.name for contract in CONTRACTS for c in contract.columns} <= named


def test_a_column_is_said_once_with_all_its_tables() -> None:
    (period,) = (d for d in column_documents() if d.document_id == "archive:koi_period")
    assert period.title == "koi_period: Orbital period [d]"
    assert period.text == (
        "# koi_period: Orbital period [d]\n\n"
        "The column koi_period holds the orbital period, in days; it is in the NASA Exoplanet Archive's tables of "
        "Kepler Objects of Interest (cumulative, q1_q17_dr25_koi).\nIt is the time between successive transits.\n"
        "Its uncertainty is in koi_period_err1 (upper) and koi_period_err2 (lower)."
    )
    (name,) = (d for d in column_documents() if d.document_id == "archive:pl_name")
    assert name.text.count("The column pl_name holds") == 2  # two tables, two meanings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {column: koi_period, tables: [toi], description: x}", "only to them"),
        ("- {column: koi_perod, note: x}", "only to them"),
        ("- {column: koi_perod, tables: [koi], description: x}", "no table of the archive"),
        ("- {column: koi_period, note: x}\n- {column: koi_period, note: y}", "twice"),
    ],
)
def test_notes_that_do_not_fit_are_named(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.yaml").write_text(text)
    monkeypatch.setattr(archive_columns, "NOTES", tmp_path / "notes.yaml")
    with pytest.raises(DefinitionError, match=said):
        definitions.__wrapped__()


def test_passages_of_columns_are_short_and_name_them() -> None:
    chunks = chunk_table(documents_table(column_documents()), plain_tokens)
    assert chunks.height == len(column_documents())
    named = chunks.select(pl.col("text").str.contains(pl.col("document_id").str.strip_prefix("archive:"), literal=True))
    assert named.to_series().all()


@pytest.mark.archive
def test_the_archives_own_columns_are_defined_but_for_plain_ones(archive_mirror: Path) -> None:
    lines = (archive_mirror / "corpus" / "archive_column_docs.jsonl").read_text(encoding="utf-8").splitlines()
    named = {d.column for d in definitions()} | {u for d in definitions() for u in d.uncertainties}
    columns = {json.loads(line)["column"] for line in lines}
    values = {c for c in columns if not c.endswith(("err", "err1", "err2", "lim"))}
    assert len(values & named) > 0.75 * len(values)


@pytest.mark.archive
def test_real_abstracts_make_one_passage_each_mostly(archive_mirror: Path) -> None:
    lines = (archive_mirror / "corpus" / "arxiv_astro_ph_ep.jsonl").read_text(encoding="utf-8").splitlines()
    papers = [json.loads(line) for line in lines]
    from exo_assets.corpus.arxiv import parse_atom
    from tests.corpus.arxiv_answers import atom_entry, atom_feed

    listing = parse_atom(atom_feed(*(atom_entry(p["arxiv_id"], p["title"], p["abstract"]) for p in papers)))
    assert (len(listing.documents), listing.rejected) == (len(papers), ())
    documents = documents_table(listing.documents)
    chunks = chunk_table(documents, plain_tokens)
    assert documents.height <= chunks.height < 1.1 * documents.height
    whole = chunks.join(documents.select("document_id", whole="text"), on="document_id")
    assert whole.filter(pl.col("whole").str.contains(pl.col("text"), literal=True)).height == chunks.height
