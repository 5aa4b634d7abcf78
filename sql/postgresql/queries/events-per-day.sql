-- Events of each day, newest first, from the tally: at once, however many there are.
--
--   since=DATE    the first day, in UTC; default: the oldest
--   until=DATE    the last day; default: the newest
--   limit=NUMBER  rows; default 60, 0 for all
SELECT beacond.time_text(at, 'YYYY-MM-DD') AS day, sum(events) AS events
  FROM tally_day
 WHERE (:since IS NULL OR at >= beacond.step_floor(beacond.time_ms(:since), 86400000))
   AND (:until IS NULL OR at <= beacond.step_floor(beacond.time_ms(:until), 86400000))
 GROUP BY at
HAVING sum(events) > 0
 ORDER BY at DESC
 LIMIT nullif(CAST(coalesce(:limit, '60') AS bigint), 0);
