"""The tally against a recount, for tests that erase or bring in."""

from harness import equal, sql

STEPS = (("second", 1000), ("minute", 60000), ("hour", 3600000), ("day", 86400000))
ROWS = "select at, events from tally_%s order by at"
# PostgreSQL has several rows for a step; where nothing is left, rows whose sum is 0.
SUMS = "select at, sum(events) from tally_%s group by at having sum(events) <> 0 order by at"


def check_tally(database):
    """Every step of the tally is what counting the events gives."""
    rows = SUMS if "://" in database else ROWS
    for name, ms in STEPS:
        counted = sql(database, "select ts - ((ts %% %d) + %d) %% %d, count(*) from events group by 1 order by 1"
                      % (ms, ms, ms))
        equal(sql(database, rows % name), counted, "tally_" + name)
