-- statements.sql: every statement that beacond sends to PostgreSQL, each behind its name. Parameters
-- by number. Names are written with their schema: poolers may hand out sessions with another search
-- path.

-- @begin
BEGIN ISOLATION LEVEL READ COMMITTED;

-- @commit
COMMIT;

-- @rollback
ROLLBACK;

-- @isolation
SELECT current_setting('default_transaction_isolation');

-- Whether there is a schema of that name, and whether it is ours.
-- @schema_exists
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'beacond'),
       to_regclass('beacond.meta') IS NOT NULL;

-- @schema_version
SELECT convert_from(value, 'UTF8')::bigint FROM beacond.meta WHERE name = 'schema';

-- @secret
SELECT value FROM beacond.meta WHERE name = 'secret';

-- --- beacond migrate: see take.h -----------------------------------------------------------------

-- Whether nodes have been here, a migration has begun, and it was from the source with that secret.
-- @take_look
SELECT EXISTS (SELECT FROM beacond.nodes),
       EXISTS (SELECT FROM beacond.moved),
       EXISTS (SELECT FROM beacond.meta WHERE name = 'secret' AND value = $1);

-- @take_any
SELECT EXISTS (SELECT FROM beacond.events) OR EXISTS (SELECT FROM beacond.rejects) OR
       EXISTS (SELECT FROM beacond.receipts) OR EXISTS (SELECT FROM beacond.commits);

-- @take_first
INSERT INTO beacond.moved(run, seq, compared, erasures) VALUES (0, 0, 0, 0);

-- @take_secret
UPDATE beacond.meta SET value = $1 WHERE name = 'secret';

-- The source may have been written to since it was finished: this begins anew at the end.
-- @take_reopen
DELETE FROM beacond.commits;

-- @take_run
UPDATE beacond.moved SET run = run + 1, finished = NULL RETURNING run, seq, compared, erasures;

-- The file may be read slowly meanwhile: nobody waits for this transaction.
-- @take_hold
SELECT run, set_config('idle_in_transaction_session_timeout', '0', true) FROM beacond.moved FOR UPDATE;

-- @take_mark
UPDATE beacond.moved SET seq = $1, compared = $2, erasures = $3;

-- @take_events
COPY beacond.events(seq, ts, received, given, id, event) FROM STDIN (FORMAT binary);

-- @take_rejects
COPY beacond.rejects(n, received, reason, event) FROM STDIN (FORMAT binary);

-- @take_receipts
COPY beacond.receipts(serial, key, instance, at, burst, lost, receipts) FROM STDIN (FORMAT binary);

-- @take_days
SELECT beacond.make_day(day) FROM unnest($1) AS day;

-- All four tables by one statement, the steps of each in two arrays.
-- @take_tally
WITH second AS (
    INSERT INTO beacond.tally_second AS t SELECT at, 0, events FROM unnest($1::bigint[], $2::bigint[]) u(at, events)
        ON CONFLICT (at, slot) DO UPDATE SET events = t.events + excluded.events
), minute AS (
    INSERT INTO beacond.tally_minute AS t SELECT at, 0, events FROM unnest($3::bigint[], $4::bigint[]) u(at, events)
        ON CONFLICT (at, slot) DO UPDATE SET events = t.events + excluded.events
), hour AS (
    INSERT INTO beacond.tally_hour AS t SELECT at, 0, events FROM unnest($5::bigint[], $6::bigint[]) u(at, events)
        ON CONFLICT (at, slot) DO UPDATE SET events = t.events + excluded.events
)
INSERT INTO beacond.tally_day AS t SELECT at, 0, events FROM unnest($7::bigint[], $8::bigint[]) u(at, events)
    ON CONFLICT (at, slot) DO UPDATE SET events = t.events + excluded.events;

-- [$1, $2): a day.
-- @take_erase_day
WITH events AS (DELETE FROM beacond.events WHERE ts >= $1 AND ts < $2),
     second AS (DELETE FROM beacond.tally_second WHERE at >= $1 AND at < $2),
     minute AS (DELETE FROM beacond.tally_minute WHERE at >= $1 AND at < $2),
     hour   AS (DELETE FROM beacond.tally_hour WHERE at >= $1 AND at < $2)
DELETE FROM beacond.tally_day WHERE at >= $1 AND at < $2;

-- @take_erase_rejects
TRUNCATE beacond.rejects;

-- @take_erase_receipts
TRUNCATE beacond.receipts;

-- Of each day: how many events have numbers in ($1, $2] and times in [$3, $4], and the sum of their
-- hashes, which are the first eight bytes of each SHA-256.
-- @take_sums
SELECT day, count(*), sum(('x' || encode(substr(sha256(
           int8send(ts) || int8send(seq) || int8send(received) || boolsend(given) ||
           int4send(octet_length(id)) || textsend(id) || textsend(event)), 1, 8), 'hex'))::bit(64)::bigint)::text
  FROM (SELECT *, ts - (ts % 86400000 + 86400000) % 86400000 AS day
          FROM beacond.events
         WHERE seq > $1 AND seq <= $2 AND ts >= $3 AND ts <= $4) AS e
 GROUP BY day;

-- Numbers go on above all that the source has given out. setval does not heed transactions, and this
-- may run again.
-- @take_numbers
SELECT setval('beacond.blocks', greatest(1, $1 >> 12)),
       setval(pg_get_serial_sequence('beacond.rejects', 'n'), greatest(1, $2), $2 > 0);

-- One commit, as nodes see it.
-- @take_commit
INSERT INTO beacond.commits(last_seq, first_seq, instance, at, events, min_ts, max_ts)
SELECT $1, 1, 0, $2,
       (SELECT coalesce(sum(events), 0)::bigint FROM beacond.tally_day),
       coalesce((SELECT min(ts) FROM beacond.events), 0),
       coalesce((SELECT max(ts) FROM beacond.events), 0)
 WHERE $1 > 0;

