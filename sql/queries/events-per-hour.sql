-- Events, visitors, requests and errors of each hour, newest first.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   limit=NUMBER  rows; default 48, 0 for all
WITH span AS (
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
)
SELECT strftime('%Y-%m-%dT%H:00Z', ts / 1000.0, 'unixepoch') AS hour,
       count(*) AS events,
       count(DISTINCT sessionId) AS sessions,
       count(DISTINCT userId) AS users,
       sum(type IS 'navigation') AS pages,
       sum(type IS 'click') AS clicks,
       sum(type IS 'http') AS requests,
       sum(type IS 'error') AS errors
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
 GROUP BY hour
 ORDER BY hour DESC
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 48) AS INTEGER), 0), -1);
