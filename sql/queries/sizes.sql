-- What takes the space: bytes of events by application and type.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
)
SELECT appId AS app, type, count(*) AS events, sum(bytes) AS bytes,
       CAST(round(avg(bytes)) AS INTEGER) AS mean, max(bytes) AS largest
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
 GROUP BY appId, type
 ORDER BY 4 DESC, app, type
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 50) AS INTEGER), 0), -1);
