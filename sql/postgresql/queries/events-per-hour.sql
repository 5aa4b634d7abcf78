-- Events, visitors, requests and errors of each hour, newest first.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   limit=NUMBER  rows; default 48, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
)
SELECT beacond.time_text(ts, 'YYYY-MM-DD"T"HH24":00Z"') AS hour,
       count(*) AS events,
       count(DISTINCT sessionId) AS sessions,
       count(DISTINCT userId) AS users,
       count(*) FILTER (WHERE type = 'navigation') AS pages,
       count(*) FILTER (WHERE type = 'click') AS clicks,
       count(*) FILTER (WHERE type = 'http') AS requests,
       count(*) FILTER (WHERE type = 'error') AS errors
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
 GROUP BY hour
 ORDER BY hour DESC
 LIMIT nullif(CAST(coalesce(:limit, '48') AS bigint), 0);
