-- Calls of each method and path: how many, how many of them failed, how long they took.
--
-- Durations are in milliseconds; half of the calls took p50 or less, 95 of 100 took p95 or less.
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   path=PATTERN  as in the shell, '/api/*'; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
),
calls AS (
    SELECT method, path, failed, duration,
           row_number() OVER (PARTITION BY method, path ORDER BY duration IS NULL, duration) AS n,
           count(duration) OVER (PARTITION BY method, path) AS timed
      FROM requests
     WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
       AND (:app IS NULL OR appId = :app)
       AND (:path IS NULL OR path GLOB :path)
)
SELECT method, path, count(*) AS calls, sum(failed) AS failed,
       round(100.0 * sum(failed) / count(*), 1) AS failed_percent,
       round(avg(duration), 1) AS mean,
       max(CASE WHEN n = (timed * 50 + 99) / 100 THEN duration END) AS p50,
       max(CASE WHEN n = (timed * 95 + 99) / 100 THEN duration END) AS p95,
       max(duration) AS longest
  FROM calls
 GROUP BY method, path
 ORDER BY calls DESC, path, method
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 50) AS INTEGER), 0), -1);
