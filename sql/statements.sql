-- statements.sql: every statement that beacond prepares, each behind its name.
-- Named parameters; prepared once per connection.

-- @begin
BEGIN IMMEDIATE;

-- @commit
COMMIT;

-- @rollback
ROLLBACK;

-- @savepoint
SAVEPOINT event;

-- @release
RELEASE event;

-- @rollback_to
ROLLBACK TO event;

-- @begin_read
BEGIN;

-- @insert_event
INSERT INTO events(seq, ts, received, given, id, event)
VALUES (:seq, :ts, :received, 0, :id, :event);

-- @insert_given
INSERT INTO events(seq, ts, received, given, id, event)
VALUES (:seq, :ts, :received, 1, :id, :event)
ON CONFLICT (ts, id) WHERE given DO NOTHING;

-- @tally_second
INSERT INTO tally_second(at, events) VALUES (:at, :events)
ON CONFLICT (at) DO UPDATE SET events = events + excluded.events;

-- @tally_minute
INSERT INTO tally_minute(at, events) VALUES (:at, :events)
ON CONFLICT (at) DO UPDATE SET events = events + excluded.events;

-- @tally_hour
INSERT INTO tally_hour(at, events) VALUES (:at, :events)
ON CONFLICT (at) DO UPDATE SET events = events + excluded.events;

-- @tally_day
INSERT INTO tally_day(at, events) VALUES (:at, :events)
ON CONFLICT (at) DO UPDATE SET events = events + excluded.events;

-- @insert_reject
INSERT INTO rejects(received, reason, event) VALUES (:received, :reason, :event);

-- @reject_size
SELECT count(*), coalesce(sum(length(event)), 0) FROM rejects;

-- @reject_oldest
SELECT n, length(event) FROM rejects ORDER BY n LIMIT 1;

-- @reject_drop
DELETE FROM rejects WHERE n = :n;

-- @reject_same
SELECT count(*) FROM rejects WHERE n = :n AND received = :received AND event = :event;

-- @reject_reason
UPDATE rejects SET reason = :reason WHERE n = :n AND reason <> :reason;

-- @insert_receipts
INSERT INTO receipts(n, at, receipts) VALUES (:n, :at, :receipts);

-- @drop_receipts
DELETE FROM receipts WHERE n < :before;

-- @all_receipts
SELECT n, at, receipts FROM receipts ORDER BY n;

-- @last_seq
SELECT max(coalesce((SELECT max(seq) FROM events), 0),
           (SELECT value FROM meta WHERE name = 'last_seq'));

-- @total
SELECT coalesce(sum(events), 0) FROM tally_day;

-- @note_last_seq
UPDATE meta SET value = :seq WHERE name = 'last_seq';

-- @erasures
SELECT value FROM meta WHERE name = 'erasures';

-- @note_erasure
UPDATE meta SET value = value + 1 WHERE name = 'erasures';

-- @secret
SELECT value FROM meta WHERE name = 'secret';

-- The highest number that a reject has ever had.
-- @last_reject
SELECT max(seq) FROM sqlite_sequence WHERE name = 'rejects';

-- @data_version
PRAGMA data_version;

-- @window_newest_seq
SELECT max(seq) FROM events;

-- @newest_place
SELECT ts, seq FROM events ORDER BY ts DESC, seq DESC LIMIT 1;

-- Totals: a window's whole steps from the tally, its ragged edges by counting the index.
-- @count_events
SELECT count(*) FROM events WHERE ts BETWEEN :first AND :last;

-- @sum_second
SELECT coalesce(sum(events), 0) FROM tally_second WHERE at BETWEEN :first AND :last;

-- @sum_minute
SELECT coalesce(sum(events), 0) FROM tally_minute WHERE at BETWEEN :first AND :last;

-- @sum_hour
SELECT coalesce(sum(events), 0) FROM tally_hour WHERE at BETWEEN :first AND :last;

-- @sum_day
SELECT coalesce(sum(events), 0) FROM tally_day WHERE at BETWEEN :first AND :last;

-- A page is read by two statements, the rest of one millisecond and then what is older: the row
-- value comparison (ts, seq) < (?, ?) seeks by ts alone and goes quadratic on equal timestamps.
-- @page_same
SELECT seq, event FROM events
 WHERE ts = :ts AND seq < :seq
 ORDER BY seq DESC;

-- @page_older
SELECT ts, seq, event FROM events
 WHERE ts BETWEEN :since AND :before AND seq <= :max_seq
 ORDER BY ts DESC, seq DESC;

-- The same with what else a row knows, and upwards.
-- @rows_same_down
SELECT ts, seq, received, given, event, id FROM events
 WHERE ts = :ts AND seq < :seq
 ORDER BY seq DESC;

-- @rows_down
SELECT ts, seq, received, given, event, id FROM events
 WHERE ts BETWEEN :since AND :before AND seq <= :max_seq
 ORDER BY ts DESC, seq DESC;

-- @rows_same_up
SELECT ts, seq, received, given, event, id FROM events
 WHERE ts = :ts AND seq > :seq AND seq <= :max_seq
 ORDER BY seq;

-- @rows_up
SELECT ts, seq, received, given, event, id FROM events
 WHERE ts BETWEEN :after AND :until AND seq <= :max_seq
 ORDER BY ts, seq;

-- @rows_seq
SELECT ts, seq, received, given, event, id FROM events
 WHERE seq > :after AND seq <= :max_seq
 ORDER BY seq;

-- @seq_back
SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET :count;

