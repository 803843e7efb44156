"""Rows in the archive's own layouts, as text, for the catalogue tests."""

from __future__ import annotations

import polars as pl

# Kepler-227 b and TrES-2 b as the cumulative and DR25 KOI tables have them.
KEPLER_227 = {
    "kepid": "10797460",
    "kepoi_name": "K00752.01",
    "kepler_name": "Kepler-227 b",
    "koi_disposition": "CONFIRMED",
    "koi_period": "9.488035570",
    "koi_period_err1": "2.7750000e-05",
    "koi_period_err2": "-2.7750000e-05",
    "koi_time0bk": "170.5387500",
    "koi_time0bk_err1": "2.160000e-03",
    "koi_time0bk_err2": "-2.160000e-03",
    "koi_duration": "2.95750",
    "koi_depth": "6.1580e+02",
    "koi_depth_err1": "1.950e+01",
    "koi_depth_err2": "-1.950e+01",
    "koi_prad": "2.26",
    "koi_prad_err1": "0.26",
    "koi_prad_err2": "-0.15",
    "koi_steff": "5455.0",
    "koi_srad": "0.927",
    "koi_kepmag": "15.347",
    "ra": "291.934230",
    "dec": "48.141651",
}
TRES_2 = KEPLER_227 | {
    "kepid": "11446443",
    "kepoi_name": "K00001.01",
    "kepler_name": "Kepler-1 b",
    "koi_period": "2.470613370",
    "koi_time0bk": "122.7633055",
    "koi_depth": "1.4231e+04",
    "koi_kepmag": "11.338",
    "ra": "286.808470",
    "dec": "49.316399",
}
TOI = {
    "toi": "1000.01",
    "tid": "50365310",
    "tfopwg_disp": "FP",
    "ra": "112.3577080",
    "dec": "-12.6959600",
    "pl_tranmid": "2459229.6300460",
    "pl_orbper": "2.1713484",
    "pl_orbperlim": "0",
    "pl_trandurh": "2.0172196",
    "pl_trandep": "656.8860989",
    "pl_rade": "5.8181633",
    "st_tmag": "9.6040000",
    "st_teff": "10249.0000",
}
K2_3 = {
    "pl_name": "K2-3 b",
    "hostname": "K2-3",
    "default_flag": "1",
    "disposition": "CONFIRMED",
    "discoverymethod": "Transit",
    "pl_orbper": "10.05465350",
    "pl_orbperlim": "0",
    "pl_rade": "2.07800000",
    "st_rad": "0.546",
    "sy_gaiamag": "11.4785",
    "ra": "172.3353708",
    "dec": "-1.4551364",
    "rowupdate": "2023-07-10",
}


def table(*rows: dict[str, str | None]) -> pl.DataFrame:
    """The rows as an all-text frame; what a row lacks is empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame({c: [row.get(c) for row in rows] for c in columns}, schema=dict.fromkeys(columns, pl.String))


NOTHING = pl.DataFrame()
