"""What the checker of a language model's sentences accepts: paraphrases of passages, and sentences altered to be false.

    python -m benchmarks.checker [--final] [--show]

Judged are the statements of `exo_assets/corpus/altered_sentences.yaml` on the passage that each is of, by the checker
as it is served (the packaged embedding model). How rare words are is known from the documents that ship and the
passages of the set. Without `--final` only the half is judged that the checker may be changed for; `--show`
lists what it got wrong there (never of the final half). Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from exo_assets.corpus.altered_sentences import HALVES, Statement, accepted, shares, statements
from exo_assets.corpus.embedding import Embedder
from exo_assets.corpus.extractive import Words
from exo_assets.corpus.keyword_index import KeywordIndex
from exo_assets.corpus.own_documents import own_documents
from exo_assets.corpus.remembering import remembering_embed


def words_of(judged: Sequence[Statement]) -> Words:
    """How rare words are among the documents that ship and the passages that are judged."""
    return KeywordIndex.build([*dict.fromkeys(s.passage for s in judged), *(d.text for d in own_documents())])


def main(arguments: Sequence[str] | None = None) -> None:
    """Judge a half and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--final", action="store_true", help="judge the half that nothing was changed for")
    parser.add_argument("--show", action="store_true", help="list what was got wrong in the other half")
    asked = parser.parse_args(arguments)
    half = HALVES[asked.final]
    judged = [s for s in statements() if s.half == half]
    verdicts = accepted(judged, embed=remembering_embed(Embedder().embed), words=words_of(statements()))
    print(f"{half} half: {len(judged)} statements on {len({s.passage for s in judged})} passages")
    for row in shares(judged, verdicts):
        print(f"{row.kind:<12} accepted {row.accepted:>3} of {row.of:>3}: {row.share:.1%}", end="")
        print(f" ({row.low:.1%} to {row.high:.1%})")
    if asked.show and not asked.final:
        for each in judged:
            if verdicts[each.id] is not each.true:
                print(f"{each.id}: {each.text}")


if __name__ == "__main__":
    main()
