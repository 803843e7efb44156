from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from indexed_corpus import DOCUMENTS, content

from exo_assets.corpus.index_version import IndexContent, IndexContentError
from exo_assets.corpus.library import Filters, SearchRequest
from exo_resources.lake import Lake
from exo_resources.library_store import CURRENT, ROOT, DamagedIndexError, LibraryMissingError, LibraryStore
from exo_resources.settings import Settings


@pytest.fixture
def store(tmp_path: Path) -> LibraryStore:
    settings = Settings(home=tmp_path)
    return LibraryStore(Lake(settings.lake), settings)


def _built(store: LibraryStore, last: int | None = None) -> str:
    return str(store.build(content(DOCUMENTS[:last]))["version"])


def test_nothing_is_searched_before_a_release(store: LibraryStore) -> None:
    with pytest.raises(LibraryMissingError, match="exo run --job corpus_refresh"):
        store.open()
    version = _built(store)
    with pytest.raises(LibraryMissingError, match="no index of the corpus has been released"):
        store.open()
    assert store.open(version).version == version
    assert store.released() is None and store.status()["waiting"] == version


def test_the_released_version_is_opened_and_searched(store: LibraryStore) -> None:
    released = store.release(_built(store))
    library = store.open()
    assert library.version == released["version"] and library.manifest["chunks"] == library.chunks.height
    (first, *_) = library.search("habitable zone of an M dwarf", SearchRequest(limit=3))
    assert first.document_id == "arXiv:2001.00001" and first.year == 2020
    assert first.text == next(d.text for d in DOCUMENTS if d.document_id == first.document_id)[first.start : first.end]
    assert store.status()["waiting"] is None and store.status()["documents"] == len(DOCUMENTS)


def test_vectors_are_mapped_and_a_process_opens_a_version_once(store: LibraryStore) -> None:
    store.release(_built(store))
    library = store.open()
    assert isinstance(library.store._vectors, np.memmap)  # type: ignore[attr-defined]
    assert LibraryStore(Lake(store.lake.root), store.settings).open() is library


def test_the_same_parts_make_the_same_version(store: LibraryStore) -> None:
    parts = content()
    first = store.build(parts)
    before = store.lake.sizes(ROOT)
    order = np.random.default_rng(0).permutation(parts.chunks.height)
    shuffled = dataclasses.replace(parts, chunks=parts.chunks[order], vectors=parts.vectors[order])
    assert store.build(shuffled) == first and store.lake.sizes(ROOT) == before


def test_whatever_changes_makes_another_version() -> None:
    parts = content()
    documents = parts.documents
    other_model = dataclasses.replace(parts.model, digest="0" * 64)
    changed = [
        content(DOCUMENTS[:-1]),
        dataclasses.replace(parts, aliases=parts.aliases[1:]),
        dataclasses.replace(parts, model=other_model),
        dataclasses.replace(parts, documents=documents.with_columns(year=pl.lit(1999, dtype=pl.Int64))),
        dataclasses.replace(parts, documents=documents.with_columns(mission=pl.lit("K2"))),
    ]
    assert len({parts.version(), *(other.version() for other in changed)}) == len(changed) + 1


def test_parts_that_do_not_fit_are_refused() -> None:
    parts = content()
    with pytest.raises(IndexContentError, match="no passage"):
        dataclasses.replace(parts, chunks=parts.chunks.clear(), vectors=parts.vectors[:0])
    with pytest.raises(IndexContentError, match="vectors of shape"):
        dataclasses.replace(parts, vectors=parts.vectors[1:])
    with pytest.raises(IndexContentError, match="are of no document"):
        dataclasses.replace(parts, documents=parts.documents[1:])
    with pytest.raises(IndexContentError, match="2 vectors are not of unit length"):
        vectors = parts.vectors.copy()
        vectors[:2] *= 2
        dataclasses.replace(parts, vectors=vectors)


def test_a_folder_without_manifest_is_no_version(store: LibraryStore) -> None:
    version = _built(store)
    store.lake.delete(f"{ROOT}/{version}/manifest.json")
    with pytest.raises(LibraryMissingError, match=version):
        store.open(version)
    with pytest.raises(LibraryMissingError, match=version):
        store.release(version)
    assert store.versions() == []
    assert _built(store) == version and store.open(version).version == version


@pytest.mark.parametrize("name", ["chunks.parquet", "vectors.npy", "keywords.zip", "aliases.parquet"])
@pytest.mark.parametrize("how", ["cut", "gone", "other"])
def test_damage_is_named_with_the_remedy(store: LibraryStore, name: str, how: str) -> None:
    version = _built(store)
    key = f"{ROOT}/{version}/{name}"
    if how == "gone":
        store.lake.delete(key)
    else:
        store.lake.put(key, store.lake.get(key)[:-100] if how == "cut" else b"something else")
    with pytest.raises(DamagedIndexError, match=f"remove {ROOT}/{version} from the lake"):
        store.open(version)


