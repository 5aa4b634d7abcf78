-- All that happened in one session, in its order.
--
--   id=SESSION    default: that of the newest event of the window
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   limit=NUMBER  rows; default 200, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
),
chosen AS (
    SELECT coalesce(:id, (SELECT sessionId
                            FROM activity
                           WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
                             AND sessionId IS NOT NULL
                           ORDER BY ts DESC, seq DESC
                           LIMIT 1)) AS session
)
SELECT time, type, level, what, route, userId AS "user", seq
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND sessionId = (SELECT session FROM chosen)
 ORDER BY ts, seq
 LIMIT nullif(CAST(coalesce(:limit, '200') AS bigint), 0);
