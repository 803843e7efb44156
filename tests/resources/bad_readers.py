"""A reading process whose files do to it what hostile documents may: hang, crash, eat memory, talk nonsense."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any

from exo_assets.corpus.document import Document, Rejected
from exo_assets.corpus.read_document import read_document
from exo_resources.reading_process import serve


def read(name: str, data: bytes, **more: Any) -> Document | Rejected:
    """As `read_document`, but for files whose text says otherwise."""
    said = data.decode(errors="replace")
    if said == "hang":
        time.sleep(60)
    elif said == "segfault":
        ctypes.string_at(0)
    elif said.startswith("crash once "):
        marker = said.removeprefix("crash once ")
        if not os.path.exists(marker):
            open(marker, "w").close()
            os._exit(3)
    elif said == "memory":
        bytearray(8 * 2**30)
    elif said == "print":
        print("a library that talks", flush=True)
        sys.stdout.flush()
        os.write(1, b"and one that writes to the descriptor")
    return read_document(name, data, **more)


if __name__ == "__main__":
    serve(read)
