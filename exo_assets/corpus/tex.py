"""What TeX writes in a text, as people read it.

Belongs here: spaces (~, \\,), signs and numbers in $...$ and accents on words. Does not belong here: formulas, which
stay as they are, and cleaning of other kinds (`plain_text.py`).

Abstracts and notes are written in TeX: without this "3.2$\\,$days" has no unit and "TOI~9909~b" is no name. Code in
Markdown is left alone, and so is a dollar that begins no number or sign.
"""

from __future__ import annotations

import re
import unicodedata

_CODE = re.compile(r"(```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|(?<!\\)`[^`\n]*`)", re.DOTALL)
_MATH = re.compile(r"(?<![\\$])\$(?! )([^$`\n]{1,120}?)(?<! )\$(?!\$)")
_TEX = re.compile(r"[\\^{}~]|_\{|\A_\w\Z|\A[-+−<>=~ .,/%\d]+\Z|\A[A-Za-z]\Z|\A\w?[\w ]{0,12}[=<>][ \d.,+-]+\Z")
"""What tells a formula from a price: a sign of TeX, nothing but a number, a letter, a letter with its value."""
_TIE = re.compile(r"(?<=[\w.)}%])~(?=[\w($\\{])")
_SPACES = re.compile(
    r"\\[,;:!> ]|\\(?:thinspace|enspace|quad|qquad|hspace\{[^}]*\})(?![a-zA-Z])|[\u2009\u202f\u200a\u2005\u2006]"
)
_BACKSLASH_SPACE = re.compile(r"(?<=[\w.)}%$])\\[,;:](?=[\w($\\{])")
_SIGNS = {
    **{"pm": "±", "times": "×", "cdot": "·", "sim": "~", "simeq": "~", "approx": "~", "lesssim": "<~", "gtrsim": ">~"},
    **{"leq": "<=", "le": "<=", "geq": ">=", "ge": ">=", "ll": "<<", "gg": ">>", "oplus": "⊕", "earth": "⊕"},
    **{"odot": "☉", "sun": "☉", "circ": "°", "degr": "°", "deg": "°", "mu": "µ", "sigma": "σ", "alpha": "α"},
    **{"beta": "β", "gamma": "γ", "delta": "δ", "Delta": "Δ", "lambda": "λ", "rho": "ρ", "chi": "χ", "tau": "τ"},
    **{"star": "*", "ast": "*", "prime": "'", "percent": "%", "rightarrow": "->", "to": "->", "infty": "∞"},
}
_SIGN = re.compile(r"\\([A-Za-z]+)(?![A-Za-z])")
_FONT = re.compile(
    r"\\(?:mathrm|mathit|mathbf|mathsf|mathcal|text|textrm|textit|textbf|rm|it|bf|emph|mbox|,)(?![a-zA-Z])\s?"
)
_ERRORS = re.compile(r"\^\{?([+][\d.]+)\}?_\{?([-−][\d.]+)\}?|_\{?([-−][\d.]+)\}?\^\{?([+][\d.]+)\}?")
_ACCENT = re.compile(r"\\([`'^\"~=.]|[cvuHk](?=\{))\{?\\?([A-Za-z])(?![A-Za-z]\})\}?")
_ACCENTS = {
    **{"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307"},
    **{'"': "\u0308", "H": "\u030b", "v": "\u030c", "c": "\u0327", "k": "\u0328"},
}
_THIN = re.compile("(?<!\\d)[\u2009\u202f\u200a\u2005\u2006]|[\u2009\u202f\u200a\u2005\u2006](?!\\d{3}(?!\\d))")
"""Thin spaces, but those between thousands."""
_ESCAPED = re.compile(r"\\([%$&#_{}])")


def without_tex(text: str) -> str:
    """`text` with TeX's spaces, signs, numbers and accents as they are read; code and formulas of words stay."""
    if not re.search(r"[\\$~\u2009\u202f\u200a\u2005\u2006]", text):
        return text
    parts = _CODE.split(text)
    return "".join(part if row % 2 else _plain(part) for row, part in enumerate(parts))


def _plain(text: str) -> str:
    text = _MATH.sub(_formula, text)
    text = _TIE.sub(" ", _BACKSLASH_SPACE.sub(" ", text))
    text = _ACCENT.sub(lambda m: unicodedata.normalize("NFC", m[2] + _ACCENTS[m[1]]), _THIN.sub(" ", text))
    return _ESCAPED.sub(r"\1", text)


def _formula(match: re.Match[str]) -> str:
    around = match.string[max(0, match.start() - 1) : match.start()] + match.string[match.end() : match.end() + 1]
    glued = any(map(str.isalnum, around))
    is_one = _TEX.search(match[1]) and not (glued and "\\" not in match[1])
    return _read(match[1]) if is_one else match[0]


def _read(formula: str) -> str:
    """A formula as one reads it, as far as it is numbers, units and signs."""
    out = _ERRORS.sub(lambda m: f" {m[1] or m[4]} {m[2] or m[3]}", formula.replace("{,}", ",").replace("~", " "))
    out = _FONT.sub("", _SPACES.sub(" ", _ESCAPED.sub(r"\1", out)))
    out = _SIGN.sub(lambda m: _SIGNS.get(m[1], m[1]), out)
    out = re.sub(r"\^\{?(?:°|\\circ)\}?", "°", out)
    return re.sub(r"\s+", " ", re.sub(r"[{}]", "", out))
