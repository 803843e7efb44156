"""Nights of a large corpus: the first, one with nothing new, one with a few new abstracts.

    python -m benchmarks.corpus_nights --corpus FILE.jsonl [--lake .exo/lake] [--abstracts 15000] [--new 20]

Runs `exo run --job corpus_refresh` three times, on a copy of a lake that a night has left (for the catalogue's names)
and a mirror that holds nothing but abstracts, and prints what each asset took.

The abstracts are MADE UP where more are asked for than the file has: sentences of its abstracts in another order, so
that every text is new and costs what a real one does. What they say is of no use, and so are the figures of finding
them: only times and counts are printed. The gates may refuse such an index, and it is said where they do, and why.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exo_assets.corpus.sentences import sentences
from exo_resources.settings import CHECKOUT

SEED = 0
INDEXING = (
    "raw_arxiv__abstracts",
    "raw_documents__files",
    "corpus_documents",
    "corpus_chunks",
    "corpus_embeddings",
    "corpus_index",
)
"""From the listing to an index that is built, one after another; judging and releasing it come after."""
REFUSED = "corpus_refresh failed in corpus_gates_checks:"
_LINE = re.compile(r"^\S (\w+)\s+([\d,]+) rows\s+([\d.]+) s\s+(\w+)", re.MULTILINE)


def abstracts(corpus: Path, count: int) -> Iterator[Mapping[str, Any]]:
    """Rows of the file, then rows that are made up of them, `count` in all."""
    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()][:count]
    yield from rows
    random = np.random.default_rng(SEED)
    for number in range(count - len(rows)):
        row = rows[number % len(rows)]
        parts = [row["abstract"][start:end] for start, end in sentences(row["abstract"])]
        text = " ".join(parts[at] for at in random.permutation(len(parts)))
        made_up = {"arxiv_id": f"0001.{number:05d}", "title": f"Made up {number}: {row['title']}", "abstract": text}
        yield {**row, **made_up}


def night(home: Path, mirror: Path) -> None:
    """Run the job and print what took longest."""
    env = os.environ | {"EXO_HOME": str(home), "EXO_ARCHIVE": "mirror", "EXO_ARCHIVE_MIRROR": str(mirror)}
    began = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("exo")), "run", "--job", "corpus_refresh"],
        env=env,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    said = f"{done.stdout}\n{done.stderr}"
    found = _LINE.findall(said)
    refused = REFUSED in said
    if done.returncode and not refused:
        sys.exit(f"the job failed:\n{said[-3000:]}")
    for asset, rows, took, state in sorted(found, key=lambda one: -float(one[2]))[:8]:
        print(f"    {asset:28} {rows:>8} rows  {took:>7} s  {state}")
    indexed = sum(float(took) for asset, _, took, _ in found if asset in INDEXING)
    print(f"    indexed: {indexed:.0f} s; whole, with its evaluation: {seconds:.0f} s", flush=True)
    if refused:
        print(f"    refused: {said.split(REFUSED, 1)[1].strip()[:1500]}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the mirror, run the nights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--abstracts", type=int, default=15_000)
    parser.add_argument("--new", type=int, default=20)
    parser.add_argument("--lake", type=Path, default=Path(".exo/lake"))
    asked = parser.parse_args(arguments)
    rows = [json.dumps(row) + "\n" for row in abstracts(asked.corpus, asked.abstracts + asked.new)]
    with tempfile.TemporaryDirectory() as folder:
        home, listed = Path(folder) / "home", Path(folder) / "mirror" / "corpus" / "abstracts.jsonl"
        listed.parent.mkdir(parents=True)
        shutil.copytree(asked.lake, home / "lake")
        for name, count in (
            (f"{asked.abstracts:,} abstracts, the first night", asked.abstracts),
            ("nothing new", asked.abstracts),
            (f"{asked.new} new abstracts", asked.abstracts + asked.new),
        ):
            listed.write_text("".join(rows[:count]), encoding="utf-8")
            print(name)
            night(home, listed.parents[1])


if __name__ == "__main__":
    main()
