-- 0001-schema.sql: the first schema of a beacond database.
--
-- beacond runs the numbered files in order inside one transaction each and sets user_version to
-- the number of the last one. By hand: sqlite3 new.db < sql/0001-schema.sql, then
-- pragma user_version = 1. application_id is "BECN" as a big-endian number.
-- Times are whole milliseconds since 1970-01-01T00:00:00Z, negative before.

-- Every stored event, once. Rows are never changed.
CREATE TABLE events (
    -- Order of commit, 1 and up, never used twice (a number erased at the top is kept in meta).
    seq      INTEGER PRIMARY KEY,
    -- The event's own timestamp.
    ts       INTEGER NOT NULL,
    -- When beacond received it, by this machine's clock.
    received INTEGER NOT NULL,
    -- 1 when the client chose the id, 0 when beacond did.
    given    INTEGER NOT NULL,
    -- The id as text, unescaped.
    id       TEXT NOT NULL,
    -- The event as the client sent it, byte for byte, but with the id in it where it had none.
    event    TEXT NOT NULL
) STRICT;

-- Windows and pages, newest first; seq rides along as the rowid.
CREATE INDEX events_by_time ON events(ts);

-- An event whose client chose the id is stored once. By time first: what comes in together has its
-- place together, and ids are mostly random.
CREATE UNIQUE INDEX events_given ON events(ts, id) WHERE given;

-- The members of each event as columns, for people and their queries. Costs nothing until it is
-- read. Of duplicate members the first shows here; event has them all.
CREATE VIEW event_fields AS
SELECT seq,
       ts,
       received,
       id,
       CASE WHEN json_valid(event) THEN json_extract(event, '$.timestamp') END AS timestamp,
       CASE WHEN json_valid(event) THEN json_extract(event, '$.level') END AS level,
       CASE WHEN json_valid(event) THEN json_extract(event, '$.type') END AS type,
       CASE WHEN json_valid(event) THEN json_extract(event, '$.appId') END AS appId,
       CASE WHEN json_valid(event) THEN json_extract(event, '$.sessionId') END AS sessionId,
       CASE WHEN json_valid(event) THEN json_extract(event, '$.userId') END AS userId,
       CASE WHEN json_valid(event) THEN json_extract(event, '$.groupId') END AS groupId,
       CASE WHEN json_valid(event) THEN json_extract(event, '$.context') END AS context,
       CASE WHEN json_valid(event) THEN json_extract(event, '$.payload') END AS payload,
       CASE WHEN json_valid(event) THEN json_extract(event, '$.meta') END AS meta,
       event
  FROM events;

-- How many events carry a timestamp in each second, minute, hour and day, kept by the transaction
-- that stores them, so that the total of any window costs the same.
CREATE TABLE tally_second (
    -- The first millisecond of the step; the other three tables have the same. A step without events
    -- has no row.
    at     INTEGER PRIMARY KEY,
    -- How many events have a timestamp in it.
    events INTEGER NOT NULL
) STRICT;
CREATE TABLE tally_minute (at INTEGER PRIMARY KEY, events INTEGER NOT NULL) STRICT;
CREATE TABLE tally_hour   (at INTEGER PRIMARY KEY, events INTEGER NOT NULL) STRICT;
CREATE TABLE tally_day    (at INTEGER PRIMARY KEY, events INTEGER NOT NULL) STRICT;

-- What was sent as an event and could not be stored, oldest dropped first once there are too many.
CREATE TABLE rejects (
    -- Its number, never used twice: people and commands name it by that.
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    received INTEGER NOT NULL,
    -- Why, in words: 'no timestamp', 'over the event limit', …
    reason   TEXT NOT NULL,
    -- The bytes as they were sent; possibly no UTF-8 and no JSON object.
    event    BLOB NOT NULL
) STRICT;

-- What is known of the bodies that were stored, so that one sent again is not stored twice: one row
-- a commit, dropped after seven days or when there are too many. Keyed hashes, nothing of the events.
CREATE TABLE receipts (
    n        INTEGER PRIMARY KEY,
    -- When the commit was made.
    at       INTEGER NOT NULL,
    -- A version byte, then for each body its number of elements (4 bytes, the highest bit set for a
    -- burst) and the running hash behind each of them (8 bytes), lowest byte first.
    receipts BLOB NOT NULL
) STRICT;

-- Single values that belong to the database.
CREATE TABLE meta (
    -- secret   16 random bytes: cursors are signed and receipts hashed with it
    -- last_seq the highest seq ever used, written when rows at the top are erased
    -- erasures how often events were erased, or changed by another program: with the total of a window
    --          it tells whether an answer is still the same
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta(name, value) VALUES ('secret', randomblob(16)), ('last_seq', 0),
                                  ('erasures', 0);

PRAGMA application_id = 0x4245434e;
