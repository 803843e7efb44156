"""Light-curve files in the layouts of public products, made of one simulated planet, for tests only."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exo_assets.lightcurves.trapezoid import profile

Array = NDArray[Any]

PERIOD, T0, DURATION, DEPTH = 3.47, 1355.3, 2.6 / 24, 4000e-6
"""The planet: days, BTJD, days, relative depth."""
BTJD, BKJD = 2_457_000.0, 2_454_833.0


def planet(time: Array, period: float = PERIOD, t0: float = T0, depth: float = DEPTH) -> Array:
    """Relative flux of a star with the planet, without noise."""
    phase = (time - t0 + period / 2) % period - period / 2
    return np.asarray(1 - depth * profile(phase, DURATION, 0.15))


def times(start: float = 1354.1, days: float = 27.2, step_s: float = 1800.0) -> Array:
    """Times at a cadence, with a gap of a day in the middle."""
    time = np.arange(start, start + days, step_s / 86_400)
    return time[np.abs(time - start - days / 2) > 0.5]


def noisy(flux: Array, noise: float = 4e-4, seed: int = 1) -> Array:
    """With white noise."""
    return np.asarray(flux + np.random.default_rng(seed).normal(0, noise, flux.size))


def fits_file(
    columns: Mapping[str, Array],
    *,
    units: Mapping[str, str] | None = None,
    first: Mapping[str, Any] | None = None,
    header: Mapping[str, Any] | None = None,
    name: str = "LIGHTCURVE",
    more: Sequence[Any] = (),
    checksum: bool = False,
) -> bytes:
    """A FITS file with a table of these columns; `first` are keywords of the file, `header` of the table."""
    from astropy.io import fits

    kinds = {"f8": "D", "f4": "E", "i4": "J", "i8": "K", "i2": "I"}
    made = []
    for called, given in columns.items():
        values = np.asarray(given)
        text = values.dtype.kind in "US"
        kind = f"{max(map(len, values))}A" if text else kinds[values.dtype.str[1:]]
        if values.ndim > 1:
            kind = f"{values[0].size}{kind}"
        made.append(fits.Column(called, kind, unit=(units or {}).get(called), array=values))
    primary, table = fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made, name=name)
    for unit, said in ((primary, first), (table, header)):
        for key, value in (said or {}).items():
            unit.header[key] = value
    out = io.BytesIO()
    fits.HDUList([primary, table, *more]).writeto(out, checksum=checksum)
    return out.getvalue()


TESS = {"TELESCOP": "TESS", "OBJECT": "TIC 999000100", "SECTOR": 1}
K2 = {"TELESCOP": "Kepler", "MISSION": "K2", "OBJECT": "EPIC 999000105", "CAMPAIGN": 1}
IN_BTJD, IN_BKJD = {"BJDREFI": 2_457_000, "BJDREFF": 0.0}, {"BJDREFI": 2_454_833, "BJDREFF": 0.0}


def spoc(
    time: Array | None = None,
    flux: Array | None = None,
    *,
    quality: Array | None = None,
    flux_name: str = "PDCSAP_FLUX",
    first: Mapping[str, Any] = TESS,
    header: Mapping[str, Any] = IN_BTJD,
    units: Mapping[str, str] | None = None,
) -> bytes:
    """A file in SPOC's layout: times in BTJD, flux in electrons per second at a level of 10,000."""
    time = times() if time is None else time
    flux = 1e4 * noisy(planet(time)) if flux is None else flux
    columns = {
        "TIME": time,
        flux_name: flux.astype(np.float32),
        f"{flux_name}_ERR": np.full(time.size, 4.0, np.float32),
        "QUALITY": np.zeros(time.size, np.int32) if quality is None else quality.astype(np.int32),
    }
    return fits_file(columns, units={flux_name: "e-/s", **(units or {})}, first=first, header=header)


