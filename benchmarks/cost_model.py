"""What a whole mission costs in core-hours, bytes and money, from what a star costs here; writes `docs/cost_model.md`.

    python -m benchmarks.cost_model --core-hour 0.04 --gigabyte-month 0.023

Measured on the spot, one thread, CPU seconds, on simulated light-curve files in the archive's layout (spotted stars in
white noise, with and without a planet): reading and checking, cleaning, writing the clean curve, searching a star
without a signal and one with a planet, its views and its diagnostics. Assumed, and said so: how
many stars there are, how many have a signal, the network, and the prices.
"""

from __future__ import annotations

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import argparse
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.star_cost import MISSIONS, Measured, Mission, measured

DOC = Path(__file__).parents[1] / "docs" / "cost_model.md"
GIGABYTE = 1e9


@dataclass(frozen=True)
class Prices:
    """Assumptions in money, time and network."""

    core_hour: float
    gigabyte_month: float
    months: float
    megabytes_per_second: float


def per_star(mission: Mission, m: Measured) -> float:
    """CPU seconds of an average star: what all need, and what a signal adds where there is one."""
    extra = max(m.search_signal - m.search_quiet, 0.0) / max(m.signals, 1.0) + m.views + m.diagnostics
    return m.read + m.clean + m.write + m.search_quiet + mission.signal_share * extra


def extrapolated(mission: Mission, m: Measured, prices: Prices) -> dict[str, float]:
    """The whole mission: core-hours, bytes, hours of download, money."""
    core_hours = mission.stars * per_star(mission, m) / 3600
    raw = mission.stars * m.raw_bytes
    lake = mission.stars * (m.lake_bytes + mission.signal_share * m.view_bytes)
    storage = (raw + lake) / GIGABYTE * prices.gigabyte_month * prices.months
    return {
        "core_hours": core_hours,
        "raw_gigabytes": raw / GIGABYTE,
        "lake_gigabytes": lake / GIGABYTE,
        "download_hours": raw / 1e6 / prices.megabytes_per_second / 3600,
        "computing": core_hours * prices.core_hour,
        "storage": storage,
    }


def document(results: dict[Mission, Measured], prices: Prices, repeats: int) -> str:
    """The text of `docs/cost_model.md`."""
    names = list(results)
    head = f"| | {' | '.join(n.name for n in names)} |\n| --- |{' ---: |' * len(names)}"

    def table(rows: dict[str, Callable[[Mission], str]]) -> str:
        lines = [f"| {said} | {' | '.join(value(n) for n in names)} |" for said, value in rows.items()]
        return "\n".join([head, *lines])

    got = {n: extrapolated(n, m, prices) for n, m in results.items()}
    star = table(
        {
            "points": lambda n: f"{results[n].points:,}",
            "files": lambda n: f"{results[n].files}",
            "reading and checking the files": lambda n: f"{results[n].read:.3f} s",
            "cleaning": lambda n: f"{results[n].clean:.3f} s",
            "writing the clean curve": lambda n: f"{results[n].write:.3f} s",
            "one round over all periods": lambda n: f"{results[n].spectrum:.3f} s",
            "the search of a star without a signal": lambda n: f"{results[n].search_quiet:.3f} s",
            "the search of a star with a planet": lambda n: f"{results[n].search_signal:.3f} s",
            "signals found on that star": lambda n: f"{results[n].signals:.0f}",
            "views of a signal": lambda n: f"{results[n].views:.3f} s",
            "diagnostics of a signal": lambda n: f"{results[n].diagnostics:.3f} s",
            "files, as they come": lambda n: f"{results[n].raw_bytes / 1e6:.2f} MB",
            "clean curve, Parquet": lambda n: f"{results[n].lake_bytes / 1e6:.2f} MB",
            "views of a signal, before compression": lambda n: f"{results[n].view_bytes / 1e3:.1f} kB",
        }
    )
    whole = table(
        {
            "stars": lambda n: f"{n.stars:,}",
            "signals for each star (assumed)": lambda n: f"{n.signal_share:g}",
            "CPU seconds, average star": lambda n: f"{per_star(n, results[n]):.2f}",
            "**core-hours**": lambda n: f"**{got[n]['core_hours']:,.1f}**",
            "**raw files**": lambda n: f"**{got[n]['raw_gigabytes']:,.0f} GB**",
            "**lake**": lambda n: f"**{got[n]['lake_gigabytes']:,.0f} GB**",
            f"download at {prices.megabytes_per_second:g} MB/s": lambda n: f"{got[n]['download_hours']:,.1f} h",
            f"computing at {prices.core_hour:g} a core-hour": lambda n: f"{got[n]['computing']:,.2f}",
            f"storage, raw and lake, {prices.months:g} months at {prices.gigabyte_month:g} a GB-month": lambda n: (
                f"{got[n]['storage']:,.2f}"
            ),
            "**money**": lambda n: f"**{got[n]['computing'] + got[n]['storage']:,.2f}**",
        }
    )
    load = ", ".join(f"{v:.1f}" for v in os.getloadavg())
    return f"""# What a mission costs

Written by `python -m benchmarks.cost_model`; run it again where the work is to be done, with your own prices
(`--core-hour`, `--gigabyte-month`, `--months`, `--megabytes-per-second`).

## One star, measured

CPU seconds on one thread, medians of {repeats} simulated stars of each kind ({platform.machine()}, {os.cpu_count()}
cores, load {load}; Python {platform.python_version()}, numpy {np.__version__}). The files have the archive's layout and
size; the stars are spotted, their noise is white. Compilation and the start of workers are left out.

{star}

A search cleans anew and goes over all periods once more for every signal that it finds, and fits each twice. Real stars
that vary are found several times, up to `signals_max`; they cost as much as so many planets.

## The whole, extrapolated

{whole}

CPU seconds of an average star: reading, cleaning, writing and searching, and for the assumed share of signals the
difference that one makes to the search, its views and its diagnostics. Assumptions, none of them measured: numbers of
stars and signals, the network, prices (in dollars). Not counted: the vetter, the catalogue, Dagster and Ray themselves,
idle workers, requests to storage, injections, and what a download costs on the other side.
"""


def main() -> None:
    """Measure, print and write the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core-hour", type=float, default=0.04, help="price of a core-hour")
    parser.add_argument("--gigabyte-month", type=float, default=0.023, help="price of a gigabyte kept for a month")
    parser.add_argument("--months", type=float, default=12.0, help="how long the bytes are kept")
    parser.add_argument("--megabytes-per-second", type=float, default=50.0, help="the network, all connections")
    parser.add_argument("--repeats", type=int, default=5, help="simulated stars of each kind")
    chosen = parser.parse_args()
    prices = Prices(chosen.core_hour, chosen.gigabyte_month, chosen.months, chosen.megabytes_per_second)
    results = {mission: measured(mission, chosen.repeats) for mission in MISSIONS}
    text = document(results, prices, chosen.repeats)
    DOC.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