-- @take_finish
UPDATE beacond.moved SET finished = $1;

-- Of the table as a whole nobody does that by itself.
-- @take_analyze
ANALYZE beacond.events;

-- Whether a migration has begun and is not finished.
-- @moving
SELECT EXISTS (SELECT FROM beacond.moved WHERE finished IS NULL);

-- @days
SELECT beacond.days();

-- Those that end at the beginning of a day, or before; behind each whether it has no partition.
-- @days_before
SELECT day, far FROM beacond.days_before($1) ORDER BY day;

-- @make_day
SELECT beacond.make_day($1);

-- @clear_day
SELECT beacond.clear_day($1, $2, $3);

-- @drop_day
SELECT beacond.drop_day($1, $2);

-- @clear_far
SELECT beacond.clear_far();

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
SELECT seq, ts, event FROM beacond.commit_events($1, $2, $3, $4);

-- Whether there are events in a range that was erased: they came behind that, perhaps with numbers from
-- before it.
-- @follow_left
SELECT EXISTS (SELECT FROM beacond.events WHERE ts >= $1 AND ts < $2);

-- Waits for the receipts' keys, which are sorted, and holds them until the transaction ends. Of the locks'
-- keys see also "nodes" below.
-- @claim_lock
SELECT pg_advisory_xact_lock((68::bigint << 56) | (key & ((1::bigint << 56) - 1)))
  FROM unnest($1) AS key;

-- First in a transaction that stores, which waits for nobody's locks for long: meanwhile its requests
-- can't be refused. What takes longer than this the server ends by itself, before the node gives it up
-- (POSTGRES_PATIENCE_MS) and it would be committed behind its back. A plan is kept with the session: one that
-- was made while a table had a page would go on reading all of it, so the statements go along indexes. jit:
-- behind a pooler the settings that a session begins with may be lost.
-- @claim_patience
SELECT set_config('lock_timeout', '500ms', true), set_config('statement_timeout', '18s', true),
       set_config('idle_in_transaction_session_timeout', '10s', true),
       set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
       set_config('jit', 'off', true);

-- The same in one that may take its time otherwise: who stores waits behind it.
-- @lock_patience
SELECT set_config('lock_timeout', '500ms', true);

-- The number of the transaction: a commit whose answer was lost is asked after by it. beacond.own: behind a
-- pooler the settings that a session begins with may be lost, and what is stored would be taken for a change
-- by hand. That the node lives is seen behind its lock.
-- @claim_number
SELECT txid_current(), pg_advisory_xact_lock_shared((70::bigint << 56) | $1),
       set_config('beacond.own', 'on', true), beacond.insist_living($1);

-- Of each key the newest, as many as RECEIPTS_CHAIN (src/engine/receipts.h): a client that sends the same
-- event first again and again must not make each look-up slower.
-- @claim_receipts
SELECT serial, at, receipts, lost::bigint
  FROM unnest($1) AS asked(key)
       CROSS JOIN LATERAL (SELECT serial, at, receipts, lost FROM beacond.receipts
                            WHERE receipts.key = asked.key
                            ORDER BY at DESC, serial DESC LIMIT 64) AS newest
 ORDER BY at, serial;

-- Whether a transaction whose COMMIT's answer was lost is over, and whether it was committed: its session
-- may be at it still. One that the server does not know, for it has taken another's place and has not seen
-- it, is taken for over and not committed. It is compared with a new number: a snapshot's bound lies below
-- one that is under way while nothing newer has ended.
-- @transaction_state
SELECT coalesce(state <> 'in progress', true), coalesce(state = 'committed', false)
  FROM (SELECT CASE WHEN $1 < txid_current() THEN txid_status($1) END) AS asked(state);

-- Events: beacond's own ids first, then those whose clients chose the id. Their numbers are the blocks'
-- and each one's place in the whole commit. Blocks are taken here, where all rows are at hand: see
-- take_blocks(). beacond.stored is for @insist_given.
-- @append
WITH block AS (
    SELECT beacond.take_blocks($1) AS base
), put AS (
    INSERT INTO beacond.events(seq, ts, received, given, id, event)
    SELECT base + place, ts, received, false, id, event
      FROM block, unnest($2, $3, $4, $5, $6) AS row(place, ts, received, id, event)
    RETURNING seq, ts
), given AS (
    INSERT INTO beacond.events(seq, ts, received, given, id, event)
    SELECT base + place, ts, received, true, id, event
      FROM block, unnest($7, $8, $9, $10, $11) AS row(place, ts, received, id, event)
    ON CONFLICT (ts, id) WHERE given DO NOTHING
    RETURNING seq, ts
), stored AS (
    SELECT seq, ts FROM put UNION ALL SELECT seq, ts FROM given
), seconds AS (
    SELECT ts - (ts % 1000 + 1000) % 1000 AS at, count(*) AS events FROM stored GROUP BY 1
), minutes AS (
    SELECT at - (at % 60000 + 60000) % 60000 AS at, sum(events) AS events FROM seconds GROUP BY 1
), hours AS (
    SELECT at - (at % 3600000 + 3600000) % 3600000 AS at, sum(events) AS events
      FROM minutes GROUP BY 1
), days AS (
    SELECT at - (at % 86400000 + 86400000) % 86400000 AS at, sum(events) AS events
      FROM hours GROUP BY 1
), by_second AS (
    INSERT INTO beacond.tally_second AS old (at, slot, events)
    SELECT at, $12, events FROM seconds ORDER BY at
    ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events
), by_minute AS (
    INSERT INTO beacond.tally_minute AS old (at, slot, events)
    SELECT at, $12, events FROM minutes ORDER BY at
    ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events
), by_hour AS (
    INSERT INTO beacond.tally_hour AS old (at, slot, events)
    SELECT at, $12, events FROM hours ORDER BY at
    ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events
), by_day AS (
    INSERT INTO beacond.tally_day AS old (at, slot, events)
    SELECT at, $12, events FROM days ORDER BY at
    ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events
), note AS (
    INSERT INTO beacond.commits(last_seq, first_seq, instance, at, events, min_ts, max_ts)
    SELECT max(seq), min(seq), $13, $14, count(*), min(ts), max(ts)
      FROM stored HAVING count(*) > 0
)
SELECT base, beacond.insist((SELECT count(*) FROM put), cardinality($2)),
       ARRAY(SELECT seq FROM given ORDER BY seq),
       set_config('beacond.stored', (SELECT count(*) FROM given)::text, true)
  FROM block;

