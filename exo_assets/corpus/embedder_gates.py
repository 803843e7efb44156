"""The gates between an embedding model that learned the corpus and its use.

Belongs here: what is demanded, and what was found. Does not belong here: judging a finding (`evaluation/gates.py`), or
acting on it (`embedder_champion.py`).

| gate | demand | why this threshold |
| --- | --- | --- |
| enough_held_out | >= 100 held-out titles | fewer judge nothing |
| held_out_rises | nDCG@10 difference, lower end of its interval >= 0.001 | beyond its interval, not by luck |
| titles_not_worse, sentences_not_worse | upper end >= 0 | neither may pay for the other: a fall must not be certain |
| general_not_forgotten | nDCG@10 difference >= -0.01 | other words than the field's must find, too |
| questions_not_worse | upper end of its interval >= 0 | few questions: a fall must not be certain |
| export_as_taught | least cosine >= 0.999 | the packaged int8 file keeps 0.9993 to its float32 |
| held_out_never_taught | 0 pairs | a question whose answer was learned shows nothing |
| digest_matches | 1 | the files that were judged are those in the lake |

That a candidate does not rise is no failure: it is not promoted, the run goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from exo_assets.corpus.embedder_tasks import GENERAL, HELD_OUT, QUESTIONS, SENTENCES, TITLES
from exo_assets.corpus.pairs import is_held_out
from exo_assets.evaluation.gates import Finding, Gate

LEAST_COSINE = 0.999

EMBEDDER_GATES: tuple[Gate, ...] = (
    Gate("enough_held_out", "Enough held-out titles to judge anything", lowest=100, fail=False),
    Gate("held_out_rises", "Held-out abstracts are found better by title and sentence", lowest=0.001, fail=False),
    Gate("titles_not_worse", "They are not certainly found worse by their titles", lowest=0, fail=False),
    Gate("sentences_not_worse", "They are not certainly found worse by a sentence", lowest=0, fail=False),
    Gate("general_not_forgotten", "Text of another field is found as before", lowest=-0.01),
    Gate("questions_not_worse", "The judged questions are not certainly answered worse", lowest=0, optional=True),
    Gate("export_as_taught", "Vectors as served are those that were taught", lowest=LEAST_COSINE),
    Gate("held_out_never_taught", "No pair is of a held-out document", highest=0),
    Gate("digest_matches", "The files that were judged are those in the lake", lowest=1),
)


def find(candidate: Mapping[str, Any], metrics: pl.DataFrame, taught: pl.Series, is_intact: bool) -> dict[str, Finding]:
    """What was found for each gate.

    `candidate` is the row of `ml_embedder_candidate`, `metrics` the table of its figures, `taught` the document of each
    pair that it learned from; `is_intact` whether the lake's files have its digest.
    """
    rows = {r["task"]: r for r in metrics.filter(metric="ndcg_at_10").iter_rows(named=True)}
    asked = rows[TITLES]["n_queries"] if TITLES in rows else 0
    leaked = sum(map(is_held_out, taught))
    return {
        "enough_held_out": Finding(asked, f"{asked} held-out titles"),
        "held_out_rises": _finding(rows.get(HELD_OUT), "low"),
        "titles_not_worse": _finding(rows.get(TITLES), "high"),
        "sentences_not_worse": _finding(rows.get(SENTENCES), "high"),
        "general_not_forgotten": _finding(rows.get(GENERAL), "difference"),
        "questions_not_worse": _finding(rows.get(QUESTIONS), "high"),
        "export_as_taught": Finding(candidate["cosine_min"], f"mean {candidate['cosine_mean']:.6f}"),
        "held_out_never_taught": Finding(leaked, f"{leaked} of {len(taught)} pairs"),
        "digest_matches": Finding(float(is_intact), "read again" if is_intact else "the files are other ones, or gone"),
    }


def _finding(row: Mapping[str, Any] | None, column: str) -> Finding:
    if row is None:
        return Finding(None, "nothing was asked")
    note = "nDCG@10 {before:.4f} -> {after:.4f}, {difference:+.4f} [{low:+.4f}, {high:+.4f}], {n_queries} questions"
    return Finding(row[column], note.format(**row))
