"""The whole chain, from files to views, for many stars on two cores: ours under Ray beside the field's tools.

Both sides read the same simulated TESS files (one sector, two minutes, the archive's layout; every other star has a
planet), take away the star's own variation, search on Ofir's grid with oversampling 3, mask what reaches SDE 7 and
search again, twice at most, and make AstroNet's two views of every signal.

Ours: FITS files checked to their last byte, the product's chain (which cleans anew after every signal and fits every
one), all six views; tasks of five stars on Ray, as the product maps them. The field's: lightkurve reads, wotan's
biweight with a window of 1.5 d, TLS with its own settings on one thread, AstroNet's loop over bins; tasks of one star
in a pool of processes. Each side has as many workers as cores. What is counted is wall time with workers started and
everything compiled, and the CPU time of the workers, which other work on the machine changes less; starting up is said
apart. The peers may be given fewer of the same stars (`--peer-stars`): their
time per star is then what is compared, and the output says so.
"""

from __future__ import annotations

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import argparse
import multiprocessing
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.simulated_curves import TESS, Planet
from benchmarks.simulated_files import star_files
from benchmarks.views import astronet
from exo_assets.features.views import views
from exo_assets.lightcurves.chain import search_star
from exo_assets.lightcurves.ephemeris import Ephemeris
from exo_assets.lightcurves.fits_file import read_fits
from exo_assets.lightcurves.search import SearchSettings

SIGNALS = 2
SETTINGS = SearchSettings(signals_max=SIGNALS)
STARS_PER_TASK = 5
Found = tuple[float, list[float]]
"""CPU seconds of a star, and the periods of its signals in the order in which they were found."""


def planet_of(star: int) -> Planet | None:
    """Every other star has a planet of two to six Earth radii around a Sun."""
    if star % 2:
        return None
    random = np.random.default_rng(star)
    period = float(np.exp(random.uniform(np.log(0.8), np.log(12))))
    return Planet(period, float(random.uniform(0, period)), float(random.uniform(0.02, 0.055)))


def ours(settings: SearchSettings, paths: Sequence[Path]) -> list[Found]:
    """The product's chain for some stars."""
    out = []
    for path in paths:
        start = time.process_time()
        star = search_star([read_fits(path.read_bytes(), path.name)], settings)
        places = [signal.transit.ephemeris for signal in star.signals]
        for place in places:
            views(star.curve.time_bjd, star.curve.flux, place)
        out.append((time.process_time() - start, [place.period_days for place in places]))
    return out


def field(path: Path) -> Found:
    """The field's tools for one star."""
    import matplotlib

    matplotlib.use("agg")
    warnings.simplefilter("ignore")
    from lightkurve.io.tess import read_tess_lightcurve
    from transitleastsquares import transit_mask, transitleastsquares
    from wotan import flatten

    start = time.process_time()
    curve = read_tess_lightcurve(str(path)).remove_nans()
    t, f = np.asarray(curve.time.value), np.asarray(curve.flux.value, dtype=np.float64)
    flat = np.asarray(flatten(t, f / np.median(f), method="biweight", window_length=1.5, break_tolerance=0.5))
    known = np.isfinite(flat)
    t, flat = t[known], flat[known]
    out: list[float] = []
    while len(out) < SIGNALS:
        found = transitleastsquares(t, flat, verbose=False).power(
            period_min=0.5, period_max=float(np.ptp(t)) / 2, use_threads=1, show_progress_bar=False
        )
        if SETTINGS.sde_min > found.SDE:
            break
        astronet(t, flat, Ephemeris(float(found.period), float(found.T0), float(found.duration)))
        out.append(float(found.period))
        keep = ~transit_mask(t, found.period, 2 * found.duration, found.T0)
        t, flat = t[keep], flat[keep]
    return time.process_time() - start, out


def under_ray(paths: Sequence[Path], cores: int, home: Path) -> tuple[float, float, list[Found]]:
    """Seconds to start, seconds for all, and what was found."""
    import ray

    from exo_resources.ray_runtime import WORKER_ENVIRONMENT, RayRuntime

    tasks = [paths[i : i + STARS_PER_TASK] for i in range(0, len(paths), STARS_PER_TASK)]
    start = time.perf_counter()
    ray.init(
        address="local",
        num_cpus=cores,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": WORKER_ENVIRONMENT},
    )
    runtime = RayRuntime(None, home)
    runtime.map(ours, SETTINGS, [paths[:1]] * (4 * cores))
    begun = time.perf_counter()
    found = [star for task in runtime.map(ours, SETTINGS, tasks) for star in task]
    end = time.perf_counter()
    ray.shutdown()
    return begun - start, end - begun, found


def in_a_pool(paths: Sequence[Path], cores: int) -> tuple[float, float, list[Found]]:
    """The same of the field's tools under multiprocessing."""
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        pool.map(field, [paths[0]] * (2 * cores), chunksize=1)
        begun = time.perf_counter()
        found = pool.map(field, paths, chunksize=1)
        end = time.perf_counter()
    return begun - start, end - begun, found


def right(found: Sequence[Found]) -> str:
    """How many of the planets were found, and how many signals there are that are none."""
    planets = [planet_of(star) for star in range(len(found))]
    hits = [
        p is not None and any(abs(period / p.period_days - 1) < 0.01 for period in periods)
        for p, (_, periods) in zip(planets, found, strict=True)
    ]
    others = sum(len(periods) for _, periods in found) - sum(hits)
    return f"{sum(hits)} of {sum(p is not None for p in planets)} planets, {others} others"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stars", type=int, default=100)
    parser.add_argument("--peer-stars", type=int, default=100, help="so many of the same stars for the field's tools")
    parser.add_argument("--cores", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths: list[Path] = []
        for star in range(chosen.stars):
            paths.append(Path(folder) / f"{star}.fits")
            paths[-1].write_bytes(star_files(TESS, planet_of(star), star)[0])
        size = sum(path.stat().st_size for path in paths)
        print(f"{chosen.stars} simulated stars, {TESS.name}, {size / 1e6:.0f} MB, {chosen.cores} cores", flush=True)
        peers = paths[: chosen.peer_stars]
        sides: dict[str, Any] = {
            "exo under Ray": (paths, lambda: under_ray(paths, chosen.cores, Path(folder))),
            "lightkurve, wotan, TLS": (peers, lambda: in_a_pool(peers, chosen.cores)),
        }
        first, first_cpu = 0.0, 0.0
        for name, (stars, run) in sides.items():
            load = os.getloadavg()[0]
            starting, seconds, found = run()
            each = seconds / len(stars)
            cpu = float(np.mean([spent for spent, _ in found]))
            first, first_cpu = first or each, first_cpu or cpu
            print(
                f"  {name:<24}{len(stars):>4} stars in {seconds:7.2f} s: wall {each * 1e3:7.1f} ms a star, "
                f"{each / first:5.1f} x ours; CPU {cpu * 1e3:7.1f} ms a star, {cpu / first_cpu:5.1f} x ours",
                f"{'':26}{right(found)}; start-up {starting:.1f} s; load {load:.2f}, then {os.getloadavg()[0]:.2f}",
                sep="\n",
                flush=True,
            )


if __name__ == "__main__":
    # Workers know this module by its name, not as the program that was started.
    from benchmarks.whole_chain import main as run_by_name

    run_by_name()