-- Behind it, where clients chose ids.
-- @insist_given
SELECT beacond.insist_given($1, $2);

-- What a transaction that was not an append adds to the tally.
-- @tally_second
INSERT INTO beacond.tally_second AS old (at, slot, events)
SELECT at, $1, events FROM unnest($2, $3) AS row(at, events)
ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events;

-- @tally_minute
INSERT INTO beacond.tally_minute AS old (at, slot, events)
SELECT at, $1, events FROM unnest($2, $3) AS row(at, events)
ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events;

-- @tally_hour
INSERT INTO beacond.tally_hour AS old (at, slot, events)
SELECT at, $1, events FROM unnest($2, $3) AS row(at, events)
ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events;

-- @tally_day
INSERT INTO beacond.tally_day AS old (at, slot, events)
SELECT at, $1, events FROM unnest($2, $3) AS row(at, events)
ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events;

-- @insert_receipts
INSERT INTO beacond.receipts(serial, key, instance, at, burst, lost, receipts)
SELECT serial, key, $1, $2, burst <> 0, 0, receipts
  FROM unnest($3, $4, $5, $6) AS row(serial, key, burst, receipts);

-- Rows are locked in the order of their numbers: nobody waits for one while holding a higher one that
-- somebody else waits for.
-- @change_lost
WITH changed AS (
    SELECT serial FROM beacond.receipts WHERE serial = ANY ($1) ORDER BY serial FOR UPDATE
)
UPDATE beacond.receipts AS receipt
   SET lost = greatest(0, lost + (SELECT sum(change)
                                    FROM unnest($1, $2) AS row(serial, change)
                                   WHERE row.serial = receipt.serial))
  FROM changed
 WHERE receipt.serial = changed.serial;

-- A number stands there once for each answer: equal bodies may share a receipt.
-- @lose
WITH changed AS (
    SELECT serial FROM beacond.receipts WHERE serial = ANY ($1) ORDER BY serial FOR UPDATE
)
UPDATE beacond.receipts AS receipt
   SET lost = lost + (SELECT count(*) FROM unnest($1) AS row(serial) WHERE row.serial = receipt.serial)
  FROM changed
 WHERE receipt.serial = changed.serial;

-- A commit whose answer was lost: so were those to its clients. A number stands there once for each. Where
-- the node has been found dead since, one of each of its own receipts was counted with that, and a client
-- that has come again may have had it.
-- @lose_doubtful
WITH living AS (
    SELECT FROM beacond.nodes WHERE instance = $2 AND ended IS NULL FOR SHARE
), changed AS (
    -- The node first, as everywhere.
    SELECT serial FROM beacond.receipts
     WHERE (SELECT count(*) FROM living) >= 0 AND serial = ANY ($1)
     ORDER BY serial FOR UPDATE
), answers AS (
    SELECT serial, count(*) AS count FROM unnest($1) AS row(serial) GROUP BY 1
)
UPDATE beacond.receipts AS receipt
   SET lost = CASE WHEN receipt.instance <> $2 OR EXISTS (SELECT FROM living) THEN lost + count
                   ELSE lost + greatest(count - 1, 0) END
  FROM changed JOIN answers USING (serial)
 WHERE receipt.serial = changed.serial;

-- What it stored under ids of beacond's own: what its node did behind what had been followed before.
-- @doubtful_ids
SELECT id
  FROM beacond.commits JOIN beacond.events ON seq BETWEEN first_seq AND last_seq
 WHERE instance = $1 AND last_seq > $2 AND NOT given;

-- @insert_rejects
INSERT INTO beacond.rejects(received, reason, event)
SELECT received, reason, event FROM unnest($1, $2, $3) AS row(received, reason, event);

-- @size_rejects
SELECT count(*), coalesce(sum(octet_length(event)), 0)::bigint FROM beacond.rejects;

-- The oldest beyond so many, or so many bytes. What another node drops just now is its business.
-- @trim_rejects
WITH newest AS (
    SELECT n, row_number() OVER newest_first AS rows,
           sum(octet_length(event)) OVER newest_first AS bytes
      FROM beacond.rejects WINDOW newest_first AS (ORDER BY n DESC)
), surplus AS (
    SELECT n FROM beacond.rejects
     WHERE n <= (SELECT max(n) FROM newest WHERE rows > $1 OR bytes > $2)
       FOR UPDATE SKIP LOCKED
)
DELETE FROM beacond.rejects USING surplus WHERE rejects.n = surplus.n;

-- @savepoint
SAVEPOINT event;

-- @release
RELEASE SAVEPOINT event;

-- @rollback_to
ROLLBACK TO SAVEPOINT event;

-- Reading. What lies behind these functions stands in 0001-schema.sql.
-- @read_begin
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- Before the first look: see read_survey().
-- @read_lock
LOCK TABLE ONLY beacond.events IN ACCESS SHARE MODE;

-- @read_moment
SELECT last_seq, erasures FROM beacond.read_moment();

