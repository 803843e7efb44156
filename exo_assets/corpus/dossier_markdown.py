"""A dossier as Markdown, for people.

Belongs here: layout and escaping. Does not belong here: what a dossier holds.

Passages are quoted text of unknown origin: their signs of Markdown and HTML are escaped and control characters left
out, so that a document can neither format the page nor link out of it, nor steer a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from exo_assets.corpus.contracts import SHIPPED
from exo_assets.corpus.dossier_facts import LABELS, MISSION_NAMES, measured, number
from exo_assets.lightcurves.flags import OTHER_PERIODS

_SPECIAL = re.compile(r"[\\`*{}\[\]<>#|~$&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LINE_START = re.compile(r"^(\s*(?:\d+(?=[.)](?:\s|$))|(?=[-+=](?:\s|[-+=]|$))))", re.MULTILINE)
"""Where a list, a rule or an underlined heading would begin: behind the number, or before the sign."""
_ADDRESS = re.compile(r"(?i)\b(h)(?=ttps?:)|\b(f)(?=tp:)|\b(w)(?=ww\.)|\b(m)(?=ailto:)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def as_markdown(
    dossier: Mapping[str, Any],
    *,
    rank: int | None = None,
    of: int | None = None,
    corpus_version: str | None = None,
    depth: int = 1,
) -> str:
    """The whole dossier; `rank` of `of` candidates stands under the title, whose heading is of level `depth`, and above
    the passages the index that they are from."""
    head, sub = "#" * depth, "#" * (depth + 1)
    parts = [f"{head} {plain(dossier['title'])}", plain(dossier["description"])]
    if rank is not None:
        among = "candidates" if dossier["catalogue"]["disposition_column"] else "signals that the search found"
        parts.append(f"Rank {rank:,}{f' of {of:,}' if of else ''} among the {among}.")
    parts += [
        f"{sub} Verdict",
        *_verdict(dossier["verdict"]),
        f"{sub} Catalogue",
        *_catalogue(dossier),
        f"{sub} Light curve",
        *_diagnostics(dossier["diagnostics"]),
        *_as_found(dossier.get("as_found")),  # dossiers of an older version do not say
        f"{sub} Nearest confirmed planets",
        _neighbours(dossier["neighbours"]["confirmed"]),
        f"{sub} Nearest false positives",
        _neighbours(dossier["neighbours"]["false_positives"]),
        f"{sub} Literature",
        *(
            [f"From index {plain(corpus_version)} of the corpus; a newer one counts from the next night on."]
            if corpus_version
            else []
        ),
        *_passages(dossier),
        f"{sub} Not known",
        "\n".join(f"- {plain(said)}" for said in dossier["unknown"]) or "Nothing that a dossier looks for.",
    ]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """`text` as itself in Markdown: nothing in it formats, links or steers. An address has a word joiner in it."""
    escaped = _SPECIAL.sub(lambda sign: f"\\{sign[0]}", _CONTROL.sub(" ", text))
    return _LINE_START.sub(lambda start: f"{start[0]}\\", _ADDRESS.sub(lambda first: f"{first[0]}\u2060", escaped))


def _verdict(verdict: Mapping[str, Any]) -> list[str]:
    shares = verdict["dispositions"]
    said = (
        f"What the archive would say: confirmed {shares['confirmed']:.0%}, candidate {shares['candidate']:.0%}, "
        f"false positive {shares['false_positive']:.0%}."
    )
    reasons = "\n".join(f"- {plain(r['text'])}" for r in verdict["reasons"])
    return [
        plain(verdict["statement"]),
        said,
        *([reasons] if reasons else []),
        f"Model {plain(verdict['model_version'])}.",
    ]


def _catalogue(dossier: Mapping[str, Any]) -> list[str]:
    where, names = dossier["catalogue"], dossier["other_names"]
    listed = (
        f"{plain(where['disposition_column'])} is {plain(where['disposition'] or 'empty')}"
        if where["disposition_column"]
        else "no catalogue has the signal"
    )
    said = [f"{MISSION_NAMES[where['mission']]}, table {plain(where['table'])}, host {plain(where['host'])}; {listed}."]
    if names["signal"]:
        said.append(f"Also known as {plain(', '.join(names['signal']))}.")
    if names["star"]:
        said.append(f"The star: {plain(', '.join(names['star']))}.")
    rows = [
        (
            fact["label"],
            measured(fact["value"], fact["error"]),
            fact["unit"],
            fact["archive_column"] or "",
        )
        for fact in dossier["facts"]
    ]
    return [*said, _table(("Quantity", "Value", "Unit", "Archive's column"), rows)]


def _diagnostics(diagnostics: Mapping[str, Any]) -> list[str]:
    notable = "\n".join(
        f"- {plain(n['label'])} ({plain(n['column'])}): {number(n['value'])} {plain(n['unit'])}, {plain(n['why'])}"
        for n in diagnostics["notable"]
    )
    return [plain(diagnostics["statement"]), *([notable] if notable else [])]


def _as_found(found: Mapping[str, Any] | None) -> list[str]:
    """What the search has of the signal, and what is to be known of that."""
    if found is None:
        return []
    others = ", ".join(number(period) for period in found["period_alternatives_days"] or ())
    flags = [f"{flag} ({others} d)" if flag == OTHER_PERIODS else flag for flag in found["flags"]]
    name = f"Exo's search found it as {plain(found['tce_id'])}."
    if not flags:
        return [f"{name} There is nothing to beware of."]
    return [f"{name} To be known of that:", "\n".join(f"- {plain(flag)}" for flag in flags)]


def _neighbours(neighbours: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            n["signal_id"] + (f" ({n['planet_name']})" if n["planet_name"] not in (None, n["signal_id"]) else ""),
            MISSION_NAMES[n["mission"]],
            f"{n['distance']:.2f} ({n['shared']} columns)",
            ", ".join(
                f"{LABELS[d['column']].label.lower()} {number(d['neighbour'])} against {number(d['candidate'])}"
                for d in n["differences"]
            ),
        )
        for n in neighbours
    ]
    return _table(("Signal", "Mission", "Distance", "Differs most in"), rows) if rows else "None that can be compared."


def _passages(dossier: Mapping[str, Any]) -> list[str]:
    passages = dossier["passages"]
    if not passages:
        return ["No passage."]
    out = []
    if dossier["search_phrase"]:
        explains = all(p["source"] in SHIPPED for p in passages)
        what = "On how such signals are vetted" if explains else "On its like"
        out.append(f"No document names the star. {what} ({plain(dossier['search_phrase'])}):")
    for place, p in enumerate(passages, start=1):
        year = f" ({p['year']})" if p["year"] else ""
        page = f", page {p['page']}" if p["page"] else ""
        about = "names the star" if p["about_star"] else "on vetting" if p["source"] in SHIPPED else "on its like"
        where = f"{plain(p['document_id'])}{page}, characters {p['start']:,} to {p['end']:,}"
        out.append(f"[{place}] **{plain(_line(p['title']))}**{year}: {where}; {about}")
        out.append("\n".join(f"> {line}" for line in plain(p["text"]).split("\n")))
        if p["url"]:
            out.append(_link(p["url"]))
    return out


def _link(url: str) -> str:
    """An address to follow, when it is one of the web's."""
    return f"<{url}>" if re.fullmatch(r"https?://[^\s<>\"'\\]+", url) else plain(url)


def _line(text: str) -> str:
    return " ".join(text.split())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(plain(_line(cell)) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
