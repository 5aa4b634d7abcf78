-- Sessions, newest first: who, how long, and what happened in them.
--
-- Of each session only what lies in the window counts; seconds is from its first event to its last.
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   user=NAME     sessions of one user; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
)
SELECT sessionId AS session,
       datetime(min(ts) / 1000.0, 'unixepoch') AS start,
       round((max(ts) - min(ts)) / 1000.0, 1) AS seconds,
       count(*) AS events,
       sum(type IS 'navigation') AS pages,
       sum(type IS 'click') AS clicks,
       sum(type IS 'http') AS requests,
       sum(type IS 'error') AS errors,
       group_concat(DISTINCT userId) AS users
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
   AND sessionId IS NOT NULL
 GROUP BY sessionId
HAVING :user IS NULL OR sum(userId = :user) > 0
 ORDER BY min(ts) DESC, sessionId
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 50) AS INTEGER), 0), -1);
