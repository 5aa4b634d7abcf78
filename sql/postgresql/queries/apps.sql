-- Applications: events, visitors and errors of each.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
)
SELECT appId AS app, count(*) AS events, count(DISTINCT sessionId) AS sessions,
       count(DISTINCT userId) AS users,
       count(*) FILTER (WHERE type = 'error') AS errors,
       beacond.time_text(min(ts), 'YYYY-MM-DD HH24:MI:SS') AS first,
       beacond.time_text(max(ts), 'YYYY-MM-DD HH24:MI:SS') AS last
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
 GROUP BY appId
 ORDER BY events DESC, appId NULLS FIRST
 LIMIT nullif(CAST(coalesce(:limit, '50') AS bigint), 0);
