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
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
),
chosen AS (
    SELECT seq, ts, sessionId
      FROM activity
     WHERE seq = CASE WHEN :seq IS NOT NULL THEN CAST(:seq AS INTEGER)
                      WHEN :id IS NOT NULL
                      THEN (SELECT max(seq)
                              FROM activity
                             WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
                               AND id = CAST(:id AS TEXT))
                      ELSE (SELECT seq
                              FROM errors
                             WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
                               AND (:app IS NULL OR appId = :app)
                             ORDER BY ts DESC, seq DESC
                             LIMIT 1) END
)
SELECT (ts - (SELECT ts FROM chosen)) / 1000.0 AS seconds, type, level, what, route, time, seq
  FROM activity
 WHERE ts BETWEEN (SELECT ts FROM chosen) - CAST(coalesce(:about, 30) AS REAL) * 1000
              AND (SELECT ts FROM chosen) + CAST(coalesce(:about, 30) AS REAL) * 1000
   AND sessionId IS (SELECT sessionId FROM chosen)
 ORDER BY ts, seq
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 200) AS INTEGER), 0), -1);
