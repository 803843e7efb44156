"""The table of dossiers: made again only where something changed.

Belongs here: which candidates are searched for and made again, and the rows of `out_dossiers`. Does not belong here:
what a dossier holds (`dossier.py`), where tables and the library come from (the asset).

Two digests keep a row. `search_digest` covers the version of the corpus, the star's and the signal's names and the
search phrase: while it stays, the passages of the stored dossier are taken over and nothing is searched. `input_digest`
covers everything that the dossier is made from, passages included: while it stays, the stored dossier is. One that
fails is a row with the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from exo_assets.catalogs.contracts import RESOLVED
from exo_assets.corpus.designators import key
from exo_assets.corpus.dossier import Found, Inputs, dossier, shown
from exo_assets.corpus.dossier_contracts import OUT_DOSSIERS
from exo_assets.corpus.dossier_facts import Row, like_phrase, names_of_signals, names_of_stars
from exo_assets.corpus.dossier_found import Candidates, as_found, catalogued, found, together
from exo_assets.corpus.dossier_passages import Literature, Quotation, Star, like_all
from exo_assets.corpus.dossier_verdict import Planets, diagnostics
from exo_assets.corpus.identifiers import aliases
from exo_assets.corpus.neighbours import nearest, resolved_signals

LONGEST_REASON = 300
Tell = Callable[[str], object]


@dataclass(frozen=True)
class Tables:
    """What the lake knows: each a table of its name."""

    mart_candidates: pl.DataFrame
    core_signals: pl.DataFrame
    core_stars: pl.DataFrame
    core_planet_identity: pl.DataFrame
    out_scores: pl.DataFrame
    core_found_signals: pl.DataFrame
    out_found_scores: pl.DataFrame
    feat_signal_diagnostics: pl.DataFrame

    @property
    def candidates(self) -> Candidates:
        """Those of the catalogue, and those that only the search found."""
        return together(
            [
                catalogued(self.mart_candidates, self.core_signals, self.out_scores),
                found(self.core_found_signals, self.out_found_scores, self.core_signals),
            ]
        )


@dataclass(frozen=True)
class Refreshed:
    """Rows of `out_dossiers` in the order of ranks; how many were `made` (others kept), `searched` for, `failed`."""

    frame: pl.DataFrame
    made: int
    searched: int
    failed: int


@dataclass(frozen=True)
class _Candidate:
    """A candidate with all that is known of it but passages, or the reason for which that failed."""

    rank: Row
    signal: Row
    signals_on_star: int
    names: tuple[str, ...]
    star_names: tuple[str, ...]
    phrase: str
    search_digest: str

    @property
    def star(self) -> Star:
        return Star(self.signal["star_id"], _keys(self.star_names), _keys(self.names))


def refresh(
    tables: Tables,
    before: pl.DataFrame | None,
    literature: Literature | None,
    *,
    code: str,
    now: str,
    threads: int = 1,
    tell: Tell = lambda _: None,
) -> Refreshed:
    """Dossiers of all of `mart_candidates`, and of what the search found and ranks that is in no catalogue.

    `before`: the stored table, of any contract; `literature`: None while no index is released; `code`: version of the
    code that makes dossiers; `now`: the time that new dossiers are dated with; `tell` is given progress in words.
    """
    stored = _stored(before)
    version = literature.version if literature else None
    of = tables.candidates
    candidates = _candidates(tables, of, f"{code} {version}")
    passages = _passages(candidates, stored, literature, threads, tell)
    known = _Known(tables, of)
    tell(f"{len(candidates):,} candidates compared with {known.resolved:,} resolved signals")
    maker = _Maker(known, passages, literature, code, now)
    rows, made = [], 0
    for candidate in candidates:
        row, is_new = maker.row(candidate, stored.get(candidate.signal["signal_id"]))
        rows.append(row)
        made += is_new
    frame = OUT_DOSSIERS.conform(pl.DataFrame(rows, schema=OUT_DOSSIERS.schema) if rows else OUT_DOSSIERS.empty())
    return Refreshed(frame, made, passages.searched, frame["reason"].count())


def _stored(before: pl.DataFrame | None) -> dict[str, Row]:
    """Rows of the stored table by signal; none when it is of another contract."""
    if before is None or OUT_DOSSIERS.problems(before):
        return {}
    return {row["signal_id"]: row for row in before.iter_rows(named=True)}


def _candidates(tables: Tables, of: Candidates, salt: str) -> list[_Candidate]:
    rows = of.ranked.join(of.signals, on="signal_id", maintain_order="left")
    table = aliases(tables.core_signals, tables.core_stars, tables.core_planet_identity)
    of_signals, of_stars = names_of_signals(table), names_of_stars(table)
    columns = of.signals.columns
    out = []
    for row in rows.iter_rows(named=True):
        signal = {column: row[column] for column in columns}
        names = tuple(of_signals.get(row["signal_id"], (row["signal_id"],)))
        stars = tuple(of_stars.get(row["star_id"], (row["mission_star_id"],)))
        phrase = like_phrase(signal, row["signals_on_star"])
        asked = json.dumps([salt, row["star_id"], names, stars, phrase])
        digest = hashlib.sha256(asked.encode()).hexdigest()
        out.append(_Candidate(row, signal, row["signals_on_star"], names, stars, phrase, digest))
    return out


# -- passages ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Passages:
    """What was found for each candidate by name: passages, or the error of its search."""

    of: Mapping[str, Sequence[Quotation] | Exception]
    searched: int


def _passages(
    candidates: Sequence[_Candidate], stored: Mapping[str, Row], literature: Literature | None, threads: int, tell: Tell
) -> _Passages:
    if literature is None:
        return _Passages({c.signal["signal_id"]: () for c in candidates}, 0)
    out: dict[str, Sequence[Quotation] | Exception] = {}
    unnamed: list[_Candidate] = []
    searched = 0
    for candidate in candidates:
        name = candidate.signal["signal_id"]
        old = stored.get(name)
        if old is not None and old["dossier"] is not None and old["search_digest"] == candidate.search_digest:
            out[name] = _taken_over(old["dossier"])
            continue
        searched += 1
        out[name] = _attempt(literature, candidate.star)
        if not out[name]:
            unnamed.append(candidate)

    def told(done: int, of: int) -> None:
        tell(f"{done:,} of {of:,} searches for signals of a kind")

    if searched:
        tell(f"{searched:,} candidates looked up in the corpus {literature.version}: {len(unnamed):,} stars not named")
    like = like_all(literature, {c.phrase for c in unnamed}, threads=threads, told=told)
    out |= {c.signal["signal_id"]: like[c.phrase] for c in unnamed}
    return _Passages(out, searched)


def _attempt(literature: Literature, star: Star) -> Sequence[Quotation] | Exception:
    try:
        return literature.about(star)
    except Exception as error:  # costs this dossier, not the table
        return error


def _taken_over(text: str) -> list[Quotation]:
    return [Quotation(**{**p, "names": tuple(p["names"])}) for p in json.loads(text)["passages"]]


# -- rows --------------------------------------------------------------------------------------------------------


class _Known:
    """What candidates are compared with, for all of them at once."""

    def __init__(self, tables: Tables, of: Candidates) -> None:
        resolved = resolved_signals(tables.core_signals, tables.core_planet_identity)
        chosen = of.signals.join(of.ranked, on="signal_id", how="semi")
        self.resolved = resolved.height
        self._rows = {row["signal_id"]: row for row in resolved.iter_rows(named=True)}
        self._nearest = nearest(chosen, resolved)
        self._scores = {r["signal_id"]: r for r in of.scores.drop("data_version").iter_rows(named=True)}
        self._planets = Planets(
            tables.feat_signal_diagnostics, resolved.filter(pl.col("disposition") == RESOLVED[0])["signal_id"].to_list()
        )
        self._found = as_found(tables.core_found_signals, tables.out_found_scores)
        measured = tables.feat_signal_diagnostics.join(of.ranked, on="signal_id", how="semi")
        self._measured = {row["signal_id"]: row for row in measured.iter_rows(named=True)}

    def inputs(self, candidate: _Candidate, passages: Found) -> Inputs:
        name = candidate.signal["signal_id"]
        return Inputs(
            signal=candidate.signal,
            score=self._scores[name],
            signals_on_star=candidate.signals_on_star,
            signal_names=candidate.names,
            star_names=candidate.star_names,
            diagnosed=diagnostics(self._measured.get(name), self._planets),
            as_found=self._found.get(name),
            neighbours={
                label: [shown(n, self._rows[n.signal_id]) for n in near] for label, near in self._nearest[name].items()
            },
            phrase=candidate.phrase,
            found=passages,
        )


@dataclass(frozen=True)
class _Maker:
    """Rows of the table, one candidate at a time."""

    known: _Known
    passages: _Passages
    literature: Literature | None
    code: str
    now: str

    def row(self, candidate: _Candidate, old: Row | None) -> tuple[dict[str, Any], bool]:
        """The row of one candidate, and whether its dossier was made; `old` is the stored one."""
        signal = candidate.signal
        row = {
            **{name: signal[name] for name in ("signal_id", "star_id", "mission")},
            **{name: candidate.rank[name] for name in ("rank", "ranked_in")},
            "model_version": candidate.rank["model_version"],
            "corpus_version": self.literature.version if self.literature else None,
        }
        try:
            inputs = self.known.inputs(candidate, self._found(signal["signal_id"]))
            digest = inputs.digest(self.code)
            row |= {"input_digest": digest, "search_digest": candidate.search_digest}
            if old is not None and old["dossier"] is not None and old["input_digest"] == digest:
                return row | {name: old[name] for name in _KEPT}, False
            made = dossier(inputs)
            text = json.dumps(made, ensure_ascii=False, allow_nan=False)
        except Exception as error:
            return row | self._failed(signal["signal_id"], error, old), True
        quoted = inputs.found.passages
        counts = {"n_passages": len(quoted), "n_about_star": sum(q.about_star for q in quoted)}
        return row | {"title": made["title"], "dossier": text, "made_at": self.now, **counts}, True

    def _found(self, name: str) -> Found:
        quoted = self.passages.of[name]
        if isinstance(quoted, Exception):
            raise quoted
        return Found(tuple(quoted), self.literature is not None, bool(self.literature and self.literature.documents))

    def _failed(self, name: str, error: Exception, old: Row | None) -> dict[str, Any]:
        reason = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
        again = old is not None and old["reason"] == reason
        return {
            "title": name,
            "n_passages": 0,
            "n_about_star": 0,
            "input_digest": None,
            "search_digest": None,
            "made_at": old["made_at"] if again and old else self.now,
            "reason": reason,
        }


_KEPT = ("title", "dossier", "n_passages", "n_about_star", "made_at")


def _keys(names: Sequence[str]) -> frozenset[str]:
    return frozenset(key(name) for name in names)
