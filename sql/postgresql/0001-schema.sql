-- 0001-schema.sql: the first schema of a beacond database in PostgreSQL.
--
-- beacond runs the numbered files in order, each in one transaction, and sets meta.schema to the number
-- of the last one. By hand: psql -1 -f 0001-schema.sql, in a database that has no schema beacond yet.
-- Times are whole milliseconds since 1970-01-01T00:00:00Z, negative before.
--
-- Several beaconds, called nodes, write here at the same time. Numbers (seq) come in blocks of 4096
-- from the sequence blocks, so there are gaps between them; nothing with a number up to
-- beacond.watermark() will come any more.

CREATE SCHEMA beacond;
SET LOCAL search_path = beacond;

-- Now, by the database's clock.
CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- Every stored event, once. Rows are never changed. A partition holds the events whose timestamp lies in
-- one day, UTC: events_2026_11_22; events_old and events_other what lies far from the present.
CREATE TABLE events (
    -- In the order of commits, as nodes see them; never used twice.
    seq      bigint  NOT NULL,
    -- The event's own timestamp.
    ts       bigint  NOT NULL,
    -- When beacond received it, by that node's clock.
    received bigint  NOT NULL,
    -- Whether the client chose the id; else beacond did.
    given    boolean NOT NULL,
    -- The id as text, unescaped. One that is no text to PostgreSQL (with U+0000, or half of a
    -- surrogate pair) or begins with U+0001 stands here as U+0001, x and its bytes in hexadecimal; one
    -- of more than 2000 bytes, here, as U+0001, h and its SHA-256.
    id       text    COLLATE "C" NOT NULL,
    -- The event as the client sent it, byte for byte, but with the id in it where it had none.
    event    text    NOT NULL,
    -- Windows and pages, newest first, are read along this.
    PRIMARY KEY (ts, seq)
) PARTITION BY RANGE (ts);

-- What is new, in the order of commits.
CREATE INDEX events_by_seq ON events (seq);

-- An event whose client chose the id is stored once.
CREATE UNIQUE INDEX events_given ON events (ts, id) WHERE given;

-- What was long past when this database was made, before any day that will have a partition. A new
-- partition is compared with all rows of the default one while it holds everybody up: not with these.
DO $$
DECLARE
    bound CONSTANT bigint := (beacond.now_ms() / 86400000 - 500) * 86400000;
