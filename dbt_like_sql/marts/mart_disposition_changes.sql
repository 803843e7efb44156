/* ---
description: >
  Signals whose archive label differs from that in the last release. The last release is the newest one made from
  other archive snapshots than the present ones, so a release that differs by its model only does not hide changes.
  Before there is one, the present is compared with the first snapshot in the history (for Kepler, DR25 of 2017).
  Quarantined signals are not counted as withdrawn; mart_data_quality has them. A signal that the archive renamed is
  one signal, under its present name.
owner: team:exo
key: signal_id
columns:
  signal_id: Name of the signal, now
  mission:
    description: Mission
    tests: [not_null]
  planet_name: Name of the confirmed planet
  change:
    description: "new: not in the last release; changed: another label; withdrawn: no longer in the archive's table"
    tests:
      - not_null
      - accepted_values: [new, changed, withdrawn]
  disposition_before: Harmonised disposition in the last release; null for a new signal
  disposition_after: Harmonised disposition now; null for a withdrawn signal
  archive_before: Label in the last release, as the archive wrote it
  archive_after: Label now, as the archive writes it
  last_changed_on: {description: Date of the archive's snapshot in which the present label was first seen, type: DATE}
  compared_with: Release that is compared with; null when it is the first snapshot in the history
  probability_planet: {description: The champion's probability that the signal is a planet, type: DOUBLE}
  verdict: The champion's verdict
tests:
  - expression: archive_before IS DISTINCT FROM archive_after
    name: labels_differ
  - expression: (change = 'new') = (archive_before IS NULL AND disposition_before IS NULL) OR change = 'changed'
    name: new_signals_have_no_past
--- */
WITH first_snapshots AS (
    SELECT mission, min(as_of) AS first_as_of
    FROM core_disposition_history
    GROUP BY mission
),

names AS (
    SELECT DISTINCT mission, archive_name, signal_id
    FROM core_disposition_history
    WHERE archive_name <> signal_id
),

before AS (
    SELECT
        coalesce(names.signal_id, was.signal_id) AS signal_id,
        was.mission,
        was.disposition,
        was.disposition_archive,
        was.release_id
    FROM stg_last_release AS was
    LEFT JOIN names ON names.mission = was.mission AND names.archive_name = was.signal_id
    UNION ALL
    SELECT history.signal_id, history.mission, history.disposition, history.disposition_archive, NULL
    FROM core_disposition_history AS history
    JOIN first_snapshots
        ON history.mission = first_snapshots.mission AND history.as_of = first_snapshots.first_as_of
    WHERE history.change = 'first_seen' AND NOT EXISTS (SELECT 1 FROM stg_last_release)
),

compared_with AS (
    SELECT max(release_id) AS release_id FROM before
),

dated AS (
    SELECT signal_id, max(as_of) AS last_changed_on
    FROM core_disposition_history
    WHERE change <> 'renamed'
    GROUP BY signal_id
)

SELECT
    coalesce(now.signal_id, before.signal_id) AS signal_id,
    coalesce(now.mission, before.mission) AS mission,
    now.planet_name,
    CASE
        WHEN before.signal_id IS NULL THEN 'new'
        WHEN now.signal_id IS NULL THEN 'withdrawn'
        ELSE 'changed'
    END AS change,
    before.disposition AS disposition_before,
    now.disposition AS disposition_after,
    before.disposition_archive AS archive_before,
    now.disposition_archive AS archive_after,
    dated.last_changed_on,
    compared_with.release_id AS compared_with,
    scores.probability_planet,
    scores.verdict
FROM stg_signals AS now
FULL OUTER JOIN before ON now.signal_id = before.signal_id
CROSS JOIN compared_with
LEFT JOIN dated ON dated.signal_id = coalesce(now.signal_id, before.signal_id)
LEFT JOIN stg_scores AS scores ON scores.signal_id = now.signal_id
WHERE
    now.disposition_archive IS DISTINCT FROM before.disposition_archive
    AND NOT EXISTS (
        SELECT 1 FROM core_signals_quarantine AS kept_out
        WHERE now.signal_id IS NULL AND kept_out.signal_id = before.signal_id
    )
