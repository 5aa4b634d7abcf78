-- Calls of each method and path: how many, how many of them failed, how long they took.
--
-- Durations are in milliseconds; half of the calls took p50 or less, 95 of 100 took p95 or less.
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   path=PATTERN  as in the shell, '/api/*'; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
),
calls AS (
    SELECT method, path, failed, duration,
           row_number() OVER (PARTITION BY method, path ORDER BY duration IS NULL, duration) AS n,
           count(duration) OVER (PARTITION BY method, path) AS timed
      FROM requests
     WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
       AND (:app IS NULL OR appId = :app)
       AND (:path IS NULL OR path ~ beacond.pattern(:path))
)
SELECT method, path, count(*) AS calls, count(*) FILTER (WHERE failed) AS failed,
       round(100.0 * count(*) FILTER (WHERE failed) / count(*), 1) AS failed_percent,
       round(avg(duration), 1) AS mean,
       max(CASE WHEN n = (timed * 50 + 99) / 100 THEN duration END) AS p50,
       max(CASE WHEN n = (timed * 95 + 99) / 100 THEN duration END) AS p95,
       max(duration) AS longest
  FROM calls
 GROUP BY method, path
 ORDER BY calls DESC, path NULLS FIRST, method NULLS FIRST
 LIMIT nullif(CAST(coalesce(:limit, '50') AS bigint), 0);