-- @read_survey
SELECT last_seq, erasures, total, ts, seq FROM beacond.read_survey($1, $2, $3);

-- Pages. Each statement is planned for its bounds, which name a few partitions of maybe hundreds: from
-- the page's place to the end of a day by which so many events lie there, by the tally. Only how far
-- one statement goes depends on the tally: the next one begins where it ended.
-- @read_low
SELECT coalesce(min(at), $1)
  FROM (SELECT at, sum(sum(events)) OVER (ORDER BY at DESC) - sum(events) AS newer
          FROM beacond.tally_day
         WHERE at BETWEEN $1 AND $2
         GROUP BY at
         ORDER BY at DESC
         LIMIT 40) AS days
 WHERE newer < $3;

-- @read_high
SELECT least(coalesce(max(at) + 86399999, $2), $2)
  FROM (SELECT at, sum(sum(events)) OVER (ORDER BY at) - sum(events) AS older
          FROM beacond.tally_day
         WHERE at BETWEEN beacond.step_floor($1, 86400000) AND $2
         GROUP BY at
         ORDER BY at
         LIMIT 40) AS days
 WHERE older < $3;

-- The row comparison finds its place in the primary key, the other bounds name the partitions.
-- @read_down
SELECT ts, seq, received, given, event FROM beacond.events
 WHERE (ts, seq) < ($2, $3) AND ts BETWEEN $1 AND $2 AND seq <= $4
 ORDER BY ts DESC, seq DESC LIMIT $5;

-- @read_up
SELECT ts, seq, received, given, event FROM beacond.events
 WHERE (ts, seq) > ($2, $3) AND ts BETWEEN $2 AND $1 AND seq <= $4
 ORDER BY ts, seq LIMIT $5;

-- In the order of numbers the log of commits names the partitions, as far as it goes back: whether it
-- does to a number, and of the next commits, that hold so many events, the last number and the bounds
-- of their timestamps.
-- @read_seq_range
SELECT (SELECT EXISTS (SELECT FROM beacond.commits WHERE last_seq <= $1)), max(last_seq),
       min(min_ts), max(max_ts)
  FROM (SELECT last_seq, min_ts, max_ts, sum(events) OVER (ORDER BY last_seq) - events AS before
          FROM beacond.commits
         WHERE last_seq > $1 AND first_seq <= $2
         ORDER BY last_seq
         LIMIT 1000) AS next
 WHERE before < $3;

-- @read_seq
SELECT ts, seq, received, given, event FROM beacond.events
 WHERE seq > $1 AND seq <= $2 AND ts BETWEEN $3 AND $4
 ORDER BY seq LIMIT $5;

-- The same downwards, of the newest commits up to a number that held more than so many events.
-- @read_back_range
SELECT min(first_seq), min(min_ts), max(max_ts)
  FROM (SELECT first_seq, min_ts, max_ts,
               sum(events) OVER (ORDER BY last_seq DESC) - events AS newer
          FROM beacond.commits
         WHERE last_seq <= $1
         ORDER BY last_seq DESC
         LIMIT 10000) AS newest
 WHERE newer <= $2;

-- @read_back
SELECT seq FROM beacond.events
 WHERE seq BETWEEN $1 AND $2 AND ts BETWEEN $3 AND $4
 ORDER BY seq DESC LIMIT 1 OFFSET $5;

-- @read_rejects_count
SELECT count(*) FROM beacond.rejects;

-- @read_rejects
SELECT n, received, reason, event FROM beacond.rejects WHERE n > $1 ORDER BY n LIMIT $2;

-- @read_receipts
SELECT serial, at, receipts FROM beacond.receipts WHERE serial > $1 ORDER BY serial LIMIT $2;

-- Which of these events are stored. All that is stored under each of their timestamps is looked at once:
-- OFFSET 0 has it looked up there, and not all between the first and the last of them.
-- @read_known
WITH asked AS MATERIALIZED (
    SELECT ts, id, n FROM unnest($3, $4) WITH ORDINALITY AS row(ts, id, n)
), stored AS MATERIALIZED (
    SELECT there.ts, there.id
      FROM (SELECT DISTINCT ts FROM asked) AS stamps
           CROSS JOIN LATERAL (SELECT ts, id FROM beacond.events
                                WHERE events.ts = stamps.ts AND events.ts BETWEEN $1 AND $2
                               OFFSET 0) AS there
)
SELECT n FROM asked JOIN stored USING (ts, id);

-- What follows are answers of several statements: the watermark is taken first, then a transaction
-- looks once.
-- @read_mark
SELECT beacond.watermark();

-- @read_facts
SELECT schema, last_seq, events, oldest, newest, bytes, rejects FROM beacond.read_facts($1);

-- @read_facts_rest
SELECT (SELECT coalesce(sum(octet_length(event)), 0)::bigint FROM beacond.rejects),
       count(*), coalesce(sum(octet_length(receipts)), 0)::bigint, coalesce(min(at), 0)
  FROM beacond.receipts;

-- @read_count
SELECT beacond.count_window($1, $2, $3, beacond.later_range($3));

-- @read_steps
SELECT at, events FROM beacond.read_steps($1, $2, $3, $4);

-- @read_days
SELECT at, events FROM beacond.read_steps('day', -400000000000000, 400000000000001, $1)
 WHERE events > 0 ORDER BY at;

-- @read_reasons
SELECT reason, count(*) FROM beacond.rejects GROUP BY reason ORDER BY 2 DESC, 1 LIMIT $1;

-- Of each text only the beginning.
-- @read_rejects_down
SELECT n, received, reason, octet_length(event)::bigint, substring(event FROM 1 FOR $3::integer)
  FROM beacond.rejects WHERE n < $1 ORDER BY n DESC LIMIT $2;

-- --- the audit ----------------------------------------------------------------------------------------
-- What is not as it must be, a line each.

