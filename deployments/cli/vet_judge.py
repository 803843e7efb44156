"""The judgement of `exo vet`: what the catalogue knows of a star, what the champion says, what its views argued for.

Belongs here: from signals that were found to the champion's words and pictures. Does not belong here: files, searching
(vet.py), and the judgement itself (`exo_assets.scoring`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.cli.output import CliError, err, write_whole

if TYPE_CHECKING:
    import polars as pl

    from exo_assets.features.curve_in_hand import Seen
    from exo_assets.training.view_reasons import ViewReasons
    from exo_resources.settings import Settings

SUN_RADIUS_EARTH = 109.076
"""Radius of the Sun over the Earth's (IAU 2015 nominal values)."""
FITTED = ("period_days", "duration_hours", "depth_ppm", "snr")
"""What the judgement knows of a signal beside its star and its light curve."""
UNJUDGED: dict[str, Any] = dict.fromkeys(
    (
        *("star", "probability_planet", "verdict", "prediction_set", "reasons"),
        *("log_odds_network", "network_weight", "views", "views_problem"),
    )
)
"""What the judgement adds to a row: null until, and unless, it is made."""


@dataclass
class Found:
    """A signal: the row that is printed of it, what was seen of it, and what its views argued for."""

    row: dict[str, Any]
    seen: Seen
    argued: ViewReasons | None = None


class KnownStars:
    """The catalogue's stars by the names that light-curve files have for them; it is read when first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read = False
        self._signals: pl.DataFrame | None = None

    def _of(self, target: str) -> pl.DataFrame | None:
        import polars as pl

        from deployments.cli.score import known_signals
        from exo_assets.lightcurves.planning import NAMED, with_star_names

        if not self._read:
            signals = known_signals(self._settings)
            self._signals = None if signals is None else with_star_names(signals)
            self._read = True
        return None if self._signals is None else self._signals.filter(pl.col(NAMED) == target)

    def density_sun(self, target: str) -> float:
        """Density over the Sun's, as the night takes it; nan when it is not known."""
        from exo_assets.lightcurves.buckets import bucket_of
        from exo_assets.lightcurves.planning import UNKNOWN, known_stars

        rows = self._of(target)
        if rows is None or rows.is_empty():
            return UNKNOWN.density_sun
        return known_stars(rows, bucket_of(target)).get(target, UNKNOWN).density_sun

    def about(self, target: str) -> dict[str, Any]:
        """What is known of a star, by column; empty when nothing is."""
        from exo_assets.catalogs.contracts import STAR_COLUMNS

        rows = self._of(target)
        known = [] if rows is None else rows.select(STAR_COLUMNS).head(1).to_dicts()
        return {name: value for star in known for name, value in star.items() if value is not None}

    def count(self, target: str) -> int:
        """How many signals it knows of a star, by the mission that has most; they are judged as one family."""
        from exo_assets.features.tabular import count_signals

        rows = self._of(target)
        counts = [] if rows is None else count_signals(rows)["n_signals"].to_list()
        return max(counts, default=0)


def judge_found(found: list[Found], catalogue: KnownStars, settings: Settings) -> None:
    """Put the champion's judgement into the rows, or why there is none."""
    from deployments.cli.score import load_champion
    from exo_assets.scoring.explain import judge_and_explain

    known = [one for one in found if one.row["mission"] and not one.row["problem"]]
    for one in found:
        if not one.row["mission"]:
            one.row["problem"] = "not judged: no mission (--mission)"
    if not known:
        return
    try:
        _, vetter = load_champion(settings)
    except CliError as error:
        for one in known:
            one.row["problem"] = f"not judged: {error.message} ({error.remedy})"
        return
    judged, argued = judge_and_explain(_as_signals(known, catalogue), vetter, _star_counts(known, catalogue))
    for one, said, why in zip(known, judged.iter_rows(named=True), argued, strict=True):
        row = one.row
        row |= {name: said[name] for name in ("probability_planet", "verdict", "prediction_set", "reasons")}
        row["problem"] = "; ".join(_remarks(said, vetter.unfamiliar(row["mission"]))) or None
        one.argued = why
        if why is None:
            row["views_problem"] = vetter.unseen_views(row["mission"]) or one.seen.no_views or said["unusable"]
            continue
        row["log_odds_network"], row["network_weight"] = why.log_odds_network, why.network_weight
        row["views"], row["views_problem"] = why.as_json(), why.note


def _remarks(said: Mapping[str, Any], caution: str | None) -> Iterator[str]:
    """What is to be told of a judgement: that there is none, values that counted as unknown, a mission never seen."""
    if said["unusable"]:
        yield said["unusable"]
    if said["problems"]:
        yield f"taken as unknown: {said['problems']}"
    if caution and not said["unusable"]:
        yield caution


def _star_counts(known: list[Found], catalogue: KnownStars) -> pl.DataFrame:
    """How many signals the catalogue knows of each star; more may have been found."""
    import polars as pl

    targets = sorted({one.row["target"] for one in known})
    return pl.DataFrame({"mission_star_id": targets, "n_signals": [catalogue.count(target) for target in targets]})


def _as_signals(known: list[Found], catalogue: KnownStars) -> pl.DataFrame:
    """The signals in the catalogue's columns, with what was seen of them."""
    import polars as pl

    from exo_assets.features.curve_in_hand import beside
    from exo_assets.scoring.score import MEASURED

    stars = []
    for one in known:
        star = catalogue.about(one.row["target"])
        one.row["star"] = "as the catalogue has it" if star else "unknown"
        star.update({name: one.row[name] for name in FITTED})
        radius = star.get("star_radius_sun")
        if radius:
            star["radius_earth"] = radius * SUN_RADIUS_EARTH * (max(one.row["depth_ppm"], 0.0) / 1e6) ** 0.5
        stars.append(star)
    frame = pl.DataFrame(
        {
            "mission": [one.row["mission"] for one in known],
            "signal_id": [str(i) for i in range(len(known))],
            "mission_star_id": [one.row["target"] for one in known],
            **{n: pl.Series([star.get(n) for star in stars], dtype=pl.Float64, strict=False) for n in MEASURED},
        }
    )
    return beside(frame, [one.seen for one in known])


def draw_views(found: list[Found]) -> list[str]:
    """Write the views of each signal that has a picture beside it; what could not be written, in words. Why others have
    none is said on stderr, each reason once."""
    from exo_assets.scoring.view_page import page_of

    lost: list[str] = []
    unseen: dict[str, None] = {}
    for one in found:
        row = one.row
        if "picture" not in row:
            continue
        if one.argued is None:
            unseen[row["views_problem"] or row["problem"]] = None
            continue
        target = Path(row["picture"]).with_name(f"{Path(row['picture']).stem}_views.png")
        picture = page_of(one.argued, f"{row['target']}  P = {row['period_days']:.5f} d")
        try:
            write_whole(target, lambda temporary, picture=picture: temporary.write_bytes(picture))  # type: ignore[misc]
            row["views_picture"] = str(target)
        except OSError as error:
            lost.append(f"{target}: cannot be written ({error.strerror or error})")
    for reason in unseen:
        err().print(f"no pictures of views: {reason}", markup=False)
    return lost
