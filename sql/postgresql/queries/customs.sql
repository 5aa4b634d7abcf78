-- Events that applications name themselves: how many, by whom, and how long those took that tell it.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
)
SELECT name, count(*) AS count, count(DISTINCT sessionId) AS sessions,
       count(DISTINCT userId) AS users, round(avg(duration), 1) AS mean_ms,
       beacond.time_text(max(ts), 'YYYY-MM-DD HH24:MI:SS') AS last
  FROM customs
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
 GROUP BY name
 ORDER BY 2 DESC, name NULLS FIRST
 LIMIT nullif(CAST(coalesce(:limit, '50') AS bigint), 0);
