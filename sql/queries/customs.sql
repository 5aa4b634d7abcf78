-- Events that applications name themselves: how many, by whom, and how long those took that tell it.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
)
SELECT name, count(*) AS count, count(DISTINCT sessionId) AS sessions,
       count(DISTINCT userId) AS users, round(avg(duration), 1) AS mean_ms,
       datetime(max(ts) / 1000.0, 'unixepoch') AS last
  FROM customs
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
 GROUP BY name
 ORDER BY 2 DESC, name
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 50) AS INTEGER), 0), -1);
