/* ---
description: >
  Signals that are confirmed planets, by their own catalogue or under another name, with what the champion thinks of
  them: where it disagrees, either is worth a look.
owner: team:exo
key: signal_id
columns:
  planet_name: Name of the confirmed planet; null where the catalogue confirms a signal without naming it
  signal_id:
    description: Name of the signal
    tests:
      - relationships: {to: core_signals, field: signal_id}
  mission: Mission that the signal comes from
  star_id: Host star across missions (key of core_stars)
  confirmed_by:
    description: "own catalogue: the signal's own label says so; other name: another catalogue does"
    tests:
      - accepted_values: [own catalogue, other name]
  disposition_archive: Label of the signal in its own catalogue
  also_known_as: Signals and planets that are the same planet
  probability_planet: {description: The champion's probability that the signal is a planet, type: DOUBLE}
  verdict: The champion's verdict
  is_disputed: {description: Whether the champion calls it a false positive; null when it is not scored, type: BOOLEAN}
  period_days: {description: Orbital period, unit: d}
  radius_earth: {description: Planet radius, unit: R_Earth}
  insolation_earth: {description: Insolation, unit: S_Earth}
  teq_k: {description: Equilibrium temperature, unit: K}
  depth_ppm: {description: Transit depth, unit: ppm}
  snr: Signal to noise of the transit model
  star_teff_k: {description: Effective temperature of the star, unit: K}
  star_radius_sun: {description: Radius of the star, unit: R_Sun}
  distance_pc: {description: Distance, unit: pc}
  magnitude: {description: "Brightness in the mission's band: Kepler, TESS, or Gaia G for K2", unit: mag}
  ra_deg: {description: "Right ascension, ICRS", unit: deg}
  dec_deg: {description: "Declination, ICRS", unit: deg}
--- */
SELECT
    coalesce(identity.confirmed_name, signals.planet_name) AS planet_name,
    signals.signal_id,
    signals.mission,
    signals.star_id,
    CASE WHEN signals.disposition = 'CONFIRMED' THEN 'own catalogue' ELSE 'other name' END AS confirmed_by,
    signals.disposition_archive,
    identity.counterparts AS also_known_as,
    scores.probability_planet,
    scores.verdict,
    scores.verdict = 'false positive' AS is_disputed,
    signals.period_days,
    signals.radius_earth,
    signals.insolation_earth,
    signals.teq_k,
    signals.depth_ppm,
    signals.snr,
    signals.star_teff_k,
    signals.star_radius_sun,
    signals.distance_pc,
    signals.magnitude,
    signals.ra_deg,
    signals.dec_deg
FROM stg_signals AS signals
LEFT JOIN stg_planet_identity AS identity ON identity.signal_id = signals.signal_id
LEFT JOIN stg_scores AS scores ON scores.signal_id = signals.signal_id
WHERE
    signals.disposition = 'CONFIRMED'
    OR (signals.disposition = 'CANDIDATE' AND identity.is_confirmed_elsewhere)
ORDER BY planet_name NULLS LAST, signals.signal_id
