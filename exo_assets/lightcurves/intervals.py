"""How sure a share is that was counted.

Belongs here: intervals of shares. Does not belong here: what is counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

Z_95 = 1.959963984540054
"""Standard deviations that hold 95 % of normal noise."""


def wilson(hits: ArrayLike, count: ArrayLike, z: float = Z_95) -> tuple[Array, Array]:
    """Wilson's (1927) score interval of `hits` in `count`, element by element; 95 % by default; nan where nothing is.

    It stays within 0 and 1 and is right near them, where a share plus or minus its standard error is not.
    """
    k, n = np.asarray(hits, dtype=np.float64), np.asarray(count, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # With no hit, or nothing but hits, an end is 0 or 1, which rounding misses.
    return np.where(k == 0, 0.0 * middle, middle - half), np.where(k == n, 1.0 + 0.0 * middle, middle + half)