BEGIN
    EXECUTE format('CREATE TABLE beacond.events_old PARTITION OF beacond.events
                    FOR VALUES FROM (MINVALUE) TO (%s)', bound);
END
$$;

CREATE TABLE events_other PARTITION OF events DEFAULT;

-- A member of an event as text; NULL where there is none, or where PostgreSQL can't read it. Of
-- duplicate members the last one shows. Not in parallel: EXCEPTION is a subtransaction, and there are none.
CREATE FUNCTION field(event text, name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE AS $$
BEGIN
    RETURN event::json ->> name;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$;

-- The members of each event as columns, for people and their queries. Costs nothing until it is read.
CREATE VIEW event_fields AS
SELECT seq,
       ts,
       received,
       id,
       field(event, 'timestamp') AS "timestamp",
       field(event, 'level')     AS level,
       field(event, 'type')      AS type,
       field(event, 'appId')     AS "appId",
       field(event, 'sessionId') AS "sessionId",
       field(event, 'userId')    AS "userId",
       field(event, 'groupId')   AS "groupId",
       field(event, 'context')   AS context,
       field(event, 'payload')   AS payload,
       field(event, 'meta')      AS meta,
       event
  FROM events;

-- How many events carry a timestamp in each second, minute, hour and day, kept by the transaction that
-- stores them. Each node has rows of its own, so that none waits for another: the sum over slots counts.
-- A single row may be negative, where one node erased what another had stored.
CREATE TABLE tally_second (
    -- The first millisecond of the step; the other three tables have the same.
    at     bigint   NOT NULL,
    -- The node that counted.
    slot   smallint NOT NULL,
    -- How many events have a timestamp in it.
    events bigint   NOT NULL,
    PRIMARY KEY (at, slot)
) WITH (fillfactor = 70);
CREATE TABLE tally_minute (at bigint NOT NULL, slot smallint NOT NULL, events bigint NOT NULL,
                           PRIMARY KEY (at, slot)) WITH (fillfactor = 50);
CREATE TABLE tally_hour   (at bigint NOT NULL, slot smallint NOT NULL, events bigint NOT NULL,
                           PRIMARY KEY (at, slot)) WITH (fillfactor = 50);
CREATE TABLE tally_day    (at bigint NOT NULL, slot smallint NOT NULL, events bigint NOT NULL,
                           PRIMARY KEY (at, slot)) WITH (fillfactor = 50);

-- What was sent as an event and could not be stored, oldest dropped first once there are too many.
CREATE TABLE rejects (
    -- Its number, never used twice: people and commands name it by that.
    n        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received bigint NOT NULL,
    -- Why, in words: 'no timestamp', 'over the event limit', …
    reason   text   NOT NULL,
    -- The bytes as they were sent; possibly no UTF-8 and no JSON object.
    event    bytea  NOT NULL
);

-- What is known of the bodies that were stored, so that one sent again is not stored twice, to
-- whichever node: one row a body, dropped after seven days or when there are too many. Keyed hashes,
-- nothing of the events.
CREATE TABLE receipts (
    -- Its number: the node's instance, and one upwards.
    serial   bigint  PRIMARY KEY,
    -- The running hash behind the body's first element, under which it is looked up.
    key      bigint  NOT NULL,
    -- Which start of a node stored it: nodes.instance.
    instance bigint  NOT NULL,
    -- When the commit was made.
    at       bigint  NOT NULL,
    -- Whether all of it is a burst: equal events in one millisecond, which only evidence tells
    -- from a retry.
    burst    boolean NOT NULL,
    -- How many answers to it are known not to have arrived.
    lost     integer NOT NULL,
    -- A version byte, the number of elements (4 bytes, the highest bit set for a burst) and the
    -- running hash behind each of them (8 bytes), lowest byte first.
    receipts bytea   NOT NULL
);
-- Of a key the newest are asked for.
CREATE INDEX receipts_by_key ON receipts (key, at, serial);
CREATE INDEX receipts_by_age ON receipts (at);
CREATE INDEX receipts_bursts ON receipts (instance) WHERE burst;

-- One row for each transaction that stored events: how nodes follow each other. A row is dropped when one
-- behind it is an hour old: who has followed so far finds its place.
CREATE TABLE commits (
    -- The highest number of its events, and the lowest.
    last_seq  bigint   PRIMARY KEY,
    first_seq bigint   NOT NULL,
    -- Who stored it: nodes.instance.
    instance  bigint   NOT NULL,
    at        bigint   NOT NULL,
    -- How many, and the bounds of their timestamps.
    events    bigint   NOT NULL,
    min_ts    bigint   NOT NULL,
    max_ts    bigint   NOT NULL
);

-- The newest commit there is, followed or not.
CREATE FUNCTION newest_commit() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(max(last_seq), 0) FROM beacond.commits
$$;

-- What was erased, numbered without gaps, by one transaction at a time. Dropped like commits.
CREATE TABLE erasures (
    n      bigint PRIMARY KEY,
    -- The newest commit that can have held some of it: who follows tells the erasure behind that, lest
    -- an event comes into a cache when it is gone.
    behind bigint NOT NULL DEFAULT newest_commit(),
    at     bigint NOT NULL,
    -- Who did it: nodes.instance; NULL: somebody by hand.
    instance bigint,
    -- How many events, as the tally was told. Where the tally was made anew: 0.
    events bigint NOT NULL,
    -- Single events, or all of [low, high), or, where all four are NULL, anything.
    ts     bigint[],
    seq    bigint[],
    low    bigint,
    high   bigint
);

-- The nodes that write here, present and past.
CREATE TABLE nodes (
    -- A number for each start of a node.
    instance bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A small number while it lives, for the tally.
    slot     smallint NOT NULL,
    -- What it is called: a node that starts replaces one of its name that is not there any more.
    name     text     NOT NULL,
    started  bigint   NOT NULL,
    -- When it last said that it lives, by the database's clock.
    seen     bigint   NOT NULL,
    -- When it ended, or was found to have; NULL while it lives.
    ended    bigint
);
CREATE UNIQUE INDEX nodes_living ON nodes (slot) WHERE ended IS NULL;

-- What `beacond migrate` brings here from a SQLite database: one row from its first run on. No node starts
-- before it is finished.
CREATE TABLE moved (
    -- How many runs there have been: a newer one ends an older one.
    run      bigint NOT NULL,
    -- All events up to this number have been copied.
    seq      bigint NOT NULL,
    -- Up to this number both databases were found equal,
    compared bigint NOT NULL,
    -- when the source had counted so many erasures.
    erasures bigint NOT NULL,
    -- When everything was there, the source being at rest; NULL before.
    finished bigint
);

-- Single values that belong to the database.
CREATE TABLE meta (
    -- schema   the number of the newest schema file
    -- secret   16 random bytes: cursors are signed and receipts hashed with it
    -- doubt    'yes' when the tally is to be counted anew
    name  text  PRIMARY KEY,
    value bytea NOT NULL
);
INSERT INTO meta(name, value)
VALUES ('schema', '1'),
       -- Of two random UUIDs, the parts that are random as a whole.
       ('secret', decode(left(replace(gen_random_uuid()::text, '-', ''), 12) ||
                         right(replace(gen_random_uuid()::text, '-', ''), 12) ||
                         left(replace(gen_random_uuid()::text, '-', ''), 8), 'hex')),
       ('doubt', 'no');

-- Numbers of events come in blocks of 4096. The first block is 2.
CREATE SEQUENCE blocks;
SELECT setval('blocks', 1, true);

-- Numbers for count blocks, one behind the other, for the transaction that is open; returns the first.
-- Before they are taken the transaction holds a lock, to its end, that says from where on its numbers
-- are: see watermark(). Nobody else may take any between the two steps, lest the watermark falls: for
-- that there is the lock of the session, for some microseconds. 0x42 is a letter, B, 0x4e is N: the rest
-- of the key space is other programs'.
CREATE FUNCTION take_blocks(count bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    first bigint;
BEGIN
    PERFORM pg_advisory_lock(78::bigint << 56);
    PERFORM pg_advisory_xact_lock_shared((66::bigint << 56) | last_value) FROM beacond.blocks;
    first := nextval('beacond.blocks');
    FOR i IN 2 .. count LOOP
        PERFORM nextval('beacond.blocks');
    END LOOP;
    PERFORM pg_advisory_unlock(78::bigint << 56);
    RETURN first * 4096;
EXCEPTION WHEN query_canceled OR OTHERS THEN
    PERFORM pg_advisory_unlock(78::bigint << 56);
    RAISE;
END
$$;

-- Fails unless as many rows were stored as were sent: a trigger may have ignored one.
CREATE FUNCTION insist(stored bigint, sent bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF stored <> sent THEN
        RAISE EXCEPTION 'a trigger of this database ignores it';
    END IF;
    RETURN stored;
END
$$;

-- Fails unless each of these ids, which clients chose, is there: behind @append, in the same transaction.
-- One that was not stored is a repetition, or a trigger has ignored it (or what it repeats has just been
-- erased: the next try stores it). Partition by partition, so that none is waited for but those that the
-- append has opened, and days without one, which a client may name thousands of, are one look; by their
-- places, whatever the planner thinks of how many there are.
CREATE FUNCTION insist_given(stamps bigint[], ids text[]) RETURNS void LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    there bigint := 0;
    found bigint;
    part  record;
BEGIN
    IF current_setting('beacond.stored')::bigint = cardinality(ids) THEN
        RETURN;
    END IF;
    FOR part IN
        SELECT day IS NULL AND NOT old AS other, min(ts) AS low, max(ts) AS high,
               array_agg(ts) AS stamps, array_agg(id) AS ids
          FROM (SELECT ts, id, ts < (SELECT beacond.old_until()) AS old,
                       (ts - (ts % 86400000 + 86400000) % 86400000) / 86400000 AS on_day
                  FROM unnest(stamps, ids) AS row(ts, id)) AS asked
               LEFT JOIN beacond.days() AS day ON day = on_day
         GROUP BY day, old
    LOOP
        IF part.other THEN
            SELECT count(*) INTO found FROM unnest(part.stamps, part.ids) AS row(ts, id)
             WHERE EXISTS (SELECT FROM beacond.events_other AS event
                            WHERE given AND event.ts = row.ts AND event.id = row.id OFFSET 0);
        ELSE
            EXECUTE 'SELECT count(*) FROM unnest($1, $2) AS row(ts, id)
                      WHERE EXISTS (SELECT FROM beacond.events AS event
                                     WHERE given AND event.ts = row.ts AND event.id = row.id
                                       AND event.ts BETWEEN $3 AND $4 OFFSET 0)'
               INTO found USING part.stamps, part.ids, part.low, part.high;
        END IF;
        there := there + found;
    END LOOP;
    PERFORM beacond.insist(there, cardinality(ids));
END
$$;

-- Fails unless the node lives. One that was taken for dead while it only was slow goes on as another, to
-- which its bursts then belong: those of the dead one were all counted as not answered for. Behind the
-- node's lock (see "nodes" in statements.sql), with which it can't be taken for dead any more.
CREATE FUNCTION insist_living(instance bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM beacond.nodes
                    WHERE nodes.instance = insist_living.instance AND ended IS NULL) THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = 'this node was taken for dead';
    END IF;
END
$$;

-- The number up to which nothing will come any more: all transactions with numbers up to there are
-- over, and whoever looks after this has returned (in a statement of its own) sees them. The order of
-- the two steps matters: what is not in the sequence yet has its lock before it is. It never falls,
-- whoever asks, and no commit has numbers on both sides of it.
CREATE FUNCTION watermark() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    newest bigint;
    oldest bigint;
BEGIN
    SELECT last_value INTO newest FROM beacond.blocks;
    SELECT min(((classid::bigint & 16777215) << 32) | objid::bigint) INTO oldest
      FROM pg_locks
     WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock' AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND classid::bigint >> 24 = 66;
    RETURN (least(newest, oldest) + 1) * 4096 - 1;
END
$$;

-- How many events there are at the moment of a commit and an erasure: the tally, and the log says what
-- of it came later. The log is exact; after a change by hand the tally is, once it has been made anew.
CREATE FUNCTION total_at(seq bigint, erasure bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT ((SELECT coalesce(sum(events), 0) FROM beacond.tally_day) -
            (SELECT coalesce(sum(events), 0) FROM beacond.commits WHERE last_seq > seq) +
            (SELECT coalesce(sum(events), 0) FROM beacond.erasures WHERE n > erasure))::bigint
$$;

-- Another number when what is behind the numbers may be other events: another server, a standby that
-- has taken over, one that has been restored.
CREATE FUNCTION epoch() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint #
           ('beacond.meta'::regclass::oid::bigint << 40)
$$;

-- The newest moment, for a node that begins to follow: its last commit, and the last erasure of those
-- that belong to it.
CREATE FUNCTION moment() RETURNS TABLE (last_seq bigint, instance bigint, at bigint, erasures bigint,
                                        total bigint, epoch bigint)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    mark bigint := beacond.watermark();
BEGIN
    RETURN QUERY
    WITH newest AS (
        SELECT last_seq, instance, at FROM beacond.commits
         WHERE last_seq <= mark ORDER BY last_seq DESC LIMIT 1
    ), place AS (
        SELECT coalesce(max(last_seq), 0) AS last_seq, coalesce(max(instance), 0) AS instance,
               coalesce(max(at), 0) AS at
          FROM newest
    ), erased AS (
        SELECT coalesce(max(n), 0) AS n FROM beacond.erasures, place WHERE behind <= place.last_seq
    )
    SELECT place.last_seq, place.instance, place.at, erased.n,
           beacond.total_at(place.last_seq, erased.n), beacond.epoch()
      FROM place, erased;
END
$$;

-- What was committed and erased behind a place in the log, for who follows: at most so many rows of
-- each. In front a row of kind 0: its first_seq is the newest commit there is, its events all that were
-- committed behind the place, up to the newest moment, and it has a last_seq where the place was found,
-- which must be told exactly; else there is nothing behind it: the place has been dropped from the log, or
-- was of commits that were lost with a server. Kind 1, commits: low and high bound their timestamps. Kind
-- 2, erasures: last_seq is what they belong behind. Along indexes, as in @claim_patience.
CREATE FUNCTION news(after_seq bigint, after_instance bigint, after_at bigint, after_n bigint, most bigint)
RETURNS TABLE (kind bigint, last_seq bigint, first_seq bigint, instance bigint, at bigint, events bigint,
               low bigint, high bigint, n bigint, ts bigint[], seq bigint[])
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    mark  bigint := beacond.watermark();
    found boolean;
BEGIN
    SELECT (after_seq = 0 OR EXISTS (SELECT FROM beacond.commits
                                      WHERE last_seq = after_seq AND instance = after_instance
                                        AND at = after_at)) AND
           (after_n = 0 OR EXISTS (SELECT FROM beacond.erasures WHERE n = after_n)) INTO found;
    kind := 0;
    last_seq := CASE WHEN found THEN after_seq END;
    first_seq := beacond.newest_commit();
    events := (SELECT coalesce(sum(events), 0) FROM beacond.commits
                WHERE last_seq > after_seq AND last_seq <= mark);
    RETURN NEXT;
    IF found THEN
        RETURN QUERY
        (SELECT 1::bigint, last_seq, first_seq, instance, at, events, min_ts, max_ts, NULL::bigint,
                NULL::bigint[], NULL::bigint[]
           FROM beacond.commits
          WHERE last_seq > after_seq AND last_seq <= mark
          ORDER BY last_seq LIMIT most)
        UNION ALL
        (SELECT 2, behind, NULL, instance, at, events, low, high, n, ts, seq
           FROM beacond.erasures
          WHERE n > after_n
          ORDER BY n LIMIT most);
    END IF;
END
$$;

-- The events of a commit behind one of its numbers, for who follows; low and high bound their timestamps.
-- The lock comes before the look: who waits for make_day() to move events would have a snapshot from
-- before that and a plan from behind it, and find them in neither table.
CREATE FUNCTION commit_events(after_seq bigint, upto_seq bigint, low bigint, high bigint)
RETURNS TABLE (seq bigint, ts bigint, event text) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    LOCK TABLE ONLY beacond.events IN ACCESS SHARE MODE;
    RETURN QUERY
    SELECT seq, ts, event FROM beacond.events
     WHERE seq > after_seq AND seq <= upto_seq AND ts >= low AND ts <= high
     ORDER BY seq;
END
$$;

-- The name of a day's partition. Days are counted from 1970-01-01, UTC: ts / 86400000, rounded down.
CREATE FUNCTION day_name(day bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 'events_' || to_char(date '1970-01-01' + day::integer, 'YYYY_MM_DD')
$$;

-- Where events_old ends; NULL where there is none.
CREATE FUNCTION old_until() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT substring(pg_get_expr(relpartbound, oid) FROM 'TO \(''(-?[0-9]+)''\)')::bigint
      FROM pg_class WHERE oid = to_regclass('beacond.events_old')
$$;

-- The days that have partitions, oldest first.
CREATE FUNCTION days() RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT (to_date(substr(relname, 8), 'YYYY_MM_DD') - date '1970-01-01')::bigint
      FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
     WHERE inhparent = 'beacond.events'::regclass AND relname ~ '^events_[0-9]{4}_[0-9]{2}_[0-9]{2}$'
     ORDER BY 1
$$;

-- Makes a day's partition, unless there is one or the day lies in events_old, and moves the day's events
-- there. Rather than have others wait it fails when a table is not free within the fifth of a second: try
-- again later.
CREATE FUNCTION make_day(day bigint) RETURNS void LANGUAGE plpgsql VOLATILE
SET lock_timeout = '200ms' AS $$
DECLARE
    low  CONSTANT bigint := day * 86400000;
    high CONSTANT bigint := low + 86400000;
    name CONSTANT text   := beacond.day_name(day);
    held boolean;
BEGIN
    PERFORM set_config('beacond.own', 'on', true);
    -- One node at a time: the others find it made.
    PERFORM set_config('lock_timeout', '1s', true);
    PERFORM pg_advisory_xact_lock((67::bigint << 56) | 2);
    PERFORM set_config('lock_timeout', '200ms', true);
    IF to_regclass('beacond.' || name) IS NOT NULL OR low < beacond.old_until() THEN
        RETURN;
    END IF;
    SELECT EXISTS (SELECT FROM beacond.events_other WHERE ts >= low AND ts < high) INTO held;
    IF held THEN
        -- Who reads has its plan before it waits for a partition, and would find the events that
        -- are moved in neither: it has to wait before that.
        LOCK TABLE ONLY beacond.events IN ACCESS EXCLUSIVE MODE;
    END IF;
    LOCK TABLE beacond.events_other IN ACCESS EXCLUSIVE MODE;
    IF NOT held AND EXISTS (SELECT FROM beacond.events_other WHERE ts >= low AND ts < high) THEN
        RAISE lock_not_available USING MESSAGE = 'an event of that day has just come';
    END IF;
    EXECUTE format('CREATE TABLE beacond.%I (LIKE beacond.events INCLUDING INDEXES)', name);
    EXECUTE format('CREATE TRIGGER events_changed
                    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON beacond.%I
                    WHEN (current_setting(''beacond.own'', true) IS DISTINCT FROM ''on'')
                    EXECUTE FUNCTION beacond.changed()', name);
    IF held THEN
        EXECUTE format('WITH moved AS (DELETE FROM beacond.events_other
                                        WHERE ts >= %s AND ts < %s
                                    RETURNING seq, ts, received, given, id, event)
                        INSERT INTO beacond.%I (seq, ts, received, given, id, event)
                        SELECT seq, ts, received, given, id, event FROM moved', low, high, name);
    END IF;
    EXECUTE format('ALTER TABLE beacond.events ATTACH PARTITION beacond.%I FOR VALUES FROM (%s) TO (%s)',
                   name, low, high);
END
$$;

-- Held by who erases, to the end of its transaction.
CREATE FUNCTION lock_erasing() RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock((67::bigint << 56) | 3)
$$;

-- Says that events were changed by hand, in ways that only counting them anew tells. Nodes then do so,
-- and forget what they had in memory. By hand: SELECT beacond.doubt(), after something that no
-- trigger notices (a partition was dropped, for example).
CREATE FUNCTION doubt() RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog AS $$
BEGIN
    PERFORM beacond.lock_erasing();
    -- Once in a transaction is enough.
    IF EXISTS (SELECT FROM beacond.erasures
                WHERE n = (SELECT max(n) FROM beacond.erasures) AND instance IS NULL
                  AND xmin = pg_current_xact_id()::xid) THEN
        RETURN;
    END IF;
    INSERT INTO beacond.erasures(n, at, events)
    SELECT coalesce(max(n), 0) + 1, beacond.now_ms(), 0 FROM beacond.erasures;
    UPDATE beacond.meta SET value = 'yes' WHERE name = 'doubt';
END
$$;

-- Of the triggers that notice changes by hand. beacond sets beacond.own for itself. Before, not
-- behind the change: so this waits for who erases without holding what that needs.
CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM beacond.doubt();
    RETURN NULL;
END
$$;

CREATE TRIGGER events_changed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON events
    WHEN (current_setting('beacond.own', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION changed();
CREATE TRIGGER events_changed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON events_other
    WHEN (current_setting('beacond.own', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION changed();
CREATE TRIGGER events_changed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON events_old
    WHEN (current_setting('beacond.own', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION changed();
CREATE TRIGGER tally_changed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON tally_second
    WHEN (current_setting('beacond.own', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION changed();
CREATE TRIGGER tally_changed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON tally_minute
    WHEN (current_setting('beacond.own', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION changed();
CREATE TRIGGER tally_changed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON tally_hour
    WHEN (current_setting('beacond.own', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION changed();
CREATE TRIGGER tally_changed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON tally_day
    WHEN (current_setting('beacond.own', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION changed();

-- Of all tables with their indexes. Each is locked for that.
CREATE FUNCTION table_bytes() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
      FROM pg_class WHERE relnamespace = 'beacond'::regnamespace AND relkind = 'r'
$$;

-- Erases all events of a day that has a partition, which stays, empty; returns how many there were. Unless
-- most is 0 only where the database uses more bytes than that, looked at when no other node erases: else -1.
-- Fails, like make_day(), when the partition is not free.
CREATE FUNCTION clear_day(day bigint, instance bigint, most bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE
SET lock_timeout = '200ms' AS $$
DECLARE
    begins CONSTANT bigint := day * 86400000;
    ends   CONSTANT bigint := begins + 86400000;
    part   CONSTANT text   := beacond.day_name(day);
    found  boolean;
    gone   bigint;
BEGIN
    PERFORM set_config('beacond.own', 'on', true);
    EXECUTE format('SELECT EXISTS (SELECT FROM beacond.%I)', part) INTO found;
    IF NOT found THEN
        RETURN 0;
    END IF;
    PERFORM set_config('lock_timeout', '1s', true);
    PERFORM beacond.lock_erasing();
    PERFORM set_config('lock_timeout', '200ms', true);
    IF most > 0 AND beacond.table_bytes() - beacond.other_spare() <= most THEN
        RETURN -1;
    END IF;
    -- Not the table events: who waits for a day holds that.
    EXECUTE format('LOCK TABLE beacond.%I IN ACCESS EXCLUSIVE MODE', part);
    SELECT coalesce(sum(events), 0) INTO gone FROM beacond.tally_day WHERE at = begins;
    IF EXISTS (SELECT FROM beacond.meta WHERE meta.name = 'doubt' AND value = 'yes') THEN
        EXECUTE format('SELECT count(*) FROM beacond.%I', part) INTO gone;
    END IF;
    EXECUTE format('TRUNCATE beacond.%I', part);
    DELETE FROM beacond.tally_second WHERE at >= begins AND at < ends;
    DELETE FROM beacond.tally_minute WHERE at >= begins AND at < ends;
    DELETE FROM beacond.tally_hour WHERE at >= begins AND at < ends;
    DELETE FROM beacond.tally_day WHERE at = begins;
    INSERT INTO beacond.erasures(n, at, instance, events, low, high)
    SELECT coalesce(max(n), 0) + 1, beacond.now_ms(), clear_day.instance, gone, begins, ends
      FROM beacond.erasures;
    RETURN greatest(gone, 0); -- the tally may be wrong
END
$$;

-- Drops a day's partition if it is empty, or fails, when somebody uses it. That is logged as an erasure
-- of nothing: nodes believe no longer that there is one.
CREATE FUNCTION drop_day(day bigint, instance bigint) RETURNS void LANGUAGE plpgsql VOLATILE
SET lock_timeout = '200ms' AS $$
DECLARE
    begins CONSTANT bigint := day * 86400000;
    part   CONSTANT text   := beacond.day_name(day);
    held   boolean;
BEGIN
    PERFORM set_config('beacond.own', 'on', true);
    PERFORM beacond.lock_erasing();
    LOCK TABLE ONLY beacond.events IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('LOCK TABLE beacond.%I IN ACCESS EXCLUSIVE MODE', part);
    EXECUTE format('SELECT EXISTS (SELECT FROM beacond.%I)', part) INTO held;
    IF NOT held THEN
        EXECUTE format('DROP TABLE beacond.%I', part);
        INSERT INTO beacond.erasures(n, at, instance, events, low, high)
        SELECT coalesce(max(n), 0) + 1, beacond.now_ms(), drop_day.instance, 0, begins, begins + 86400000
          FROM beacond.erasures;
    END IF;
END
$$;

-- The oldest day of a table that has an event before such a time; NULL where there is none. Along its
-- index: what lay in front may have been erased.
CREATE FUNCTION far_day(part text, before bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE
SET lock_timeout = '200ms' SET enable_seqscan = off AS $$
DECLARE
    oldest bigint;
BEGIN
    IF to_regclass('beacond.' || part) IS NOT NULL THEN
        EXECUTE format('SELECT ts FROM beacond.%I WHERE ts < $1 ORDER BY ts LIMIT 1', part)
           INTO oldest USING before;
    END IF;
    RETURN (oldest - (oldest % 86400000 + 86400000) % 86400000) / 86400000;
END
$$;

-- What can be erased of the days before one: those that have partitions, and the oldest that stands in
-- events_old and in events_other.
CREATE FUNCTION days_before(before bigint) RETURNS TABLE (day bigint, far boolean)
LANGUAGE sql VOLATILE AS $$
    SELECT day, false FROM beacond.days() AS day WHERE day < before
    UNION ALL
    SELECT day, true
      FROM unnest('{events_old,events_other}'::text[]) AS part,
           beacond.far_day(part, before * 86400000) AS day
     WHERE day IS NOT NULL
$$;

-- Behind what was erased row by row: removes rows of the tally that lie before all events, some thousands at
-- a time, then gives the room of events_old back, when nothing is left in it. Returns whether there was
-- anything to do. Fails, like make_day(), when the tables are not free.
CREATE FUNCTION clear_far() RETURNS boolean LANGUAGE plpgsql VOLATILE SET lock_timeout = '200ms' AS $$
DECLARE
    most CONSTANT bigint := 9223372036854775807;
    low  bigint; -- no event is older, and no partition but events_old and events_other
    old  bigint; -- the oldest day in events_old
    name text;
    high bigint;
BEGIN
    -- A look that holds nobody up, and one that is sure.
    FOR n IN 1 .. 2 LOOP
        old := beacond.far_day('events_old', most);
        low := least(old, beacond.far_day('events_other', most),
                     (SELECT min(day) FROM beacond.days() AS day)) * 86400000;
        IF NOT EXISTS (SELECT FROM beacond.tally_day WHERE at < low) AND
           (old IS NOT NULL OR
            coalesce(pg_relation_size(to_regclass('beacond.events_old')), 0) = 0) THEN
            RETURN false;
        END IF;
        EXIT WHEN n = 2;
        PERFORM set_config('beacond.own', 'on', true);
        PERFORM set_config('lock_timeout', '1s', true);
        PERFORM beacond.lock_erasing();
        PERFORM set_config('lock_timeout', '200ms', true);
        -- Nothing comes that would be older, nor a partition for it.
        LOCK TABLE beacond.events_other IN SHARE ROW EXCLUSIVE MODE;
        IF to_regclass('beacond.events_old') IS NOT NULL THEN
            LOCK TABLE beacond.events_old IN SHARE ROW EXCLUSIVE MODE;
        END IF;
    END LOOP;
    -- All rows of a step go at once: nodes' rows of one may be opposite. Days last: they say that there is more.
    FOREACH name IN ARRAY '{tally_second,tally_minute,tally_hour,tally_day}'::text[] LOOP
        EXECUTE format('SELECT at FROM beacond.%I WHERE at < $1 ORDER BY at OFFSET 5000 LIMIT 1', name)
           INTO high USING low;
        EXECUTE format('DELETE FROM beacond.%I WHERE at < $1', name) USING coalesce(high, low);
        IF high IS NOT NULL THEN
            RETURN true;
        END IF;
    END LOOP;
    IF old IS NULL AND pg_relation_size(to_regclass('beacond.events_old')) > 0 THEN
        LOCK TABLE beacond.events_old IN ACCESS EXCLUSIVE MODE;
        TRUNCATE beacond.events_old;
    END IF;
    RETURN true;
END
$$;

-- How many bytes of events_other are room that what was erased there has left. It is used anew for what
-- comes, and given back by VACUUM FULL alone: who judges by size must not count it, or would erase what is
-- newer for it. Estimated from a thousand pages, where there are more, and rather too low: of an event its
-- texts count, with what long ones take more where they stand apart, its row and its places in indexes.
CREATE FUNCTION other_spare() RETURNS bigint LANGUAGE plpgsql STABLE SET lock_timeout = '200ms' AS $$
DECLARE
    other CONSTANT regclass := to_regclass('beacond.events_other');
    bytes CONSTANT bigint   := pg_total_relation_size(other);
    pages CONSTANT bigint   := pg_relation_size(other) / current_setting('block_size')::bigint;
    share CONSTANT float    := least(1, 1000.0 / nullif(pages, 0));
    used  float;
BEGIN
    IF coalesce(pages, 0) = 0 THEN -- its indexes may have some still
        RETURN coalesce(bytes, 0);
    END IF;
    EXECUTE 'SELECT coalesce(sum(size * CASE WHEN size > 2000 THEN 1.25 ELSE 1 END + rest), 0)
               FROM (SELECT pg_column_size(event) AS size, 2 * pg_column_size(id) + 200 AS rest
                       FROM beacond.events_other TABLESAMPLE SYSTEM ($1) REPEATABLE (0)) AS rows'
       INTO used USING share * 100;
    RETURN greatest(0, bytes - used / share)::bigint;
END
$$;

-- Makes the tally anew from the events, in this node's rows, and ends the doubt: where there is one, or
-- in any case. Returns whether it has. Nothing is stored meanwhile. Fails, like make_day(), when the
-- events are not free.
CREATE FUNCTION recount(slot bigint, instance bigint, in_any_case boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET lock_timeout = '500ms' AS $$
BEGIN
    PERFORM set_config('beacond.own', 'on', true);
    IF NOT in_any_case AND EXISTS (SELECT FROM beacond.meta WHERE name = 'doubt' AND value = 'no') THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock_shared((70::bigint << 56) | recount.instance);
    PERFORM beacond.lock_erasing();
    -- Another node may just have done it.
    IF NOT in_any_case AND EXISTS (SELECT FROM beacond.meta WHERE name = 'doubt' AND value = 'no') THEN
        RETURN false;
    END IF;
    LOCK TABLE beacond.events IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM beacond.tally_second;
    DELETE FROM beacond.tally_minute;
    DELETE FROM beacond.tally_hour;
    DELETE FROM beacond.tally_day;
    INSERT INTO beacond.tally_second(at, slot, events)
    SELECT ts - (ts % 1000 + 1000) % 1000, recount.slot, count(*) FROM beacond.events GROUP BY 1;
    INSERT INTO beacond.tally_minute(at, slot, events)
    SELECT at - (at % 60000 + 60000) % 60000, recount.slot, sum(events)
      FROM beacond.tally_second GROUP BY 1;
    INSERT INTO beacond.tally_hour(at, slot, events)
    SELECT at - (at % 3600000 + 3600000) % 3600000, recount.slot, sum(events)
      FROM beacond.tally_minute GROUP BY 1;
    INSERT INTO beacond.tally_day(at, slot, events)
    SELECT at - (at % 86400000 + 86400000) % 86400000, recount.slot, sum(events)
      FROM beacond.tally_hour GROUP BY 1;
    INSERT INTO beacond.erasures(n, at, instance, events)
    SELECT coalesce(max(n), 0) + 1, beacond.now_ms(), recount.instance, 0 FROM beacond.erasures;
    UPDATE beacond.meta SET value = 'no' WHERE name = 'doubt';
    RETURN true;
END
$$;

-- --- reading ------------------------------------------------------------------------------------
-- A VOLATILE function looks anew with each of its statements, a STABLE one sees what the statement that
-- calls it sees. So the watermark is taken first, and all of an answer is of one later look: a
-- transaction's default isolation, READ COMMITTED, is relied on.

-- The newest moment: what any node has answered for is part of it. last_seq never falls.
CREATE FUNCTION read_moment(OUT last_seq bigint, OUT erasures bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    mark bigint := beacond.watermark();
BEGIN
    SELECT coalesce(max(commits.last_seq), 0) INTO last_seq
      FROM beacond.commits WHERE commits.last_seq <= mark;
    -- All there are: who has been told of an erasure must not find in a cache what it erased.
    SELECT coalesce(max(n), 0) INTO erasures FROM beacond.erasures;
END
$$;

-- Where a step of so many milliseconds begins that holds ms, and the first one that begins at ms or
-- later. Flooring: % cuts towards zero, which is wrong before 1970.
CREATE FUNCTION step_floor(ms bigint, size bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT ms - (ms % size + size) % size
$$;
CREATE FUNCTION step_ceil(ms bigint, size bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT ms + (size - ms % size) % size
$$;

-- What the events of [since, until] that have higher numbers than last_seq are looked for in: the
-- bounds of the commits that belong to no moment yet. NULL: there are none.
CREATE FUNCTION later_range(last_seq bigint) RETURNS int8range LANGUAGE sql STABLE AS $$
    SELECT int8range(min(min_ts), max(max_ts), '[]') FROM beacond.commits
     WHERE commits.last_seq > later_range.last_seq
    HAVING count(*) > 0
$$;

-- Events of [since, until], counted one by one. The text is planned for these very bounds: of hundreds
-- of partitions one or two are looked at.
CREATE FUNCTION count_singly(since bigint, until bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    number bigint := 0;
BEGIN
    IF since <= until THEN
        EXECUTE 'SELECT count(*) FROM beacond.events WHERE ts BETWEEN $1 AND $2'
           INTO number USING since, until;
    END IF;
    RETURN number;
END
$$;

-- Those among them that belong to no moment yet.
CREATE FUNCTION count_later(since bigint, until bigint, last_seq bigint, later int8range)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low    bigint := greatest(since, lower(later));
    high   bigint := least(until, upper(later) - 1);
    number bigint := 0;
BEGIN
    IF later IS NOT NULL AND low <= high THEN
        EXECUTE 'SELECT count(*) FROM beacond.events WHERE seq > $1 AND ts BETWEEN $2 AND $3'
           INTO number USING last_seq, low, high;
    END IF;
    RETURN number;
END
$$;

-- How many events of a moment lie in [since, until]: whole steps by the tally, as coarse as they fit,
-- the two ragged edges one by one.
CREATE FUNCTION count_window(since bigint, until bigint, last_seq bigint, later int8range)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low    bigint := beacond.step_ceil(since, 1000);
    high   bigint := beacond.step_floor(until + 1, 1000);
    minute_low  bigint := beacond.step_ceil(low, 60000);
    minute_high bigint := beacond.step_floor(high, 60000);
    hour_low    bigint := beacond.step_ceil(low, 3600000);
    hour_high   bigint := beacond.step_floor(high, 3600000);
    day_low     bigint := beacond.step_ceil(low, 86400000);
    day_high    bigint := beacond.step_floor(high, 86400000);
    number bigint;
BEGIN
    IF low >= high THEN
        number := beacond.count_singly(since, until);
    ELSE
        -- Where no step of one size fits, the finer ones go through from end to end.
        IF minute_low >= minute_high THEN
            minute_low := high;
            minute_high := high;
        END IF;
        IF hour_low >= hour_high THEN
            hour_low := minute_high;
            hour_high := minute_high;
        END IF;
        IF day_low >= day_high THEN
            day_low := hour_high;
            day_high := hour_high;
        END IF;
        number := beacond.count_singly(since, low - 1) + beacond.count_singly(high, until) + (
            SELECT coalesce(sum(events), 0)
              FROM (SELECT events FROM beacond.tally_second WHERE at >= low AND at < minute_low
                    UNION ALL
                    SELECT events FROM beacond.tally_second WHERE at >= minute_high AND at < high
                    UNION ALL
                    SELECT events FROM beacond.tally_minute WHERE at >= minute_low AND at < hour_low
                    UNION ALL
                    SELECT events FROM beacond.tally_minute
                     WHERE at >= hour_high AND at < minute_high
                    UNION ALL
                    SELECT events FROM beacond.tally_hour WHERE at >= hour_low AND at < day_low
                    UNION ALL
                    SELECT events FROM beacond.tally_hour WHERE at >= day_high AND at < hour_high
                    UNION ALL
                    SELECT events FROM beacond.tally_day WHERE at >= day_low AND at < day_high) AS steps);
    END IF;
    RETURN number - beacond.count_later(since, until, last_seq, later);
END
$$;

-- The text of a statement that gives the steps of one size (second, minute, hour, day) with their
-- events, newest first: of $1 milliseconds, that begin in [$2, $3), as of the moment of $4, with $5
-- what is later. Steps in which none are later are not looked at.
CREATE FUNCTION steps_text(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format(
        'SELECT at, sum(events)::bigint - CASE WHEN int8range(at, at + $1) && $5'
        '           THEN beacond.count_later(at, at + $1 - 1, $4, $5) ELSE 0 END'
        '  FROM beacond.%I WHERE at >= $2 AND at < $3 GROUP BY at ORDER BY at DESC',
        'tally_' || name)
$$;

CREATE FUNCTION steps_size(name text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE name WHEN 'second' THEN 1000 WHEN 'minute' THEN 60000
                     WHEN 'hour' THEN 3600000 WHEN 'day' THEN 86400000 END
$$;

CREATE FUNCTION read_steps(name text, low bigint, high bigint, last_seq bigint)
RETURNS TABLE (at bigint, events bigint) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE beacond.steps_text(name)
       USING beacond.steps_size(name), low, high, last_seq, beacond.later_range(last_seq);
END
$$;

-- The place of the skip-th newest event (1 or more) of a window that has at least so many: steps,
-- coarse to fine, narrow the stretch in which it lies, without events being counted.
CREATE FUNCTION find_place(since bigint, until bigint, skip bigint, last_seq bigint,
                           later int8range, OUT ts bigint, OUT seq bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    names CONSTANT text[] := '{day,hour,minute,second}';
    size   bigint;
    low    bigint := since; -- it lies in [low, high]
    high   bigint := until;
    first  bigint;          -- of the whole steps in there
    behind bigint;
    ragged bigint;
    steps  refcursor;
    at     bigint;
    events bigint;
BEGIN
    FOR n IN 1 .. 4 LOOP
        size := beacond.steps_size(names[n]);
        first := beacond.step_ceil(low, size);
        behind := beacond.step_floor(high + 1, size);
        CONTINUE WHEN first >= behind;
        ragged := beacond.count_window(behind, high, last_seq, later);
        IF ragged >= skip THEN
            low := behind;
            CONTINUE;
        END IF;
        skip := skip - ragged;
        high := behind - 1;
        -- One by one: mostly few are needed.
        OPEN steps FOR EXECUTE beacond.steps_text(names[n])
                       USING size, first, behind, last_seq, later;
        LOOP
            FETCH steps INTO at, events;
            IF NOT FOUND THEN
                high := first - 1;
            ELSIF events >= skip THEN
                low := at;
                high := at + size - 1;
            ELSE
                skip := skip - events;
                CONTINUE;
            END IF;
            EXIT;
        END LOOP;
        CLOSE steps;
    END LOOP;
    EXECUTE 'SELECT ts, seq FROM beacond.events WHERE ts BETWEEN $1 AND $2 AND seq <= $3'
            ' ORDER BY ts DESC, seq DESC LIMIT 1 OFFSET $4'
       INTO ts, seq USING low, high, last_seq, skip - 1;
    IF ts IS NULL THEN
        ts := since;
        seq := 0;
    END IF;
END
$$;

-- A moment, how many events it has in [since, until], and behind which place those follow that are left
-- when the skip newest ones are passed over.
CREATE FUNCTION survey_at(mark bigint, since bigint, until bigint, skip bigint, OUT last_seq bigint,
                          OUT erasures bigint, OUT total bigint, OUT ts bigint, OUT seq bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    later int8range;
BEGIN
    SELECT coalesce(max(commits.last_seq), 0) INTO last_seq
      FROM beacond.commits WHERE commits.last_seq <= mark;
    -- All that has left its traces in what is counted here.
    SELECT coalesce(max(n), 0) INTO erasures FROM beacond.erasures;
    total := 0;
    ts := until;
    seq := 9223372036854775807;
    IF since > until THEN
        RETURN;
    END IF;
    later := beacond.later_range(last_seq);
    total := beacond.count_window(since, until, last_seq, later);
    IF skip >= total AND skip > 0 THEN
        ts := since;
        seq := 0;
    ELSIF skip > 0 THEN
        SELECT * INTO ts, seq FROM beacond.find_place(since, until, skip, last_seq, later);
    END IF;
END
$$;

CREATE FUNCTION read_survey(since bigint, until bigint, skip bigint, OUT last_seq bigint,
                       OUT erasures bigint, OUT total bigint, OUT ts bigint, OUT seq bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    mark bigint;
BEGIN
    -- Before the look: a partition that comes or goes behind it would be planned for, but what has been
    -- moved into it not be seen.
    LOCK TABLE ONLY beacond.events IN ACCESS SHARE MODE;
    mark := beacond.watermark();
    SELECT * INTO last_seq, erasures, total, ts, seq
      FROM beacond.survey_at(mark, since, until, skip);
END
$$;

-- The timestamp of the oldest or newest event of a moment, NULL when there is none: of the first day,
-- by the tally, that has one.
CREATE FUNCTION outermost(newest boolean, last_seq bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    day   bigint;
    found bigint;
BEGIN
    FOR day IN EXECUTE 'SELECT at FROM beacond.tally_day GROUP BY at HAVING sum(events) > 0'
                       ' ORDER BY at' || CASE WHEN newest THEN ' DESC' ELSE '' END LOOP
        EXECUTE 'SELECT ts FROM beacond.events WHERE ts BETWEEN $1 AND $2 AND seq <= $3 ORDER BY ts'
                || CASE WHEN newest THEN ' DESC' ELSE '' END || ' LIMIT 1'
           INTO found USING day, day + 86399999, last_seq;
        EXIT WHEN found IS NOT NULL;
    END LOOP;
    RETURN found;
END
$$;

-- What there is, at the moment of a watermark, without going through it.
CREATE FUNCTION read_facts(mark bigint, OUT schema bigint, OUT last_seq bigint, OUT events bigint,
                           OUT oldest bigint, OUT newest bigint, OUT bytes bigint, OUT rejects bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT convert_from(value, 'UTF8')::bigint INTO schema FROM beacond.meta WHERE name = 'schema';
    SELECT coalesce(max(commits.last_seq), 0) INTO last_seq
      FROM beacond.commits WHERE commits.last_seq <= mark;
    events := beacond.count_window(-400000000000000, 400000000000000, last_seq,
                                   beacond.later_range(last_seq));
    oldest := beacond.outermost(false, last_seq);
    newest := beacond.outermost(true, last_seq);
    -- A table that is being dropped has no size any more.
    SELECT coalesce(sum(pg_total_relation_size(oid)), 0) INTO bytes
      FROM pg_class WHERE relnamespace = 'beacond'::regnamespace AND relkind IN ('r', 'm', 'S');
    SELECT count(*) INTO rejects FROM beacond.rejects;
END
$$;

-- What \d+ shows in psql.
COMMENT ON SCHEMA beacond IS 'beacond: browser telemetry; beacond-schema(5). Times are ms since 1970, UTC';
COMMENT ON TABLE events IS 'every stored event, once; a partition a day of ts';
COMMENT ON COLUMN events.seq IS 'in the order of commits, with gaps; never used twice';
COMMENT ON COLUMN events.ts IS 'the event''s own timestamp';
COMMENT ON COLUMN events.received IS 'when beacond received it';
COMMENT ON COLUMN events.given IS 'whether the client chose the id';
COMMENT ON COLUMN events.id IS 'unescaped; behind U+0001 in another form, see beacond-schema(5)';
COMMENT ON COLUMN events.event IS 'as the client sent it, with the id in it';
COMMENT ON TABLE events_old IS 'what was more than 500 days old when the database was made';
COMMENT ON TABLE events_other IS 'what is of no day that has a partition';
COMMENT ON VIEW event_fields IS 'the members of each event as columns';
COMMENT ON COLUMN event_fields.seq IS 'as in events';
COMMENT ON COLUMN event_fields.ts IS 'as in events';
COMMENT ON COLUMN event_fields.received IS 'as in events';
COMMENT ON COLUMN event_fields.id IS 'as in events';
COMMENT ON COLUMN event_fields."timestamp" IS 'as the client wrote it; ts is the same in milliseconds';
COMMENT ON COLUMN event_fields.level IS 'such as info or error';
COMMENT ON COLUMN event_fields.type IS 'such as click or http; payload depends on it';
COMMENT ON COLUMN event_fields."appId" IS 'the application';
COMMENT ON COLUMN event_fields."sessionId" IS 'the session';
COMMENT ON COLUMN event_fields."userId" IS 'the user';
COMMENT ON COLUMN event_fields."groupId" IS 'the group';
COMMENT ON COLUMN event_fields.context IS 'JSON';
COMMENT ON COLUMN event_fields.payload IS 'JSON; what it holds depends on type';
COMMENT ON COLUMN event_fields.meta IS 'JSON, such as route and userAgent';
COMMENT ON COLUMN event_fields.event IS 'as in events';
COMMENT ON TABLE tally_second IS 'events by second of ts: sum them over slots';
COMMENT ON COLUMN tally_second.at IS 'the first millisecond of the second';
COMMENT ON COLUMN tally_second.slot IS 'the node that counted, see nodes.slot';
COMMENT ON COLUMN tally_second.events IS 'may be negative; the sum over slots counts';
COMMENT ON TABLE tally_minute IS 'events by minute of ts: sum them over slots';
COMMENT ON COLUMN tally_minute.at IS 'the first millisecond of the minute';
COMMENT ON COLUMN tally_minute.slot IS 'the node that counted, see nodes.slot';
COMMENT ON COLUMN tally_minute.events IS 'may be negative; the sum over slots counts';
COMMENT ON TABLE tally_hour IS 'events by hour of ts: sum them over slots';
COMMENT ON COLUMN tally_hour.at IS 'the first millisecond of the hour';
COMMENT ON COLUMN tally_hour.slot IS 'the node that counted, see nodes.slot';
COMMENT ON COLUMN tally_hour.events IS 'may be negative; the sum over slots counts';
COMMENT ON TABLE tally_day IS 'events by day of ts: sum them over slots';
COMMENT ON COLUMN tally_day.at IS 'the first millisecond of the day';
COMMENT ON COLUMN tally_day.slot IS 'the node that counted, see nodes.slot';
COMMENT ON COLUMN tally_day.events IS 'may be negative; the sum over slots counts';
COMMENT ON TABLE rejects IS 'what was sent as an event and could not be stored';
COMMENT ON COLUMN rejects.n IS 'people and commands name it by this';
COMMENT ON COLUMN rejects.received IS 'when beacond received it';
COMMENT ON COLUMN rejects.reason IS 'why, in words';
COMMENT ON COLUMN rejects.event IS 'the bytes as they were sent';
COMMENT ON TABLE receipts IS 'keyed hashes by which bodies that are sent again are recognised';
COMMENT ON COLUMN receipts.serial IS 'its number: that of the instance, and one upwards';
COMMENT ON COLUMN receipts.key IS 'of the body''s first element: it is looked up by this';
COMMENT ON COLUMN receipts.instance IS 'which start of a node stored it: nodes.instance';
COMMENT ON COLUMN receipts.at IS 'when it was stored';
COMMENT ON COLUMN receipts.burst IS 'equal events in one millisecond';
COMMENT ON COLUMN receipts.lost IS 'answers to it that are known not to have arrived';
COMMENT ON COLUMN receipts.receipts IS 'the hash behind each element, beacond''s own format';
COMMENT ON TABLE commits IS 'transactions that stored events: nodes follow each other by it';
COMMENT ON COLUMN commits.last_seq IS 'the highest seq of its events';
COMMENT ON COLUMN commits.first_seq IS 'the lowest seq of its events';
COMMENT ON COLUMN commits.instance IS 'who stored them: nodes.instance';
COMMENT ON COLUMN commits.at IS 'when';
COMMENT ON COLUMN commits.events IS 'how many';
COMMENT ON COLUMN commits.min_ts IS 'the lowest ts of its events';
COMMENT ON COLUMN commits.max_ts IS 'the highest ts of its events';
COMMENT ON TABLE erasures IS 'what was erased: nodes follow it, too';
COMMENT ON COLUMN erasures.n IS 'its number, without gaps';
COMMENT ON COLUMN erasures.behind IS 'the newest commit that can have held some of it: commits.last_seq';
COMMENT ON COLUMN erasures.at IS 'when';
COMMENT ON COLUMN erasures.instance IS 'who did it: nodes.instance; NULL: somebody by hand';
COMMENT ON COLUMN erasures.events IS 'how many, as the tally was told; 0 where it was made anew';
COMMENT ON COLUMN erasures.ts IS 'of single events; NULL: not told one by one';
COMMENT ON COLUMN erasures.seq IS 'theirs, in the same order';
COMMENT ON COLUMN erasures.low IS 'all from this ts on; NULL with ts, too: anything';
COMMENT ON COLUMN erasures.high IS 'and below this ts';
COMMENT ON TABLE nodes IS 'the beaconds that write here, one row a start';
COMMENT ON COLUMN nodes.instance IS 'the number of the start';
COMMENT ON COLUMN nodes.slot IS 'its rows in the tally, while it lives';
COMMENT ON COLUMN nodes.name IS 'one that starts replaces one of its name that is not there any more';
COMMENT ON COLUMN nodes.started IS 'when';
COMMENT ON COLUMN nodes.seen IS 'when it last said that it lives, by the database''s clock';
COMMENT ON COLUMN nodes.ended IS 'NULL while it lives';
COMMENT ON TABLE moved IS 'how far beacond migrate has come';
COMMENT ON COLUMN moved.run IS 'how many runs there have been';
COMMENT ON COLUMN moved.seq IS 'all events up to this one have been copied';
COMMENT ON COLUMN moved.compared IS 'up to this seq both databases were found equal';
COMMENT ON COLUMN moved.erasures IS 'how many the source had counted then';
COMMENT ON COLUMN moved.finished IS 'when everything was there; NULL before: no node starts';
COMMENT ON TABLE meta IS 'single values that belong to the database';
COMMENT ON COLUMN meta.name IS 'schema, secret, or doubt: whether the tally is to be counted anew';
COMMENT ON COLUMN meta.value IS 'of schema and doubt a text, of secret 16 bytes';
COMMENT ON SEQUENCE blocks IS 'of 4096 numbers of events each';
