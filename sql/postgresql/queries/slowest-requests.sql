-- The requests that took longest.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   path=PATTERN  as in the shell, '/api/*', of the url without its query; default: all
--   least=NUMBER  milliseconds that they took at least; default 0
--   limit=NUMBER  rows; default 20, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
)
SELECT duration AS ms, status, method, url, time, sessionId AS session, route, seq
  FROM requests
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
   AND (:path IS NULL OR path ~ beacond.pattern(:path))
   AND duration >= CAST(coalesce(:least, '0') AS numeric)
 ORDER BY duration DESC, seq DESC
 LIMIT nullif(CAST(coalesce(:limit, '20') AS bigint), 0);
