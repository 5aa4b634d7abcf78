-- What happened in a session shortly before and after an error, or any other event.
--
-- seconds tells how far from it each event is: before it negative, 0 for itself.
--   seq=NUMBER    which event, by its number; default: by id
--   id=TEXT       by its id, looked for in the window; default: the newest error of the window
--   about=SECONDS how far to look to both sides; default 30
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   limit=NUMBER  rows; default 200, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
),
chosen AS (
    SELECT seq, ts, sessionId
      FROM activity
     WHERE seq = CASE WHEN :seq IS NOT NULL THEN CAST(:seq AS bigint)
                      WHEN :id IS NOT NULL
                      THEN (SELECT max(seq)
                              FROM activity
                             WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
                               AND id = :id)
                      ELSE (SELECT seq
                              FROM errors
                             WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
                               AND (:app IS NULL OR appId = :app)
                             ORDER BY ts DESC, seq DESC
                             LIMIT 1) END
)
SELECT round((ts - (SELECT ts FROM chosen)) / 1000.0, 3) AS seconds, type, level, what, route, time, seq
  FROM activity
 WHERE ts BETWEEN (SELECT ts FROM chosen) - CAST(coalesce(:about, '30') AS numeric) * 1000
              AND (SELECT ts FROM chosen) + CAST(coalesce(:about, '30') AS numeric) * 1000
   AND sessionId IS NOT DISTINCT FROM (SELECT sessionId FROM chosen)
 ORDER BY ts, seq
 LIMIT nullif(CAST(coalesce(:limit, '200') AS bigint), 0);
