"""The cache is invisible: random batches, restarts, erasures and reads, and every answer is what a plain
sort of all events says, to the byte, whatever the cache's bounds are (CONTRACT.md 3, 4, 6; DESIGN.md 5).

  BEACOND_SEED       the seed of the dice, printed; 1 by default
  BEACOND_TEST_LONG  1: thirty times as many steps

Moments are the real clock's, since what is dated more than five minutes ahead is kept out of the cache.
So a seed gives the same steps, not the same milliseconds.
"""

import random
import threading
import time

import stores
from harness import Connection, Daemon, batch, case, equal, event, main, poll, scale, shell
from model import FORMS, GIVEN, Asker, Model, expect, is_hot, large, moment, target, told
from world import LONG, SEED

SECOND, MINUTE, HOUR, YEAR = 1000, 60000, 3600000, 365 * 86400000
AHEAD = [5 * MINUTE, 6 * MINUTE]  # between these the cache's ceiling moves
RANKS = (1, 255, 256, 300, 511, 512, 1024, 1324, 1325)  # where a tiny cache may end

OLD, NEW = '"level":"', '"level":"x'  # what someone changes in the shell, again and again
BAD = [b"1", b"{}", b"[]", b"null", b'"text"', b'{"timestamp":5}', b'{"timestamp":"never"}', b'{"id":"x"}']
PAYLOADS = ["{}", '{"p":19.90,"e":1e400}', '"\\u0000\\ud800\\/"', '["\u20ac\U0001f600"]', '{"a":1,"a":2}']


def clock():
    return time.time_ns() // 1000000


class Sent:
    """An event as it goes into a batch: its moment (None: it can't be stored), its text, the raw id it is
    sent with (None: no id member; GIVEN) and, of a given one, (id, ms)."""

    __slots__ = ("ms", "text", "was", "key")

    def __init__(self, ms, text, was=b'""', key=None):
        self.ms, self.text, self.was, self.key = ms, text, was, key