-- Where the page starts that skips so many events, within a stretch that holds its start.
-- @skip
SELECT ts, seq FROM events
 WHERE ts BETWEEN :first AND :last AND seq <= :max_seq
 ORDER BY ts DESC, seq DESC LIMIT 1 OFFSET :skip;

-- Walking down the tally, coarse to fine, finds that stretch without counting events.
-- @steps_day
SELECT at, events FROM tally_day WHERE at BETWEEN :first AND :last ORDER BY at DESC;

-- @days
SELECT at, events FROM tally_day ORDER BY at;

-- @steps_hour
SELECT at, events FROM tally_hour WHERE at BETWEEN :first AND :last ORDER BY at DESC;

-- @steps_minute
SELECT at, events FROM tally_minute WHERE at BETWEEN :first AND :last ORDER BY at DESC;

-- @steps_second
SELECT at, events FROM tally_second WHERE at BETWEEN :first AND :last ORDER BY at DESC;

-- What of a file is stored already. The ids beacond has chosen are in no index: where few events
-- share a timestamp they are looked at, elsewhere they are noted once, in a table of the connection's
-- own, which has a row without id for each timestamp that was.
-- @known_any
SELECT 1 FROM events WHERE ts BETWEEN :first AND :last LIMIT 1;

-- @known_at
SELECT id FROM events WHERE ts = :ts;

-- @known_given
SELECT 1 FROM events INDEXED BY events_given WHERE id = :id AND ts = :ts AND given;

-- @known_table
CREATE TABLE temp.known_ids (
    ts INTEGER NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (ts, id)
) STRICT, WITHOUT ROWID;

-- @known_noted
SELECT 1 FROM temp.known_ids WHERE ts = :ts AND id = :id;

-- @known_note
INSERT OR IGNORE INTO temp.known_ids(ts, id)
SELECT :ts, '' UNION ALL SELECT ts, id FROM events WHERE ts = :ts AND NOT given;

-- The tally made anew from the events, after someone changed rows by hand.
-- @recount_clear_second
DELETE FROM tally_second;
-- @recount_clear_minute
DELETE FROM tally_minute;
-- @recount_clear_hour
DELETE FROM tally_hour;
-- @recount_clear_day
DELETE FROM tally_day;

-- Flooring division: / cuts towards zero, which is wrong before 1970.
-- @recount_second
INSERT INTO tally_second(at, events)
SELECT ts - ((ts % 1000) + 1000) % 1000, count(*) FROM events GROUP BY 1;
-- @recount_minute
INSERT INTO tally_minute(at, events)
SELECT at - ((at % 60000) + 60000) % 60000, sum(events) FROM tally_second GROUP BY 1;
-- @recount_hour
INSERT INTO tally_hour(at, events)
SELECT at - ((at % 3600000) + 3600000) % 3600000, sum(events) FROM tally_minute GROUP BY 1;
-- @recount_day
INSERT INTO tally_day(at, events)
SELECT at - ((at % 86400000) + 86400000) % 86400000, sum(events) FROM tally_hour GROUP BY 1;

-- Erasing, a slice at a time. What is oldest is found first, for the cache is told its place.
-- @oldest_places
SELECT ts, seq FROM events WHERE ts < :before ORDER BY ts, seq LIMIT :most;

-- @erase_event
DELETE FROM events WHERE seq = :seq AND ts = :ts;

-- @lower_second
UPDATE tally_second SET events = events - :events WHERE at = :at;
-- @lower_minute
UPDATE tally_minute SET events = events - :events WHERE at = :at;
-- @lower_hour
UPDATE tally_hour SET events = events - :events WHERE at = :at;
-- @lower_day
UPDATE tally_day SET events = events - :events WHERE at = :at;

-- @empty_second
DELETE FROM tally_second WHERE at = :at AND events <= 0;
-- @empty_minute
DELETE FROM tally_minute WHERE at = :at AND events <= 0;
-- @empty_hour
DELETE FROM tally_hour WHERE at = :at AND events <= 0;
-- @empty_day
DELETE FROM tally_day WHERE at = :at AND events <= 0;

-- @reject_length
SELECT length(event) FROM rejects WHERE n = :n;

-- @replace_receipts
UPDATE receipts SET receipts = :receipts WHERE n = :n;

-- @erase_receipts
DELETE FROM receipts WHERE n = :n;

-- A row is made as large as its page has room for and then what it was, which leaves nothing else in
-- the page's unused part (store/sqlite/leaf.h).
-- @event_text
SELECT event FROM events WHERE seq = :key;
-- @reject_text
SELECT event FROM rejects WHERE n = :key;
-- @swell_event
UPDATE events SET event = :event WHERE seq = :key;
-- @swell_reject
UPDATE rejects SET event = :event WHERE n = :key;

-- @rebuild_given
REINDEX events_given;

-- @page_count
PRAGMA page_count;

-- @page_size
PRAGMA page_size;

-- @freelist_count
PRAGMA freelist_count;

-- Everything by number, a page at a time.
-- @page_rejects
SELECT n, received, reason, event FROM rejects WHERE n > :after ORDER BY n;

-- @page_receipts
SELECT n, at, receipts FROM receipts WHERE n > :after ORDER BY n;

-- The same downwards, of each only how long its text is; and for which reasons there are rejects.
-- @rejects_down
SELECT n, received, reason, length(event) FROM rejects WHERE n < :before ORDER BY n DESC;

-- @reject_reasons
SELECT reason, count(*) FROM rejects GROUP BY reason ORDER BY 2 DESC, 1 LIMIT :most;
