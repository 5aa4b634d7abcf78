-- A migration of tests: a column for every event, and a table with a row for each.
ALTER TABLE events ADD COLUMN origin TEXT;
UPDATE events SET origin = 'then' WHERE seq % 2;
CREATE TABLE lengths (seq INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, event TEXT NOT NULL) STRICT;
INSERT INTO lengths SELECT seq, length(event), event FROM events;
