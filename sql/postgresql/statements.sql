-- statements.sql: every statement that beacond sends to PostgreSQL, each behind its name. Parameters
-- by number. Names are written with their schema: poolers may hand out sessions with another search
-- path.

-- @begin
BEGIN;

-- @commit
COMMIT;

-- @rollback
ROLLBACK;

-- Whether there is a schema of that name, and whether it is ours.
-- @schema_exists
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'beacond'),
       to_regclass('beacond.meta') IS NOT NULL;

-- @schema_version
SELECT convert_from(value, 'UTF8')::bigint FROM beacond.meta WHERE name = 'schema';

-- @secret
SELECT value FROM beacond.meta WHERE name = 'secret';

-- @days
SELECT beacond.days();

-- Those that end at the beginning of a day, or before.
-- @days_before
SELECT day FROM beacond.days() AS day WHERE day < $1;

-- @make_day
SELECT beacond.make_day($1);

-- @clear_day
SELECT beacond.clear_day($1, $2);

-- @drop_day
SELECT beacond.drop_day($1);

-- Where a node begins to follow the log of commits and erasures.
-- @follow_moment
SELECT last_seq, instance, at, erasures, total, epoch FROM beacond.moment();

-- What stands behind its place there.
-- @follow_news
SELECT kind, last_seq, first_seq, instance, at, events, low, high, n, ts, seq
  FROM beacond.news($1, $2, $3, $4, $5);

-- Whether the place is the same behind a connection that was lost.
-- @follow_check
SELECT beacond.total_at($1, $2), beacond.epoch();

-- The events of a commit behind one of its numbers.
-- @follow_events
SELECT seq, ts, event FROM beacond.events
 WHERE seq > $1 AND seq <= $2 AND ts >= $3 AND ts <= $4
 ORDER BY seq;

-- Whether there are events in a range that was erased: they came behind that, perhaps with numbers from
-- before it.
-- @follow_left
SELECT EXISTS (SELECT FROM beacond.events WHERE ts >= $1 AND ts < $2);
