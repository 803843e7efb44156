/* ---
description: Ranks run from 1 to the number of candidates and follow the probability.
table: mart_candidates
--- */
SELECT rank, signal_id, probability_planet, expected_rank, probability_before
FROM (
    SELECT
        rank,
        signal_id,
        probability_planet,
        row_number() OVER (ORDER BY rank) AS expected_rank,
        lag(probability_planet) OVER (ORDER BY rank) AS probability_before
    FROM mart_candidates
)
WHERE rank <> expected_rank OR probability_planet > probability_before
