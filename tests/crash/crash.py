"""kill -9 at every point (tests/faults/points.c) and at any time, while stock clients send over HTTP, as
beacons and over WebSockets, and an operator prunes, forgets and backs up: what was acknowledged is there,
once, nothing is that was never sent, and the database is whole (DESIGN.md 1, 2).

  BEACOND_SEED        the seed, printed when something fails; 1 by default
  BEACOND_TEST_LONG   1: thousands of kills; BEACOND_KILLS says how many, 10,000 by default
  BEACOND_TEST_UNTIL  and until when at most (seconds since 1970)

A world lives through many kills: when the daemon has died, its files are copied now and then and looked
at beside the ledger of what was acknowledged and what may be there; in the end, when every client has got
its answers, once more, and exactly.
"""

import collections
import json
import os
import random
import shutil
import sys
import threading
import time

from chores import TRIGGER, Chores
from harness import (FAULTY, SLOW, Closed, Daemon, Skip, Wire, case, directory, equal, event, main, run, scale, shell,
                     sql)
from reporters import Reporter
from visitors import ROADS, Visitor
from world import LONG, SEED, World, check, compare, killer, ledger, play

KILLS = int(os.environ.get("BEACOND_KILLS", "10000"))
UNTIL = float(os.environ.get("BEACOND_TEST_UNTIL", "inf"))
LIFE = 25       # batches that may be sent while one daemon lives
PAST_MS = 400 * 86400000  # what is dated in the future is not in the cache, where the watcher is to look
TRIES = 8       # lives in which a point must be passed
STALL_MS = 20   # for what was told too early to get out
CHORES = ["prune", "prune", "forget", "poison", "backup", "bulk", "stranger", "end"]


def points():
    """(kind, name) of every point there is."""
    if not os.access(FAULTY, os.X_OK):
        raise Skip("no %s" % FAULTY)
    out = run(program=FAULTY, env={"FAULTY_POINT": "list"}).stdout.decode()
    return [tuple(line.split()) for line in out.splitlines()]


