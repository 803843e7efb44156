"""Settings in a file, for processes that outlive whoever set them.

Belongs here: settings to a private file and back. Does not belong here: what a setting means (`settings.py`).

The endpoint's cluster has the environment of whoever started it, perhaps weeks ago. What is deployed on it names the
settings that it was deployed with; keys and passwords among them stay out of Serve's own configuration.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from exo_resources.serve_cluster import write_private
from exo_resources.settings import Settings


class SettingsFileError(ValueError):
    """A file is no settings; the message names it."""


def write_settings(settings: Settings, folder: Path, name: str) -> Path:
    """Write `settings` to `folder`/`name`-<digest>.json, for the owner's eyes only; equal settings share a file."""
    text = json.dumps({field: _plain(field, settings) for field in type(settings).model_fields}, sort_keys=True)
    path = folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        write_private(path, text)
    return path


def read_settings(path: Path) -> Settings:
    """The settings that `write_settings` wrote; the environment adds nothing to them. SettingsFileError."""
    try:
        return Settings(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        # What is wrong may be a key or a password: only its kind is told.
        raise SettingsFileError(f"{path} holds no settings ({type(error).__name__}); deploy again") from error


def _plain(field: str, settings: Settings) -> Any:
    value = getattr(settings, field)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value.expanduser().resolve())
    if field in ("lake_url", "documents") and value and ":/" not in value:
        return str(Path(value).expanduser().resolve())  # whoever reads it is in another folder
    return value
