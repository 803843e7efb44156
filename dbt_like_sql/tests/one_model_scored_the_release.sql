/* ---
description: All scores come from one model and one version of the data.
table: stg_scores
--- */
SELECT model_version, data_version, count(*) AS signals, count(*) OVER () AS combinations
FROM stg_scores
GROUP BY model_version, data_version
QUALIFY combinations > 1
