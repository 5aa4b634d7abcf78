-- What was clicked most: the element's text and id, and on which page.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
)
SELECT text, elementId AS element, page, count(*) AS clicks, count(DISTINCT sessionId) AS sessions,
       count(DISTINCT userId) AS users
  FROM clicks
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
 GROUP BY text, elementId, page
 ORDER BY clicks DESC, text NULLS FIRST, elementId NULLS FIRST, page NULLS FIRST
 LIMIT nullif(CAST(coalesce(:limit, '50') AS bigint), 0);