def test_vectors_are_what_was_written(store: LibraryStore) -> None:
    version = _built(store)
    key = f"{ROOT}/{version}/vectors.npy"
    data = bytearray(store.lake.get(key))
    data[-1] ^= 1
    store.lake.put(key, bytes(data))
    with pytest.raises(DamagedIndexError, match=r"vectors.npy is not what was written"):
        store.open(version)


@pytest.mark.parametrize("damage", [b"{", b"[]", b"{}", b"\xff", b'{"version": 3, "released_at": "", "previous": ""}'])
def test_a_damaged_pointer_is_named_and_the_next_release_writes_it_again(store: LibraryStore, damage: bytes) -> None:
    version = _built(store)
    store.release(version)
    store.lake.put(CURRENT, damage)
    for reads in (store.open, store.released):
        with pytest.raises(DamagedIndexError, match=rf"{CURRENT} in the lake, .* is damaged .*corpus_refresh"):
            reads()
    status = store.status()
    assert status["version"] is None and "damaged" in status["problem"]
    assert store.release(version)["version"] == version
    assert store.open().version == version and store.status()["problem"] is None


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"format": 2}'])
def test_a_damaged_manifest_is_named_and_the_version_built_again(store: LibraryStore, damage: bytes) -> None:
    version = _built(store)
    store.release(version)
    store.lake.put(f"{ROOT}/{version}/manifest.json", damage)
    with pytest.raises(DamagedIndexError, match=rf"the index {version} is damaged \(manifest.json: "):
        store.open()
    assert store.versions() == [] and store.missing(version) and "damaged" in store.status()["problem"]
    assert _built(store) == version and store.missing(version) == ""
    assert store.open().version == version


def test_a_damaged_version_that_nobody_reads_hinders_nobody(store: LibraryStore) -> None:
    store.lake.put(f"{ROOT}/0123456789abcdef/manifest.json", b"{")
    version = _built(store)
    assert store.release(version)["version"] == version and store.status()["problem"] is None


def test_a_version_of_another_format_is_not_read(store: LibraryStore) -> None:
    version = _built(store)
    key = f"{ROOT}/{version}/manifest.json"
    store.lake.put(key, json.dumps(json.loads(store.lake.get(key)) | {"format": 99}).encode())
    with pytest.raises(LibraryMissingError, match="another version of Exo"):
        store.open(version)


def test_a_version_is_searched_with_its_own_model_only(store: LibraryStore) -> None:
    parts = content()
    other: IndexContent = dataclasses.replace(parts, model=dataclasses.replace(parts.model, digest="0" * 64))
    version = store.build(other)["version"]
    with pytest.raises(RuntimeError, match="is not what the package that ships it has"):
        store.open(version)


def test_releases_move_the_pointer_and_old_versions_go(store: LibraryStore) -> None:
    versions = [_built(store, last) for last in (4, 5, 6, 7, 8)]
    store.release(versions[0])
    assert {m["version"] for m in store.versions()} == {versions[0], *versions[2:]}, "newest three and the released one"
    assert store.lake.keys(f"{ROOT}/{versions[1]}") == []
    store.release(versions[3])
    assert versions[0] in {m["version"] for m in store.versions()}, "the one before the released one"
    released = store.release(versions[4])
    assert {m["version"] for m in store.versions()} == set(versions[2:])
    assert store.released() == released
    assert (released["version"], released["previous"]) == (versions[4], versions[3])
    again = store.release(versions[4])
    assert again == released, "releasing what is released changes nothing"


def test_the_pointer_is_one_file_that_is_replaced(store: LibraryStore) -> None:
    first, second = _built(store, 5), _built(store, 6)
    store.release(first)
    path = store.lake.local_path(CURRENT)
    assert path is not None
    with path.open("rb") as reader:  # a reader in the midst of reading
        store.release(second)
        assert json.loads(reader.read())["version"] == first
    assert json.loads(path.read_bytes())["version"] == second


def test_a_library_that_is_open_survives_the_removal_of_its_version(store: LibraryStore) -> None:
    version = _built(store, 4)
    store.release(version)
    library = store.open()
    for last in (5, 6, 7, 8):
        store.release(_built(store, last))
    assert store.manifest(version) is None
    hits = library.search("planets", SearchRequest(filters=Filters(sources=("arxiv",), year_from=2015)))
    assert {h.document_id for h in hits} == {"arXiv:1710.00001", "arXiv:2001.00001"}
