-- What pages wrote to the browser's console, the most frequent first.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   level=NAME    one level, such as error; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
)
SELECT level, method, message, count(*) AS count, count(DISTINCT sessionId) AS sessions,
       beacond.time_text(max(ts), 'YYYY-MM-DD HH24:MI:SS') AS last,
       max(seq) AS seq
  FROM console
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
   AND (:level IS NULL OR level = :level)
 GROUP BY level, method, message
 ORDER BY 4 DESC, level NULLS FIRST, method NULLS FIRST, message NULLS FIRST
 LIMIT nullif(CAST(coalesce(:limit, '50') AS bigint), 0);
