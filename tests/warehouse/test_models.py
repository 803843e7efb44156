"""SQL files into models: what is read, what is refused and where, what changes a version."""

# ruff: noqa: E501  (one case a line reads as a table)

from __future__ import annotations

from pathlib import Path

import pytest

from exo_assets.warehouse.models import ModelError, Project, load_project

KNOWN = {
    "core_signals": {"signal_id": "VARCHAR", "mission": "VARCHAR", "period_days": "DOUBLE"},
    "out_scores": {"signal_id": "VARCHAR", "p": "DOUBLE", "reasons": "STRUCT(feature VARCHAR, value DOUBLE)[]"},
}
MATTER = """/* ---
description: A model.
owner: team:exo
key: signal_id
columns:
  signal_id: Name
--- */
"""
SELECT = "SELECT signal_id FROM core_signals\n"


class Files:
    """A folder of SQL files."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "sql"

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def load(self) -> Project:
        return load_project(self.root, KNOWN)

    def model(self, text: str) -> Project:
        self.write("staging/stg_a.sql", text)
        return self.load()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_model_is_read(files: Files) -> None:
    model = files.model(
        """/* ---
description: >
  Signals that
  we like.
owner: team:exo
key: signal_id
columns:
  signal_id: {description: Name, tests: [{relationships: {to: out_scores}}]}
  period_days: {description: Period, unit: d, type: double}
tests:
  - expression: period_days > 0
    name: period_positive
--- */
SELECT signal_id, period_days FROM core_signals;
"""
    ).model("stg_a")
    assert model.description == "Signals that we like."
    assert [(c.name, c.description, c.unit, c.type) for c in model.columns] == [
        ("signal_id", "Name", "", ""),
        ("period_days", "Period", "d", "DOUBLE"),
    ]
    assert model.depends_on == ("core_signals",)
    assert model.must_exist == ("core_signals", "out_scores")
    assert [t.name for t in model.tests] == [
        "unique_signal_id",
        "not_null_signal_id",
        "relationships_signal_id_out_scores",
        "period_positive",
    ]
    assert model.tests[-1].line == 11


def test_models_run_after_what_they_read(files: Files) -> None:
    files.write("marts/mart_a.sql", MATTER + "SELECT signal_id FROM stg_z")
    files.write("staging/stg_z.sql", MATTER + "SELECT signal_id FROM stg_b")
    files.write("staging/deeper/stg_b.sql", MATTER + SELECT)
    assert files.load().names == ("stg_b", "stg_z", "mart_a")


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("WITH a AS (SELECT * FROM core_signals) SELECT signal_id FROM a", ["core_signals"]),
        ("WITH out_scores AS (SELECT * FROM core_signals) SELECT signal_id FROM out_scores", ["core_signals"]),
        ("WITH core_signals AS (SELECT * FROM core_signals) SELECT signal_id FROM core_signals", ["core_signals"]),
        ("SELECT signal_id FROM core_signals WHERE signal_id IN (SELECT signal_id FROM out_scores)", ["core_signals", "out_scores"]),
        ("SELECT signal_id FROM core_signals AS out_scores", ["core_signals"]),
        ("SELECT signal_id FROM core_signals UNION ALL SELECT signal_id FROM out_scores", ["core_signals", "out_scores"]),
        ("SELECT s.signal_id FROM core_signals s, unnest([1, 2]) AS u(x), range(3)", ["core_signals"]),
        ("SELECT signal_id FROM core_signals s WHERE EXISTS (SELECT 1 FROM out_scores o WHERE o.signal_id = s.signal_id)", ["core_signals", "out_scores"]),
        ("FROM core_signals SELECT signal_id", ["core_signals"]),
    ],
)  # fmt: skip
def test_tables_are_those_that_are_read(files: Files, sql: str, tables: list[str]) -> None:
    assert sorted(files.model(MATTER + sql).model("stg_a").depends_on) == tables


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (SELECT, 1, "no front matter"),
        ("/* a comment */\n" + SELECT, 1, "no front matter"),
        (MATTER.replace("owner: team:exo\n", "") + SELECT, 2, "lacks 'owner'"),
        (MATTER.replace("key: signal_id\n", "") + SELECT, 2, "lacks 'key'"),
        (MATTER.replace("key: signal_id", "key: other") + SELECT, 4, "'other', which is not a column"),
        (MATTER.replace("owner: team:exo", "owner: [1"), 4, "not valid YAML"),
        (MATTER.replace("owner: team:exo", "owner: a\nowner: b") + SELECT, 4, "'owner' is given twice"),
        (MATTER.replace("owner: team:exo", "owner: a\nonwer: b") + SELECT, 4, "unknown key 'onwer'; known are: description"),
        (MATTER.replace("signal_id: Name", "signal_id: {unit: d}") + SELECT, 6, "lacks 'description'"),
        (MATTER.replace("signal_id: Name", "signal_id: {description: N, tests: [not_nul]}") + SELECT, 6, "unknown test 'not_nul'"),
        (MATTER.replace("--- */", "tests:\n  - expression: a >\n    name: x\n--- */") + SELECT, 8, "is not SQL"),
        (MATTER.replace("--- */", "tests:\n  - expression: a > 0\n--- */") + SELECT, 8, "lacks 'name'"),
        (MATTER.replace("--- */", "tests:\n  - unique: [signal_id]\n--- */") + SELECT, 8, "already there (line 4)"),
        (MATTER.replace("signal_id: Name", "signal_id: {description: N, tests: [{relationships: {to: stg_none}}]}") + SELECT, 6, "unknown table 'stg_none'"),
        (MATTER + "SELECT signal_id\nFROM core_signal", 9, "unknown table 'core_signal'; did you mean core_signals?"),
        (MATTER + "SELECT signal_id\nFROM core_signals\nJOIN 'x.parquet' USING (signal_id)", 10, "unknown table 'x.parquet'"),
        (MATTER + "SELECT signal_id\nFROM read_csv('x.csv')", 9, "is not a table"),
        (MATTER + "SELECT signal_id\nFROM read_text('/etc/passwd')", 9, "is not a table"),
        (MATTER + "SELECT signal_id\nFROM main.core_signals", 9, "write plain table names"),
        (MATTER + SELECT + ";\n\nSELECT 2", 11, "more than one statement"),
        (MATTER + "DELETE FROM core_signals", 8, "one SELECT, not DELETE"),
        (MATTER + "CREATE TABLE x AS SELECT 1", 8, "one SELECT, not CREATE"),
        (MATTER + "COPY core_signals TO 'x'", 8, "one SELECT, not COPY"),
        (MATTER, 8, "no statement"),
        (MATTER + "SELECT signal_id FROM core_signals\nWHERE (1", 9, "SQL syntax"),
        (MATTER + "SELECT signal_id,\n  current_date AS d FROM core_signals", 9, "changes from run to run"),
        (MATTER + "SELECT signal_id FROM core_signals\nWHERE now() > '2020-01-01'", 9, "changes from run to run"),
        (MATTER + "SELECT signal_id FROM core_signals ORDER BY random()", 8, "changes from run to run"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_and_line(files: Files, text: str, line: int, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        files.model(text)
    assert str(caught.value).startswith(f"sql/staging/stg_a.sql:{line}: ")
    assert said in caught.value.reason


def test_a_name_that_does_not_fit_the_folder(files: Files) -> None:
    files.write("staging/mart_a.sql", MATTER + SELECT)
    with pytest.raises(ModelError, match=r"sql/staging/mart_a\.sql:1: a file in staging/ is named stg_"):
        files.load()


def test_a_name_twice(files: Files) -> None:
    files.write("staging/stg_a.sql", MATTER + SELECT)
    files.write("staging/more/stg_a.sql", MATTER + SELECT)
    with pytest.raises(ModelError, match=r"stg_a\.sql:1: 'stg_a' is also the name of sql/staging/more/stg_a\.sql"):
        files.load()


def test_a_name_that_python_makes(files: Files) -> None:
    files.write("staging/stg_a.sql", MATTER + SELECT)
    with pytest.raises(ModelError, match=r"stg_a\.sql:1: table 'stg_a' is already made elsewhere"):
        load_project(files.root, KNOWN | {"stg_a": {}})


def test_a_cycle(files: Files) -> None:
    files.write("staging/stg_a.sql", MATTER + "SELECT signal_id\nFROM stg_c")
    files.write("staging/stg_b.sql", MATTER + "SELECT signal_id\nFROM stg_a")
    files.write("staging/stg_c.sql", MATTER + "SELECT signal_id\nFROM stg_b")
    with pytest.raises(ModelError, match=r"sql/staging/stg_.\.sql:9: cycle of models: (stg_. -> ){3}stg_."):
        files.load()


def test_a_model_that_reads_itself(files: Files) -> None:
    with pytest.raises(ModelError, match=r"stg_a\.sql:8: cycle of models: stg_a -> stg_a"):
        files.model(MATTER + "SELECT signal_id FROM stg_a")


TEST = "/* ---\ndescription: None is wrong.\ntable: stg_a\n--- */\n"


def test_a_test_in_a_file_of_its_own(files: Files) -> None:
    files.write("tests/nothing_wrong.sql", TEST + "SELECT * FROM stg_a JOIN core_signals USING (signal_id)")
    test = files.model(MATTER + SELECT).tests[0]
    assert (test.name, test.table, test.depends_on) == ("nothing_wrong", "stg_a", ("core_signals",))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (TEST.replace("stg_a", "core_signals") + SELECT, 3, "must be a model"),
        (TEST + SELECT, 3, "does not read it"),
        (TEST + "SELECT *\nFROM stg_b", 6, "unknown table 'stg_b'"),
        (TEST.replace("table: stg_a\n", "") + "SELECT * FROM stg_a", 2, "lacks 'table'"),
    ],
)
def test_a_mistake_in_a_test_is_named_with_file_and_line(files: Files, text: str, line: int, said: str) -> None:
    files.write("tests/wrong.sql", text)
    with pytest.raises(ModelError) as caught:
        files.model(MATTER + SELECT)
    assert str(caught.value).startswith(f"sql/tests/wrong.sql:{line}: ")
    assert said in caught.value.reason


@pytest.mark.parametrize(
    "same",
    [
        "select   signal_id\n\nfrom core_signals",
        "SELECT signal_id -- the name\nFROM core_signals /* all */",
        "SELECT signal_id FROM core_signals;",
    ],
)
def test_form_does_not_change_the_version(files: Files, same: str) -> None:
    before = files.model(MATTER + SELECT).model("stg_a").version
    described = MATTER.replace("A model.", "Better described.").replace("Name", "{description: N, unit: d}")
    assert files.model(described + same).model("stg_a").version == before


@pytest.mark.parametrize(
    "other",
    [
        "SELECT signal_id FROM out_scores",
        "SELECT DISTINCT signal_id FROM core_signals",
        "SELECT signal_id FROM core_signals WHERE mission = 'tess'",
        "SELECT signal_id FROM core_signals WHERE mission = 'TESS'",
        "SELECT mission AS signal_id FROM core_signals",
        "SELECT signal_id FROM core_signals ORDER BY signal_id",
    ],
)
def test_meaning_changes_the_version(files: Files, other: str) -> None:
    before = files.model(MATTER + SELECT).model("stg_a").version
    assert files.model(MATTER + other).model("stg_a").version != before


def test_lineage_goes_through_ctes_joins_windows_and_lambdas(files: Files) -> None:
    files.write("staging/stg_a.sql", MATTER + "SELECT * FROM core_signals")
    project = files.load()
    assert project.lineage("stg_a")["signal_id"] == [("core_signals", "signal_id")]
    lineage = files.model(
        MATTER
        + """WITH c AS (SELECT *, period_days * 24 AS period_hours FROM core_signals)