def layouts() -> dict[str, tuple[bytes, str, str]]:
    """Files of products: bytes, product, and the column that is read."""
    time = times()
    flux = noisy(planet(time)).astype(np.float32)
    wavy = (flux * (1 + 0.004 * np.sin(2 * np.pi * time / 9.1))).astype(np.float32)
    err, none = np.full(time.size, 4e-4, np.float32), np.zeros(time.size, np.int32)
    mag = (12.3 - 2.5 * np.log10(wavy)).astype(np.float32)
    qlp = {**TESS, "ORIGIN": "MIT/QLP"}
    tess_bare = {"TELESCOP": "TESS"}
    return {
        "QLP to sector 55": (
            fits_file(
                {"TIME": time, "SAP_FLUX": wavy, "KSPSAP_FLUX": flux, "KSPSAP_FLUX_ERR": err, "QUALITY": none},
                first=qlp,
                header=IN_BTJD,
            ),
            *("QLP", "SAP_FLUX"),
        ),
        "QLP from sector 56 on": (
            fits_file(
                {"TIME": time, "SAP_FLUX": wavy, "DET_FLUX": flux, "DET_FLUX_ERR": err, "SYS_RM_FLUX": wavy},
                first={**qlp, "SECTOR": 56},
                header=IN_BTJD,
            ),
            *("QLP", "SYS_RM_FLUX"),
        ),
        "QLP, detrended alone": (
            fits_file({"TIME": time, "DET_FLUX": flux, "DET_FLUX_ERR": err}, first=qlp, header=IN_BTJD),
            *("QLP", "DET_FLUX (flat)"),
        ),
        "TGLC": (
            fits_file(
                {
                    "time": time,
                    "psf_flux": 900 * wavy,
                    "aperture_flux": 1000 * wavy,
                    "cal_psf_flux": flux,
                    "cal_aper_flux": flux,
                    "background": err,
                    "cadence_num": none,
                    "TESS_flags": none,
                    "TGLC_flags": none,
                },
                first={**tess_bare, "TICID": "999000104", "SECTOR": 1, "ORIGIN": "UCSB/TGLC"},
            ),
            *("TGLC", "APERTURE_FLUX"),
        ),
        "eleanor": (
            fits_file(
                {"TIME": time, "RAW_FLUX": 900 * wavy, "CORR_FLUX": 1000 * wavy, "FLUX_ERR": err, "QUALITY": none},
                first={**tess_bare, "OBJECT": "", "TIC_ID": 999000104},
            ),
            *("eleanor", "CORR_FLUX"),
        ),
        "CDIPS": (
            fits_file(
                {
                    "TMID_BJD": time + BTJD,
                    "IFL1": 1000 * wavy,
                    "IFE1": err,
                    "IRM1": mag,
                    "IRE1": err,
                    "IRQ1": np.where(np.arange(time.size) % 100 == 0, "X", "G"),
                },
                first={**tess_bare, "TICID": "999000104", "SECTOR": 6, "ORIGIN": "CDIPS"},
            ),
            *("CDIPS", "IRM1"),
        ),
        "lightkurve": (
            fits_file(
                {"TIME": time, "FLUX": wavy, "FLUX_ERR": err, "QUALITY": none},
                units={"TIME": "btjd"},
                first={"MISSION": "TESS", "OBJECT": "999000106", "CREATOR": "lightkurve.LightCurve.to_fits()"},
            ),
            *("lightkurve", "FLUX"),
        ),
        **_of_k2(),
    }


def _of_k2() -> dict[str, tuple[bytes, str, str]]:
    time = np.arange(1977.3, 2057.3, 1765.5 / 86_400)
    flux = noisy(planet(time, 10.05, 1980.4, 1300e-6), 8e-5, 5)
    none = np.zeros(time.size, np.int32)
    own = none.copy()
    own[planet(time, 10.05, 1980.4, 1300e-6) < 0.9995] |= 1 << 24
    sff = {"T": time, "FRAW": flux * (1 + 0.002 * np.sin(25 * time)), "FCOR": flux, "ARCLENGTH": np.sin(25 * time)}
    sff |= {"MOVING": none, "CADENCENO": none}
    first = fits_file(sff, first=K2, header=IN_BKJD, name="BESTAPER")
    everest = {"CADN": none, "FLUX": (2e4 * flux).astype(np.float32), "FRAW": (2e4 * flux).astype(np.float32)}
    everest |= {"FRAW_ERR": np.full(time.size, 2.0, np.float32), "QUALITY": own, "TIME": time}
    k2sc = {"time": time, "cadence": none, "quality": none, "flux": 2e4 * flux, "error": flux, "mflags": none}
    gone = {"trend_p": np.zeros(time.size), "trend_t": np.zeros(time.size)}
    drift = {"trtime": np.zeros(time.size), "trposi": 400 * np.sin(25 * time) - 7}
    raw = k2sc | drift | {"flux": k2sc["flux"] + drift["trposi"]}
    nameless = {"TELESCOP": "Kepler", "KEPLERID": 201_367_065}
    return {
        "K2SFF": (first, "K2SFF", "FCOR"),
        "EVEREST": (fits_file(everest, first=K2, header=IN_BKJD), "EVEREST", "FLUX"),
        "K2SC": (fits_file(k2sc | gone, first=K2), "K2SC", "FLUX (flat)"),
        "K2SC, release 2": (fits_file(k2sc | drift, first=nameless, name="PDC"), "K2SC", "FLUX (flat)"),
        "K2SC program": (fits_file(raw, first=nameless, name="K2SC"), "K2SC program", "FLUX - TRPOSI"),
    }
