"""What cache.py and cache_model.py share: a plain sorted list of all stored events, what a read of it
must answer to the byte, and the ways to ask.

A model learns what was stored from the database, where it checks that exactly the expected events
have come, in the order they were sent; from then on the daemon's answers are compared with the list
alone. Ids that were assigned are the only thing it takes from there.

The parts: Model · told, expect · Asker, target, quote, moment · is_hot, wait_hot.
"""

import bisect
import re
import urllib.parse

from harness import equal, original, poll, short, sliced, stamp
from sockets import Socket

CAP = 500000  # max-events, the default
LOWEST, HIGHEST = -62167219200000, 253402300799999  # the years 0000 and 9999

GIVEN = object()  # in the place of the raw id: the event came with one, and is stored as it came


def quote(text):
    return urllib.parse.quote(text, safe="")


def moment(ms):
    return max(LOWEST, min(HIGHEST, ms))


class Model:
    """rows: (ts, seq, text) ascending, the reverse of an answer's order."""

    def __init__(self):
        self.rows, self.last = [], 0

    def learn(self, daemon, expected=None):
        """Takes in what has been stored since. expected: (ts, text as sent, raw id as sent) of each
        event, in the order of storing. Returns the new rows."""
        new = [(ts, seq, text) for seq, ts, text in
               daemon.sql("select seq, ts, event from events where seq > ? order by seq", self.last)]
        if expected is not None:
            equal(len(new), len(expected), "events stored")
            for (ts, seq, text), (its_ts, sent, was) in zip(new, expected):
                equal(ts, its_ts, "timestamp of %r" % sent)
                equal(text if was is GIVEN else original(text, was), sent, "event %d" % seq)
        if new:
            self.last = new[-1][1]
        if len(new) > 16:
            self.rows = sorted(self.rows + new)
        else:
            for row in new:
                bisect.insort(self.rows, row)
        return new

    def erase(self, since, until):
        """Both inclusive."""
        self.change(since, until, lambda text: None)

    def change(self, since, until, how):
        """Each text from then until then, both inclusive, becomes how(text); None: it goes."""
        low, high = bisect.bisect_left(self.rows, (since,)), bisect.bisect_left(self.rows, (until + 1,))
        changed = [(ts, seq, how(text)) for ts, seq, text in self.rows[low:high]]
        self.rows[low:high] = [row for row in changed if row[2] is not None]
        # Numbers at the top may be used again.
        self.last = max((seq for _, seq, _ in self.rows), default=0)

    def window(self, since=None, until=None, after=None):
        """Rows, newest first."""
        low = max(bound for bound in (LOWEST, since, None if after is None else after + 1) if bound is not None)
        first = bisect.bisect_left(self.rows, (low,))
        behind = len(self.rows) if until is None else bisect.bisect_left(self.rows, (until + 1,))
        return self.rows[first:behind][::-1]

    def stamp_at(self, rank):
        """The timestamp of the event that so many are newer than; of the oldest at most."""
        return self.rows[max(0, len(self.rows) - 1 - rank)][0]


_tail = re.compile(rb'\],"total":(\d+),"page":(\d+),"limit":(\d+)(?:,"nextCursor":"([A-Za-z0-9_.~-]+)")?\}')


def told(document):
    """total, page, limit and nextCursor (None without) of a raw answer."""
    match = _tail.match(document, document.rindex(b'],"total":'))
    assert match and match.end() == len(document), "the end of an answer: %r" % document[-200:]
    total, page, limit, cursor = match.groups()
    return int(total), int(page), int(limit), cursor and cursor.decode()


def expect(document, rows, what, limit=CAP, page=1, total=None, skip=None):
    """A raw answer must be the page of these rows (newest first), to the byte. total and skip: told
    and passed over in the middle of a chain. Returns the cursor that it must have or must not."""
    skip = (page - 1) * limit if skip is None else skip
    shown = rows[skip:skip + limit]
    its_total, its_page, its_limit, cursor = told(document)
    body = b'{"events":[' + b",".join([row[2] for row in shown])
    end = document.rindex(b'],"total":')
    if document[:end] != body:
        raise AssertionError("%s: %s" % (what, difference(document, shown)))
    equal((its_total, its_page, its_limit), (len(rows) if total is None else total, page, limit),
          "%s: total, page and limit" % what)
    equal(cursor is not None, limit > 0 and skip + limit < len(rows), "%s: whether there is a nextCursor" % what)
    return cursor


