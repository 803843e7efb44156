/* ---
description: >
  Candidates that nobody has confirmed or refuted, the most likely planets first, with the champion's reasons and the
  facts that a follow-up needs. A candidate that is a confirmed planet under another name is not here.
owner: team:exo
key: signal_id
columns:
  rank:
    description: "1 is the most likely planet; ties by signal to noise, then by name"
    type: BIGINT
    tests: [not_null, unique]
  signal_id:
    description: Name of the candidate
    tests:
      - relationships: {to: core_signals, field: signal_id}
  mission: Mission that the candidate comes from
  star_id: Host star across missions (key of core_stars)
  mission_star_id: Host in the mission's own naming
  tic_id: TESS Input Catalog number
  probability_planet:
    description: Calibrated probability that the candidate is a planet
    type: DOUBLE
    tests: [not_null]
  verdict:
    description: What people are told; candidate means unsure
    tests:
      - accepted_values: [planet, candidate, false positive]
  prediction_set: "What the candidate can be at 95 % coverage of planets and of false positives alike; unsure: either"
  reasons: "Strongest reasons first: feature = value (contribution in log-odds, positive towards planet)"
  disposition_archive: Label of the archive
  also_known_as: Signals that are the same planet under another name
  period_days: {description: Orbital period, unit: d}
  t0_bjd: {description: "Time of a mid-transit, barycentric (TDB) Julian date", unit: d}
  duration_hours: {description: Transit duration, unit: h}
  depth_ppm: {description: Transit depth, unit: ppm}
  snr: Signal to noise of the transit model
  radius_earth: {description: Planet radius, unit: R_Earth}
  insolation_earth: {description: Insolation, unit: S_Earth}
  teq_k: {description: Equilibrium temperature, unit: K}
  signals_on_star: Signals of the same star, this one included
  star_teff_k: {description: Effective temperature of the star, unit: K}
  star_radius_sun: {description: Radius of the star, unit: R_Sun}
  star_mass_sun: {description: Mass of the star, unit: M_Sun}
  star_logg_cgs: {description: "Surface gravity of the star, log10", unit: cm/s2}
  distance_pc: {description: Distance, unit: pc}
  magnitude: {description: "Brightness in the mission's band: Kepler, TESS, or Gaia G for K2", unit: mag}
  ra_deg: {description: "Right ascension, ICRS", unit: deg}
  dec_deg: {description: "Declination, ICRS", unit: deg}
  model_version: "First 12 digits of the SHA-256 of the model that scored the candidate"
--- */
SELECT
    row_number() OVER (
        ORDER BY scores.probability_planet DESC, signals.snr DESC NULLS LAST, signals.signal_id
    ) AS rank,
    signals.signal_id,
    signals.mission,
    signals.star_id,
    signals.mission_star_id,
    signals.tic_id,
    scores.probability_planet,
    scores.verdict,
    scores.prediction_set,
    scores.reasons_text AS reasons,
    signals.disposition_archive,
    identity.counterparts AS also_known_as,
    signals.period_days,
    signals.t0_bjd,
    signals.duration_hours,
    signals.depth_ppm,
    signals.snr,
    signals.radius_earth,
    signals.insolation_earth,
    signals.teq_k,
    signals.signals_on_star,
    signals.star_teff_k,
    signals.star_radius_sun,
    signals.star_mass_sun,
    signals.star_logg_cgs,
    signals.distance_pc,
    signals.magnitude,
    signals.ra_deg,
    signals.dec_deg,
    scores.model_version
FROM stg_signals AS signals
JOIN stg_scores AS scores ON scores.signal_id = signals.signal_id
LEFT JOIN stg_planet_identity AS identity ON identity.signal_id = signals.signal_id
WHERE
    signals.disposition = 'CANDIDATE'
    AND NOT coalesce(identity.is_confirmed_elsewhere, FALSE)
ORDER BY rank
