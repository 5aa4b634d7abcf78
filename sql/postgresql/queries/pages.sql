-- Pages: how often they were seen, by whom, for how long, and the errors on them.
--
-- entries are visits that began there; seconds is how long visitors stayed on average before the next.
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   whole=1       pages with what stands behind the question mark; default 0: without
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
),
moves AS (
    SELECT CASE WHEN CAST(coalesce(:whole, '0') AS integer) <> 0 THEN "to" ELSE page END AS page,
           CASE WHEN CAST(coalesce(:whole, '0') AS integer) <> 0 THEN "from" ELSE leaving END
               AS leaving,
           trigger IS NOT DISTINCT FROM 'load' AS loaded, duration, sessionId, userId
      FROM navigations
     WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
       AND (:app IS NULL OR appId = :app)
),
stays AS (
    SELECT leaving AS page, avg(duration) / 1000 AS seconds
      FROM moves
     WHERE NOT loaded
     GROUP BY leaving
),
troubles AS (
    SELECT CASE WHEN CAST(coalesce(:whole, '0') AS integer) <> 0 THEN route ELSE page END AS page,
           count(*) AS errors
      FROM errors
     WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
       AND (:app IS NULL OR appId = :app)
     GROUP BY 1
)
SELECT moves.page, count(*) AS views, count(*) FILTER (WHERE loaded) AS entries,
       count(DISTINCT sessionId) AS sessions, count(DISTINCT userId) AS users,
       round(stays.seconds, 1) AS seconds, coalesce(troubles.errors, 0) AS errors
  FROM moves LEFT JOIN stays ON stays.page = moves.page
             LEFT JOIN troubles ON troubles.page = moves.page
 GROUP BY moves.page, stays.seconds, troubles.errors
 ORDER BY views DESC, moves.page NULLS FIRST
 LIMIT nullif(CAST(coalesce(:limit, '50') AS bigint), 0);
