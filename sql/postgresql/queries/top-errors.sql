-- The most frequent errors, with where they come from and their stacks.
--
-- Messages that differ in numbers alone count as one; message, stack and seq are those of the last one
-- stored.
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   message=TEXT  those whose message holds it; default: all
--   limit=NUMBER  rows; default 20, 0 for all
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
),
grouped AS (
    SELECT alike, place, count(*) AS count, count(DISTINCT sessionId) AS sessions,
           count(DISTINCT userId) AS users, min(ts) AS first, max(ts) AS last, max(seq) AS seq
      FROM errors
     WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
       AND (:app IS NULL OR appId = :app)
       AND (:message IS NULL OR strpos(message, :message) > 0)
     GROUP BY alike, place
     ORDER BY 3 DESC, last DESC
     LIMIT nullif(CAST(coalesce(:limit, '20') AS bigint), 0)
)
SELECT grouped.count, grouped.sessions, grouped.users,
       beacond.time_text(first, 'YYYY-MM-DD HH24:MI:SS') AS first,
       beacond.time_text(last, 'YYYY-MM-DD HH24:MI:SS') AS last,
       errors.seq, errors.message, grouped.place, errors.stack
  FROM grouped JOIN errors ON errors.seq = grouped.seq
 ORDER BY grouped.count DESC, grouped.last DESC;
