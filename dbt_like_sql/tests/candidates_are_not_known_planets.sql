/* ---
description: No signal is both an unconfirmed candidate and a known planet.
table: mart_candidates
--- */
SELECT candidates.rank, candidates.signal_id, planets.planet_name
FROM mart_candidates AS candidates
JOIN mart_known_planets AS planets ON planets.signal_id = candidates.signal_id
