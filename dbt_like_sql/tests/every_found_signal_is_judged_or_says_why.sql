/* ---
description: Every signal that the search found has a row, with a judgement or the reason why there is none.
table: mart_found_signals
--- */
SELECT found.tce_id, mart.probability_planet, mart.not_judged
FROM core_found_signals AS found
LEFT JOIN mart_found_signals AS mart ON mart.tce_id = found.tce_id
WHERE mart.tce_id IS NULL OR (mart.probability_planet IS NULL) <> (mart.not_judged IS NOT NULL)
