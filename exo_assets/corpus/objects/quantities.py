"""Quantities that people ask of a planet, a signal or a star, and the columns that have them.

Belongs here: what a quantity is called, how it is asked for, its columns and units. Does not belong here: reading
tables (`tables.py`), wording a row (`statements.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SIGNALS, STARS, PLANETS = "core_signals", "core_stars", "raw_nea__pscomppars"
"""The catalogue's signals and their stars, and the archive's composite table of confirmed planets of every method."""

UNITS = {
    "d": "days",
    "h": "hours",
    "ppm": "ppm",
    "K": "K",
    "R_Earth": "Earth radii",
    "M_Earth": "Earth masses",
    "S_Earth": "times the insolation of the Earth",
    "R_Sun": "solar radii",
    "M_Sun": "solar masses",
    "au": "au",
    "pc": "parsecs",
    "mag": "mag",
    "dex": "dex",
    "deg": "degrees",
    "arcsec": "arc seconds",
    "g/cm3": "g/cm3",
    "cm/s2": "(log10 of cm/s2)",
    "mas/yr": "mas/yr",
    "sigma": "sigma",
    "": "",
}
"""Units of the contracts as people read them."""


@dataclass(frozen=True)
class Source:
    """Where a quantity stands: a table's column; `errors` are columns of its uncertainty, `limit` one that is 1 for an
    upper limit and -1 for a lower one."""

    table: str
    column: str
    errors: tuple[str, ...] = ()
    limit: str | None = None


@dataclass(frozen=True)
class Quantity:
    """A quantity: `name` in words, in `unit` (a key of UNITS); `asked` is how people ask for it, `of` whose it is
    (planet or star). `sources`: its columns, the first that has a value is told; none for what no table has."""

    name: str
    of: str
    asked: str
    unit: str = ""
    sources: tuple[Source, ...] = ()

    @property
    def pattern(self) -> re.Pattern[str]:
        """How it is asked for, in small letters."""
        return re.compile(self.asked)


def _signal(column: str, error: str | None = None) -> Source:
    return Source(SIGNALS, column, (error,) if error else ())


def _planet(column: str, *, limited: bool = True) -> Source:
    return Source(PLANETS, column, (f"{column}err1", f"{column}err2"), f"{column}lim" if limited else None)


def _star(column: str, archive: str | None = None) -> tuple[Source, ...]:
    """A quantity of the star: that of all missions, that beside the signal, and the archive's."""
    error = re.sub(r"_([a-z0-9]+)$", r"_err_\1", column)
    errors = (error,) if column.startswith("star_") else ()
    own = (Source(STARS, column, errors), Source(SIGNALS, column, errors))
    return (*own, _planet(archive)) if archive else own


_STAR_S = r"(?:stellar|star'?s?|host'?s?|host star'?s?)"
_OF_STAR = r"of (?:the|its) (?:host )?(?:star|host)"
_IS_STAR = r"is (?:the|its) (?:host )?(?:star|host)"
_POSITION = (
    "right ascension",
    "declination",
    r"\bra\b",
    r"\bdec\b",
    "coordinates",
    "position in the sky",
    "sky position",
)
_FOUND = r"\b.*\b(?:found|discovered|detected)"


def _quantity(name: str, of: str, unit: str, sources: tuple[Source, ...], *asked: str) -> Quantity:
    return Quantity(name, of, "|".join(asked), unit, sources)


