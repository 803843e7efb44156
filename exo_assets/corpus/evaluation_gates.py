"""The gates between an index and its release: one property each, one table of thresholds.

Belongs here: what is demanded, and the judgement of what was found. Does not belong here: searching and answering
(`retrieval_evaluation.py`, `answer_evaluation.py`), acting on it (`release.py`, `evaluation_checks.py`).

| gate | demand | why |
| --- | --- | --- |
| questions_in_index | >= 60 answerable questions have their answer in it | fewer judge little |
| floor_* | the figure itself | what is below is broken: about a fifth below what was measured (TRIED.md) |
| kept_* | the figure less that of the released index | a drop below the last release blocks |
| hybrid_* | the default search less the better of vectors and keywords alone | a leg that spoils the other is broken |

Differences are means of differences by query, over the queries that both have with the same judgement. A difference
fails when it is below -TOLERANCE and its 95 % interval (bootstrap by query) lies below 0: smaller drops come with every
night's new documents, and larger ones that the queries cannot tell from chance are none. Drops below the tolerance in a
row are stopped by the floors. There is no comparison before the first release, nor over fewer than LEAST queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from exo_assets.corpus.answer_evaluation import answer_figures
from exo_assets.corpus.evaluation_contracts import CORPUS_GATES, CORPUS_RELEASED_FIGURES
from exo_assets.corpus.query_sets import GATED_SETS
from exo_assets.evaluation.bootstrap import Interval, bootstrap_by_star

TOLERANCE = 0.01
LEAST = 30
SEED = 0
NDCG = "ndcg_at_10"
_ANSWERS = "answers"


@dataclass(frozen=True)
class Gate:
    """One demand on a set of queries. `kind`: `count` of its queries, `floor` of a figure, `kept` against the release,
    `hybrid` against its parts. Higher figures are better."""

    name: str
    property: str
    set: str
    figure: str
    kind: str
    lowest: float


_SAID = {
    "citation_precision": "Share of cited passages that answer or help",
    "citation_recall": "Share of questions whose answer is cited",
    "supported_share": "Share of sentences that stand in a passage that they cite",
    "refusal_share": "Share of questions without an answer that are declined",
}
_FLOORS = {
    **{("titles", NDCG): 0.80, ("questions", NDCG): 0.55},
    **{(_ANSWERS, "citation_precision"): 0.45, (_ANSWERS, "citation_recall"): 0.50},
    **{(_ANSWERS, "supported_share"): 1.0, (_ANSWERS, "refusal_share"): 0.50},
}


def _gates() -> tuple[Gate, ...]:
    out = [Gate("questions_in_index", "The index answers enough questions to judge it", "questions", NDCG, "count", 60)]
    for (name, figure), lowest in _FLOORS.items():
        said = f"nDCG@10 of {name}" if figure == NDCG else _SAID[figure]
        short = name if figure == NDCG else figure.removesuffix("_share")
        out.append(Gate(f"floor_{short}", said, name, figure, "floor", lowest))
        out.append(Gate(f"kept_{short}", f"{said}, against the release", name, figure, "kept", -TOLERANCE))
    for name in GATED_SETS:
        said = f"nDCG@10 of {name}, against the better of vectors and keywords alone"
        out.append(Gate(f"hybrid_{name}", said, name, NDCG, "hybrid", -TOLERANCE))
    return tuple(out)


GATES = _gates()
GATE_NAMES = tuple(gate.name for gate in GATES)


def served_figures(retrieval: pl.DataFrame, answered: pl.DataFrame, default: str) -> pl.DataFrame:
    """`corpus_released_figures` of `corpus_retrieval_figures` and `corpus_answers`: what is compared across versions,
    of the search `default`, that people are served by."""
    found = retrieval.filter(pl.col("set").is_in(GATED_SETS), search=default)
    searched = found.select("version", "set", "query_id", figure=pl.lit(NDCG), value=pl.col(NDCG))
    given = answer_figures(answered).with_columns(version=pl.lit(answered["version"][0]), set=pl.lit(_ANSWERS))
    unsupported = pl.col("metric") == "unsupported_share"
    given = given.with_columns(
        figure=pl.when(unsupported).then(pl.lit("supported_share")).otherwise("metric"),
        value=pl.when(unsupported).then(1 - pl.col("value")).otherwise("value"),
    )
    return pl.concat([CORPUS_RELEASED_FIGURES.conform(part) for part in (searched, given)])


def judge(retrieval: pl.DataFrame, answered: pl.DataFrame, released: pl.DataFrame | None, default: str) -> pl.DataFrame:
    """`corpus_gates` of one version: its `corpus_retrieval_figures` and `corpus_answers` against the thresholds and
    against `released` (`corpus_released_figures`; None before the first release).

    ValueError when the two tables are of different versions.
    """
    versions = {*retrieval["version"], *answered["version"]}
    if len(versions) != 1:
        raise ValueError(f"figures of different versions: {', '.join(sorted(versions)) or 'none'}")
    (version,) = versions
    served = _by_query(served_figures(retrieval, answered, default))
    before = _by_query(released) if released is not None else {}
    reference = released["version"][0] if released is not None and released.height else None
    rows = []
    for gate in GATES:
        key = (gate.set, gate.figure)
        if gate.kind == "count":
            found = _count(served.get(key, {}))
        elif gate.kind == "floor":
            found = _floor(served.get(key, {}))
        elif gate.kind == "kept":
            found = _kept(served.get(key, {}), before.get(key, {}), reference)
        else:
            found = _hybrid(retrieval, gate.set, default)
        rows.append(
            {
                "gate": gate.name,
                "set": gate.set,
                "value": found.value,
                "low": found.interval.low if found.interval else None,
                "high": found.interval.high if found.interval else None,
                "lowest": gate.lowest,
                "status": _status(gate, found),
                "explanation": f"{gate.property}: {found.note}",
                "version": version,
                "reference_version": reference if gate.kind == "kept" and found.value is not None else None,
            }
        )
    return CORPUS_GATES.conform(pl.DataFrame(rows, schema=CORPUS_GATES.schema))


def demand(gate: Gate) -> str:
    """What a gate wants, in words."""
    if gate.kind in ("kept", "hybrid"):
        return f"no less than {gate.lowest:g}, or not told from 0"
    return f"at least {gate.lowest:g}"


@dataclass(frozen=True)
class _Found:
    """What was found for a gate: None is not applicable, and `note` says why. A difference has its `interval`."""

    value: float | None
    note: str
    interval: Interval | None = None


def _status(gate: Gate, found: _Found) -> str:
    if found.value is None:
        return "not_applicable"
    if found.interval is not None and found.interval.high >= 0:
        return "passed"
    return "passed" if found.value >= gate.lowest else "failed"


def _count(figures: Mapping[str, float]) -> _Found:
    return _Found(float(len(figures)), f"{len(figures)} questions")


def _floor(figures: Mapping[str, float]) -> _Found:
    if len(figures) < LEAST:
        return _few(len(figures))
    mean = float(np.mean(list(figures.values())))
    return _Found(mean, f"{mean:.4f} over {len(figures):,} queries")


def _kept(now: Mapping[str, float], before: Mapping[str, float], reference: str | None) -> _Found:
    if reference is None:
        return _Found(None, "not applicable, nothing has been released yet")
    common = sorted(set(now) & set(before))
    if len(common) < LEAST:
        return _few(len(common), f" that the released index {reference} had with the same judgement")
    found = _difference([now[q] for q in common], [before[q] for q in common])
    return _Found(found.value, f"{_shown(found)} against {reference} on {len(common):,} queries", found)


def _hybrid(retrieval: pl.DataFrame, name: str, default: str) -> _Found:
    part = retrieval.filter(set=name)
    figures = {search: dict(part.filter(search=search).select("query_id", NDCG).iter_rows()) for search in _LEGS}
    served = dict(part.filter(search=default).select("query_id", NDCG).iter_rows())
    if len(served) < LEAST:
        return _few(len(served))
    better = max(_LEGS, key=lambda search: float(np.mean(list(figures[search].values()))))
    found = _difference([served[q] for q in sorted(served)], [figures[better][q] for q in sorted(served)])
    return _Found(found.value, f"{_shown(found)} against {better} alone on {len(served):,} queries", found)


_LEGS = ("dense", "keyword")


def _few(count: int, which: str = "") -> _Found:
    return _Found(None, f"not applicable, {count} queries{which}, fewer than {LEAST}")


def _difference(first: list[float], second: list[float]) -> Interval:
    """Mean of the differences by query, with its interval."""
    change = np.asarray(first) - np.asarray(second)
    found = bootstrap_by_star(
        np.arange(change.size), lambda weights: {"mean": weights @ change / weights.sum(axis=1)}, seed=SEED
    )
    return found["mean"]


def _shown(found: Interval) -> str:
    return f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def _by_query(figures: pl.DataFrame) -> dict[tuple[str, str], dict[str, float]]:
    """Set and figure to the value of each query."""
    out: dict[tuple[str, str], dict[str, float]] = {}
    for name, figure, query, value in figures.select("set", "figure", "query_id", "value").iter_rows():
        out.setdefault((name, figure), {})[query] = value
    return out
