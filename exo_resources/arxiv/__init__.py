"""arXiv's abstracts: harvested, mirrored, or as last seen.

Belongs here: getting listings from the outside world. Does not belong here: what they hold (`exo_assets.corpus`).
"""

from __future__ import annotations

from exo_resources.arxiv.source import Abstracts, ArxivSource

__all__ = ["Abstracts", "ArxivSource"]
