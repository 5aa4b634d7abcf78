-- Who was there on a day, and what they did.
--
--   day=DATE      in UTC; default: today
--   app=NAME      one application; default: all
--   limit=NUMBER  rows; default 100, 0 for all
WITH span AS (
    SELECT CAST(round((julianday(date(coalesce(:day, 'now'))) - 2440587.5) * 86400000) AS INTEGER)
               AS since,
           CAST(round((julianday(date(coalesce(:day, 'now'))) - 2440586.5) * 86400000) AS INTEGER) - 1
               AS until
)
SELECT userId AS user, count(DISTINCT sessionId) AS sessions, count(*) AS events,
       sum(type IS 'navigation') AS pages,
       sum(type IS 'click') AS clicks,
       sum(type IS 'error') AS errors,
       datetime(min(ts) / 1000.0, 'unixepoch') AS first,
       datetime(max(ts) / 1000.0, 'unixepoch') AS last
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
   AND userId IS NOT NULL
 GROUP BY userId
 ORDER BY events DESC, userId
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 100) AS INTEGER), 0), -1);
