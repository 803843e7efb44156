"""Simulated light-curve files in the archive's layout, to time reading on: all twenty columns, and every cadence of the
span, with nan where nothing was measured. Not real data, and not a test."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_curves import KEPLER, Planet, Sampling, curve

Array = NDArray[np.float64]

QUARTERS = 17
SPOTS = ((0.004, 11.3), (0.002, 5.7), (0.001, 3.8))
"""Amplitudes and periods (days) of the star's own variation."""
EARLIER_COLUMNS = ("TIMECORR", "CADENCENO", "SAP_FLUX", "SAP_FLUX_ERR", "SAP_BKG", "SAP_BKG_ERR")
LATER_COLUMNS = (
    *("PSF_CENTR1", "PSF_CENTR1_ERR", "PSF_CENTR2", "PSF_CENTR2_ERR"),
    *("MOM_CENTR1", "MOM_CENTR1_ERR", "MOM_CENTR2", "MOM_CENTR2_ERR", "POS_CORR1", "POS_CORR2"),
)


@dataclass(frozen=True)
class Header:
    """What the headers of a mission's files say."""

    mission: str
    catalogue: str
    segment: str
    quality: str
    reference: int
    keywords: tuple[tuple[str, Any], ...]


HEADERS = {
    True: Header("Kepler", "KIC", "QUARTER", "SAP_QUALITY", 2_454_833, (("KEPLERID", 1), ("CHANNEL", 1))),
    False: Header("TESS", "TIC", "SECTOR", "QUALITY", 2_457_000, (("TICID", 1), ("CAMERA", 1), ("CCD", 1))),
}


def star_files(sampling: Sampling, planet: Planet | None, seed: int) -> list[bytes]:
    """The FITS files of a spotted star: seventeen quarters for Kepler's sampling, else one sector."""
    time, flux, _ = curve(sampling, planet, seed)
    flux = flux * (1 + sum(a * np.sin(2 * np.pi * time / p + p) for a, p in SPOTS))
    cadences = int(np.ceil(sampling.span_days / sampling.cadence_days)) + 1
    whole = np.full(cadences, np.nan)
    whole[np.rint(time / sampling.cadence_days).astype(int)] = flux
    parts = np.array_split(np.arange(cadences), QUARTERS if sampling is KEPLER else 1)
    header = HEADERS[sampling is KEPLER]
    return [
        _file(
            part * sampling.cadence_days + 120, 5000 * whole[part], header, segment=i, star=seed, noise=sampling.noise
        )
        for i, part in enumerate(parts, start=1)
    ]


def _file(time: Array, flux: Array, header: Header, *, segment: int, star: int, noise: float) -> bytes:
    from astropy.io import fits

    unknown = np.full(time.size, np.nan)
    values: dict[str, Any] = {"TIME": time} | dict.fromkeys(EARLIER_COLUMNS, unknown)
    values |= {"CADENCENO": np.arange(time.size), "SAP_FLUX": flux}
    values |= {"PDCSAP_FLUX": flux, "PDCSAP_FLUX_ERR": np.full(time.size, 5000 * noise)}
    values |= {header.quality: np.where(np.isfinite(flux), 0, 1 << 3)} | dict.fromkeys(LATER_COLUMNS, unknown)
    values |= {"MOM_CENTR1": np.full(time.size, 12.5), "MOM_CENTR2": np.full(time.size, 40.5)}
    columns = [fits.Column(name, _kind(name, header), array=array) for name, array in values.items()]
    table = fits.BinTableHDU.from_columns(columns, name="LIGHTCURVE")
    table.header["BJDREFI"], table.header["BJDREFF"] = header.reference, 0.0
    first = fits.PrimaryHDU()
    first.header["OBJECT"] = f"{header.catalogue} {star + 1}"
    first.header["MISSION"] = first.header["TELESCOP"] = header.mission
    first.header[header.segment] = segment
    for name, value in header.keywords:
        first.header[name] = value
    out = io.BytesIO()
    fits.HDUList([first, table]).writeto(out, checksum=True)
    return out.getvalue()


def _kind(name: str, header: Header) -> str:
    if name in ("CADENCENO", header.quality):
        return "J"
    return "D" if name == "TIME" or name in ("PSF_CENTR1", "PSF_CENTR2", "MOM_CENTR1", "MOM_CENTR2") else "E"
