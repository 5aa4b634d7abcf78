-- The requests that took longest.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   path=PATTERN  as in the shell, '/api/*', of the url without its query; default: all
--   least=NUMBER  milliseconds that they took at least; default 0
--   limit=NUMBER  rows; default 20, 0 for all
WITH span AS (
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
)
SELECT duration AS ms, status, method, url, time, sessionId AS session, route, seq
  FROM requests
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
   AND (:path IS NULL OR path GLOB :path)
   AND duration >= CAST(coalesce(:least, 0) AS REAL)
 ORDER BY duration DESC, seq DESC
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 20) AS INTEGER), 0), -1);