-- @audit_schema
WITH tables(name, columns) AS (
    VALUES ('commits', 'last_seq bigint, first_seq bigint, instance bigint, at bigint, '
                       'events bigint, min_ts bigint, max_ts bigint'),
           ('erasures', 'n bigint, behind bigint, at bigint, instance bigint, events bigint, '
                        'ts bigint[], seq bigint[], low bigint, high bigint'),
           ('events', 'seq bigint, ts bigint, received bigint, given boolean, id text, event text'),
           ('meta', 'name text, value bytea'),
           ('nodes', 'instance bigint, slot smallint, name text, started bigint, seen bigint, '
                     'ended bigint'),
           ('receipts', 'serial bigint, key bigint, instance bigint, at bigint, burst boolean, '
                        'lost integer, receipts bytea'),
           ('rejects', 'n bigint, received bigint, reason text, event bytea'),
           ('tally_day', 'at bigint, slot smallint, events bigint'),
           ('tally_hour', 'at bigint, slot smallint, events bigint'),
           ('tally_minute', 'at bigint, slot smallint, events bigint'),
           ('tally_second', 'at bigint, slot smallint, events bigint')
), indexes(name) AS (
    VALUES ('commits_pkey'), ('erasures_pkey'), ('events_by_seq'), ('events_given'), ('events_pkey'),
           ('meta_pkey'), ('nodes_living'), ('nodes_pkey'), ('receipts_bursts'), ('receipts_by_age'),
           ('receipts_by_key'), ('receipts_pkey'), ('rejects_pkey'), ('tally_day_pkey'),
           ('tally_hour_pkey'), ('tally_minute_pkey'), ('tally_second_pkey')
), present AS (
    SELECT pg_class.oid, relname::text AS name, relkind, relpartbound,
           inhparent = 'beacond.events'::regclass AS is_day
      FROM pg_class LEFT JOIN pg_inherits ON inhrelid = pg_class.oid
     WHERE relnamespace = 'beacond'::regnamespace
), present_tables AS (
    SELECT oid, name,
           (SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
              FROM pg_attribute
             WHERE attrelid = present.oid AND attnum > 0 AND NOT attisdropped) AS columns
      FROM present WHERE relkind IN ('r', 'p')
), days AS (
    SELECT oid, name, pg_get_expr(relpartbound, oid) AS bound,
           CASE WHEN name ~ '^events_[0-9]{4}_[0-9]{2}_[0-9]{2}$'
                THEN (to_date(substr(name, 8), 'YYYY_MM_DD') - date '1970-01-01')::bigint * 86400000
           END AS low
      FROM present WHERE is_day
)
SELECT format('table %s is missing', name) FROM tables
 WHERE name NOT IN (SELECT name FROM present_tables)
UNION ALL
SELECT format('table %s was changed', tables.name)
  FROM tables JOIN present_tables ON present_tables.name = tables.name
 WHERE tables.columns <> present_tables.columns
UNION ALL
SELECT format('index %s is missing', name) FROM indexes
 WHERE name NOT IN (SELECT name FROM present WHERE relkind IN ('i', 'I'))
UNION ALL
SELECT format('index %s is not valid: it is to be made anew (REINDEX)', name)
  FROM present JOIN pg_index ON indexrelid = present.oid
 WHERE NOT indisvalid OR NOT indisready
UNION ALL
SELECT format('unique index %s on %s is not beacond''s and changes what it stores', present.name,
              indrelid::regclass)
  FROM present JOIN pg_index ON indexrelid = present.oid
 WHERE indisunique AND name NOT IN (SELECT name FROM indexes)
   AND indexrelid NOT IN (SELECT inhrelid FROM pg_inherits)
   AND indrelid IN (SELECT oid FROM present_tables
                     WHERE name IN (SELECT name FROM tables) OR name LIKE 'events\_%')
UNION ALL
SELECT format('trigger %s on %s is not beacond''s and changes what it stores', tgname, present.name)
  FROM present JOIN pg_trigger ON tgrelid = present.oid
 WHERE NOT tgisinternal AND tgname NOT IN ('events_changed', 'tally_changed')
UNION ALL
(SELECT format('trigger %s on %s is missing, or does not fire', wanted, name)
   FROM (SELECT oid, name, 'events_changed' AS wanted FROM present_tables
          WHERE name = 'events' OR oid IN (SELECT oid FROM days)
         UNION ALL
         SELECT oid, name, 'tally_changed' FROM present_tables
          WHERE name IN ('tally_second', 'tally_minute', 'tally_hour', 'tally_day')) AS guarded
  WHERE NOT EXISTS (SELECT FROM pg_trigger
                     WHERE tgrelid = guarded.oid AND tgname = wanted AND tgenabled IN ('O', 'A'))
  ORDER BY name LIMIT 5)
UNION ALL
(SELECT format('partition %s has not all of the indexes', name) FROM days
  WHERE (SELECT count(*) FROM pg_index JOIN pg_inherits ON inhrelid = indexrelid
          WHERE indrelid = days.oid) < 3
  ORDER BY name LIMIT 5)
UNION ALL
(SELECT format('partition %s does not hold the day that it is called after', name) FROM days
  WHERE bound <> 'DEFAULT' AND name <> 'events_old' AND
        bound IS DISTINCT FROM format('FOR VALUES FROM (''%s'') TO (''%s'')', low, low + 86400000)
  ORDER BY name LIMIT 5);

-- @audit_meta
SELECT 'secret is missing, or not 16 bytes'
 WHERE NOT EXISTS (SELECT FROM beacond.meta WHERE name = 'secret' AND octet_length(value) = 16)
UNION ALL
SELECT 'doubt is missing, or neither yes nor no'
 WHERE NOT EXISTS (SELECT FROM beacond.meta WHERE name = 'doubt' AND value IN ('yes', 'no'));

