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
