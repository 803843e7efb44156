/* ---
description: >
  What the data of this release are worth, one figure per row. kind says which: rows of a table; null_rate of a
  column; rows quarantined, by mission (or archive table) and reason; signals not scored, by stage and reason; where each
  archive table came from, as of when; why its newest copy could not be used (archive_problem: the table is stale or
  empty); and what was sent in its place and refused (archive_refused: the bytes are kept, see
  raw_archive__refused_copies).
owner: team:exo
key: [kind, table_name, item]
columns:
  kind:
    description: What the row says
    tests:
      - accepted_values: [rows, null_rate, quarantined, not_scored, archive_source, archive_problem, archive_refused]
  table_name: Table concerned
  item: "rows: empty; null_rate: the column; quarantined: mission or archive table, and reason; not_scored: stage and reason; archive_source: live, mirror, last_good, snapshot or absent; archive_problem and archive_refused: what was wrong"
  value: {description: "Rows, or for null_rate the share of rows in which the column is null; 1 for archive_refused", type: DOUBLE}
  share: {description: "value over the rows that it is a part of; null where that says nothing", type: DOUBLE}
  as_of: {description: Date of the archive's content; of archive_refused the day on which it came, type: DATE}
tests:
  - expression: value >= 0
    name: value_not_negative
  - expression: share BETWEEN 0 AND 1
    name: share_between_0_and_1
--- */
WITH quarantine_reasons AS (
    SELECT mission, unnest(string_split(quarantine_reason, ';')) AS reason
    FROM core_signals_quarantine
),

harmonised AS (
    SELECT count(*) AS row_count FROM core_signals_harmonised
),

signals AS (
    SELECT count(*) AS row_count FROM core_signals
)

SELECT
    'rows' AS kind,
    table_name,
    '' AS item,
    CAST(row_count AS DOUBLE) AS value,
    CAST(NULL AS DOUBLE) AS share,
    CAST(NULL AS DATE) AS as_of
FROM stg_lake_tables

UNION ALL

SELECT 'null_rate', table_name, column_name, null_rate, null_rate, NULL
FROM stg_lake_columns
WHERE null_rate IS NOT NULL

UNION ALL

SELECT
    'quarantined',
    'core_signals_quarantine',
    concat_ws(': ', mission, reason),
    CAST(count(*) AS DOUBLE),
    count(*) / max(harmonised.row_count),
    NULL
FROM quarantine_reasons
CROSS JOIN harmonised
GROUP BY mission, reason

UNION ALL

SELECT
    'quarantined',
    'core_archive_quarantine',
    concat_ws(': ', aside.archive_table, aside.reason),
    CAST(sum(aside.copies) AS DOUBLE),
    sum(aside.copies) / (max(raw.row_count) + max(quarantined.copies)),
    NULL
FROM core_archive_quarantine AS aside
JOIN (
    SELECT archive_table, sum(copies) AS copies FROM core_archive_quarantine GROUP BY archive_table
) AS quarantined ON quarantined.archive_table = aside.archive_table
JOIN stg_lake_tables AS raw ON raw.table_name = 'raw_nea__' || aside.archive_table
GROUP BY aside.archive_table, aside.reason

UNION ALL

SELECT
    'not_scored',
    'out_scores_attrition',
    concat_ws(': ', stage, reason),
    CAST(count(*) AS DOUBLE),
    count(*) / max(signals.row_count),
    NULL
FROM out_scores_attrition
CROSS JOIN signals
GROUP BY stage, reason

UNION ALL

SELECT
    'archive_source',
    table_name,
    archive_source,
    CAST(row_count AS DOUBLE),
    NULL,
    TRY_CAST(nullif(archive_as_of, '') AS DATE)
FROM stg_lake_tables
WHERE archive_source IS NOT NULL

UNION ALL

SELECT
    'archive_problem',
    table_name,
    archive_reason,
    CAST(row_count AS DOUBLE),
    NULL,
    TRY_CAST(nullif(archive_as_of, '') AS DATE)
FROM stg_lake_tables
WHERE archive_reason <> ''

UNION ALL

SELECT
    'archive_refused',
    concat('raw_nea__', archive_table),
    concat(source, ': ', error, ': ', reason, ' (', left(sha256, 12), ')'),
    1,
    NULL,
    TRY_CAST(left(refused_at, 10) AS DATE)
FROM raw_archive__refused_copies