QUANTITIES: tuple[Quantity, ...] = (
    # What contains the words of others stands before them.
    _quantity(
        "radius ratio", "planet", "", (_signal("radius_ratio", "radius_ratio_err"),),
        "radius ratio", r"ratio of (?:the )?radii", r"\brp/rs\b", r"planet[- ]to[- ]star radius",
    ),
    _quantity(
        "equilibrium temperature", "planet", "K", (_signal("teq_k", "teq_err_k"), _planet("pl_eqt")),
        r"equilibrium temperatures?", r"\bt_?eq\b",
    ),
    _quantity(
        "stellar density by the transit", "planet", "g/cm3", (_signal("fit_stellar_density_gcc"),),
        rf"{_STAR_S} densit(?:y|ies)", rf"density {_OF_STAR}",
    ),
    _quantity(
        "rotation period", "star", "", (),
        r"rotation(?:al)? periods?", r"how fast does .*rotate", "spin period",
    ),
    _quantity(
        "transit duration", "planet", "h", (_signal("duration_hours", "duration_err_hours"),),
        r"\bdurations?\b", r"\bt14\b", r"how long\b(?=.*\b(?:transits?|dips?|eclipses?)\b)",
        r"length of (?:the|its|a) transit",
    ),
    _quantity(
        "number of transits", "planet", "", (_signal("n_transits"),),
        "how many transits", "number of transits", "transits expected",
    ),
    _quantity(
        "epoch (a mid-transit, BJD)", "planet", "d", (_signal("t0_bjd", "t0_err_days"),),
        r"\bepochs?\b", r"\bt0\b", r"mid[- ]?transits?", r"\bephemer(?:is|ides)\b", r"when\b.*\btransits?\b",
        "transit times?",
    ),
    _quantity(
        "transit depth", "planet", "ppm", (_signal("depth_ppm", "depth_err_ppm"),),
        r"\bdepths?\b", r"\bdeep(?:est)?\b", "how much light",
    ),
    _quantity("impact parameter", "planet", "", (_signal("impact", "impact_err"),), "impact(?: parameters?)?"),
    _quantity(
        "insolation", "planet", "S_Earth",
        (_signal("insolation_earth", "insolation_err_earth"), _planet("pl_insol")),
        "insolation", "irradiation", "incident flux", r"flux\b.*\breceiv", "starlight", "stellar flux",
    ),
    _quantity(
        "signal to noise", "planet", "", (_signal("snr"),),
        "signal[- ]to[- ]noise(?: ratio)?", r"\bsnr\b", r"\bs/n\b", "how (?:strong|significant)",
    ),
    _quantity(
        "multiple-event statistic", "planet", "sigma", (_signal("mes"),),
        r"\bmes\b", "mult(?:iple|i)[- ]event statistics?",
    ),
    _quantity(
        "single-event statistic", "planet", "sigma", (_signal("ses"),), r"\bses\b", "single[- ]event statistics?"
    ),
    _quantity("odd-even statistic", "planet", "", (_signal("odd_even_sig"),), r"odd[- ]?(?:and[- ])?even\b\w*"),
    _quantity(
        "centroid offset", "planet", "arcsec",
        (
            _signal("centroid_offset_kic_arcsec", "centroid_offset_kic_err_arcsec"),
            _signal("centroid_offset_oot_arcsec", "centroid_offset_oot_err_arcsec"),
        ),
        "centroid(?: offsets?| shifts?)?", "offset of the centroid",
    ),
    _quantity(
        "distance from the star over the star's radius", "planet", "", (_signal("a_over_rs"),),
        r"\ba/r(?:s|_s|\*|star)?\b", "scaled semi-?major axis",
    ),
    _quantity(
        "semi-major axis", "planet", "au", (_planet("pl_orbsmax"),),
        r"semi-?\s?major ax[ie]s", "orbital distance",
        r"(?:distance|far)\b.*\bfrom (?:its|the|their) (?:host )?(?:star|sun)",
    ),
    _quantity("inclination", "planet", "deg", (_signal("inclination_deg"),), "inclinations?", r"\binclined\b"),
    _quantity(
        "eccentricity", "planet", "", (_planet("pl_orbeccen"),),
        "eccentricit(?:y|ies)", r"\beccentric\b", r"\belliptic(?:al|ity)?\b",
    ),
    _quantity(
        "year of discovery", "planet", "", (Source(PLANETS, "disc_year"),),
        "discover(?:y|ed) year", "(?:what|which) year", "year of (?:its )?discovery", f"when{_FOUND}",
    ),
    _quantity(
        "method of discovery", "planet", "", (Source(PLANETS, "discoverymethod"),),
        "discovery method", "method of (?:its )?discovery", f"how was{_FOUND}",
    ),
    _quantity(
        "facility of discovery", "planet", "", (Source(PLANETS, "disc_facility"),),
        "discovery facility", "facility of (?:its )?discovery",
        f"(?:which|what) (?:telescope|mission|facility|survey|instrument){_FOUND}",
    ),
    _quantity(
        "orbital period", "planet", "d", (_signal("period_days", "period_err_days"), _planet("pl_orbper")),
        r"\bperiods?\b", r"\byears?\b", r"how (?:long|often|many days)\b", "orbit(?:s|al)? (?:length|time)",
        r"days? (?:does|to|per)\b",
    ),
    _quantity(
        "mass of the star", "star", "M_Sun", _star("star_mass_sun", "st_mass"),
        rf"{_STAR_S} mass(?:es)?", rf"mass {_OF_STAR}", rf"how (?:massive|heavy) {_IS_STAR}",
    ),
    _quantity(
        "radius of the star", "star", "R_Sun", _star("star_radius_sun", "st_rad"),
        rf"{_STAR_S} (?:radius|size)", rf"(?:radius|size) {_OF_STAR}", rf"how (?:big|large|small) {_IS_STAR}",
    ),
    _quantity(
        "effective temperature of the star", "star", "K", _star("star_teff_k", "st_teff"),
        "effective temperatures?", r"\bt_?eff\b", rf"{_STAR_S} temperature", rf"temperature {_OF_STAR}",
        rf"how (?:hot|cool|cold|warm) {_IS_STAR}",
    ),
    _quantity(
        "surface gravity of the star", "star", "cm/s2", _star("star_logg_cgs", "st_logg"),
        "surface gravit(?:y|ies)", r"\blog ?g\b",
    ),
    _quantity(
        "metallicity of the star", "star", "dex", _star("star_metallicity_dex", "st_met"),
        "metallicit(?:y|ies)", r"\bfe/h\b", r"\bm/h\b", "metal content",
    ),
    _quantity(
        "distance", "star", "pc", _star("distance_pc", "sy_dist"),
        r"\bdistances?\b", r"how far\b", "parsecs?", "light[- ]?years?",
    ),
    _quantity(
        "brightness in the mission's band", "star", "mag", (_signal("magnitude"),),
        r"\bmagnitudes?\b", r"\bbright(?:ness)?\b", r"\b[kt]mag\b", "how faint",
    ),
    _quantity("right ascension", "star", "deg", (*_star("ra_deg"), Source(PLANETS, "ra")), *_POSITION),
    _quantity("declination", "star", "deg", (*_star("dec_deg"), Source(PLANETS, "dec")), *_POSITION),
    _quantity("proper motion in right ascension", "star", "mas/yr", _star("pm_ra_mas_yr"), "proper motions?"),
    _quantity("proper motion in declination", "star", "mas/yr", _star("pm_dec_mas_yr"), "proper motions?"),
    _quantity(
        "spectral type of the star", "star", "", (Source(PLANETS, "st_spectype"),),
        "spectral (?:type|class)", "(?:what|which) (?:kind|type) of star",
    ),
    _quantity("age", "star", "", (), r"\bages?\b", "how old"),
    _quantity("luminosity", "star", "", (), "luminosit(?:y|ies)", r"\bluminous\b"),
    _quantity("albedo", "planet", "", (), r"\balbedos?\b"),
    _quantity("density of the planet", "planet", "", (), r"\bdensit(?:y|ies)\b", "how dense"),
    _quantity(
        "planet mass", "planet", "M_Earth", (_planet("pl_bmasse"),),
        r"\bmass(?:es)?\b", "how (?:massive|heavy)", r"\bweigh(?:s|t)?\b",
    ),
    _quantity(
        "planet radius", "planet", "R_Earth", (_signal("radius_earth", "radius_err_earth"), _planet("pl_rade")),
        r"\bradi(?:us|i)\b", r"\bsizes?\b", "how (?:big|large|small)", r"\b(?:bigg|larg|small)(?:er|est)\b",
    ),
    _quantity(
        "temperature", "planet", "K", (_signal("teq_k", "teq_err_k"), _planet("pl_eqt")),
        r"\btemperatures?\b", r"how (?:hot|warm|cold|cool)\b", r"\b(?:hott|cool|cold|warm)(?:er|est)\b",
    ),
)  # fmt: skip

OF_THE_STAR = {
    "planet mass": "mass of the star",
    "planet radius": "radius of the star",
    "temperature": "effective temperature of the star",
    "equilibrium temperature": "equilibrium temperature",
}
"""What a quantity is that is asked of a star by the same words."""
BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}
