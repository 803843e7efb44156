/* ---
description: Found signals are judged by the model that judged the catalogue.
table: mart_found_signals
--- */
SELECT mart.tce_id, mart.model_version
FROM mart_found_signals AS mart
WHERE
    mart.model_version NOT IN (SELECT scores.model_version FROM stg_scores AS scores)
    AND (SELECT count(*) FROM stg_scores) > 0
