"""A pinned version of the index, opened with the settings that it was deployed with.

Belongs here: putting together what a replica of the library needs. Does not belong here: swapping (library_slot.py), or
what is done with it (library_work.py).
"""

from __future__ import annotations

from deployments.serve.corpus_answerer import corpus_answerer
from deployments.serve.dossiers import Dossiers
from deployments.serve.library_slot import LibraryPin, LibraryRejectedError
from deployments.serve.library_work import OpenLibrary
from exo_resources.chat_store import ChatStore
from exo_resources.lake import Lake
from exo_resources.library_store import LibraryStore
from exo_resources.settings_file import read_settings

FIRST_SEARCH = "What is a transit?"


def open_library(pin: LibraryPin, before: OpenLibrary | None = None) -> OpenLibrary:
    """The pinned version, ready to search. Who words answers, and the histories, are shared with what was open
    `before` where the settings are the same. Raises whatever is wrong with the index, its model or the settings."""
    if pin.version is None or pin.settings is None:
        raise LibraryRejectedError("user_config names no version, or no settings, to open")
    settings = read_settings(pin.settings)
    lake = Lake(settings.lake)
    library = LibraryStore(lake, settings).open(pin.version)
    # The first search loads what is loaded late: it belongs to opening, and an index that cannot be searched is none.
    library.search(FIRST_SEARCH)
    same = before if before is not None and before.pin.settings == pin.settings else None
    return OpenLibrary(
        pin,
        library,
        same.answerer if same else corpus_answerer(settings, pin.settings.stem),
        same.chats if same else ChatStore(settings.chat),
        Dossiers(lake),
        settings.fusion,
    )
