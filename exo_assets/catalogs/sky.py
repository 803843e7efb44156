"""Positions on the sky: separations, proper motion, nearest neighbours.

Belongs here: spherical geometry. Does not belong here: which stars are the same (`stars.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ARCSEC = np.pi / (180 * 3600)
"""One arc second in radians."""


def unit_vectors(ra_deg: Floats, dec_deg: Floats) -> Floats:
    """Cartesian unit vectors (n, 3) of positions in degrees."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def moved(ra_deg: Floats, dec_deg: Floats, pm_ra: Floats, pm_dec: Floats, years: Floats) -> Floats:
    """Unit vectors after `years` of proper motion [mas/yr, RA times cos dec]; an unknown (NaN) motion is none.

    Moves along the tangent plane and renormalises: exact to far below an arc second over decades, poles included.
    """
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    east = np.column_stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)])
    north = np.column_stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    step = years * ARCSEC / 1000
    shift = (np.nan_to_num(pm_ra) * step)[:, None] * east + (np.nan_to_num(pm_dec) * step)[:, None] * north
    vectors = unit_vectors(ra_deg, dec_deg) + shift
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def separation_arcsec(a: Floats, b: Floats) -> Floats:
    """Angle between paired unit vectors, from the chord (accurate for small angles)."""
    chord = np.linalg.norm(a - b, axis=1)
    return np.asarray(2 * np.arcsin(np.clip(chord / 2, 0, 1)) / ARCSEC)


def mutual_nearest(a: Floats, b: Floats, within_arcsec: float) -> tuple[Ints, Ints, Floats]:
    """Indices (i in a, j in b) of pairs that are each other's nearest, closer than `within_arcsec`; separations."""
    from scipy.spatial import cKDTree

    if not len(a) or not len(b):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    _, to_b = cKDTree(b).query(a)
    _, to_a = cKDTree(a).query(b)
    i = np.arange(len(a))
    j = np.asarray(to_b, dtype=np.int64)
    separation = separation_arcsec(a, b[j])
    keep = (np.asarray(to_a)[j] == i) & (separation <= within_arcsec)
    return i[keep], j[keep], separation[keep]


def pairs_within(a: Floats, b: Floats, within_arcsec: float) -> tuple[Ints, Ints, Floats]:
    """Indices of every pair (i in a, j in b) closer than `within_arcsec`, and separations."""
    from scipy.spatial import cKDTree

    if not len(a) or not len(b):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    found = cKDTree(a).sparse_distance_matrix(cKDTree(b), within_arcsec * ARCSEC, output_type="ndarray")
    i, j = found["i"].astype(np.int64), found["j"].astype(np.int64)
    order = np.lexsort((j, i))
    return i[order], j[order], separation_arcsec(a[i[order]], b[j[order]])


def components(n: int, i: Ints, j: Ints) -> Ints:
    """Label of the connected component of each of `n` nodes, given edges (i, j)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
