-- Browsers, their versions and systems: sessions, events and errors of each.
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
),
used AS MATERIALIZED (
    SELECT sessionId, userId, max(seq) AS seq, count(*) AS events, sum(type IS 'error') AS errors
      FROM clients
     WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
       AND (:app IS NULL OR appId = :app)
     GROUP BY userAgent, sessionId, userId
)
SELECT browser, version, system, count(DISTINCT used.sessionId) AS sessions,
       count(DISTINCT used.userId) AS users, sum(used.events) AS events, sum(used.errors) AS errors
  FROM used CROSS JOIN clients ON clients.seq = used.seq
 GROUP BY browser, version, system
 ORDER BY sessions DESC, 6 DESC, browser, version, system
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 50) AS INTEGER), 0), -1);
