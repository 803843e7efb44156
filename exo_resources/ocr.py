"""Text recognition of scanned pages by tesseract, where it is installed (Debian: tesseract-ocr).

Belongs here: finding and running the program. Does not belong here: which pages are recognised
(`exo_assets/corpus/read_pdf.py`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from exo_assets.corpus.reading import OcrError

PROGRAM = "tesseract"
LONGEST_SECONDS = 120.0
_DOTS_PER_INCH = "300"


@dataclass(frozen=True)
class Tesseract:
    """Text of one page's picture (any format that tesseract reads from a pipe); OcrError when there is none to get.

    `program` is tesseract, `language` one of its installed ones, or several joined by '+'. One thread a page: pages of
    many documents are read side by side.
    """

    program: Path
    language: str = "eng"
    longest_seconds: float = LONGEST_SECONDS

    def __call__(self, picture: bytes) -> str:
        """The text on `picture`; empty when it finds none."""
        command = [str(self.program), "stdin", "stdout", "-l", self.language, "--dpi", _DOTS_PER_INCH]
        try:
            done = subprocess.run(
                command,
                input=picture,
                capture_output=True,
                check=False,
                timeout=self.longest_seconds,
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            )
        except subprocess.TimeoutExpired:
            raise OcrError(f"tesseract took longer than {self.longest_seconds:g} s") from None
        except OSError as error:
            raise OcrError(f"{self.program} cannot be run ({error.strerror})") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise OcrError(f"tesseract failed: {said[-1] if said else f'status {done.returncode}'}")
        return done.stdout.decode(errors="replace")


def find_tesseract(language: str = "eng") -> Tesseract | None:
    """Tesseract on the PATH; None when it is not installed."""
    program = shutil.which(PROGRAM)
    return Tesseract(Path(program), language) if program else None
