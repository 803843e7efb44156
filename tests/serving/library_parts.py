"""A library on a slot without Ray or a lake: real search, real answers, a small corpus in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from small_library import document, small_library

from deployments.serve.corpus_answerer import CorpusAnswerer, corpus_answerer
from deployments.serve.dossiers import Dossiers
from deployments.serve.library_slot import LibraryPin, LibrarySlot
from deployments.serve.library_work import LibraryWork, OpenLibrary
from exo_assets.corpus.dossier_contracts import OUT_DOSSIERS
from exo_resources.chat_store import ChatStore
from exo_resources.lake import Lake
from exo_resources.settings import Settings

KOI_SCORE = document(
    "archive:koi_score",
    "# koi_score: Disposition score\n\nThe column koi_score is a value between 0 and 1 that says how confident the "
    "disposition of the KOI is. A candidate with a score near 1 is a confident candidate.",
    "koi_score: Disposition score",
    source="archive_columns",
)
KEPLER_90 = document(
    "arXiv:1712.05044",
    "A neural network found an eighth planet around Kepler-90. The new planet, Kepler-90 i, has a period of 14.4 days. "
    "Kepler-90 h is a gas giant with a radius of 11.3 Earth radii and an equilibrium temperature of 292 K.",
    "Identifying exoplanets with deep learning",
    source="arxiv",
    media="abstract",
)
SECOND = document("notes.txt", "The centroid of the light moves during the eclipse of a background binary.", "Notes")


def dossiers(**text: str | None) -> pl.DataFrame:
    """Rows of out_dossiers: of each candidate of Kepler-90 the dossier (JSON) that is given by its number."""
    return OUT_DOSSIERS.conform(
        pl.DataFrame(
            {
                "signal_id": [f"kepler:K00351.{number.removeprefix('k')}" for number in text],
                "star_id": "kic:11442793",
                "mission": "kepler",
                "rank": range(1, len(text) + 1),
                "ranked_in": "mart_candidates",
                "title": "Kepler-90",
                "dossier": list(text.values()),
                "n_passages": 0,
                "n_about_star": 0,
                "model_version": "m",
                "made_at": "2026-01-01T00:00:00+00:00",
                "reason": [None if value else "broken" for value in text.values()],
            }
        )
    )


DOSSIERS = dossiers(k01='{"title":"Kepler-90 h"}', k02='{"title":"Kepler-90 g"}', k03=None)


def small_lake(folder: Path) -> Lake:
    """A lake with two dossiers in it."""
    lake = Lake(str(folder / "lake"))
    lake.write("out_dossiers", DOSSIERS)
    return lake


def opened(pin: LibraryPin, folder: Path, settings: Settings | None = None) -> OpenLibrary:
    """What `pin` opens to; version "two" has a document more, "bad" cannot be opened."""
    if pin.version == "bad":
        raise OSError("the lake is on fire")
    settings = settings or Settings(home=folder)
    documents = [KOI_SCORE, KEPLER_90, *([SECOND] if pin.version == "two" else [])]
    return OpenLibrary(
        pin,
        small_library(documents, version=str(pin.version)),
        corpus_answerer(settings, "test"),
        ChatStore(f"sqlite:///{folder / 'chat.db'}"),
        Dossiers(small_lake(folder)),
        settings.fusion,
    )


def slot(folder: Path, settings: Settings | None = None) -> LibrarySlot[OpenLibrary]:
    """A slot that opens as `opened` does."""
    return LibrarySlot(lambda pin, _before: opened(pin, folder, settings))


def pinned(version: str | None, deployment: str = "d1") -> LibraryPin:
    return LibraryPin(version, Path("settings.json") if version else None, deployment)


def work(folder: Path, version: str | None = "one", **settings: Any) -> LibraryWork:
    """A replica's work on `version`."""
    found = slot(folder, Settings(home=folder, **settings))
    found.put(pinned(version))
    return LibraryWork(found, "replica-1", silence_s=0.2)


__all__ = ["CorpusAnswerer", "opened", "pinned", "slot", "small_lake", "work"]
