"""Showing what `facts.py` gathered to people.

Belongs here: the closing summary of a run and `exo status`. Does not belong here: gathering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployments.cli.library_state import in_words
from exo_assets.archive.contracts import RAW_CONTRACTS

if TYPE_CHECKING:
    from rich.console import Console

LOUD = {
    "snapshot": "shipped snapshot, not the archive of today",
    "absent": "NOT AVAILABLE, the table is empty",
    "last_good": "last good copy: the source could not be used",
}


def print_summary(console: Console, facts: dict[str, Any]) -> None:
    """The end of `exo run`: sources, rows and what was recomputed, champion, candidates, and where things are."""
    print_sources(console, facts["sources"])
    recomputed = set(facts["recomputed"])
    _heading(console, "tables")
    for name, table in facts["tables"].items():
        console.print(
            f"  {name:<34}{table['rows']:>10,} rows  {'recomputed' if name in recomputed else 'kept'}", markup=False
        )
    _champion(console, facts)
    _candidates(console, facts)
    _found(console, facts["found"], judged="out_found_scores" in recomputed)
    _places(console, facts)
    _problems(console, facts["problems"])
    if facts["published_with_standing_champion"]:
        refused = ", ".join(facts["candidate_refused_by"])
        console.print(
            f"\n! tonight's candidate was refused by the gates ({refused}); published with the champion before it",
            style="bold yellow",
            markup=False,
        )
    kept = len(facts["tables"]) - len(recomputed & set(facts["tables"]))
    verdict = "done" if facts["success"] else "FAILED"
    console.print(
        f"\n{facts['job']} {verdict} in {facts['seconds']:.0f} s: {len(recomputed)} recomputed, {kept} kept",
        style="bold green" if facts["success"] else "bold red",
        markup=False,
    )


def print_status(console: Console, facts: dict[str, Any]) -> None:
    """`exo status`."""
    print_sources(console, facts["sources"])
    _champion(console, facts)
    _places(console, facts)
    _problems(console, facts["problems"])
    print_alerts(console, facts["alerts"])
    _heading(console, "last runs")
    for run in facts["runs"] or []:
        seconds = f"{run['seconds']:.0f} s" if run["seconds"] is not None else ""
        console.print(
            f"  {run['started'] or 'not started':<26}{run['job']:<20}{run['status']:<10}{seconds}", markup=False
        )
    if not facts["runs"]:
        console.print("  none yet: exo run", markup=False)


def _heading(console: Console, text: str) -> None:
    console.print(f"\n{text}", style="bold", markup=False)


def _problems(console: Console, problems: list[str]) -> None:
    for problem in problems:
        console.print(f"\n! {problem}", style="bold red", markup=False)


def print_alerts(console: Console, alerts: list[dict[str, Any]]) -> None:
    """What was told of and is not over yet; nothing when nothing is."""
    if not alerts:
        return
    _heading(console, "open alerts")
    for alert in alerts:
        cause = f": {alert['cause']}" if alert["cause"] else ""
        style = "bold red" if alert["severity"] == "ERROR" else "yellow"
        console.print(f"  {alert['severity']:<6}{alert['title']}{cause}", style=style, markup=False)
        console.print(f"        since {alert['since'][:16]}, in {alert['runs']} runs; {alert['remedy']}", markup=False)


def print_sources(console: Console, sources: dict[str, dict[str, Any]]) -> None:
    """Where each table of the archive is from and as of when; loudly where it is not the archive's of now, and why."""
    _heading(console, "sources")
    if not sources:
        console.print("  none yet: exo run", markup=False)
    for table, found in sources.items():
        note = LOUD.get(found["source"] or "")
        # Rows that carry dates say how new a table is; otherwise only the copy has a date.
        kind = "as of" if RAW_CONTRACTS[table].as_of_column else "copy of"
        when = f"{kind} {found['as_of']}" if found["as_of"] else ""
        source = f"{'!' if note else ' '} {table:<20}{found['source'] or '?':<10}"
        console.print(
            f"  {source}{found['rows']:>8,} rows  {when:<20}{note or ''}",
            style="bold yellow" if note else None,
            markup=False,
        )
        if note and found.get("reason"):
            console.print(f"      {found['reason']}", style="yellow", markup=False)


