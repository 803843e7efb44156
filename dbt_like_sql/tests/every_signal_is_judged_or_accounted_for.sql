/* ---
description: Every signal has a score, or a row that says why it has none.
table: stg_scores
--- */
SELECT signals.signal_id, signals.mission
FROM core_signals AS signals
LEFT JOIN stg_scores AS scores ON scores.signal_id = signals.signal_id
LEFT JOIN out_scores_attrition AS lost ON lost.signal_id = signals.signal_id
WHERE scores.signal_id IS NULL AND lost.signal_id IS NULL
