"""The judgement of `exo vet`: what the catalogue knows of a star, what the champion says, what its views argued for.

Belongs here: from signals that were found to the champion's words and pictures. Does not belong here: files, searching
(vet.py), and the judgement itself (`exo_assets.scoring`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.cli.output import CliError, err, write_whole

if TYPE_CHECKING:
    import polars as pl

    from exo_assets.features.curve_in_hand import Seen
    from exo_assets.lightcurves.planning import KnownStar
    from exo_assets.training.view_reasons import ViewReasons
    from exo_resources.settings import Settings

_SAID = ("probability_planet", "verdict", "prediction_set", "reasons")
UNJUDGED: dict[str, Any] = dict.fromkeys(
    (
        *("star", *_SAID),
        *("n_signals_known", "completed_from", "log_odds_network", "network_weight", "views", "views_problem"),
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

    @cached_property
    def _signals(self) -> pl.DataFrame:
        from deployments.cli.score import known_signals
        from exo_assets.catalogs.contracts import CORE_SIGNALS

        signals = known_signals(self._settings)
        return CORE_SIGNALS.empty() if signals is None else signals

    @cached_property
    def stars(self) -> pl.DataFrame:
        """What is known of each star (`found.named_stars`)."""
        from exo_assets.scoring.found import named_stars

        return named_stars(self._signals)

    def known(self, target: str) -> KnownStar:
        """Density and signals of a star, as the night takes them."""
        from exo_assets.lightcurves.buckets import bucket_of
        from exo_assets.lightcurves.planning import UNKNOWN, known_stars

        try:
            bucket = bucket_of(target)
        except ValueError:  # the name of a file, of a star that no mission's input catalogue has
            return UNKNOWN
        return known_stars(self._signals, bucket).get(target, UNKNOWN)


def judge_found(found: list[Found], catalogue: KnownStars, settings: Settings) -> None:
    """Put the champion's judgement into the rows, or why there is none."""
    from deployments.cli.score import load_champion
    from exo_assets.scoring.explain import judge_and_explain
    from exo_assets.scoring.found import JOINED_OF_FOUND, NAMED, remarks
    from exo_resources.known_signals import KnownSignals
    from exo_resources.lake import Lake

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
    rows = _as_found(known)
    in_catalogue = set(rows["star_id"]) & set(catalogue.stars[NAMED])
    signals = _as_signals(rows, known, catalogue)
    beside = KnownSignals(Lake(settings.lake)).read(signals)
    judged, argued = judge_and_explain(signals, vetter, beside)
    for one, said, why in zip(known, judged.iter_rows(named=True), argued, strict=True):
        row = one.row
        row |= {name: said[name] for name in (*_SAID, *JOINED_OF_FOUND)}
        row["star"] = "as the catalogue has it" if row["target"] in in_catalogue else "unknown"
        row["problem"] = "; ".join(remarks(said, vetter.unfamiliar(row["mission"]))) or None
        one.argued = why
        if why is None:
            row["views_problem"] = vetter.unseen_views(row["mission"]) or one.seen.no_views or said["unusable"]
            continue
        row["log_odds_network"], row["network_weight"] = why.log_odds_network, why.network_weight
        row["views"], row["views_problem"] = why.as_json(), why.note


def _as_found(known: list[Found]) -> pl.DataFrame:
    """The signals as the night's table has them: `tce_id` (here a number), `star_id`, `mission` and what was fitted."""
    import polars as pl

    from exo_assets.scoring.found import FITTED

    return pl.DataFrame(
        {
            "tce_id": [str(number) for number in range(len(known))],
            "star_id": [one.row["target"] for one in known],
            "mission": [one.row["mission"] for one in known],
            **{n: pl.Series([one.row[n] for one in known], dtype=pl.Float64, strict=False) for n in FITTED},
        }
    )


def _as_signals(rows: pl.DataFrame, known: list[Found], catalogue: KnownStars) -> pl.DataFrame:
    """The signals in the catalogue's columns, with what was seen of them."""
    from exo_assets.features.curve_in_hand import beside
    from exo_assets.scoring.found import as_signals

    return beside(as_signals(rows, catalogue.stars), [one.seen for one in known])


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
