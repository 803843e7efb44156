/* ---
description: For every signal that is one of several names of a planet, the other names and the planet.
owner: team:exo
key: signal_id
columns:
  signal_id:
    description: Name of the signal
    tests:
      - relationships: {to: core_signals, field: signal_id}
  planet_group_id: Name of the confirmed planet, else the first of the group's signals
  confirmed_name: "Confirmed planet that the signal is: its own planet, else that of its group"
  match_kind:
    description: How the signal was recognised
    tests:
      - accepted_values: [name, period, period_alias]
  counterparts: Signals and planets that it was matched with
  period_ratio: {description: Period over the period of the closest counterpart, type: DOUBLE}
  is_confirmed_elsewhere:
    description: Whether the signal is a confirmed planet, or shares its planet with a signal whose catalogue confirms it
    type: BOOLEAN
    tests: [not_null]
--- */
SELECT
    signal_id,
    planet_group_id,
    coalesce(planet_name, max(planet_name) OVER (PARTITION BY planet_group_id)) AS confirmed_name,
    match_kind,
    counterparts,
    period_ratio,
    planet_name IS NOT NULL
        OR coalesce(bool_or(disposition = 'CONFIRMED') OVER (PARTITION BY planet_group_id), FALSE)
        AS is_confirmed_elsewhere
FROM core_planet_identity
