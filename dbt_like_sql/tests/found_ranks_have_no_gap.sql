/* ---
description: Ranks run from 1 on and follow the probability; what is below a threshold or not judged has none.
table: mart_found_signals
--- */
SELECT rank, tce_id, probability_planet, below_threshold, expected_rank, probability_before
FROM (
    SELECT
        rank,
        tce_id,
        probability_planet,
        below_threshold,
        CASE WHEN rank IS NOT NULL THEN row_number() OVER (ORDER BY rank NULLS LAST, tce_id) END AS expected_rank,
        lag(probability_planet) OVER (ORDER BY rank NULLS LAST, tce_id) AS probability_before
    FROM mart_found_signals
)
WHERE
    (rank IS NULL) <> (below_threshold OR probability_planet IS NULL)
    OR (rank IS NOT NULL AND (rank <> expected_rank OR probability_planet > probability_before))
