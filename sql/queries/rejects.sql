-- Why events could not be stored: how many for each reason, and when.
--
-- `beacond rejects` shows them.
--   limit=NUMBER  rows; default 50, 0 for all
SELECT reason, count(*) AS count, sum(length(event)) AS bytes,
       datetime(min(received) / 1000.0, 'unixepoch') AS first,
       datetime(max(received) / 1000.0, 'unixepoch') AS last
  FROM rejects
 GROUP BY reason
 ORDER BY 2 DESC, reason
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 50) AS INTEGER), 0), -1);
