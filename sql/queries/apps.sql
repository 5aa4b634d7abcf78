-- Applications: events, visitors and errors of each.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
)
SELECT appId AS app, count(*) AS events, count(DISTINCT sessionId) AS sessions,
       count(DISTINCT userId) AS users,
       sum(type IS 'error') AS errors,
       datetime(min(ts) / 1000.0, 'unixepoch') AS first,
       datetime(max(ts) / 1000.0, 'unixepoch') AS last
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
 GROUP BY appId
 ORDER BY events DESC, appId
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 50) AS INTEGER), 0), -1);
