-- Who was there on a day, and what they did.
--
--   day=DATE      in UTC; default: today
--   app=NAME      one application; default: all
--   limit=NUMBER  rows; default 100, 0 for all
WITH day AS (
    SELECT beacond.step_floor(coalesce(beacond.time_ms(:day), beacond.now_ms()), 86400000) AS since
),
span AS (
    SELECT since, since + 86399999 AS until FROM day
)
SELECT userId AS "user", count(DISTINCT sessionId) AS sessions, count(*) AS events,
       count(*) FILTER (WHERE type = 'navigation') AS pages,
       count(*) FILTER (WHERE type = 'click') AS clicks,
       count(*) FILTER (WHERE type = 'error') AS errors,
       beacond.time_text(min(ts), 'YYYY-MM-DD HH24:MI:SS') AS first,
       beacond.time_text(max(ts), 'YYYY-MM-DD HH24:MI:SS') AS last
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
   AND userId IS NOT NULL
 GROUP BY userId
 ORDER BY events DESC, userId
 LIMIT nullif(CAST(coalesce(:limit, '100') AS bigint), 0);