def _champion(console: Console, facts: dict[str, Any]) -> None:
    champion, performance = facts["champion"], facts["performance"]
    _heading(console, "champion")
    if champion is None:
        console.print("  none yet: exo run trains, judges and promotes one", markup=False)
        return
    console.print(
        f"  {champion['name']} v{champion['version']} ({champion['digest'][:12]}), since {champion['promoted_at']}",
        markup=False,
    )
    if champion.get("refused_reason"):
        console.print(
            f"  ! v{champion['refused_version']} was passed over: {champion['refused_reason']}",
            style="yellow",
            markup=False,
        )
    if not performance or not performance["figures"]:
        return
    before = performance["previous_version"]
    known = any(f["previous"] is not None for figures in performance["figures"].values() for f in figures.values())
    against = f"in brackets v{before}'s" if known else f"v{before} was judged on other data" if before else "the first"
    console.print(f"  on {performance['split']}; 95 % intervals; {against}", markup=False)
    if facts["comparison"]:
        console.print(f"  against v{before}: {facts['comparison']}", markup=False)
    for population, figures in performance["figures"].items():
        console.print(f"  {population}", markup=False)
        for metric, figure in figures.items():
            console.print(f"    {metric:<26}{_figure(figure)}", markup=False)


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "undefined"
    interval = (
        f" ({figure['low']:.4f} to {figure['high']:.4f})"
        if figure["low"] is not None and figure["high"] is not None
        else ""
    )
    before = f"  [{figure['previous']:.4f}]" if figure["previous"] is not None else ""
    return f"{figure['value']:.4f}{interval}{before}"


def _candidates(console: Console, facts: dict[str, Any]) -> None:
    candidates = facts["candidates"]
    old = sorted(str(s["as_of"]) for s in facts["sources"].values() if s["source"] == "snapshot")
    since = f" as of {old[0]} (shipped snapshot; many are confirmed by now)" if old else ""
    number = f"the {len(candidates)} " if candidates else ""
    _heading(console, f"{number}best candidates that the archive has not confirmed{since}")
    if not candidates:
        console.print("  none yet", markup=False)
    for place, row in enumerate(candidates, 1):
        period = f"{row['period_days']:.4g} d" if row.get("period_days") is not None else ""
        reasons = row.get("reasons") or ""
        signal = f"{place:>2}  {row['signal_id']:<18}{row['mission']:<8}{row['probability_planet']:.4f}"
        console.print(
            f"  {signal}  {period:<12}{reasons}",
            markup=False,
            overflow="ellipsis",
            no_wrap=True,
        )


def _found(console: Console, found: dict[str, Any] | None, *, judged: bool) -> None:
    """What the search found that no catalogue has, the most likely planets first; `judged`: in this run."""
    if found is None:
        return
    new, ranked = found["new_when_judged"] if judged else 0, found["ranked_in_no_catalogue"]
    weak = f"{found['below_threshold']} below the thresholds and not ranked"
    _heading(console, f"found tonight, in no catalogue: {new} new; {ranked} ranked in all, {weak}")
    if found["not_judged"]:
        console.print(f"  ! {found['not_judged']} not judged: mart_found_signals says why", style="bold yellow")
    for row in found["best"]:
        signal = f"{row['rank']:>2}  {row['tce_id']:<22}{row['mission']:<8}{row['probability_planet']:.4f}"
        measured = f"{row['period_days']:.4g} d, {row['depth_ppm']:.0f} ppm, SNR {row['snr']:.1f}"
        flags = f"  ({row['flags']})" if row["flags"] else ""
        console.print(
            f"  {signal}  {row['verdict']:<16}{measured}{flags}", markup=False, overflow="ellipsis", no_wrap=True
        )
    console.print(
        f"  {found['in_catalogue']} more that it found are catalogued: mart_found_signals has both judgements of each",
        markup=False,
    )


