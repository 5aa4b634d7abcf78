-- What pages wrote to the browser's console, the most frequent first.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   level=NAME    one level, such as error; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
)
SELECT level, method, message, count(*) AS count, count(DISTINCT sessionId) AS sessions,
       datetime(max(ts) / 1000.0, 'unixepoch') AS last,
       max(seq) AS seq
  FROM console
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
   AND (:level IS NULL OR level = CAST(:level AS TEXT))
 GROUP BY level, method, message
 ORDER BY 4 DESC, level, method, message
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 50) AS INTEGER), 0), -1);
