"""`exo vet`: light-curve files, searched for transits and judged by the champion, without a server.

Belongs here: files to stars, what is printed, and where pictures go. Does not belong here: cleaning and searching
(`exo_assets.lightcurves`) and the judgement (`exo_assets.scoring`).
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import curve_options as options
from deployments.cli.output import (
    USAGE,
    CliError,
    err,
    finite,
    print_json,
    read_settings,
    write_whole,
)
from deployments.cli.vet_output import draw_singles, notes, picture_stem, print_signals, single_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployments.cli.vet_judge import Found
    from exo_assets.lightcurves.chain import Star
    from exo_assets.lightcurves.clean import CleanCurve
    from exo_assets.lightcurves.curve import LightCurve
    from exo_assets.lightcurves.ephemeris import Ephemeris
    from exo_assets.lightcurves.planning import KnownStar
    from exo_assets.lightcurves.scattered_light import Curves, Tried
    from exo_assets.lightcurves.search import SearchSettings, Signal


SIGNALS_MAX = 10
"""Most signals of a star unless told otherwise: as many as the night looks for (`star_tasks.SIGNALS_MAX`)."""


def vet(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="FITS, CSV or Parquet of a star; Parquet of many; a list of files."),
    ],
    *,
    target: options.Target = None,
    mission: options.Mission = None,
    time_zero: options.TimeZero = None,
    flux_column: options.FluxColumn = None,
    time_column: options.TimeColumn = None,
    quality_column: options.QualityColumn = None,
    flat: options.Flat = False,
    period: Annotated[float | None, typer.Option(min=0.0, help="Known period, days: no search.")] = None,
    t0: Annotated[float | None, typer.Option(help="Known mid-transit, BJD.")] = None,
    duration: Annotated[float | None, typer.Option(min=0.0, help="Known duration, hours.")] = None,
    density: Annotated[
        float | None,
        typer.Option(min=0.001, max=1000.0, help="Density of the star over the Sun's. Default: the catalogue's."),
    ] = None,
    period_min: Annotated[
        float | None, typer.Option(min=0.0, help="Shortest period searched, days. Default: 0.18 to 0.5 by the cadence.")
    ] = None,
    period_max: Annotated[
        float | None, typer.Option(min=0.0, help="Longest period searched, days. Default: the span of the data.")
    ] = None,
    signals: Annotated[
        int | None, typer.Option(min=1, max=20, help=f"At most so many signals a star. Default: {SIGNALS_MAX}.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="Where pictures go.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Signals as a JSON list of objects.")] = False,
) -> None:
    """Search light curves for transits, fit them and judge them. Files of one star are joined, photons counted once.

    A star that cannot be read or searched is named on stderr and the others go on; the exit code is 1 then.
    """
    from deployments.cli.vet_judge import KnownStars, draw_views, judge_found
    from deployments.cli.vet_read import read_stars
    from exo_assets.lightcurves.told import Told

    settings = read_settings()
    told = options.checked(Told(target, mission, time_zero, None, flat, flux_column, time_column, quality_column))
    place = _place(period, t0, duration)
    _check_limits(place, {"--period-min": period_min, "--period-max": period_max, "--signals": signals})
    if output is not None:
        _make(output)
    plain = _settings(period_min, period_max, signals or SIGNALS_MAX)
    stars, lost = read_stars(files, told)
    catalogue = KnownStars(settings)
    found: list[Found] = []
    singles: list[dict[str, Any]] = []
    searched = 0
    for read in stars:
        name = read.name
        read.say()
        known = catalogue.known(name)
        if density is not None:
            known = replace(known, density_sun=density)
        search = replace(plain, density_sun=known.density_sun) if isfinite(known.density_sun) else plain
        try:
            tried = _tried(read.curves, known, search) if place is None else _fitted(read.curves, place)
        except ValueError as error:
            lost.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
            continue
        searched += 1
        new = _found(tried, name, known)
        if output is not None:
            lost += _draw(tried, [one.row for one in new], search, output, searched=place is None)
        for one in new:
            one.row |= read.as_row()
        found += new
        if place is None:
            once = [row | read.as_row() for row in single_rows(tried, name, known.density_sun)]
            if output is not None:
                lost += draw_singles(tried.star, once, output)
            singles += once
    judge_found(found, catalogue, settings)
    lost += draw_views(found)
    rows = [*(one.row for one in found), *singles]
    if json:
        print_json(finite(rows))
    elif searched:
        print_signals(rows)
    for said in lost:
        err().print(said, style="red", markup=False)
    if lost:
        raise typer.Exit(1)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(
            f"{folder}: no folder can be made there ({error.strerror})", "name another for the pictures", USAGE
        ) from error


def _settings(period_min: float | None, period_max: float | None, signals: int) -> SearchSettings:
    from exo_assets.lightcurves.search import SearchSettings

    for name, given in (("--period-min", period_min), ("--period-max", period_max)):
        if given is not None and not 0 < given < float("inf"):
            raise CliError(f"{name} {given:g} is no period", "give days, above zero", USAGE)
    if period_min is not None and period_max is not None and period_min >= period_max:
        raise CliError(f"no period lies from {period_min:g} to {period_max:g} d", "--period-max is the longer", USAGE)
    return SearchSettings(period_min_days=period_min, period_max_days=period_max, signals_max=signals)


def _place(period: float | None, t0: float | None, duration: float | None) -> Ephemeris | None:
    from exo_assets.lightcurves.curve import EARLIEST_BJD, LATEST_BJD
    from exo_assets.lightcurves.ephemeris import Ephemeris

    given = [period, t0, duration]
    if all(value is None for value in given):
        return None
    if period is None or t0 is None or duration is None:
        raise CliError("an ephemeris needs --period, --t0 and --duration", "give all three, or none to search", USAGE)
    if not EARLIEST_BJD < t0 < LATEST_BJD:
        raise CliError(f"--t0 {t0:g} is no barycentric Julian date", "add 2454833 to BKJD, 2457000 to BTJD", USAGE)
    if not 0 < duration / 24 < period < float("inf"):
        raise CliError(f"a transit of {duration} h does not fit into {period} d", "--duration is in hours", USAGE)
    return Ephemeris(period, t0, duration / 24)


def _check_limits(place: Ephemeris | None, limits: dict[str, float | None]) -> None:
    """CliError for limits of a search beside an ephemeris, with which nothing is searched."""
    given = " and ".join(name for name, value in limits.items() if value is not None)
    if place is not None and given:
        raise CliError(
            f"nothing is searched with --period, --t0 and --duration, and {given} would limit a search",
            f"leave {given} out, or the ephemeris",
            USAGE,
        )


def _searched(curve: CleanCurve, search: SearchSettings) -> Star:
    from exo_assets.lightcurves.chain import search_curve

    told: list[Signal] = []

    def tell(signal: Signal) -> None:
        told.append(signal)
        _told(signal)

    star = search_curve(curve, search, on_signal=tell)
    if gone := len(told) - len(star.signals):
        err().print(
            f"  {gone} of {len(told)} left out: nothing remains in the light curve as cleaned last", markup=False
        )
    span = float(star.curve.time_bjd[-1] - star.curve.time_bjd[0])
    if (search.period_max_days or 0) > span:
        err().print(f"  no period above {span:.1f} d is searched: two transits must fit into the data", markup=False)
    return star


def _tried(segments: list[LightCurve], known: KnownStar, search: SearchSettings) -> Tried:
    """The star as the night searches it: cleaned with the catalogued transits masked, and searched once more without
    points flagged for scattered light where there are such."""
    from exo_assets.lightcurves.clean import cleaned

    curve = cleaned(segments, [signal.place for signal in known.signals if signal.is_placed])
    return _both_ways(curve, curve.without_scattered(), lambda one: _searched(one, search))


def _fitted(segments: list[LightCurve], place: Ephemeris) -> Tried:
    """The star with the signal at `place`, fitted and not searched for, with the points flagged for scattered light and
    without them."""
    from exo_assets.lightcurves.chain import star_with
    from exo_assets.lightcurves.scattered_light import without_scattered

    tried = _both_ways(segments, without_scattered(segments), lambda curves: star_with(curves, place))
    return replace(tried, calm=None)


def _both_ways(whole: Curves, calm: Curves | None, search: Callable[[Curves], Star]) -> Tried:
    """`with_and_without`, and what it does is told."""
    from exo_assets.lightcurves.scattered_light import with_and_without

    def told(curves: Curves) -> Star:
        if curves is calm:
            err().print("  once more, without the points flagged for scattered light", markup=False)
        return search(curves)

    tried = with_and_without(whole, calm, told)
    if tried.problem:
        err().print(f"  nothing can be found without them: {tried.problem}", markup=False)
    return tried


def _told(signal: Signal) -> None:
    where = signal.transit.ephemeris
    err().print(
        f"  {where.period_days:.5f} d, {signal.transit.depth * 1e6:.0f} ppm, SDE {signal.sde:.1f}", markup=False
    )


def _found(tried: Tried, name: str, known: KnownStar) -> list[Found]:
    """What is printed of each signal; the judgement follows."""
    from deployments.cli.vet_judge import UNJUDGED, Found
    from exo_assets.features.curve_in_hand import seen_of_found
    from exo_assets.lightcurves.star_tasks import found_rows

    out = []
    curve = tried.star.curve
    found = found_rows(tried, name, known.signals)
    all_seen = seen_of_found(curve, known.signals, found, known.density_sun)
    for told, seen in zip(found, all_seen, strict=True):
        row: dict[str, Any] = {
            "target": name,
            "mission": curve.mission or None,
            "kind": "signal",
            **{column: value for column, value in told.items() if column not in ("tce_id", "star_id", "mission")},
            "flux": curve.flux_kind,
            "diagnostics": {c: v for c, v in seen.diagnostics.items() if v is not None},
            "diagnostics_problem": seen.no_diagnostics,
            **UNJUDGED,
            "problem": None,
        }
        out.append(Found(row, seen))
    return out


def _draw(
    tried: Tried, rows: list[dict[str, Any]], search: SearchSettings, folder: Path, *, searched: bool
) -> list[str]:
    """Write a picture of each signal; what could not be written, in words."""
    from exo_assets.lightcurves.page_tasks import above_page, page_alone

    lost = []
    signals = [signal for signal, _, _ in tried.signals]
    for number, ((signal, _, curve), row) in enumerate(zip(tried.signals, rows, strict=True), start=1):
        name = row["target"]
        target = folder / f"{picture_stem(name)}_{number}.png"
        title = f"{name}  P = {row['period_days']:.5f} d, {row['depth_ppm']:.0f} ppm, SNR {row['snr']:.1f}"
        try:
            titled = above_page(title, notes(row))
            picture = page_alone(curve, signal, signals, search if searched else None, titled)
            write_whole(target, lambda temporary, picture=picture: temporary.write_bytes(picture))  # type: ignore[misc]
            row["picture"] = str(target)
        except OSError as error:
            lost.append(f"{target}: cannot be written ({error.strerror or error})")
    return lost
