/* ---
description: >
  Signals that Exo's own search found in light curves, the most likely planets first, each with the champion's
  judgement of it as it was found and, where the catalogue has it, that of its catalogue entry. Signals below the
  thresholds and those that could not be judged come last, without a rank.
owner: team:exo
key: tce_id
columns:
  rank:
    description: "1 is the most likely planet of those above the thresholds; null for the others"
    type: BIGINT
  tce_id:
    description: "Name of the signal: star and number; exo dossier takes it"
    tests:
      - relationships: {to: core_found_signals, field: tce_id}
  star_id: Star in the mission's input catalogue
  host_id: Host star across missions (key of core_stars); null where no catalogue has it
  mission:
    description: Mission that observed it
    tests:
      - accepted_values: [kepler, k2, tess]
  is_in_catalogue: {description: Whether it is a catalogued signal or a harmonic of one, type: BOOLEAN, tests: [not_null]}
  signal_id:
    description: The catalogued signal
    tests:
      - relationships: {to: core_signals, field: signal_id}
  match:
    description: "same, harmonic or none: what it is to the catalogued signal"
    tests:
      - not_null
      - accepted_values: [same, harmonic, none]
  period_ratio: {description: Its period over the catalogued one's, type: DOUBLE}
  probability_planet: {description: "Calibrated probability that it is a planet; null where it was not judged", type: DOUBLE}
  verdict:
    description: What people are told; candidate means unsure
    tests:
      - accepted_values: [planet, candidate, false positive]
  prediction_set:
    description: "What it can be at 95 % coverage of planets and of false positives alike; unsure: either"
    tests:
      - accepted_values: [planet, false positive, unsure]
  reasons: "Strongest reasons first: feature = value (contribution in log-odds, positive towards planet)"
  flags: What is to be known beside the judgement
  problems: Values that were taken as unknown, and what to beware of
  not_judged: Why there is no judgement; null where there is one
  n_signals_known: {description: "Signals of its star that were counted, itself included", type: BIGINT}
  completed_from: What the catalogue has of it and the search has not
  catalogue_probability_planet: {description: The champion's probability for the catalogue entry, type: DOUBLE}
  catalogue_verdict: The champion's verdict on the catalogue entry
  catalogue_disposition: Label of the archive
  catalogue_period_days: {description: Period in the catalogue, unit: d}
  catalogue_depth_ppm: {description: Transit depth in the catalogue, unit: ppm}
  period_days: {description: Orbital period, unit: d}
  t0_bjd: {description: "Time of a mid-transit, barycentric (TDB) Julian date", unit: d}
  duration_hours: {description: "Transit duration, first to last contact", unit: h}
  depth_ppm: {description: Transit depth, unit: ppm}
  snr: Signal to noise of the fitted transit
  sde: Signal detection efficiency
  n_transits: Transits with data
  below_threshold: {description: Whether it is weaker than what is ranked, type: BOOLEAN, tests: [not_null]}
  is_variable: {description: Whether the star varies at its period by more than its depth, type: BOOLEAN, tests: [not_null]}
  scattered_light: "Whether it is found only with the points flagged for scattered light (TESS), or only without them; null for neither"
  period_alternatives_days: {description: Other periods that the gaps in the data allow, unit: d}
  secondary_phase: Phase of the second dip of the orbit
  secondary_depth_ppm: {description: Depth of the second dip, unit: ppm}
  first_found_at: When the search found it first
  curve_source: Where its light curve is from
  flux_kind: "Flux of its light curve; it says so where a simulated transit was put in"
  page: "Its page of plots: the row tce_id of core_pages, a file of the lake below partitions/"
  model_version: "First 12 digits of the SHA-256 of the model that judged it"
tests:
  - expression: probability_planet BETWEEN 0 AND 1
    name: probability_between_0_and_1
--- */
SELECT
    scores.rank,
    found.tce_id,
    found.star_id,
    scores.host_id,
    found.mission,
    found.match <> 'none' AS is_in_catalogue,
    found.signal_id,
    found.match,
    found.period_ratio,
    scores.probability_planet,
    scores.verdict,
    scores.prediction_set,
    array_to_string(
        list_transform(
            scores.reasons,
            lambda told: format(
                '{} = {} ({:+.2f})',
                told.feature,
                coalesce(format('{:.4g}', told.value), 'unknown'),
                told.contribution
            )
        ),
        '; '
    ) AS reasons,
    array_to_string(scores.flags, '; ') AS flags,
    scores.problems,
    scores.reason AS not_judged,
    scores.n_signals_known,
    scores.completed_from,
    own.probability_planet AS catalogue_probability_planet,
    own.verdict AS catalogue_verdict,
    signals.disposition_archive AS catalogue_disposition,
    signals.period_days AS catalogue_period_days,
    signals.depth_ppm AS catalogue_depth_ppm,
    found.period_days,
    found.t0_bjd,
    found.duration_hours,
    found.depth_ppm,
    found.snr,
    found.sde,
    found.n_transits,
    found.below_threshold,
    found.is_variable,
    found.scattered_light,
    found.period_alternatives_days,
    found.secondary_phase,
    found.secondary_depth_ppm,
    scores.first_found_at,
    scores.curve_source,
    stars.flux_kind,
    'core_pages/' || stars.bucket || '.parquet' AS page,
    scores.model_version
FROM core_found_signals AS found
JOIN out_found_scores AS scores ON scores.tce_id = found.tce_id
LEFT JOIN core_searched_stars AS stars ON stars.star_id = found.star_id
LEFT JOIN core_signals AS signals ON signals.signal_id = found.signal_id
LEFT JOIN stg_scores AS own ON own.signal_id = found.signal_id
ORDER BY scores.rank NULLS LAST, found.tce_id
