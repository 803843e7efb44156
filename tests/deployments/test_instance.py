"""The instance files: both are valid, one is installed once, and edits are not lost."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from deployments.dagster.instance import (
    BACKENDS,
    POOLS,
    Backend,
    InstanceError,
    dagster_home,
    install,
    open_instance,
    set_pools,
)
from exo_resources.settings import CHECKOUT, Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
    return Settings(home=tmp_path / "home")


def shipped(backend: Backend) -> Path:
    return CHECKOUT / "deployments" / "dagster" / backend / "dagster.yaml"


def test_the_two_files_differ_in_their_storage_only() -> None:
    embedded, postgres = (yaml.safe_load(shipped(backend).read_text()) for backend in BACKENDS)
    assert embedded.pop("storage") != postgres.pop("storage")
    assert embedded == postgres


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_every_instance_must_have(backend: Backend) -> None:
    config = yaml.safe_load(shipped(backend).read_text())
    assert config["telemetry"] == {"enabled": False}
    assert config["run_monitoring"]["enabled"] and config["run_monitoring"]["free_slots_after_run_end_seconds"] > 0
    assert config["concurrency"]["runs"] == {"max_concurrent_runs": 1}
    assert config["run_retries"] == {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}
    assert set(config["retention"]) == {"schedule", "sensor"}


def test_opening_installs_the_embedded_instance_with_its_pools(settings: Settings) -> None:
    with open_instance(settings) as instance:
        limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
        assert limits == POOLS
        assert not instance.telemetry_enabled
        assert instance.is_persistent and instance.root_directory == str(dagster_home(settings))
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1  # type: ignore[union-attr]


def test_runs_outlive_the_process_that_made_them(settings: Settings) -> None:
    @dg.asset
    def one() -> None: ...

    with open_instance(settings) as instance:
        run_id = dg.materialize([one], instance=instance).run_id
    with open_instance(settings) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None and run.is_success


def test_set_up_twice_changes_nothing_the_second_time(settings: Settings) -> None:
    assert install(settings, "embedded").changed
    before = (dagster_home(settings) / "dagster.yaml").stat()
    again = install(settings, "embedded")
    assert not again.changed and again.kept_as is None
    assert (dagster_home(settings) / "dagster.yaml").stat().st_mtime_ns == before.st_mtime_ns
    with open_instance(settings) as instance:
        set_pools(instance)
        assert set_pools(instance) == {}
        instance.event_log_storage.set_concurrency_slots("release", 5)
        assert set_pools(instance) == {"release": 1}


def test_an_edited_file_is_left_alone_and_kept_when_replaced(settings: Settings) -> None:
    install(settings, "embedded")
    target = dagster_home(settings) / "dagster.yaml"
    target.write_text("# mine\ntelemetry:\n  enabled: false\n")
    assert install(settings).backend == "custom" and target.read_text().startswith("# mine")
    replaced = install(settings, "embedded")
    assert replaced.changed and replaced.kept_as is not None
    assert replaced.kept_as.read_text().startswith("# mine")
    assert target.read_text() == shipped("embedded").read_text()
    assert install(settings).backend == "embedded"


UNUSABLE = {
    "": "EXO_PG_URL is not set",
    "  ": "EXO_PG_URL is not set",
    "localhost": "no address of a database",
    "postgresql://exo:s3cret@host:port/db": "no address of a database",
    "postgres://exo:s3cret@host/db": "begins with postgres://",
    "mysql://exo:s3cret@host/db": "begins with mysql://",
    "postgresql://exo:s3cret@host": "names no database",
    "postgresql:///db": "names no host",
    "postgresql://exo:s3cret@127.0.0.1:1/db": "cannot be connected to",
}


@pytest.mark.parametrize("url", [None, *UNUSABLE])
@pytest.mark.parametrize("before", [True, False])
def test_postgres_is_tried_before_it_is_switched_to(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str | None, before: bool
) -> None:
    """The message names the variable and what is wrong with it, without its password; what was in force stays."""
    monkeypatch.delenv("EXO_PG_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("EXO_PG_URL", url)
    if before:
        install(settings)
    with pytest.raises(InstanceError, match=UNUSABLE.get(url or "", "")) as refused:
        install(settings, "postgres")
    assert ("EXO_PG_URL" in str(refused.value) and "postgresql://user:" in str(refused.value)) or url is not None
    assert "s3cret" not in str(refused.value)
    target = dagster_home(settings) / "dagster.yaml"
    assert not list(target.parent.glob(".dagster*")) and not (target.parent / "dagster.yaml.previous").exists()
    assert (target.read_text() == shipped("embedded").read_text()) if before else not target.exists()
    with open_instance(settings) as instance:
        assert instance.get_runs_count() == 0


def test_an_installed_postgres_without_its_address_says_what_to_set(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXO_PG_URL", raising=False)
    install(settings)
    (dagster_home(settings) / "dagster.yaml").write_text(shipped("postgres").read_text())
    with (
        pytest.raises(InstanceError, match=r"EXO_PG_URL is not set.*setup --storage embedded"),
        open_instance(settings),
    ):
        pass


def test_a_broken_file_says_how_to_renew_it(settings: Settings) -> None:
    install(settings, "embedded")
    (dagster_home(settings) / "dagster.yaml").write_text("storage: [what]\n")
    with pytest.raises(InstanceError, match="exo instance setup"), open_instance(settings):
        pass


def test_the_workspace_names_the_definitions() -> None:
    [location] = yaml.safe_load((CHECKOUT / "workspace.yaml").read_text())["load_from"]
    assert location["python_module"] == {
        "module_name": "deployments.definitions",
        "working_directory": ".",
        "location_name": "exo",
    }
