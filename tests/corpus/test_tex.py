"""TeX in abstracts and notes is read as people read it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_assets.corpus.designators import designators
from exo_assets.corpus.tex import without_tex


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"TOI~9909~b has a period of $3.2\,$days", "TOI 9909 b has a period of 3.2 days"),
        (r"Kepler-90\,h in 3.2\,d", "Kepler-90 h in 3.2 d"),
        (r"$2.41^{+0.08}_{-0.07}\,R_\oplus$", "2.41 +0.08 -0.07 R_⊕"),
        (r"$2.41_{-0.07}^{+0.08}$ R$_\oplus$", "2.41 +0.08 -0.07 R_⊕"),
        (r"$M_p = 7.9 \pm 1.1\,M_{\oplus}$", "M_p = 7.9 ± 1.1 M_⊕"),
        (r"$T_\mathrm{eff} = 5340~\mathrm{K}$", "T_eff = 5340 K"),
        (r"at $\sim$40 pc", "at ~40 pc"),
        (r"5\% of 10{,}000", "5% of 10{,}000"),
        (r"$10{,}000$ ppm", "10,000 ppm"),
        (r"Observ\'e \`a Gen\`eve, Mart\'{\i}n", "Observé à Genève, Martín"),
        ("2\u2009662 planets in 3.5\u202fd", "2\u2009662 planets in 3.5 d"),
        ("a depth of 84\u2009ppm", "a depth of 84 ppm"),
    ],
)
def test_spaces_signs_and_numbers(written: str, read: str) -> None:
    assert without_tex(written) == read


@pytest.mark.parametrize(
    "plain",
    [
        "It costs $5 and $6.",
        "`$EXO_HOME/documents`, or `$EXO_LAKE`",
        "Look in ~/.config, ~~not here~~.",
        "```sh\necho $HOME~x $PATH\n```",
        "about ~40 pc",
        "C:\\new\\data",
    ],
)
def test_what_is_no_tex_stays(plain: str) -> None:
    assert without_tex(plain) == plain


def test_names_are_found_behind_ties_and_thin_spaces() -> None:
    for written in (r"TOI~700~d", r"TOI-700\,d", "TOI\u2009700\u2009d", r"TOI-700$\,$d"):
        assert [d.key for d in designators(without_tex(f"We saw {written} again."))] == ["toi700d"]


@given(st.text(alphabet="ab $\\~{}^_,;0.+-`\n", max_size=60))
def test_any_text_is_read(text: str) -> None:
    assert isinstance(without_tex(text), str)