class Play:
    """A daemon, the model of what it holds, and the dice."""

    def __init__(self, name, **options):
        print("# %s: BEACOND_SEED=%d" % (name, SEED), flush=True)
        self.dice, self.options = random.Random("%d-%s" % (SEED, name)), options
        self.model, self.database = Model(), stores.fresh()
        self.given, self.bodies, self.names = {}, [], 0
        self.tags, self.asked = {}, []
        self.log = []
        self.start()

    def start(self):
        self.daemon = Daemon(database=self.database, **self.options)
        self.asker, self.tags = Asker(self.daemon), {}

    # Events.

    def some_moment(self):
        dice, now = self.dice, clock()
        kind = dice.random()
        if kind < 0.45:
            return now - dice.randrange(2000)
        if kind < 0.60 and self.model.rows:
            return dice.choice(self.model.rows)[0]
        if kind < 0.70:
            return now - dice.randrange(MINUTE)
        if kind < 0.78:
            return now - dice.randrange(48 * HOUR)
        if kind < 0.90:
            jitter = [0, 1, -1, dice.randrange(-30, 30), dice.randrange(-3000, 20000)]
            return now + dice.choice(AHEAD) + dice.choice(jitter)
        return moment(now + dice.choice([dice.randrange(20 * MINUTE), dice.randrange(30 * HOUR), YEAR,
                                         -3 * YEAR, 9000 * YEAR]))

    def fresh(self, plain=False):
        """An event that was never sent; plain: one that is stored as a new one for certain."""
        dice, ms = self.dice, self.some_moment()
        payload = dice.choice(PAYLOADS) if dice.random() < 0.9 else '"%s"' % ("long " * dice.randrange(1000))
        kind = 0 if plain else dice.random()
        if kind < 0.85:
            return Sent(ms, event(ms, payload=payload))
        if kind < 0.88:
            return Sent(ms, event(ms, payload=payload).replace(b'"id":"",', b"", 1), None)
        if kind < 0.92:
            return Sent(None, dice.choice(BAD))
        if kind < 0.96 and self.given:
            id, ms = dice.choice(list(self.given))  # again, with another text
        else:
            self.names += 1
            id = "given %d" % self.names
        return Sent(ms, event(ms, id=id, payload=payload), GIVEN, (id, ms))

    def some(self, most=250, plain=False):
        count = self.dice.randrange(1, 1 + self.dice.choice([1, 3, 30, most]))
        events = [self.fresh(plain) for _ in range(count)]
        if self.dice.random() < 0.3:  # many that share a moment
            ms = self.some_moment()
            events += [Sent(ms, event(ms)) for _ in range(self.dice.randrange(1, most))]
        return events

    # Batches.

    def send(self, events, known=0):
        """Sends a batch of which so many, from the first, were stored before. The outcome and the rows that
        it makes must be the model's."""
        expected, saved, again = [], 0, 0
        for number, one in enumerate(events):
            if one.ms is None:
                continue
            saved += 1
            if number < known or (one.key is not None and one.key in self.given):
                again += 1
                continue
            if one.key is not None:
                self.given[one.key] = True
            expected.append((one.ms, one.text, one.was))
        texts, rejected = [one.text for one in events], len(events) - saved
        way = self.dice.random()
        if way < 0.2:
            equal(self.asker.socket("socket").ingest(texts).ack(), saved, "saved")
        else:
            answer = self.daemon.post(texts, connection=self.asker.http("plain"), packed=way < 0.5)
            equal(answer.status, 200)
            equal(answer.json(), {"ok": True, "saved": saved, "rejected": rejected, "duplicate": again})
        self.model.learn(self.daemon, expected)

    def step_batch(self):
        events = self.some()
        self.send(events)
        if events:
            self.bodies.append(events)

    def step_again(self):
        """A client that got no answer: what it sent, in whole or in part, and newer ones behind it."""
        if not self.bodies:
            return
        old = self.dice.choice(self.bodies)
        if self.dice.random() < 0.4:
            old = old[:self.dice.randrange(1, len(old) + 1)]
        more = self.some(20) if self.dice.random() < 0.5 else []
        if more and len(old) < len(self.longest(old)):
            more = []
        self.send(old + more, len(old))
        if more:
            self.bodies.append(old + more)

    def longest(self, old):
        """The longest of the bodies that begin as this one. Only who has it sends more behind it."""
        return max((b for b in self.bodies if b[0] is old[0]), key=len)

    def step_burst(self):
        """Equal lines in one millisecond make batches that are equal and no retries."""
        ms = self.some_moment()
        text = event(ms)
        for _ in range(self.dice.randrange(1, 4)):
            texts = [text] * self.dice.randrange(2, 30)
            self.daemon.save(texts, connection=self.asker.http("plain"))
            self.model.learn(self.daemon, [(ms, text, b'""')] * len(texts))

    # Ends and changes.

    def step_restart(self):
        self.asker.close()
        if self.dice.random() < 0.5:
            self.daemon.stop()
        else:
            self.daemon.crash()
        self.start()

    def step_kill(self):
        """It dies with a batch under way, and the batch is sent again: it is there once."""
        events = self.some(plain=True)
        body = batch([one.text for one in events])
        sock = self.daemon.connect()
        sock.sendall(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
                     + body)
        if self.dice.random() < 0.7:
            poll(lambda: self.daemon.unread() == 0, "the daemon to read it")
        if self.dice.random() < 0.5:
            sock.recv(1)
        self.asker.close()
        self.daemon.crash()
        sock.close()
        self.start()
        answer = self.daemon.post([one.text for one in events]).json()
        assert answer["duplicate"] in (0, len(events)), "a batch stored in part: %r" % answer
        equal(answer["saved"], len(events))
        self.model.learn(self.daemon, [(one.ms, one.text, one.was) for one in events])
        self.bodies.append(events)

    def step_erase(self):
        """Someone erases in the shell, or changes; the daemon looks with its next commit."""
        if not self.model.rows:
            return
        dice = self.dice
        edges = [self.edge()] * 2
        if dice.random() < 0.7:
            edges[1] = moment(edges[1] + dice.choice([100, 1000, 10000]))
        elif dice.random() < 0.3:
            edges = sorted([self.edge(), self.edge()])
        self.look(since=edges[0], until=edges[1])
        where = " where ts between %d and %d" % tuple(edges)
        if dice.random() < 0.6:
            shell(self.database, "delete from events" + where)
            self.model.erase(*edges)
        else:
            shell(self.database, "update events set event = replace(event, '%s', '%s')" % (OLD, NEW) + where)
            self.model.change(*edges, lambda text: text.replace(OLD.encode(), NEW.encode()))
        if stores.POSTGRES:  # where it is not counted by the next batch, but in a moment
            poll(lambda: self.daemon.total() == len(self.model.rows), "the events to be counted anew")
        left = {(id.decode(), ts) for id, ts in self.daemon.sql("select id, ts from events where given")}
        equal(left - set(self.given), set(), "given ids")
        self.given = dict.fromkeys(sorted(left), True)
        # What was asked before may look new now, even where nothing of it has changed.
        self.tags = {place: (tag, shown, False) for place, (tag, shown, _) in self.tags.items()}
        self.send([self.fresh(True)])
        self.look(since=edges[0], until=edges[1])

    # Reads.

    def edge(self):
        """A moment where something may go wrong."""
        dice, rows = self.dice, self.model.rows
        kind = dice.random()
        if not rows or kind < 0.1:
            return clock() + dice.choice([0, *AHEAD, dice.choice(AHEAD) + dice.randrange(-2000, 2000), YEAR])
        if kind < 0.45:
            near = self.model.stamp_at(max(0, dice.choice(RANKS) + dice.randrange(-2, 3)))
        else:
            near = dice.choice(rows)[0]
        return moment(near + dice.choice([0, 0, 0, 1, -1, 500]))

    def window(self):
        chances = (("since", 0.6), ("until", 0.45), ("after", 0.15))
        return {name: self.edge() for name, chance in chances if self.dice.random() < chance}

    def page(self):
        kind = self.dice.random()
        if kind < 0.6:
            return {}
        if kind < 0.7:
            return {"limit": 0}
        page = {"limit": self.dice.choice([1, 2, 7, 100, 256, 1000, 5000])}
        if self.dice.random() < 0.4:
            page["page"] = self.dice.randrange(1, 8)
        return page

    def question(self):
        """A window and a page of it; often one that was asked before, as dashboards do."""
        if self.asked and self.dice.random() < 0.35:
            return self.dice.choice(self.asked)
        self.asked = self.asked[-11:] + [(self.window(), self.page())]
        return self.asked[-1]

    def step_read(self):
        window, page = self.question()
        form, rows = self.dice.choice(FORMS), self.model.window(**window)
        what = "%s %s" % (form, target(**window, **page))
        if form in ("plain", "gzip"):
            document = self.conditional(form, window, page, rows, what)
        else:
            document = self.asker.ask(form, **window, **page)
        if document is not None:
            expect(document, rows, what, **page)

    def look(self, **window):
        """As a dashboard that holds a tag."""
        rows, what = self.model.window(**window), "gzip " + target(**window)
        document = self.conditional("gzip", window, {}, rows, what)
        if document is not None:
            expect(document, rows, what)

    def conditional(self, form, window, page, rows, what):
        """The document; with the tag of an earlier one, None when nothing is new, which must be so."""
        place, shown = target(**window, **page), [row[2] for row in rows]
        tag, was, sure = self.tags.get(place, (None, None, False))
        answer = self.asker.get(form, {**window, **page}, tag)
        if answer.status == 304:
            assert was == shown, "304 to %s: %d events were known, %d are there" % (what, len(was), len(shown))
            equal(answer.header("ETag"), tag, "ETag of a 304")
            return None
        equal(answer.status, 200, what)
        assert not (sure and was == shown), "a body to who has it: " + what
        self.tags[place] = (answer.header("ETag"), shown, True)
        return answer.plain()

    def step_chain(self):
        """A chain of cursors holds what its first page's snapshot held, whatever comes between its pages."""
        window, form = self.window(), self.dice.choice(FORMS)
        rows = self.model.window(**window)
        limit = max(5, len(rows) // self.dice.randrange(1, 10) + self.dice.randrange(-1, 2))
        page = {"limit": limit, "page": self.dice.randrange(1, 3)} if self.dice.random() < 0.3 else {"limit": limit}
        at = page.get("page", 1)
        what = "chain by %s of %s" % (form, target(**window, **page))
        cursor = expect(self.asker.ask(form, **window, **page), rows, what, **page)
        while cursor:
            kind = self.dice.random()
            if kind < 0.5:
                self.send(self.some(60))
            elif kind < 0.55:
                self.step_restart()
            at, form = at + 1, self.dice.choice(FORMS)
            cursor = expect(self.asker.ask(form, cursor=cursor, limit=limit), rows, what + ", page %d" % at, limit, at)

    def step_storm(self):
        """Reads while another connection ingests: each is the state behind a batch, not before those that
        were answered when it was asked."""
        batches = [self.some(60, plain=True) for _ in range(self.dice.randrange(2, 12))]
        before, acks, seen, trouble = self.model.last, [], [], []

        def ingest():
            try:
                connection = Connection(self.daemon)
                for events in batches:
                    self.daemon.save([one.text for one in events], connection=connection)
                    acks.append(len(events))
                connection.close()
            except Exception as error:
                trouble.append(error)

        sender = threading.Thread(target=ingest)
        sender.start()
        try:
            while sender.is_alive() and len(seen) < 40:
                (window, page), form = self.question(), self.dice.choice(FORMS)
                known = len(acks)
                seen.append((known, window, page, form, self.asker.ask(form, **window, **page)))
        finally:
            sender.join()
        equal(trouble, [])
        new = self.model.learn(self.daemon, [(e.ms, e.text, e.was) for events in batches for e in events])
        ends, at = [before], 0  # the last seq behind each batch
        for count in acks:
            at += count
            ends.append(new[at - 1][1])
        for known, window, page, form, document in seen:
            rows = self.model.window(**window)
            total = told(document)[0]
            what = "%s %s, asked behind batch %d of %d" % (form, target(**window, **page), known, len(acks))
            for end in ends[known:]:
                then = [row for row in rows if row[1] <= end]
                if len(then) == total:
                    break
            else:
                raise AssertionError("%s: %d is the total behind no batch" % (what, total))
            expect(document, then, what, **page)

    # The script.

    STEPS = ([step_batch] * 30 + [step_again] * 12 + [step_burst] * 3 + [step_restart] * 2 + [step_kill] * 1 +
             [step_erase] * 4 + [step_chain] * 5 + [step_storm] * 3)

    def run(self, steps):
        try:
            self.send([self.fresh(True) for _ in range(scale(2500, 1500))])
            for number in range(steps):
                self.log.append(self.dice.choice(self.STEPS).__get__(self))
                self.log[-1]()
                for _ in range(self.dice.randrange(5)):
                    self.step_read()
            for form in FORMS:
                expect(self.asker.ask(form), self.model.window(), "all at the end, " + form)
        except Exception as error:
            steps = [step.__name__[5:] for step in self.log[-6:]]
            raise AssertionError("BEACOND_SEED=%d, step %d (%s): %s: %s" % (
                SEED, len(self.log), ", ".join(steps), type(error).__name__, error)) from error
        finally:
            self.asker.close()
        print("# %d steps, %d events" % (len(self.log), len(self.model.rows)), flush=True)


def play(name, share=1, **options):
    steps = scale(80, 25) * share * (30 if LONG else 1)
    Play(name, **options).run(int(steps))


@case
def answers_are_the_models_with_the_default_bounds():
    play("default")


@case
def answers_are_the_models_with_a_cache_of_300_events():
    play("300 events", cache_events=300)


@case
def answers_are_the_models_with_a_cache_of_one_event_and_many_loops():
    play("1 event", 0.5, cache_events=1, threads=3)


@case
def answers_are_the_models_with_a_cache_of_few_bytes():
    play("256K", cache_bytes="256K")


@case
def answers_are_the_models_with_a_cache_too_small_for_anything():
    play("64K", 0.5, cache_bytes="64K")


@case
def answers_are_the_models_without_a_cache():
    play("no events", 0.25, cache_events=0)
    play("no bytes", 0.25, cache_bytes=0)


def warming(name, **options):
    """Asks without a pause from the start on, until all is warm and a while longer, or for so many times where
    that never comes; batches in between."""
    play = Play(name, **options)
    count, rounds = scale(20000, 8000), scale(50, 20)
    long = '"%s"' % ("w" * 100)
    start = clock() - 10 * MINUTE
    events = [Sent(ms, event(ms, payload=long)) for ms in
              (start + play.dice.randrange(10 * MINUTE) // 7 * 7 for _ in range(count))]
    for at in range(0, count, 10000):
        play.send(events[at:at + 10000])
    for ending in (play.daemon.stop, play.daemon.crash):
        play.asker.close()
        play.daemon.stop() if ending.__name__ == "stop" else play.daemon.crash()
        play.start()
        left = rounds
        while left > 0:
            left -= 1
            kind = play.dice.random()
            if kind < 0.1:
                answer = play.asker.get("gzip", {})
                expect(answer.plain(), play.model.window(), "all while it warms up")
                if large(answer) and is_hot(answer):
                    left = min(left, 10)
            elif kind < 0.3:
                play.send(play.some(30))
            elif kind < 0.35:
                play.step_chain()
            else:
                play.step_read()
    play.asker.close()
    print("# %s: %d events" % (name, len(play.model.rows)), flush=True)


@case
def answers_are_the_models_while_the_cache_warms_up():
    warming("warming")


@case
def answers_are_the_models_while_a_small_cache_warms_up():
    warming("warming 10000", cache_events=10000)


main()
