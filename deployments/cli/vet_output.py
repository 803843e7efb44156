"""What `exo vet` prints of signals and single transits, and the pictures of the latter.

Belongs here: rows of single transits, the table on the terminal, names of pictures. Does not belong here: searching
(vet.py), the judgement (vet_judge.py).
"""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.cli.output import out, write_whole

if TYPE_CHECKING:
    from exo_assets.lightcurves.chain import Star
    from exo_assets.lightcurves.scattered_light import Tried

SINGLE = "single transit"
NO_PERIOD = "not judged: one transit tells no period"
PERIODS_SHOWN = 6
"""Most other possible periods that the table names; the JSON has all."""
SHOWN = {
    "target": "{}",
    "period_days": "{:.5f}",
    "t0_bjd": "{:.4f}",
    "duration_hours": "{:.2f}",
    "depth_ppm": "{:.0f}",
    "sde": "{:.1f}",
    "snr": "{:.1f}",
    "n_transits": "{}",
    "odd_even_sigma": "{:.1f}",
    "secondary_sigma": "{:.1f}",
    "probability_planet": "{:.3f}",
    "verdict": "{}",
    "notes": "{}",
}


def single_rows(tried: Tried, name: str, density_sun: float) -> list[dict[str, Any]]:
    """What is printed of the transits that happen once in a star's data."""
    from exo_assets.lightcurves.scattered_light import singles_told
    from exo_assets.lightcurves.search_rows import measured_once

    curve = tried.star.curve
    repeating = [(signal, told) for signal, told, _ in tried.signals]
    return [
        {
            "target": name,
            "mission": curve.mission or None,
            "kind": SINGLE,
            "period_days": None,
            **measured_once(event),
            "scattered_light": told,
            "t0_bjd": event.time_bjd,
            "n_transits": 1,
            "probability_planet": None,
            "verdict": None,
            "problem": NO_PERIOD,
        }
        for event, told in singles_told(curve, repeating, density_sun)
    ]


def picture_stem(name: str) -> str:
    """A star's name as the beginning of a file name; files of one name in different folders are different stars."""
    from hashlib import sha256

    stem = "".join(c if c.isalnum() or c in "-." else "_" for c in Path(name).name)[:100]
    return stem + (f"_{sha256(name.encode()).hexdigest()[:6]}" if Path(name).name != name else "")


def draw_singles(star: Star, rows: list[dict[str, Any]], folder: Path) -> list[str]:
    """Write a picture of each single transit; what could not be written, in words."""
    from exo_assets.lightcurves.page import page_of_one

    lost = []
    for number, row in enumerate(rows, start=1):
        target = folder / f"{picture_stem(row['target'])}_single_{number}.png"
        title = f"{row['target']}  once, BJD {row['t0_bjd']:.4f}, {row['depth_ppm']:.0f} ppm, SNR {row['snr']:.1f}"
        try:
            picture = page_of_one(star.curve, row["t0_bjd"], row["duration_hours"] / 24, title)
            write_whole(target, lambda temporary, picture=picture: temporary.write_bytes(picture))  # type: ignore[misc]
            row["picture"] = str(target)
        except OSError as error:
            lost.append(f"{target}: cannot be written ({error.strerror or error})")
    return lost


def notes(row: dict[str, Any]) -> str:
    """What is to be told beside a signal's figures, in words."""
    said = []
    if row["kind"] == SINGLE:
        low, high = row["period_low_days"], row["period_high_days"]
        said.append(f"{SINGLE}, period from {low:.1f} to {high:.0f} d")
    if others := row.get("period_alternatives_days"):
        named = ", ".join(f"{period:.4g}" for period in others[:PERIODS_SHOWN])
        more = f" and {len(others) - PERIODS_SHOWN} more" if len(others) > PERIODS_SHOWN else ""
        said.append(f"the period may also be {named}{more} d")
    if row.get("below_threshold"):
        said.append(f"below threshold: {row['below_threshold_reason']}")
    if row.get("is_variable"):
        said.append("the star varies at this period")
    if row.get("scattered_light"):
        said.append(row["scattered_light"])
    if row["problem"]:
        said.append(row["problem"])
    return "; ".join(said)


def print_signals(rows: list[dict[str, Any]]) -> None:
    """The table of signals, one a line."""
    from rich.table import Table

    if not rows:
        out().print("no signal above the thresholds", markup=False)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in SHOWN:
        table.add_column(name, overflow="fold")
    for row in rows:
        told = {**row, "notes": notes(row)}
        table.add_row(*(_text(told.get(name), form) for name, form in SHOWN.items()))
    out().print(table, markup=False)


def _text(value: Any, form: str) -> str:
    unknown = value is None or (isinstance(value, float) and isnan(value))
    return "" if unknown else form.format(value)
