-- What was clicked most: the element's text and id, and on which page.
--
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   limit=NUMBER  rows; default 50, 0 for all
WITH span AS (
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
)
SELECT text, elementId AS element, page, count(*) AS clicks, count(DISTINCT sessionId) AS sessions,
       count(DISTINCT userId) AS users
  FROM clicks
 WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
   AND (:app IS NULL OR appId = :app)
 GROUP BY text, elementId, page
 ORDER BY clicks DESC, text, elementId, page
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 50) AS INTEGER), 0), -1);
