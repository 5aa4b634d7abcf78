-- Sessions, newest first: who, how long, and what happened in them.
--
-- Of each session only what lies in the window counts; seconds is from its first event to its last.
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   user=NAME     sessions of one user; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
)
SELECT sessionId AS session,
       beacond.time_text(min(ts), 'YYYY-MM-DD HH24:MI:SS') AS start,
       round((max(ts) - min(ts)) / 1000.0, 1) AS seconds,
       count(*) AS events,
       count(*) FILTER (WHERE type = 'navigation') AS pages,
       count(*) FILTER (WHERE type = 'click') AS clicks,
       count(*) FILTER (WHERE type = 'http') AS requests,
       count(*) FILTER (WHERE type = 'error') AS errors,
       string_agg(DISTINCT userId, ',') AS users
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
   AND sessionId IS NOT NULL
 GROUP BY sessionId
HAVING :user IS NULL OR bool_or(userId = :user)
 ORDER BY min(ts) DESC, sessionId
 LIMIT nullif(CAST(coalesce(:limit, '50') AS bigint), 0);
