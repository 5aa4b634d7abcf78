-- A migration of tests: a table made anew, and an index.
CREATE TABLE receipts_new (
    n        INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    receipts BLOB NOT NULL,
    kind     INTEGER NOT NULL DEFAULT 1
) STRICT;
INSERT INTO receipts_new(n, at, receipts) SELECT n, at, receipts FROM receipts;
DROP TABLE receipts;
ALTER TABLE receipts_new RENAME TO receipts;
CREATE INDEX events_by_origin ON events(origin, ts);
