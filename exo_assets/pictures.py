"""Pictures and tables as Markdown for the metadata of assets.

Belongs here: the wrapping. Does not belong here: drawing.
"""

from __future__ import annotations

import base64
from typing import Any

import polars as pl


def image(png: bytes, caption: str) -> str:
    """The picture as a Markdown image that carries its own bytes."""
    return f"![{caption}](data:image/png;base64,{base64.b64encode(png).decode()})"


def rows_shown(frame: pl.DataFrame) -> str:
    """The table in Markdown; empty cells for null."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + " --- |" * frame.width]
    lines += ["| " + " | ".join(_shown(value) for value in row) + " |" for row in frame.iter_rows()]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