-- @audit_doubt
SELECT EXISTS (SELECT FROM beacond.meta WHERE name = 'doubt' AND value = 'yes');

-- What numbers and timestamps can be, and that a number which is to come has not been used yet.
-- @audit_events
WITH bounds AS (
    SELECT min(seq) AS first, max(seq) AS last, min(ts) AS oldest, max(ts) AS newest FROM beacond.events
), given_out AS (
    SELECT (last_value + 1) * 4096 - 1 AS last FROM beacond.blocks
)
SELECT format('seq %s is below 1', first) FROM bounds WHERE first < 1
UNION ALL
SELECT format('seq %s is above %s: it is to be given out yet', bounds.last, given_out.last)
  FROM bounds, given_out WHERE bounds.last > given_out.last
UNION ALL
SELECT format('ts %s is no time that an event can have', oldest) FROM bounds
 WHERE oldest < -400000000000000
UNION ALL
SELECT format('ts %s is no time that an event can have', newest) FROM bounds
 WHERE newest > 400000000000000
UNION ALL
SELECT format('%s in events_other belong to days that have partitions', count(*))
  FROM beacond.events_other
 WHERE beacond.step_floor(ts, 86400000) IN (SELECT day * 86400000 FROM beacond.days() AS day)
HAVING count(*) > 0;

-- @audit_commits
SELECT format('%s can''t be made sense of', last_seq)
  FROM (SELECT *, lag(last_seq) OVER (ORDER BY last_seq) AS before FROM beacond.commits) AS log
 WHERE first_seq < 1 OR first_seq > last_seq OR first_seq <= before OR min_ts > max_ts
    OR events NOT BETWEEN 1 AND last_seq - first_seq + 1
    OR last_seq >= ((SELECT last_value FROM beacond.blocks) + 1) * 4096
 ORDER BY last_seq LIMIT 5;

-- @audit_erasures
SELECT format('%s of %s numbers are missing', max(n) - min(n) + 1 - count(*), max(n) - min(n) + 1)
  FROM beacond.erasures HAVING max(n) - min(n) + 1 <> count(*)
UNION ALL
(SELECT format('%s can''t be made sense of', n) FROM beacond.erasures
  WHERE cardinality(ts) IS DISTINCT FROM cardinality(seq) OR (low IS NULL) <> (high IS NULL)
     OR (ts IS NOT NULL AND low IS NOT NULL) OR n < 1
  ORDER BY n LIMIT 5);

-- @audit_rejects
SELECT count(*), coalesce(sum(octet_length(event)), 0)::bigint, count(*) FILTER (WHERE reason = '')
  FROM beacond.rejects;

-- @audit_receipts
SELECT serial, receipts FROM beacond.receipts;

-- The tally against the events, a stretch at a time, which begins and ends with a day. First how many
-- events there should be, and the days that there are.
-- @audit_total
SELECT coalesce(sum(events), 0)::bigint FROM beacond.tally_day;

-- @audit_days
SELECT at FROM beacond.tally_day
UNION
SELECT day * 86400000 FROM beacond.days() AS day
UNION
SELECT beacond.step_floor(ts, 86400000) FROM beacond.events_other
UNION
SELECT beacond.step_floor(ts, 86400000) FROM beacond.events WHERE ts < beacond.old_until()
 ORDER BY 1;

-- One look at [$1, $2): how many events there are; then for each size of steps the first that are
-- wrong, and how many are.
-- @audit_tally
WITH seconds AS MATERIALIZED (
    SELECT beacond.step_floor(ts, 1000) AS at, count(*) AS events
      FROM beacond.events WHERE ts >= $1 AND ts < $2 GROUP BY 1
), counted AS (
    SELECT 0 AS step, at, events FROM seconds
    UNION ALL
    SELECT 1, beacond.step_floor(at, 60000), sum(events) FROM seconds GROUP BY 2
    UNION ALL
    SELECT 2, beacond.step_floor(at, 3600000), sum(events) FROM seconds GROUP BY 2
    UNION ALL
    SELECT 3, beacond.step_floor(at, 86400000), sum(events) FROM seconds GROUP BY 2
), told AS (
    SELECT 0 AS step, at, sum(events) AS says
      FROM beacond.tally_second WHERE at >= $1 AND at < $2 GROUP BY at
    UNION ALL
    SELECT 1, at, sum(events) FROM beacond.tally_minute WHERE at >= $1 AND at < $2 GROUP BY at
    UNION ALL
    SELECT 2, at, sum(events) FROM beacond.tally_hour WHERE at >= $1 AND at < $2 GROUP BY at
    UNION ALL
    SELECT 3, at, sum(events) FROM beacond.tally_day WHERE at >= $1 AND at < $2 GROUP BY at
), wrong AS (
    SELECT step, at, coalesce(says, 0) AS says, coalesce(events, 0) AS events,
           row_number() OVER (PARTITION BY step ORDER BY at) AS n,
           count(*) OVER (PARTITION BY step) AS count
      FROM told FULL JOIN counted USING (step, at)
     WHERE coalesce(says, 0) <> coalesce(events, 0)
)
SELECT -1::bigint, 0::bigint, 0::bigint, coalesce(sum(events), 0)::bigint, 0::bigint FROM seconds
UNION ALL
SELECT step, at, says::bigint, events::bigint, count FROM wrong WHERE n <= 3;

-- An id that a client chose stands once at its timestamp. The index that sees to it may have become
-- wrong, as when the rules change by which texts are sorted.
-- @audit_given
SELECT count(*) FROM (
    SELECT FROM beacond.events WHERE ts >= $1 AND ts < $2 AND given GROUP BY ts, id HAVING count(*) > 1
) AS twice;

