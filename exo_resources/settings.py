"""The one place that reads the environment.

Belongs here: every `EXO_*` setting, its default and its meaning, and the paths derived from them.
Does not belong here: anything that opens a file or a connection.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

OTHER_VARIABLES = ("EXO_PG_URL", "EXO_DEBUG")
"""Variables that are read elsewhere: by Dagster's instance file, by the command line."""

CHECKOUT = Path(__file__).resolve().parents[1]

ArchiveMode = Literal["auto", "live", "mirror", "snapshot"]
Profile = Literal["fast", "full"]


class Settings(BaseSettings):
    """Everything that can be set from outside, as `EXO_<NAME>`."""

    # Inputs may be secrets, and an error of validation reaches logs whole.
    model_config = SettingsConfigDict(
        env_prefix="EXO_", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(default=CHECKOUT / ".exo", description="Folder that holds all state.")
    archive: ArchiveMode = Field(default="auto", description="Where the archive's tables come from.")
    archive_url: str = Field(
        default="https://exoplanetarchive.ipac.caltech.edu",
        description="Root of the NASA Exoplanet Archive; its TAP service is below /TAP/sync.",
    )
    archive_mirror: str | None = Field(
        default=None,
        description="A folder, http(s):// or s3:// URL laid out like the archives (tap/<table>.csv.gz, mast/<file>).",
    )
    archive_timeout_s: float = Field(
        default=120.0, gt=0, allow_inf_nan=False, description="Longest wait for one table or light curve, seconds."
    )
    archive_connect_timeout_s: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="Longest wait for a connection, seconds."
    )
    archive_attempts: int = Field(default=4, ge=1, le=20, description="Tries per request before giving up.")
    archive_shrink: float = Field(
        default=0.25, ge=0, le=1, description="Share of a table's rows that may be missing in a new copy of it."
    )
    mast_url: str = Field(
        default="https://archive.stsci.edu",
        description="Root of MAST's files; light curves lie below /missions.",
    )
    mast_api_url: str = Field(
        default="https://mast.stsci.edu",
        description="Root of MAST's API, which is asked which K2 and TESS light curves there are.",
    )
    mast_at_once: int = Field(default=4, ge=1, le=16, description="Light curves that are fetched at the same time.")
    light_curve_stars: int | None = Field(
        default=None,
        ge=1,
        description="Stars of each mission that MAST is asked for; default: until diagnostics and views count, with "
        "EXO_PROFILE=full all.",
    )
    light_curve_gb_a_night: float = Field(
        default=0.5,
        ge=0,
        allow_inf_nan=False,
        description="GB of light curves that a night fetches from MAST before it leaves the rest to the next.",
    )
    lake_url: str | None = Field(
        default=None, description="Folder or s3:// URL of the Parquet lake; default <home>/lake."
    )
    mlflow_url: str | None = Field(
        default=None, description="MLflow store (sqlite:/// or postgresql://); default <home>/mlflow."
    )
    profile: Profile = Field(default="fast", description="fast: fixed hyper-parameters; full: Ray Tune search.")
    seed: int = Field(default=20090307, description="Seed of folds, models and bootstraps (Kepler's launch day).")
    ray_address: str | None = Field(default=None, description="Ray cluster to join; default: a Ray on this machine.")
    retrain: Literal["scratch", "ewc"] = Field(
        default="scratch",
        description="ewc: networks go on from the champion's (elastic weight consolidation); scratch: from nothing.",
    )
    simulated_weight: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Weight of a simulated signal when networks are trained (measured ones: 1); 0: none are made.",
    )
    train_workers: int = Field(
        default=0,
        ge=0,
        description="Workers that train networks; 0: as many as Ray has GPUs, else CPUs, but no more than needed.",
    )
    train_workers_per_model: int = Field(
        default=1, ge=1, description="Workers that train one network together (data parallel)."
    )
    # -- corpus ---------------------------------------------------------------------------------------------------
    documents: str | None = Field(
        default=None, description="Folder or s3:// URL that is watched for documents; default <home>/documents."
    )
    arxiv_url: str = Field(
        default="https://oaipmh.arxiv.org/oai", description="Where arXiv's listings are asked for (OAI-PMH)."
    )
    arxiv_categories: str = Field(
        default="astro-ph.EP", description="Categories of arXiv whose abstracts are kept, joined by commas."
    )
    arxiv_days: int = Field(
        default=30, ge=1, le=20_000, description="How far back the first listing of arXiv goes, days."
    )
    arxiv_pause_s: float = Field(
        default=3.0, ge=0, allow_inf_nan=False, description="Pause between two requests to arXiv, seconds."
    )
    embedding_model: Path | None = Field(
        default=None,
        description="Folder of another embedding model (model.onnx, tokenizer.json, model.json); default: the one that "
        "ships, or what was learned from it.",
    )
    embedder_learning: Literal["off", "lora", "dora", "full"] = Field(
        default="off", description="How weekly_retrain teaches the embedding model the corpus; off: not at all."
    )
    chunk_tokens: int = Field(default=512, ge=16, le=8192, description="Most tokens of a passage.")
    chunk_overlap: int = Field(default=128, ge=0, description="Most tokens that a passage shares with the one before.")
    fusion: Literal["0.5/0.5", "0.7/0.3", "rrf"] = Field(
        default="0.5/0.5", description="How vectors and keywords are joined (dense/keyword weights, reciprocal ranks)."
    )
    reranker: Path | None = Field(
        default=None,
        description="Folder of a cross-encoder (model.onnx, tokenizer.json) that orders the best passages.",
    )
    qdrant_url: str | None = Field(
        default=None,
        description="A Qdrant server (http, https; port 6333 unless named); default: Qdrant inside each process.",
    )
    qdrant_api_key: SecretStr | None = Field(default=None, description="Key of the Qdrant server.")
    qdrant_alias: str = Field(
        default="exo_corpus",
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        description="Name of the released index on the Qdrant server; homes that share a server need one each.",
    )
    generator: Literal["extractive", "remote", "local"] = Field(
        default="extractive",
        description="Who words answers: nobody (sentences are quoted), EXO_LLM_URL, or a model on this machine.",
    )
    llm_url: str | None = Field(
        default=None,
        description="An OpenAI-compatible endpoint (vLLM, Ollama, llama.cpp), such as http://host:8000/v1.",
    )
    llm_model: str | None = Field(
        default=None,
        validate_default=True,
        description="Name of the model there; local: path of a GGUF file.",
    )
    llm_api_key: SecretStr | None = Field(default=None, description="Key of that endpoint.")
    llm_timeout_s: float = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest wait for an answer of the language model, seconds.",
    )
    llm_attempts: int = Field(default=3, ge=1, le=10, description="Tries per question to the language model.")
    llm_context_tokens: int = Field(default=4096, ge=512, le=2_000_000, description="Tokens that the model reads.")
    llm_memory_gb: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Memory that a local model may take, GB; beyond: refused."
    )
    llm_quantisation: Literal["fp16", "int8", "4-bit"] | None = Field(
        default=None, description="Declared quantisation of the language model, shown in its status."
    )
    chat_url: str | None = Field(
        default=None,
        description="Database of chat histories (sqlite:/// or postgresql://); default <home>/serve/chat.db.",
    )
    library_replicas: int = Field(default=1, ge=1, le=64, description="Replicas of the endpoint's library.")
    serve_host: str = Field(default="127.0.0.1", description="Interface the endpoint listens on.")
    serve_port: int = Field(default=8100, ge=1, le=65535, description="Port of the endpoint.")
    raw_snapshots_kept: int = Field(
        default=30,
        ge=1,
        description="How many distinct copies of an archive table stay; the history of dispositions stays whole.",
    )
    releases_kept: int = Field(default=5, ge=2, description="How many DuckDB releases stay on disk.")
    webhook_url: str | None = Field(default=None, description="Alerts are also posted here as JSON.")
    ui_url: str = Field(
        default="http://127.0.0.1:3000", description="Where people reach the Dagster UI; alerts link to it."
    )
    nightly_at: str = Field(default="0 2 * * *", description="When nightly_refresh starts, as a cron line.")
    weekly_at: str = Field(default="0 5 * * 0", description="When weekly_retrain starts, as a cron line.")
    timezone: str = Field(default="UTC", description="Time zone of the schedules.")

    @field_validator(
        "archive_url", "mast_url", "mast_api_url", "webhook_url", "ui_url", "arxiv_url", "qdrant_url", "llm_url"
    )
    @classmethod
    def _web(cls, value: str | None) -> str | None:
        return _url(value, _OF_WEB)

    @field_validator("qdrant_url")
    @classmethod
    def _without_secrets(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("it has a user, a query or a fragment, which are not sent; EXO_QDRANT_API_KEY has the key")
        return value

    @field_validator("qdrant_api_key", "llm_api_key")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        bare = value.get_secret_value().strip() if value else ""
        if not (bare.isascii() and bare.isprintable()):
            raise ValueError("no key: it has characters that HTTP cannot send")
        return SecretStr(bare) if bare else None

    @field_validator("mlflow_url")
    @classmethod
    def _mlflow(cls, value: str | None) -> str | None:
        return _url(value, ("sqlite", "postgresql", "mysql", "mssql"))

    @field_validator("chat_url")
    @classmethod
    def _database(cls, value: str | None) -> str | None:
        return _database_url(_url(value, tuple(DRIVERS)))

    @field_validator("lake_url", "documents")
    @classmethod
    def _store(cls, value: str | None) -> str | None:
        if value and ":/" not in value and Path(value).expanduser().is_file():
            raise ValueError(f"{value!r} is a file; a folder is needed")
        return _url(value, ("s3",)) if value and ":/" in value else value

    @field_validator("archive_mirror")
    @classmethod
    def _mirror(cls, value: str | None) -> str | None:
        return _url(value, (*_OF_WEB, "s3", "gs", "file")) if value and ":/" in value else value

    @field_validator("serve_host")
    @classmethod
    def _interface(cls, value: str) -> str:
        if not re.fullmatch(r"[\w.:\-]+", value):
            raise ValueError(f"{value!r} is no name or address of an interface, such as 127.0.0.1 or 0.0.0.0")
        return value

    @field_validator("nightly_at", "weekly_at")
    @classmethod
    def _cron(cls, value: str) -> str:
        if not re.fullmatch(r"[\dA-Za-z*/,\-]+( +[\dA-Za-z*/,\-]+){4}", value.strip()):
            raise ValueError(f"{value!r} is no cron line of five fields, such as '0 2 * * *' (every night at two)")
        for field, most in zip(value.split(), CRON_MOST, strict=True):
            if any(int(number) > most for number in re.findall(r"\d+", field)):
                raise ValueError(f"{value!r} is no cron line: {field!r} is more than {most}")
        return value.strip()

    @field_validator("timezone")
    @classmethod
    def _time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone, such as UTC or Europe/Berlin") from None
        return value

    @field_validator("train_workers_per_model")
    @classmethod
    def _group(cls, value: int, info: ValidationInfo) -> int:
        workers = info.data.get("train_workers", 0)
        if 0 < workers < value:
            raise ValueError(f"{value} workers on each network are more than the {workers} of EXO_TRAIN_WORKERS")
        return value

    @field_validator("chunk_overlap")
    @classmethod
    def _overlap(cls, value: int, info: ValidationInfo) -> int:
        tokens = info.data.get("chunk_tokens", value + 1)
        if value >= tokens:
            raise ValueError(f"passages of {tokens} tokens (EXO_CHUNK_TOKENS) cannot overlap by {value}")
        return value

    @field_validator("llm_model")
    @classmethod
    def _generator(cls, value: str | None, info: ValidationInfo) -> str | None:
        wanted = info.data.get("generator", "extractive")
        if wanted == "remote" and not (info.data.get("llm_url") and value):
            raise ValueError("EXO_GENERATOR=remote needs EXO_LLM_URL and EXO_LLM_MODEL")
        return value

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        try:
            home = value.expanduser().resolve()
            usable = home.is_dir() or not home.exists()
        except (RuntimeError, OSError) as unknown:  # an unknown user, a loop of links, a name that is too long
            raise ValueError(f"{str(value)!r}: {unknown}") from None
        if not usable:
            raise ValueError(f"{str(home)!r} is a file; a folder is needed")
        return home

    @cached_property
    def lake(self) -> str:
        """URL or folder of the lake."""
        return self.lake_url or str(self.home / "lake")

    @cached_property
    def mlflow(self) -> str:
        """MLflow tracking and registry store."""
        return self.mlflow_url or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @cached_property
    def mlflow_artifacts(self) -> Path:
        """Folder of MLflow's artifacts."""
        return self.home / "mlflow" / "artifacts"

    @cached_property
    def releases(self) -> Path:
        """Folder of the DuckDB releases; `current` inside it names the live one."""
        return self.home / "releases"

    @property
    def alert_book(self) -> Path:
        """File of the open alerts."""
        return self.home / "alerts.json"

    @cached_property
    def documents_folder(self) -> str:
        """URL or folder of the watched documents."""
        return self.documents or str(self.home / "documents")

    @cached_property
    def chat(self) -> str:
        """Database of chat histories."""
        return self.chat_url or f"sqlite:///{self.home / 'serve' / 'chat.db'}"

    @cached_property
    def endpoint(self) -> str:
        """Root URL of the live endpoint."""
        return f"http://{self.serve_host}:{self.serve_port}"


CRON_MOST = (59, 23, 31, 12, 7)
"""Largest minute, hour, day, month and weekday."""

DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg2"}
"""Databases that chat histories can be in, and the driver of each that is installed."""

_OF_PATHS = ("sqlite", "file")
"""Schemes of URLs that have a path where others have a host."""
_OF_WEB = ("http", "https")


def _url(value: str | None, schemes: tuple[str, ...]) -> str | None:
    """`value`, its scheme in lower case; ValueError when it is no URL of `schemes`.

    The error is without its text, which may hold a password.
    """
    found = re.fullmatch(r"(\w+)(\+\w+)?://(\S+)", value) if value else None
    scheme = found[1].lower() if found else ""
    if value and not (found and scheme in schemes and found[3].startswith("/") == (scheme in _OF_PATHS)):
        begins = " or ".join(f"{scheme}:{'///' if scheme in _OF_PATHS else '//'}" for scheme in schemes)
        raise ValueError(f"no URL; it must begin with {begins} and say where")
    if value and scheme in _OF_WEB:
        _check_address(value)
    return value and scheme + value[len(scheme) :]


def _check_address(value: str) -> None:
    """ValueError for what only looks like a URL of the web: whoever connects would fail on it in words of its own."""
    try:
        address = urlsplit(value)
        sound = bool(address.hostname) and address.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("no URL: its host or port cannot be read, as in http://host:8000 or http://[::1]:8000")


def _database_url(value: str | None) -> str | None:
    """`value`; ValueError when SQLAlchemy cannot read it, or has no driver for it here."""
    if not value:
        return value
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(
            "no URL: it cannot be read, as sqlite:///folder/chat.db or postgresql://user:password@host:5432/name can"
        ) from None
    kind, _, driver = url.drivername.partition("+")
    if driver and driver != DRIVERS[kind]:
        raise ValueError(f"there is no driver {driver!r} here; leave it out: {kind}:// uses {DRIVERS[kind]}")
    return value


def unknown_variables() -> list[str]:
    """Environment variables that look like settings and are none: misspelt, probably."""
    known = {f"EXO_{name.upper()}" for name in Settings.model_fields} | set(OTHER_VARIABLES)
    return sorted(n for n in os.environ if n.startswith("EXO_") and not n.startswith("EXO_TEST_") and n not in known)
