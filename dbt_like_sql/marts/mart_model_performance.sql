/* ---
description: >
  Figures of every candidate model ever judged, on stars that it never saw, over time: each beside the same figure of
  the model before it, and whether it is the champion. Compare figures of one metric, population and split only.
owner: team:exo
key: [candidate_digest, data_digest, head, population, split, metric]
columns:
  recorded_at: {description: When the figures were recorded (UTC), type: TIMESTAMP}
  candidate_version: Registry version of the model
  candidate_digest: SHA-256 of the files of the model
  is_champion: {description: Whether it is the champion now, type: BOOLEAN, tests: [not_null]}
  data_digest: First 16 digits of the SHA-256 of core_signals as it was judged on
  head:
    description: "planet: planet against false positive; disposition: the archive's three"
    tests:
      - accepted_values: [planet, disposition]
  population: overall or a mission
  split: "test: stars that nothing is ever trained on; unseen: those, and training stars judged out of fold"
  metric: Name of the figure
  value: {description: The figure; null when it is undefined (one class only), type: DOUBLE}
  low: {description: "Lower end of its 95 % interval, bootstrap by star", type: DOUBLE}
  high: {description: "Upper end of its 95 % interval, bootstrap by star", type: DOUBLE}
  value_before: {description: "The same figure of the model judged before it on the same data; null when there is none", type: DOUBLE}
  change: {description: value minus value_before, type: DOUBLE}
  n_signals: Signals that the figure rests on
  n_stars: Stars that they belong to
  prevalence: Share of planets among them
tests:
  - expression: low IS NULL OR high IS NULL OR low <= high
    name: interval_in_order
--- */
SELECT
    CAST(left(history.recorded_at, 19) AS TIMESTAMP) AS recorded_at,
    history.candidate_version,
    history.candidate_digest,
    champion.digest IS NOT NULL AS is_champion,
    history.data_digest,
    history.head,
    history.population,
    history.split,
    history.metric,
    history.value,
    history.low,
    history.high,
    lag(history.value) OVER same_figure AS value_before,
    history.value - lag(history.value) OVER same_figure AS change,
    history.n_signals,
    history.n_stars,
    history.prevalence
FROM ml_performance_history AS history
LEFT JOIN ml_vetter_champion AS champion ON champion.digest = history.candidate_digest
WINDOW same_figure AS (
    PARTITION BY history.head, history.population, history.split, history.metric, history.data_digest
    ORDER BY history.recorded_at, history.candidate_version
)
ORDER BY recorded_at DESC, history.head, history.population, history.split, history.metric