SELECT c.signal_id, period_hours + o.p AS mixed, list_transform(o.reasons, lambda r: r.feature) AS names,
    row_number() OVER (PARTITION BY mission ORDER BY o.p) AS rank, 1 AS one
FROM c LEFT JOIN out_scores AS o USING (signal_id)"""
    ).lineage("stg_a")
    assert lineage["mixed"] == [("core_signals", "period_days"), ("out_scores", "p")]
    assert lineage["names"] == [("out_scores", "reasons")]
    assert lineage["rank"] == [("core_signals", "mission"), ("out_scores", "p")]
    assert lineage["one"] == []


def test_lineage_names_a_column_that_is_not_there(files: Files) -> None:
    project = files.model(MATTER + "SELECT signal_idd AS signal_id FROM core_signals")
    with pytest.raises(ModelError, match=r"stg_a\.sql:1: columns cannot be resolved.*signal_idd"):
        project.lineage("stg_a")


def test_columns_that_differ_from_the_front_matter(files: Files) -> None:
    model = files.model(MATTER.replace("signal_id: Name", "signal_id: {description: N, type: VARCHAR}") + SELECT).model(
        "stg_a"
    )
    assert model.misfits({"signal_id": "VARCHAR"}) == []
    assert model.misfits({"signal_id": "BIGINT"}) == ["column signal_id is BIGINT, the front matter says VARCHAR"]
    assert "lacks: ['x']" in model.misfits({"signal_id": "VARCHAR", "x": "DOUBLE"})[0]
    assert "the result lacks: ['signal_id']" in " ".join(model.misfits({"x": "DOUBLE"}))
