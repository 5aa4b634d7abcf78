-- Why events could not be stored: how many for each reason, and when.
--
-- `beacond rejects` shows them.
--   limit=NUMBER  rows; default 50, 0 for all
SELECT reason, count(*) AS count, sum(length(event)) AS bytes,
       beacond.time_text(min(received), 'YYYY-MM-DD HH24:MI:SS') AS first,
       beacond.time_text(max(received), 'YYYY-MM-DD HH24:MI:SS') AS last
  FROM rejects
 GROUP BY reason
 ORDER BY 2 DESC, reason
 LIMIT nullif(CAST(coalesce(:limit, '50') AS bigint), 0);