-- --- nodes ------------------------------------------------------------------------------------------
-- Of a node's locks, 0x45 (E) is held by its session while it lives, 0x46 (F) is shared by its
-- transactions that store something.

-- One node at a time looks for a slot that is free, and at who else has its name.
-- @node_lock
SELECT pg_advisory_xact_lock((67::bigint << 56) | 1);

-- @node_register
INSERT INTO beacond.nodes(slot, name, started, seen)
SELECT (SELECT min(free)
          FROM generate_series(0, 32767) AS free
         WHERE free NOT IN (SELECT slot FROM beacond.nodes WHERE ended IS NULL)),
       $1, beacond.now_ms(), beacond.now_ms()
RETURNING instance, slot::bigint;

-- Those that live.
-- @nodes_named
SELECT instance, seen FROM beacond.nodes WHERE name = $1 AND ended IS NULL;

-- @node_seen
SELECT seen FROM beacond.nodes WHERE instance = $1;

-- Waits for what the node has under way.
-- @node_settle
SELECT pg_advisory_xact_lock((70::bigint << 56) | $1);

-- Neither a session nor a transaction is left of it.
-- @node_dead
SELECT pg_try_advisory_xact_lock((69::bigint << 56) | $1) AND
       pg_try_advisory_xact_lock((70::bigint << 56) | $1);

-- Whether it was not heard of for so long still, once nothing is left of it: behind a pooler a beat may have
-- come since. It can't beat from here on.
-- @node_silent
SELECT seen < beacond.now_ms() - $2 FROM beacond.nodes WHERE instance = $1 AND ended IS NULL FOR UPDATE;

-- @node_hold
SELECT pg_try_advisory_lock((69::bigint << 56) | $1);

-- @node_let_go
SELECT pg_advisory_unlock((69::bigint << 56) | $1);

-- Whether it was living until now.
-- @node_end
UPDATE beacond.nodes SET ended = beacond.now_ms() WHERE instance = $1 AND ended IS NULL
RETURNING true;

-- @node_lose
WITH bursts AS (
    SELECT serial FROM beacond.receipts WHERE instance = $1 AND burst ORDER BY serial FOR UPDATE
)
UPDATE beacond.receipts AS receipt SET lost = greatest(lost, 1)
  FROM bursts WHERE receipt.serial = bursts.serial;

-- Each second; need not wait for the disk.
-- @node_beat
WITH hurry AS (
    SELECT set_config('synchronous_commit', 'off', true)
)
UPDATE beacond.nodes SET seen = beacond.now_ms() FROM hurry
 WHERE instance = $1 AND ended IS NULL
RETURNING true;

-- @nodes_silent
SELECT instance, name FROM beacond.nodes
 WHERE ended IS NULL AND instance <> $1 AND seen < beacond.now_ms() - $2
 ORDER BY instance;

-- --- news -------------------------------------------------------------------------------------------

-- Whose session it really is: behind a pooler another one's than the client was told.
-- @session_pid
SELECT pg_backend_pid()::bigint;

-- @listen
LISTEN beacond_news;

-- Waits for no disk: whoever else notifies waits meanwhile.
-- @notify
SELECT pg_notify('beacond_news', ''), set_config('synchronous_commit', 'off', true);

-- --- erasing ----------------------------------------------------------------------------------------

-- Who erases does not wait for long for what somebody holds by hand: others wait for it. The number of
-- the transaction comes first.
-- @erase_begin
SELECT txid_current(), set_config('lock_timeout', '500ms', true), set_config('beacond.own', 'on', true),
       pg_advisory_xact_lock_shared((70::bigint << 56) | $1), beacond.insist_living($1);

-- The same for one who erases events: one at a time. Behind it rows are looked up by their places one by
-- one, whatever the planner thinks of how many there are.
-- @erase_begin_events
SELECT txid_current(), set_config('lock_timeout', '500ms', true), set_config('beacond.own', 'on', true),
       pg_advisory_xact_lock_shared((70::bigint << 56) | $1), beacond.lock_erasing(),
       set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
       set_config('enable_seqscan', 'off', true);

-- @oldest_places
SELECT ts, seq FROM beacond.events WHERE ts < $1 ORDER BY ts, seq LIMIT $2;

-- Events at places, which lie within [$3, $4]; the tally and the log of erasures follow.
-- @erase_events
WITH gone AS (
    DELETE FROM beacond.events AS event USING unnest($1, $2) AS place(ts, seq)
     WHERE event.ts = place.ts AND event.seq = place.seq AND event.ts BETWEEN $3 AND $4
    RETURNING event.ts, event.seq
), seconds AS (
    SELECT ts - (ts % 1000 + 1000) % 1000 AS at, count(*) AS events FROM gone GROUP BY 1
), minutes AS (
    SELECT at - (at % 60000 + 60000) % 60000 AS at, sum(events) AS events FROM seconds GROUP BY 1
), hours AS (
    SELECT at - (at % 3600000 + 3600000) % 3600000 AS at, sum(events) AS events
      FROM minutes GROUP BY 1
), days AS (
    SELECT at - (at % 86400000 + 86400000) % 86400000 AS at, sum(events) AS events
      FROM hours GROUP BY 1
), by_second AS (
    INSERT INTO beacond.tally_second AS old (at, slot, events)
    SELECT at, $5, -events FROM seconds ORDER BY at
    ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events
), by_minute AS (
    INSERT INTO beacond.tally_minute AS old (at, slot, events)
    SELECT at, $5, -events FROM minutes ORDER BY at
    ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events
), by_hour AS (
    INSERT INTO beacond.tally_hour AS old (at, slot, events)
    SELECT at, $5, -events FROM hours ORDER BY at
    ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events
), by_day AS (
    INSERT INTO beacond.tally_day AS old (at, slot, events)
    SELECT at, $5, -events FROM days ORDER BY at
    ON CONFLICT (at, slot) DO UPDATE SET events = old.events + excluded.events
), note AS (
    INSERT INTO beacond.erasures(n, at, instance, events, ts, seq)
    SELECT (SELECT coalesce(max(n), 0) + 1 FROM beacond.erasures), beacond.now_ms(), $6, count(*),
           array_agg(ts ORDER BY ts, seq), array_agg(seq ORDER BY ts, seq)
      FROM gone HAVING count(*) > 0
)
SELECT ts, seq FROM gone ORDER BY ts, seq;

