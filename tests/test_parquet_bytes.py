"""Parquet from outside: whole files as they are, damaged ones refused whatever is damaged."""

from __future__ import annotations

import io
import random

import polars as pl
import pytest

from exo_assets.parquet_bytes import ParquetError, parquet_frame


def packed(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out, compression="uncompressed")
    return out.getvalue()


FRAME = pl.DataFrame({"star": [f"KIC {i}" for i in range(300)], "period": [i / 7 for i in range(300)], "n": range(300)})
WHOLE = packed(FRAME)


def test_a_whole_file_is_read_as_it_is() -> None:
    assert parquet_frame(WHOLE).equals(FRAME) and parquet_frame(WHOLE).schema == FRAME.schema


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"a,b\n1,2\n", WHOLE[:-1], WHOLE[: len(WHOLE) // 2]])
def test_what_is_cut_or_none_is_refused_in_a_line(data: bytes) -> None:
    with pytest.raises(ParquetError, match=r"^[^\n]+$"):
        parquet_frame(data)


def test_no_flipped_bit_raises_anything_else() -> None:
    """polars panics at some of these."""
    chance = random.Random(1)
    for _ in range(400):
        data = bytearray(WHOLE)
        for _ in range(chance.randint(1, 5)):
            data[chance.randrange(4, len(data))] ^= 1 << chance.randrange(8)
        try:
            parquet_frame(bytes(data))
        except ParquetError:
            continue
