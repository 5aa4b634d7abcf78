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