-- Rows are locked in the order of their numbers: nobody waits for one while holding a higher one that
-- somebody else waits for.
-- @erase_rejects
WITH doomed AS (
    SELECT n FROM beacond.rejects WHERE n = ANY ($1) ORDER BY n FOR UPDATE
), gone AS (
    DELETE FROM beacond.rejects USING doomed WHERE rejects.n = doomed.n
    RETURNING octet_length(event) AS bytes
)
SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM gone;

-- Nobody else retries it meanwhile.
-- @same_reject
SELECT n FROM beacond.rejects WHERE n = $1 AND received = $2 AND event = $3 FOR UPDATE;

-- @reason_reject
UPDATE beacond.rejects SET reason = $2 WHERE n = $1;

-- @erase_receipts
WITH doomed AS (
    SELECT serial FROM beacond.receipts WHERE serial = ANY ($1) ORDER BY serial FOR UPDATE
)
DELETE FROM beacond.receipts USING doomed WHERE receipts.serial = doomed.serial;

-- @replace_receipts
WITH changed AS (
    SELECT serial FROM beacond.receipts WHERE serial = ANY ($1) ORDER BY serial FOR UPDATE
)
UPDATE beacond.receipts AS receipt SET receipts = row.receipts
  FROM changed, unnest($1, $2) AS row(serial, receipts)
 WHERE receipt.serial = changed.serial AND row.serial = changed.serial;

-- The table that holds a day's events.
-- @day_table
SELECT CASE WHEN to_regclass('beacond.' || beacond.day_name($1)) IS NOT NULL THEN beacond.day_name($1)
            WHEN $1 * 86400000 < beacond.old_until() THEN 'events_old'
            ELSE 'events_other' END;

-- Who may still see what a transaction has erased, which can't be cleaned up for so long: sessions
-- whose view is older.
-- @still_seen
SELECT pid::bigint, coalesce(nullif(application_name, ''), usename, '')
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend'
   AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
   AND age(backend_xmin) >= age(($1 & 4294967295)::text::xid)
 ORDER BY age(backend_xmin) DESC LIMIT 1;

-- @recount
SELECT beacond.recount($1, $2, $3);

-- Of tables with their indexes; and what of that is room for what comes. Where somebody holds one of them for
-- long (VACUUM FULL) commits must not wait.
-- @size
WITH hurry AS MATERIALIZED (
    SELECT set_config('lock_timeout', '200ms', true)
)
SELECT current_setting('block_size')::bigint, beacond.table_bytes(), beacond.other_spare() FROM hurry;

-- An event that nobody sees, for which it is tried whether any can be committed.
-- @probe_put
INSERT INTO beacond.events(seq, ts, received, given, id, event)
VALUES ($1, $2, $2, false, 'probe', '{}');

-- @probe_take
DELETE FROM beacond.events WHERE seq = $1 AND ts = $2;

-- Upkeep: one node at a time. And the time.
-- @upkeep_lock
SELECT pg_try_advisory_xact_lock((67::bigint << 56) | 5), beacond.now_ms();

-- A row of the log goes when the one behind it is old enough: then all have followed that far, but not
-- before, where it was quiet for long. The oldest rows are looked at, not all. Their times ascend, more
-- or less: nodes' clocks differ. None goes before one that stays, for who reads by the log takes it to be
-- whole from its first row on. One whose clock was a day ahead would keep all that come behind it: it is
-- not looked at, and goes with the others.
-- @upkeep_commits
WITH oldest AS (
    SELECT last_seq, lead(at) OVER (ORDER BY last_seq) AS next
      FROM (SELECT last_seq, at FROM beacond.commits WHERE at < $2 + 86400000
             ORDER BY last_seq LIMIT $1 + 1) AS rows
), gone AS (
    DELETE FROM beacond.commits
     WHERE last_seq < (SELECT min(last_seq) FROM oldest WHERE next IS NULL OR next >= $2)
    RETURNING 1
)
SELECT count(*) FROM gone;

-- @upkeep_erasures
WITH oldest AS (
    SELECT n, lead(at) OVER (ORDER BY n) AS next
      FROM (SELECT n, at FROM beacond.erasures WHERE at < $2 + 86400000
             ORDER BY n LIMIT $1 + 1) AS rows
), gone AS (
    DELETE FROM beacond.erasures
     WHERE n < (SELECT min(n) FROM oldest WHERE next IS NULL OR next >= $2)
    RETURNING 1
)
SELECT count(*) FROM gone;

-- @upkeep_receipts
WITH oldest AS (
    SELECT serial FROM beacond.receipts WHERE at < $2 ORDER BY at LIMIT $1 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM beacond.receipts USING oldest WHERE receipts.serial = oldest.serial RETURNING 1
)
SELECT count(*) FROM gone;

-- When the newest of those was made that are too much, if any is. Of each row its text counts and what
-- its columns and its places in indexes take. The size of the table tells quickly whether it can be.
-- @upkeep_surplus
WITH newest AS (
    SELECT at, sum(octet_length(receipts) + 120) OVER (ORDER BY at DESC, serial DESC) AS bytes
      FROM beacond.receipts 
     WHERE (SELECT pg_table_size('beacond.receipts')) > $1 / 2
)
SELECT max(at) FROM newest WHERE bytes > $1;
