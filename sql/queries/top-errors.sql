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
    SELECT CAST(round((julianday(coalesce(:since, julianday(coalesce(:until, 'now')) - 1))
                       - 2440587.5) * 86400000) AS INTEGER) AS since,
           CAST(round((julianday(coalesce(:until, '9999-12-31T23:59:59.999Z'))
                       - 2440587.5) * 86400000) AS INTEGER) AS until
),
grouped AS (
    SELECT alike, place, count(*) AS count, count(DISTINCT sessionId) AS sessions,
           count(DISTINCT userId) AS users, min(ts) AS first, max(ts) AS last, max(seq) AS seq
      FROM errors
     WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
       AND (:app IS NULL OR appId = :app)
       AND (:message IS NULL OR instr(message, :message))
     GROUP BY alike, place
     ORDER BY 3 DESC, last DESC
     LIMIT coalesce(nullif(CAST(coalesce(:limit, 20) AS INTEGER), 0), -1)
)
SELECT grouped.count, grouped.sessions, grouped.users,
       datetime(first / 1000.0, 'unixepoch') AS first,
       datetime(last / 1000.0, 'unixepoch') AS last,
       errors.seq, errors.message, grouped.place, errors.stack
  FROM grouped CROSS JOIN errors ON errors.seq = grouped.seq
 ORDER BY grouped.count DESC, grouped.last DESC;
