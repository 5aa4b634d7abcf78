-- Browsers, their versions and systems: sessions, events and errors of each.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
),
used AS MATERIALIZED (
    SELECT sessionId, userId, max(seq) AS seq, count(*) AS events,
           count(*) FILTER (WHERE type = 'error') AS errors
      FROM clients
     WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
       AND (:app IS NULL OR appId = :app)
     GROUP BY userAgent, sessionId, userId
)
SELECT browser, version, system, count(DISTINCT used.sessionId) AS sessions,
       count(DISTINCT used.userId) AS users, sum(used.events) AS events, sum(used.errors) AS errors
  FROM used JOIN clients ON clients.seq = used.seq
 GROUP BY browser, version, system
 ORDER BY sessions DESC, 6 DESC, browser NULLS FIRST, version NULLS FIRST,
          system NULLS FIRST
 LIMIT nullif(CAST(coalesce(:limit, '50') AS bigint), 0);
