"""What is exported and imported again is the same: each event byte for byte, in the same order, that
of equal timestamps included; and importing it where it is already adds nothing."""

import gzip
import os
import random
import shutil

from harness import DATA, NOW, Daemon, case, directory, equal, event, main, run, sql
from tally import check_tally


def moved(path, *arguments):
    """Runs a command on the database at path; it must end well."""
    done = run(*arguments, "--database", path)
    equal(done.returncode, 0, "%r: %r" % (arguments, done.stderr))
    return done


def events(path):
    """Everything that is stored, newest first, as a read would give it."""
    return sql(path, "select ts, id, event from events order by ts desc, seq desc")


def stored():
    """A database with what is hard to keep: equal timestamps, given ids, ids of ours, white space,
    numbers and texts that libraries rewrite. Closed."""
    generator = random.Random(6)
    daemon = Daemon()
    with open(os.path.join(DATA, "stock-client", "events.ndjson"), "rb") as file:
        daemon.save(file.read().splitlines())
    for size in (1, 40, 300):
        daemon.save([event(NOW + generator.choice([0, 0, 0, 1, -1, 86400000, -62135596800000]), n,
                           generator.choice(["", "", "g%d" % n]),
                           generator.choice(["19.90", "1e21", '"\\ud800\\u0000"', '"\u20ac"', "[ 1,\\n 2 ]",
                                             "123456789012345678901234567890"]).replace("\\n", "\n"))
                     for n in range(size * 1000, size * 1000 + size)])
    daemon.stop()
    return daemon.database


def flat(rows):
    """White space outside of strings may come out as spaces: a line holds one event."""
    return [(ts, id, text.replace(b"\n", b" ")) for ts, id, text in rows]


def exported(path, *arguments):
    out = os.path.join(directory(), "out.ndjson")
    moved(path, "export", "--output", out, *arguments)
    return out


def imported(*files):
    path = os.path.join(directory(), "copy.db")
    moved(path, "import", *files)
    check_tally(path)
    return path


@case
def an_export_oldest_first_comes_back_as_it_was():
    path = stored()
    equal(flat(events(imported(exported(path)))), flat(events(path)))


@case
def an_export_newest_first_comes_back_as_it_was():
    path = stored()
    equal(flat(events(imported(exported(path, "--order", "newest")))), flat(events(path)))


@case
def a_compressed_export_comes_back_as_it_was():
    path = stored()
    out = exported(path)
    with open(out, "rb") as file, gzip.open(out + ".gz", "wb") as packed:
        shutil.copyfileobj(file, packed)
    equal(flat(events(imported(out + ".gz"))), flat(events(path)))


@case
def an_export_of_an_import_is_the_same_file():
    out = exported(stored())
    again = exported(imported(out))
    with open(out, "rb") as one, open(again, "rb") as other:
        equal(one.read() == other.read(), True)


@case
def importing_it_where_it_came_from_adds_nothing():
    path = stored()
    before = events(path)
    for order in ("oldest", "newest"):
        moved(path, "import", exported(path, "--order", order))
        equal(events(path), before)
    check_tally(path)


@case
def parts_put_together_are_the_whole():
    path = stored()
    middle = "2026-11-21T04:00:00.000Z"
    early = exported(path, "--until", middle)
    late = exported(path, "--since", middle)
    equal(flat(events(imported(late, early))), flat(events(path)))


@case
def it_works_beside_the_daemon_too():
    path = stored()
    daemon = Daemon(database=path)
    out = exported(path)
    other = Daemon()
    moved(other.database, "import", out)
    equal(flat(events(other.database)), flat(events(path)))
    equal(other.total(), daemon.total())
    moved(other.database, "import", out)
    equal(other.total(), daemon.total())
    check_tally(other.database)


main()
