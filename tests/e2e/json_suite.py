"""Every file of the JSON test suite as an event's payload and as a body (tests/data).

y_ files must be accepted and n_ files refused; what becomes of i_ files is written down in
tests/data/json-i-verdicts.txt.
"""

import os

from harness import DATA, NOW, Daemon, case, equal, main, original, sliced, stamp

SUITE = os.path.join(DATA, "json-test-suite")


def documents(prefix):
    names = sorted(n for n in os.listdir(SUITE) if n.startswith(prefix) and n.endswith(".json"))
    assert len(names) > 20, "the suite is not at " + SUITE
    for name in names:
        with open(os.path.join(SUITE, name), "rb") as file:
            yield name, file.read()


def verdicts():
    """name: (as a payload, as a body). "ok", "no JSON" and "no events" (the body is refused), or the
    reason for which that event is put aside."""
    out = {}
    with open(os.path.join(DATA, "json-i-verdicts.txt"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, payload, body = [part.strip() for part in line.split("|")][:3]
                out[name] = (payload, body)
    return out


def with_payload(text):
    return b'{"id":"","timestamp":"%s","payload":%s}' % (stamp(NOW).encode(), text)


def send(connection, body):
    return connection.request("POST", "/_tracker/events", {}, body)


def as_payload(daemon, connection, name, text, verdict):
    """Sends it within an event between two good ones, and checks what became of it."""
    before = b'{"id":"before %s","timestamp":"2026-11-21T04:00:00Z"}' % name.encode()
    after = before.replace(b"before", b"after")
    middle = with_payload(text)
    answer = send(connection, b'{"events":[' + b",".join([before, middle, after]) + b"]}")
    if verdict == "no JSON":
        equal(answer.status, 400, name)
        answer.error()
        return
    equal(answer.status, 200, "%s: %r" % (name, answer.body))
    rejected = 0 if verdict == "ok" else 1
    equal(answer.json(), {"ok": True, "saved": 3 - rejected, "rejected": rejected, "duplicate": 0}, name)
    shown = sliced(connection.request("GET", "/_tracker?limit=%d" % (3 - rejected)).body)[::-1]
    equal(shown[0], before, name)
    equal(shown[-1], after, name)
    if rejected:
        row = daemon.sql("select reason, event from rejects order by n desc limit 1")[0]
        equal((row[0].decode(), row[1]), (verdict, middle), name)
    else:
        equal(original(shown[1], b'""'), middle, name)


@case
def y_files_come_back_byte_for_byte_as_payloads():
    daemon = Daemon()
    connection = daemon.connection()
    for name, text in documents("y_"):
        as_payload(daemon, connection, name, text, "ok")


@case
def n_files_make_their_body_no_json():
    daemon = Daemon()
    connection = daemon.connection()
    for name, text in documents("n_"):
        as_payload(daemon, connection, name, text, "no JSON")
    equal(daemon.total(), 0)


@case
def i_files_get_the_verdict_written_down():
    daemon = Daemon()
    connection = daemon.connection()
    written = verdicts()
    equal(sorted(written), [name for name, _ in documents("i_")], "files in json-i-verdicts.txt")
    for name, text in documents("i_"):
        as_payload(daemon, connection, name, text, written[name][0])


@case
def no_file_alone_is_a_body_and_the_reason_is_right():
    daemon = Daemon()
    connection = daemon.connection()
    written = verdicts()
    for prefix in ("y_", "n_", "i_"):
        for name, text in documents(prefix):
            answer = send(connection, text)
            equal(answer.status, 400, name)
            why = answer.error()
            if prefix == "y_" or prefix == "i_" and written[name][1] == "no events":
                assert "events" in why, "%s is JSON, but: %s" % (name, why)
    equal(daemon.total(), 0)


@case
def y_files_as_elements_of_events_are_put_aside_and_n_files_refused():
    daemon = Daemon()
    connection = daemon.connection()
    for name, text in documents("y_"):
        answer = send(connection, b'{"events":[' + text + b"]}")
        equal(answer.status, 200, name)
        equal(answer.json(), {"ok": True, "saved": 0, "rejected": 1, "duplicate": 0}, name)
    for name, text in documents("n_"):
        answer = send(connection, b'{"events":[' + text + b"]}")
        if answer.status == 200:  # an n_ file of several values is one here, or of none
            assert name in ("n_single_space.json", "n_structure_no_data.json"), name
    equal(daemon.total(), 0)


main()
