"""A small corpus with real stars in it, indexed with the real model, for tests of all that searches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache

import polars as pl

from exo_assets.corpus.chunks import ChunkSettings, chunk_table
from exo_assets.corpus.designators import designators
from exo_assets.corpus.document import Document, documents_table
from exo_assets.corpus.embedding import MINILM, Embedder, Vectors, model_digest, packaged_files
from exo_assets.corpus.embedding_in_use import EmbeddingRef
from exo_assets.corpus.identifiers import aliases, mentions
from exo_assets.corpus.index_version import IndexContent
from exo_assets.corpus.tokens import plain_tokens

SIGNALS = pl.DataFrame(
    [
        ("K00351.01", "KIC 11442793", "Kepler-90 h", 11442793, None, None, "KIC 11442793"),
        ("K00351.02", "KIC 11442793", "Kepler-90 g", 11442793, None, None, "KIC 11442793"),
        ("TOI-700.02", "TIC 150428135", None, None, None, 150428135, "TIC 150428135"),
        ("TOI-700.03", "TIC 150428135", None, None, None, 150428135, "TIC 150428135"),
        ("K00157.03", "KIC 6541920", "Kepler-11 e", 6541920, None, None, "KIC 6541920"),
    ],
    schema=["signal_id", "mission_star_id", "planet_name", "kic_id", "epic_id", "tic_id", "star_id"],
    orient="row",
)
STARS = SIGNALS.group_by("star_id", maintain_order=True).agg(
    pl.col("kic_id", "epic_id", "tic_id").drop_nulls().first(), k2_host=pl.lit(None, dtype=pl.String)
)
IDENTITY = pl.DataFrame({"signal_id": ["TOI-700.02"], "star_id": ["TIC 150428135"], "planet_name": ["TOI-700 d"]})
ALIASES = aliases(SIGNALS, STARS, IDENTITY)


def _paper(number: int, year: int, title: str, text: str) -> Document:
    published = date(year, 6, 1)
    return Document(f"arXiv:{number:04d}.00001", "arxiv", "abstract", title, text, published=published)


DOCUMENTS = (
    _paper(
        1710,
        2017,
        "An eighth planet",
        "A neural network found an eighth planet around Kepler-90. The star now ties with the Sun for the most "
        "planets. The new planet has a period of 14.4 days and is 1.3 times as large as the Earth.",
    ),
    _paper(
        1310,
        2013,
        "A compact system of seven",
        "KIC 11442793 hosts seven planets. The outer two are gas giants whose transit timing varies by hours.",
    ),
    _paper(
        2001,
        2020,
        "An Earth-sized planet in the habitable zone",
        "We report an Earth-sized planet in the habitable zone of TOI-700, a nearby M dwarf seen by TESS. The third "
        "planet, TOI-700 d, receives 86 percent of the flux that the Earth receives from the Sun.",
    ),
    _paper(
        1102,
        2011,
        "Six low-mass planets",
        "Kepler-11 has six transiting planets. Their masses follow from transit timing variations; "
        "they are of low density.",
    ),
    _paper(
        2203,
        2022,
        "A hot Jupiter's secondary eclipse",
        "The secondary eclipse of WASP-18 b shows a day side of 2,900 K. No reflected light is needed.",
    ),
    _paper(
        1801,
        2018,
        "Eclipsing binaries that look like planets",
        "Background eclipsing binaries mimic transits. The centroid of the light moves during the eclipse, which gives "
        "them away, and odd and even eclipses differ in depth.",
    ),
    Document(
        "archive:koi_depth",
        "archive_columns",
        "markdown",
        "koi_depth: Transit depth [ppm]",
        "# koi_depth: Transit depth [ppm]\n\nThe column koi_depth holds the fraction of stellar flux lost at "
        "the minimum of the transit, in parts per million.",
    ),
    Document(
        "exo:README.md",
        "package",
        "markdown",
        "Exo",
        "# Exo\n\nExo is a nightly catalogue of transit signals.\n\n## Vetting\n\nA verdict of candidate means unsure. "
        "Secondary eclipses argue against a planet.",
    ),
    Document(
        "notes.txt", "file", "text", "Notes", "Observing notes of a night with clouds. The guide star was lost twice.",
        page_starts=(0,),
    ),
)  # fmt: skip


def documents_of(documents: Sequence[Document], table: pl.DataFrame = ALIASES) -> pl.DataFrame:
    """Rows of corpus_documents with the stars that each names, and a mission where a name gives one."""
    frame = documents_table(documents)
    texts = [f"{d.title}. {d.text}" for d in documents]
    known = mentions(texts, table)
    stars = {i: set(known.filter(pl.col("row") == i)["star_id"]) for i in range(len(texts))}
    keys = set(table["alias_key"])
    targets = [
        sorted(stars[i] | {d.host for d in designators(t) if d.sure and not {d.key, d.host} & keys})
        for i, t in enumerate(texts)
    ]
    missions = [next((m for m in ("kepler", "tess") if m in t.lower()), None) for t in texts]
    return frame.with_columns(
        targets=pl.Series(targets, dtype=pl.List(pl.String)), mission=pl.Series(missions, dtype=pl.String)
    )


@cache
def embedder() -> Embedder:
    """The packaged model, loaded once."""
    return Embedder()


@cache
def packaged_ref() -> EmbeddingRef:
    """The reference to the packaged model."""
    return EmbeddingRef(MINILM.name, MINILM.dimensions, MINILM.tokens, model_digest(MINILM, packaged_files()))


@cache
def _vector(text: str) -> Vectors:
    return embedder().embed([text])


def content(documents: Sequence[Document] = DOCUMENTS, settings: ChunkSettings | None = None) -> IndexContent:
    """The parts of an index over `documents`."""
    import numpy as np

    frame = documents_of(documents)
    chunks = chunk_table(frame, plain_tokens, settings or ChunkSettings(64, 16))
    vectors = np.concatenate([_vector(text) for text in chunks["text"]])
    return IndexContent(chunks, frame, vectors, ALIASES, packaged_ref())
