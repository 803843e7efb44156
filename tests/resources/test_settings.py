"""What can be set, and what is said of wrong values."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from exo_resources.settings import Settings, unknown_variables


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("timezone", "Mars/Olympus", "no time zone"),
        ("timezone", "../../etc/passwd", "no time zone"),
        ("nightly_at", "at two", "no cron line"),
        ("nightly_at", "0 2 * *", "no cron line"),
        ("nightly_at", "99 99 * * *", "'99' is more than 59"),
        ("weekly_at", "0 5 * * 1-8", "'1-8' is more than 7"),
        ("serve_port", "99999", "65535"),
        ("profile", "slow", "fast"),
        ("archive", "nasa", "live"),
        ("archive_url", "exoplanetarchive", "must begin with http"),
        ("webhook_url", "chat.example.org/hook", "must begin with http"),
        ("mlflow_url", "mlflow.db", "must begin with sqlite"),
        ("lake_url", "gopher://lake", "must begin with s3"),
        ("lake_url", "s3:/bucket", "must begin with s3://"),
        ("lake_url", "s3://", "must begin with s3"),
        ("lake_url", __file__, "is a file"),
        ("archive_url", "https://", "must begin with http"),
        ("archive_mirror", "ftp://mirror/x", "must begin with http"),
        ("qdrant_url", "http://[::1", "host or port"),
        ("qdrant_url", "http://:6333", "host or port"),
        ("llm_url", "http://a:99999999/v1", "host or port"),
        ("llm_url", "https://a:port/v1", "host or port"),
        ("archive_mirror", "http://a:0/x", "host or port"),
        ("chat_url", "mysql://u:p@h/d", "must begin with sqlite:/// or postgresql://"),
        ("chat_url", "mssql://u:p@h/d", "must begin with sqlite:/// or postgresql://"),
        ("chat_url", "postgresql+psycopg://h/d", "no driver 'psycopg' here; .* uses psycopg2"),
        ("chat_url", "sqlite+pysqlcipher:///chat.db", "no driver 'pysqlcipher' here"),
        ("chat_url", "postgresql://h:notaport/d", "cannot be read"),
        ("chat_url", "postgresql://[::1/d", "cannot be read"),
        ("mast_url", "archive.stsci.edu", "must begin with http"),
        ("mast_api_url", "s3://mast", "must begin with http"),
        ("mast_at_once", "0", "greater than or equal to 1"),
        ("mast_at_once", "100", "less than or equal to 16"),
        ("train_workers", "-1", "greater than or equal to 0"),
        ("train_workers_per_model", "0", "greater than or equal to 1"),
        ("archive_timeout_s", "inf", "finite"),
        ("serve_host", "http://localhost", "no name or address"),
        ("home", "x" * 300, "too long"),
        ("home", __file__, "is a file"),
        ("home", "~nobody-of-that-name/exo", "home directory"),
    ],
)
def test_wrong_values_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(f"EXO_{name.upper()}", value)
    with pytest.raises(ValidationError, match=says):
        Settings()


def test_a_network_is_not_trained_by_more_workers_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXO_TRAIN_WORKERS_PER_MODEL", "4")
    assert Settings().train_workers_per_model == 4
    monkeypatch.setenv("EXO_TRAIN_WORKERS", "4")
    assert Settings().train_workers == 4
    monkeypatch.setenv("EXO_TRAIN_WORKERS", "3")
    with pytest.raises(ValidationError, match="4 workers on each network are more than the 3 of EXO_TRAIN_WORKERS"):
        Settings()


def test_sound_urls_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXO_ARCHIVE_URL", "HTTPS://Example.org")
    assert Settings().archive_url == "https://Example.org"
    for name, value in [
        ("archive_url", "https://exoplanetarchive.ipac.caltech.edu"),
        ("mlflow_url", "postgresql+psycopg2://u:p@h:5432/d"),
        ("mlflow_url", "sqlite:////var/lib/mlflow.db"),
        ("mlflow_url", "sqlite:///mlflow.db"),
        ("chat_url", "postgresql+psycopg2://u:p#?@[::1]:5432/d"),
        ("chat_url", "sqlite:////var/lib/chat.db"),
        ("qdrant_url", "http://[::1]:6333"),
        ("llm_url", "http://user:p%40@host/v1"),
        ("lake_url", "s3://bucket/prefix?region=x"),
        ("archive_mirror", "../shared/archive"),
        ("archive_mirror", "file:///data/archive"),
        ("serve_host", "::1"),
    ]:
        monkeypatch.setenv(f"EXO_{name.upper()}", value)
        assert getattr(Settings(), name) == value


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"EXO_{name.upper()}", raising=False)
    unset = Settings()
    for name in Settings.model_fields:
        monkeypatch.setenv(f"EXO_{name.upper()}", "")
    assert Settings() == unset
    assert unset.home.name == ".exo"


def test_the_schedules_times_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXO_NIGHTLY_AT", "*/5 1-3 * * mon,TUE ")
    monkeypatch.setenv("EXO_TIMEZONE", "America/New_York")
    assert (Settings().nightly_at, Settings().timezone) == ("*/5 1-3 * * mon,TUE", "America/New_York")


def test_misspelt_variables_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    before = unknown_variables()
    for name in ("EXO_MIRROR", "EXO_HOME", "EXO_PG_URL", "EXO_TEST_ANYTHING", "EXOTIC"):
        monkeypatch.setenv(name, "x")
    assert set(unknown_variables()) - set(before) == {"EXO_MIRROR"}
