-- What takes the space: bytes of events by application and type.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
)
SELECT appId AS app, type, count(*) AS events, sum(bytes) AS bytes,
       CAST(round(avg(bytes)) AS bigint) AS mean, max(bytes) AS largest
  FROM activity
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
 GROUP BY appId, type
 ORDER BY 4 DESC, app NULLS FIRST, type NULLS FIRST
 LIMIT nullif(CAST(coalesce(:limit, '50') AS bigint), 0);
