"""The light-curve products that people have: how each is recognised, and what of it is read.

Belongs here: layouts, one record a product, with the documents that they were taken from. Does not belong here: reading
files (`fits_file.py`), and which of several products is used (`joining.py`).

A column name is compared without case (FITS Standard 4.0, section 7.3.1). Flux columns are in order of preference:
what has its systematics taken out and keeps the star's variability, then raw flux, then flux that was detrended
already. Exo seeks the trend with the transits masked, which no product does; so a detrended column is the last, and is
not detrended again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from exo_assets.lightcurves.curve import SCATTERED_LIGHT


@dataclass(frozen=True)
class Flux:
    """A flux column: that of its errors, whether its trend was taken out before, whether it holds magnitudes, and the
    column of a trend of the spacecraft's that is still to be taken out (about its median)."""

    name: str
    error: str = ""
    is_flat: bool = False
    is_magnitude: bool = False
    trend: str = ""

    @property
    def called(self) -> str:
        """The flux, as people and `LightCurve.flux_kind` call it."""
        return f"{self.name} - {self.trend}".upper() if self.trend else self.name.upper()


@dataclass(frozen=True)
class Flags:
    """A quality column: points with any bit of `mask` are left out; without one, it holds the mission's flags, and
    `curve.UNUSABLE` says which count. A column of words keeps the points with one of `good`."""

    name: str
    mask: int | None = None
    good: tuple[str, ...] = ()


@dataclass(frozen=True)
class Product:
    """A layout. It is that of a table with all of `columns`, in a file whose header has `value` in its `keyword`, or
    with one of `telling` columns; what is empty is not asked for.

    `extension`: what its best table is called, where it has several. `mission` is that of a product that has only one,
    for files that do not say it; `cadences` are its names by the step
    between points (at most so many seconds). `is_tried`: real files were read.
    """

    name: str
    flux: tuple[Flux, ...]
    flags: tuple[Flags, ...]
    columns: tuple[str, ...] = ()
    telling: tuple[str, ...] = ()
    keyword: str = ""
    value: str = ""
    extension: str = ""
    time: tuple[str, ...] = ("time",)
    centroid: tuple[str, str] = ("mom_centr1", "mom_centr2")
    mission: str = ""
    cadences: tuple[tuple[float, str], ...] = ()
    is_tried: bool = False
    document: str = ""

    def fits(self, columns: Collection[str], headers: Collection[Mapping[str, Any]]) -> bool:
        """Whether a table with these columns (in small letters), in a file with these headers, has this layout."""
        has_both = any(f.name in columns for f in self.flux) and any(t in columns for t in self.time)
        if not has_both or not set(self.columns) <= set(columns):
            return False
        said = " ".join(str(h.get(self.keyword, "")) for h in headers).lower() if self.keyword else ""
        return not self.keyword or self.value in said or any(c in columns for c in self.telling)

    def called(self, step_s: float) -> str:
        """The product's name, of a curve with so many seconds between points."""
        return next((name for most, name in self.cadences if step_s <= most), self.name)


_SPOC = (Flux("pdcsap_flux", "pdcsap_flux_err"), Flux("sap_flux", "sap_flux_err"))
_LIGHTKURVE = (Flux("flux", "flux_err"),)
_K2SC_FLAGS = 1 << 0 | 1 << 5
"""Flagged by the mission, and not finite. K2SC's other bits are of points high or low, which transits are too."""
_QUALITY = (Flags("quality"), Flags("sap_quality"))

