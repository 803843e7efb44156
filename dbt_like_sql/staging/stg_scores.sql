/* ---
description: The champion's judgement of every scored signal, its reasons also as a text that can be read.
owner: team:exo
key: signal_id
columns:
  signal_id:
    description: Name of the signal
    tests:
      - relationships: {to: core_signals, field: signal_id}
  probability_planet: {description: Calibrated probability that the signal is a planet, type: DOUBLE, tests: [not_null]}
  disposition_confirmed: {description: Probability that the archive would say CONFIRMED, type: DOUBLE}
  disposition_candidate: {description: Probability that the archive would say CANDIDATE, type: DOUBLE}
  disposition_false_positive: {description: Probability that the archive would say FALSE POSITIVE, type: DOUBLE}
  verdict:
    description: What people are told; candidate means unsure
    tests:
      - not_null
      - accepted_values: [planet, candidate, false positive]
  prediction_set:
    description: "What the signal can be at 95 % coverage of planets and of false positives alike; unsure: either"
    tests:
      - not_null
      - accepted_values: [planet, false positive, unsure]
  reasons_text: "Strongest reasons first: feature = value (contribution in log-odds, positive towards planet)"
  strongest_feature: Feature that moved the probability most
  strongest_contribution: {description: "Its contribution, positive towards planet", unit: log-odds, type: DOUBLE}
  model_version: "First 12 digits of the SHA-256 of the model that scored the signal"
  data_version: First 16 digits of the SHA-256 of core_signals as it was scored
tests:
  - expression: probability_planet BETWEEN 0 AND 1
    name: probability_between_0_and_1
  - expression: abs(disposition_confirmed + disposition_candidate + disposition_false_positive - 1) < 1e-6
    name: dispositions_sum_to_1
--- */
SELECT
    signal_id,
    probability_planet,
    disposition_confirmed,
    disposition_candidate,
    disposition_false_positive,
    verdict,
    prediction_set,
    array_to_string(
        list_transform(
            reasons,
            lambda reason: format(
                '{} = {} ({:+.2f})',
                reason.feature,
                coalesce(format('{:.4g}', reason.value), 'unknown'),
                reason.contribution
            )
        ),
        '; '
    ) AS reasons_text,
    reasons[1].feature AS strongest_feature,
    reasons[1].contribution AS strongest_contribution,
    model_version,
    data_version
FROM out_scores