class Watcher:
    """Reads the newest, again and again: what was shown once must be stored, and stay."""

    def __init__(self, world):
        self.world, self.visits, self.emitted = world, sys.maxsize, []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        wire = None
        while self.visits and not self.world.failure:
            try:
                wire = wire or self.world.connect()
                wire.send(b"GET /_tracker?limit=100 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = wire.response()
                equal(answer.status, 200)
                self._note(answer.body)
                with self.world.up:
                    self.world.up.wait(0.01)
            except (Closed, OSError):
                wire = None
            except AssertionError as error:
                wire = None
                if "cut short" not in str(error) and self.visits:
                    self.world.fail(error)

    def _note(self, body):
        shown = collections.Counter()
        for one in json.loads(body)["events"]:
            one["id"] = ""
            shown[json.dumps(one, separators=(",", ":")).encode()] += 1
        for text, count in shown.items():
            self.world.seen[text] = max(self.world.seen[text], count)


class Play:
    """One world and all who are in it."""

    def __init__(self, name, roads=("pass",), cut=0, retained=False, size=2):
        self.dice = random.Random("%s-%s" % (SEED, name))
        options = {"retain": "8000d"} if retained else {}
        self.world = World(abrupt=True, start=False, threads=2, hold="20s", **options)
        self.world.start()
        self.world.daemon.stop()
        shell(self.world.database, TRIGGER)
        self.people = [Visitor(self.world, n, sys.maxsize, list(roads), 0.1 if len(roads) == 1 else 0)
                       for n in range(size)]
        self.people += [Reporter(self.world, 10 + n, sys.maxsize, cut, 0, stock=n == size) for n in range(size + 1)]
        for one in self.people:
            one.clock -= PAST_MS
        self.watcher = Watcher(self.world)
        self.chores = Chores(self.world, self.people, self.dice, retained)

    def run(self, disturb):
        def until_over(world):
            try:
                disturb()
                # The last one lives, so that everybody gets an answer to everything.
                world.start()
                while self.chores.pending:
                    self.chores.do("poison")
            finally:
                for one in self.people + [self.watcher]:
                    one.visits = 0
                world.end_rations()
        play(self.world, self.people + [self.watcher], until_over, self._judge)

    def _judge(self, world, visitors):
        self.chores.again()
        rejects = sql(world.database, "select count(*) from rejects")[0][0]
        check(world, self.people + [self.chores], rejects)
        self.chores.check(world.database)
        self._whole(world.database)

    def look(self):
        """At a copy of what a kill has left."""
        least, _ = ledger(self.people + [self.chores])
        folder = directory()
        copy = os.path.join(folder, "copy.db")
        for end in "", "-wal":
            if os.path.exists(self.world.database + end):
                shutil.copyfile(self.world.database + end, copy + end)
        _, most = ledger(self.people + [self.chores], emitted=True)
        shown = dict(self.world.seen)  # what is not stored may be sent again: it shows right after the kill
        for text in ledger(self.people)[1].keys() & shown.keys():
            least[text] = max(least[text], shown[text])
        compare(copy, least, most)
        self.chores.check(copy)
        self._whole(copy)
        shutil.rmtree(folder)

    @staticmethod
    def _whole(database):
        done = run("check", "--database", database)
        lines = done.stdout.decode().splitlines()
        wrong = [line for line in lines if not line.startswith("ok ") and "trigger poison" not in line]
        assert not wrong and not done.stderr and len(lines) >= 6, "beacond check: %r" % (done.stdout + done.stderr)

    def life(self, kind, point=None, after=None, patience=0.3):
        """One life of the daemon: ends at a point, so many seconds after it is ready (negative: after its
        start), or when the chore is done and patience is over. Returns the point at which it has ended."""
        if self.world.start(point, after, LIFE):
            self.chores.do(kind)
            if not self.world.dead.over(patience):
                self.world.dead.process.kill()
        return self.world.bury()


@case
def nobody_is_told_of_what_is_not_committed_yet():
    """The commit waits long enough for an answer, or a look into the cache, to come too early."""
    points()
    game = Play("early")

    def disturb():
        for name in ["before-commit", "before-wal-write", "before-sqlite_store_end"] * scale(3, 1):
            game.life("commit", "%s:%d:300" % (name, 9 if name == "before-commit" else 30))
            game.look()

    game.run(disturb)


@case
def each_event_is_stored_once_whatever_point_the_daemon_dies_at():
    every = [(kind, name) for kind, name in points() if kind != "fresh"]
    game = Play("points")
    game.dice.shuffle(every)

    def disturb():
        never = []
        for number, (kind, name) in enumerate(every):
            # What comes by itself comes at last; what a chore brings about has come when it is done, or not.
            patience = scale(10, 60) if kind in ("start", "commit", "end") else 0.5
            point = "%s:1:%d" % (name, STALL_MS)
            if not any(game.life(kind, point, patience=patience) == name for _ in range(TRIES)):
                never.append(name)
            if number % 12 == 0:
                game.look()
        equal(never, [], "never passed")
        print("# %d points, each was passed" % len(every), flush=True)

    game.run(disturb)


@case
def a_database_that_was_killed_while_it_was_made_is_made():
    every = [(name, 1) for kind, name in points() if kind == "fresh"]
    every += [("any", n) for n in range(1, 400, 1 if LONG else scale(23, 90))]
    made = 0
    for name, n in every:
        world = World(start=False, threads=1)
        ready = world.start("%s:%d" % (name, n))
        if ready:
            made += 1
            world.dead.process.kill()
        point = world.bury()
        assert ready or point and (name in ("any", point)), "%s: %s" % (name, point)
        world.start()
        world.daemon.save([event(n=1)])
        equal(world.daemon.total(), 1)
        world.daemon.stop()
        world.daemon.retire()
    print("# %d kills on the way to a database" % (len(every) - made), flush=True)


def storm(name, kills, **more):
    """So many kills at any time."""
    game = Play(name, **more)
    dice = game.dice

    def disturb():
        while game.world.kills < kills and not game.world.failure and time.time() < UNTIL:
            kind = dice.choice(CHORES) if dice.random() < 0.2 else "commit"
            how = dice.random()
            if how < 0.4:
                game.life(kind, "any:%d:%d" % (10 ** (dice.random() * 3.5), dice.choice([0, STALL_MS])))
            elif how < 0.6:
                game.life(kind, after=-0.06 * dice.random())
            else:
                game.life(kind, after=0.12 * dice.random())
            if game.world.kills % 10 == 0:
                game.look()

    game.run(disturb)
    return game.world.kills


@case
def each_event_is_stored_once_whenever_the_daemon_is_killed():
    storm("any", scale(16, 6))


@case
def each_event_is_stored_once_whenever_the_daemon_is_killed_on_bad_roads():
    storm("roads", scale(12, 5), roads=ROADS, cut=0.5, retained=True)


@case
def equal_batches_are_all_stored_however_often_the_daemon_is_killed():
    """Where no kill falls between two of them: see visitors.py."""
    world = World(threads=2)
    people = [Visitor(world, n, sys.maxsize, ["pass"], 0.3) for n in range(3)]
    people += [Reporter(world, 10 + n, sys.maxsize, 0, 0.3) for n in range(3)]
    play(world, people, killer(people, 500 if LONG else scale(10, 3)))


@case
def ten_thousand_kills_lose_and_double_nothing():
    if not LONG:
        raise Skip("BEACOND_TEST_LONG=1 alone")
    every, kills, number = [p for p in points() if p[0] != "fresh"], 0, 0
    while kills < KILLS and time.time() < UNTIL:
        number += 1
        dice = random.Random("%s-%d" % (SEED, number))
        if number % 3 == 0:
            game = Play("long-%d" % number)

            def disturb():
                for _ in range(100):
                    kind, name = dice.choice(every)
                    game.life(kind, "%s:%d:%d" % (name, dice.choice([1, 1, 2, 3, 5, 9]), dice.choice([0, STALL_MS])))
                    if time.time() > UNTIL:
                        break
                game.look()

            game.run(disturb)
            kills += game.world.kills
        else:
            bad = number % 3 == 1
            kills += storm("long-%d" % number, 100, roads=ROADS if bad else ("pass",), cut=0.5 * bad,
                           retained=bad)
        print("# %d kills" % kills, flush=True)


main(of_files=True)