PRODUCTS: tuple[Product, ...] = (
    Product(
        "QLP",
        flux=(
            Flux("sys_rm_flux", "det_flux_err"),
            Flux("sap_flux", "kspsap_flux_err"),
            Flux("kspsap_flux", "kspsap_flux_err", is_flat=True),
            Flux("det_flux", "det_flux_err", is_flat=True),
        ),
        flags=(Flags("quality", mask=~SCATTERED_LIGHT),),
        keyword="ORIGIN",
        value="qlp",
        telling=("kspsap_flux", "sys_rm_flux", "det_flux"),
        mission="tess",
        document="https://archive.stsci.edu/hlsp/qlp: KSPSAP_FLUX to sector 55, SYS_RM_FLUX and DET_FLUX from 56 on",
    ),
    Product(
        "TGLC",
        flux=(
            Flux("aperture_flux"),
            Flux("psf_flux"),
            Flux("cal_aper_flux", is_flat=True),
            Flux("cal_psf_flux", is_flat=True),
        ),
        flags=(Flags("tess_flags"), Flags("tglc_flags", mask=~0)),
        columns=("cal_psf_flux",),
        mission="tess",
        document="https://archive.stsci.edu/hlsp/tglc (Han & Brandt 2023)",
    ),
    Product(
        "eleanor",
        flux=(
            Flux("corr_flux", "flux_err"),
            Flux("pca_flux", "flux_err"),
            Flux("psf_flux", "flux_err"),
            Flux("raw_flux", "flux_err"),
        ),
        flags=_QUALITY,
        columns=("raw_flux", "corr_flux"),
        centroid=("x_centroid", "y_centroid"),
        mission="tess",
        document="https://archive.stsci.edu/hlsp/eleanor (Feinstein et al. 2019)",
    ),
    Product(
        "CDIPS",
        flux=(
            Flux("irm1", "ire1", is_magnitude=True),
            Flux("pca1", "ire1", is_magnitude=True),
            Flux("ifl1", "ife1"),
            Flux("tfa1", "ire1", is_flat=True, is_magnitude=True),
        ),
        flags=(Flags("irq1", good=("G", "0")),),
        columns=("tmid_bjd",),
        time=("tmid_bjd",),
        centroid=("xic", "yic"),
        mission="tess",
        document="https://archive.stsci.edu/hlsp/cdips (Bouma et al. 2019)",
    ),
    Product(
        "K2SFF",
        flux=(Flux("fcor"), Flux("fraw")),
        flags=(Flags("moving", mask=~0),),
        columns=("t", "fraw", "fcor"),
        extension="BESTAPER",
        time=("t",),
        mission="k2",
        document="https://archive.stsci.edu/hlsp/k2sff (Vanderburg & Johnson 2014): extension BESTAPER",
    ),
    Product(
        "K2SC program",
        flux=(Flux("flux", "error", trend="trposi"),),
        flags=(Flags("quality"), Flags("mflags", mask=_K2SC_FLAGS)),
        columns=("trposi", "trtime"),
        keyword="EXTNAME",
        value="k2sc",
        centroid=("x", "y"),
        mission="k2",
        document="https://github.com/OxES/k2sc: files that its program writes, FLUX as it was before TRPOSI and TRTIME",
    ),
    Product(
        "K2SC",
        flux=(Flux("flux", "error", is_flat=True),),
        flags=(Flags("quality"), Flags("mflags", mask=_K2SC_FLAGS)),
        columns=("trposi", "trtime"),
        extension="PDC",
        centroid=("x", "y"),
        mission="k2",
        document="https://archive.stsci.edu/hlsp/k2sc (Aigrain et al. 2016), release 2: FLUX without both trends",
    ),
    Product(
        "K2SC",
        flux=(Flux("flux", "error", is_flat=True),),
        flags=(Flags("quality"), Flags("mflags", mask=_K2SC_FLAGS)),
        columns=("trend_p", "trend_t"),
        extension="PDC",
        centroid=("x", "y"),
        mission="k2",
        document="https://archive.stsci.edu/hlsp/k2sc (Aigrain et al. 2016), release 1: FLUX without both trends",
    ),
    Product(
        "EVEREST",
        flux=(Flux("flux", "fraw_err"), Flux("fraw", "fraw_err")),
        flags=_QUALITY,
        columns=("cadn", "flux", "fraw"),
        mission="k2",
        document="https://archive.stsci.edu/hlsp/everest (Luger et al. 2018): its own bits, from 23 on, do not count",
    ),
    Product(
        "SPOC",
        cadences=((60, "SPOC 20 s"), (150, "SPOC 2 min"), (math.inf, "TESS-SPOC")),
        flux=_SPOC,
        flags=_QUALITY,
        keyword="TELESCOP",
        value="tess",
        mission="tess",
        is_tried=True,
        document="TESS Science Data Products Description (EXP-TESS-ARC-ICD-0014), section 5; "
        "https://archive.stsci.edu/hlsp/tess-spoc (Caldwell et al. 2020), the same layout of full-frame images",
    ),
    Product(
        "Kepler",
        cadences=((300, "Kepler short cadence"), (math.inf, "Kepler long cadence")),
        flux=_SPOC,
        flags=_QUALITY,
        keyword="TELESCOP",
        value="kepler",
        is_tried=True,
        document="Kepler Archive Manual (KDMC-10008-006), section 2.3.1; K2 Handbook, section 4",
    ),
    Product(
        "lightkurve",
        flux=_LIGHTKURVE,
        flags=_QUALITY,
        keyword="CREATOR",
        value="lightkurve",
        is_tried=True,
        document="https://lightkurve.github.io/lightkurve: LightCurve.to_fits()",
    ),
    Product(
        "FITS",
        flux=(
            *_SPOC,
            *_LIGHTKURVE,
            Flux("corr_flux"),
            Flux("sys_rm_flux", "det_flux_err"),
            Flux("fcor"),
            Flux("kspsap_flux", "kspsap_flux_err", is_flat=True),
            Flux("det_flux", "det_flux_err", is_flat=True),
        ),
        flags=_QUALITY,
        time=("time", "t", "tmid_bjd", "bjd", "time_bjd"),
        is_tried=True,
        document="any other table with a column of times and one of these fluxes",
    ),
)
"""The first that fits is the layout of a table; the special ones come before the general."""
TABLE = "table"
"""Product of users' CSV and Parquet tables."""


def product_of(columns: Collection[str], headers: Collection[Mapping[str, Any]]) -> Product | None:
    """The product whose layout a table has; `columns` in small letters."""
    return next((product for product in PRODUCTS if product.fits(columns, headers)), None)