def difference(document, rows):
    """In words: where the events of a raw answer are not these."""
    got, expected = sliced(document), [row[2] for row in rows]
    known = {row[2]: row[:2] for row in rows}
    lacking, strange = set(expected) - set(got), [text for text in got if text not in known]
    at = next((n for n, pair in enumerate(zip(got, expected)) if pair[0] != pair[1]), min(len(got), len(expected)))
    return ("%d events, expected %d; the first other one at %d; lacking %d: %s; not expected %d: %s; "
            "repeated: %d; expected at that place: %s"
            % (len(got), len(expected), at, len(lacking), short(sorted(map(known.get, lacking))[-8:]),
               len(strange), short(strange[:2]), len(got) - len(set(got)), short([r[:2] for r in rows[at:at + 4]])))


# --- asking -----------------------------------------------------------------------------------

FORMS = ("plain", "gzip", "socket", "packed")


class Asker:
    """Connections to a daemon, one for each form of an answer, opened when they are wanted: HTTP as it
    is and in gzip, WebSocket without and with permessage-deflate."""

    def __init__(self, daemon):
        self.daemon, self.open = daemon, {}

    def http(self, form):
        if form not in self.open:
            self.open[form] = self.daemon.connection()
        return self.open[form]

    def socket(self, form):
        if form not in self.open:
            self.open[form] = Socket(self.daemon, offer=form == "packed")
        return self.open[form]

    def get(self, form, parameters, known=None):
        """The Response, plain or gzip. known: an ETag for If-None-Match."""
        headers = {"Accept-Encoding": "gzip" if form == "gzip" else "identity"}
        if known:
            headers["If-None-Match"] = known
        return self.http(form).request("GET", target(**parameters), headers)

    def ask(self, form, **parameters):
        """The raw document. since, until and after are milliseconds."""
        if form in ("socket", "packed"):
            connection = self.socket(form)
            # What is pushed is other tests' matter.
            connection.pushes, connection.push_sizes = [], []
            return connection.response(connection.query(**texts(parameters)))
        answer = self.get(form, parameters)
        equal(answer.status, 200, "%s %r: %r" % (form, parameters, answer.body[:200]))
        return answer.plain()

    def close(self):
        for connection in self.open.values():
            (connection.wire if isinstance(connection, Socket) else connection).close()
        self.open = {}


def texts(parameters):
    return {name: stamp(value) if name in ("since", "until", "after") else value
            for name, value in parameters.items() if value is not None}


def target(**parameters):
    parts = ["%s=%s" % (name, quote(str(value))) for name, value in texts(parameters).items()]
    return "/_tracker" + ("?" + "&".join(parts) if parts else "")


# --- hot and cold -----------------------------------------------------------------------------

def large(answer):
    """Whether it would have been streamed, had it not been in memory."""
    return len(answer.plain()) > 1 << 20


def is_hot(answer):
    """Whether a large gzip answer came from memory: only then is its length known beforehand."""
    equal((answer.status, answer.header("Content-Encoding")), (200, "gzip"))
    assert large(answer), "too small an answer to tell"
    hot = answer.header("Content-Length") is not None
    equal(answer.header("Transfer-Encoding"), None if hot else "chunked")
    return hot


def wait_hot(daemon, where="/_tracker"):
    """Until that large window is answered from memory. Returns the answer."""
    connection = daemon.connection()

    def hot():
        answer = connection.request("GET", where, {"Accept-Encoding": "gzip"})
        return answer if is_hot(answer) else None

    try:
        return poll(hot, "%s to be answered from memory" % where)
    finally:
        connection.close()
