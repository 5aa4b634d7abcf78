-- Events of each day, newest first, from the tally: at once, however many there are.
--
--   since=DATE    the first day, in UTC; default: the oldest
--   until=DATE    the last day; default: the newest
--   limit=NUMBER  rows; default 60, 0 for all
SELECT date(at / 1000.0, 'unixepoch') AS day, events
  FROM tally_day
 WHERE (:since IS NULL OR at >= CAST((julianday(date(:since)) - 2440587.5) * 86400000 AS INTEGER))
   AND (:until IS NULL OR at <= CAST((julianday(date(:until)) - 2440587.5) * 86400000 AS INTEGER))
 ORDER BY at DESC
 LIMIT coalesce(nullif(CAST(coalesce(:limit, 60) AS INTEGER), 0), -1);