def _places(console: Console, facts: dict[str, Any]) -> None:
    _heading(console, "where things are")
    release, endpoint = facts["release"], facts["endpoint"]
    if release is None:
        console.print("  release    none yet: exo run", markup=False)
    elif release.get("problem"):
        console.print(f"  release    {release['problem']}", style="bold red", markup=False)
    else:
        console.print(
            f"  release    {release['file']}  ({release['created_at']}, {release['tables']} tables)", markup=False
        )
        console.print('             exo query "SELECT * FROM mart_candidates LIMIT 10"', markup=False)
        _behind(console, "release", release["champion_digest"], facts["champion"])
    for path in release["set_aside"] if release else ():
        console.print(
            f"  ! {path} was changed after its publication and is not read; delete it when you have looked at it",
            style="bold yellow",
            markup=False,
        )
    _library(console, facts["library"], released=release is not None)
    if endpoint["healthy"]:
        console.print(f"  endpoint   {endpoint['url']}  model {endpoint['model_version']}", markup=False)
        console.print(
            f"             curl -s {endpoint['url']}/v1/predict -H 'content-type: application/json' -d "
            '\'{"mission": "kepler", "period_days": 9.488, "duration_hours": 2.957, "depth_ppm": 616}\'',
            markup=False,
        )
        _behind(console, "endpoint", endpoint["model_digest"], facts["champion"])
        _served_library(console, endpoint["library"], facts["library"]["version"])
    else:
        console.print(f"  endpoint   {endpoint['url']}  does not answer: exo serve start", style="yellow", markup=False)
    console.print("  UI         exo ui, then http://127.0.0.1:3000", markup=False)
    console.print(f"  state      {facts['home']}", markup=False)


def _library(console: Console, library: dict[str, Any], *, released: bool) -> None:
    _released_library(console, library, released=released)
    if library["model_problem"]:
        text = f"  ! the next corpus_refresh cannot embed: {library['model_problem']}"
        console.print(text, style="bold yellow", markup=False)
    elif library["next_model"]:
        text = f"  ! texts are embedded by {library['next_model']} now: exo run --job corpus_refresh makes its index"
        console.print(text, style="yellow", markup=False)


def _released_library(console: Console, library: dict[str, Any], *, released: bool) -> None:
    if library["problem"]:
        console.print(f"  library    {library['problem']}", style="red", markup=False)
        return
    if library["version"] is None:
        waits = f"; {library['waiting']} is built and waits for its gates" if library["waiting"] else ""
        how = "exo run --job corpus_refresh" if released else "exo run"
        console.print(f"  library    none yet: {how}{waits}", markup=False)
        return
    console.print(
        f"  library    {library['version']}  {library['chunks']:,} passages of {library['documents']:,} documents, "
        f"{library['model']}, searched {library['store']}",
        markup=False,
    )
    console.print('             exo search "transit timing of Kepler-90"', markup=False)
    if library["waiting"]:
        console.print(
            f"  ! the index {library['waiting']} is built and not released: see corpus_gates",
            style="yellow",
            markup=False,
        )


def _served_library(console: Console, served: dict[str, Any] | None, released: str | None) -> None:
    """The index that the endpoint searches, where it is not the released one, loudly."""
    if served is None:
        return
    if served["status"] == "ok" and served["version"] == released:
        console.print(f"             its library searches {in_words(served)}", markup=False)
    elif released is not None or served["status"] != "none":
        text = f"  ! the endpoint's library: {in_words(served)}; exo run --job corpus_refresh puts {released} on it"
        console.print(text, style="bold yellow", markup=False)


def _behind(console: Console, what: str, digest: str | None, champion: dict[str, Any] | None) -> None:
    """Say so when the release or the endpoint is of another model than the champion."""
    if champion is not None and digest != champion["digest"]:
        console.print(
            f"  ! the {what} is not of the champion v{champion['version']} yet: exo run finishes it",
            style="bold yellow",
            markup=False,
        )
