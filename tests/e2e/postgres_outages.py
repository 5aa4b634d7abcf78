"""PostgreSQL away, ended, killed, failed over, stopped, read-only, out of connections or of disk, or cut off in the
midst of a COMMIT: clients are told 503 or wait, the daemon is not ready, and all of it is over without a restart; what
was acknowledged is stored, once. Also what nodes are called, and sessions that are another's."""

import contextlib
import os
import random
import signal
import threading
import time

# Whatever the other tests run against.
os.environ["BEACOND_TEST_STORE"] = "postgresql"

import postgres
import psql
from cluster import PAST_MS, Cluster, Listener, Prober, check
from disks import tiny_disk
from harness import NOW, Daemon, batch, begin, case, equal, event, finish, main, poll, scale
from postgres_proxy import Proxy
from reporters import Reporter
from sockets import Socket
from visitors import ROADS, Visitor
from world import SEED, play


def texts(count, first=0):
    return [event(NOW + first + n, first + n) for n in range(count)]


def ready(daemon):
    return daemon.get("/readyz").status == 200


def refused(daemon, some):
    """They are not stored now."""
    equal(daemon.post(some).status, 503)
    poll(lambda: not ready(daemon), "the daemon to say that it is not ready")
    equal(daemon.get("/livez").status, 200)


def recovers(daemon, some, duplicate=0):
    """They are stored, as soon as that can be."""
    poll(lambda: ready(daemon), "the daemon to be ready")
    answer = poll(lambda: next((a for a in [daemon.post(some)] if a.status == 200), None), "events to be taken")
    equal(answer.json(), {"ok": True, "saved": len(some), "rejected": 0, "duplicate": duplicate})


def stored(daemon, count):
    equal(daemon.sql("select count(*), count(distinct id) from events"), [(count, count)])
    equal(daemon.total(), count)


def name_of(uri):
    return uri.split("///")[1].split("?")[0]


def end_sessions(server, uri):
    psql.rows(server.admin(name_of(uri)), "select pg_terminate_backend(pid) from pg_stat_activity where datname = ? "
              "and pid <> pg_backend_pid() and backend_type = 'client backend'", name_of(uri))


# --- away ---------------------------------------------------------------------------------------

@case
def a_server_that_is_away_is_told_by_503_and_comes_back():
    server = postgres.Server()
    daemon = Daemon(database=server.database(), hold="100ms")
    daemon.save(texts(3))
    for n, leave in enumerate([lambda: server.stop(signal.SIGINT), lambda: server.stop(signal.SIGQUIT), server.kill]):
        leave()
        some = texts(2, 10 * (n + 1))
        refused(daemon, some)
        equal(daemon.get("/_tracker?limit=1").status, 503, "a read")
        server.start()
        recovers(daemon, some)
        recovers(daemon, some, 2)
        stored(daemon, 3 + 2 * (n + 1))


@case
def who_waits_while_the_server_is_away_for_a_moment_is_answered():
    server = postgres.Server()
    daemon = Daemon(database=server.database())  # hold is long
    daemon.save(texts(1))
    for n in range(scale(4, 2)):
        server.stop(signal.SIGQUIT)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(daemon.post(texts(3, 10 * (n + 1)))))
        thread.start()
        poll(lambda: not ready(daemon), "the daemon to notice")
        server.start()
        thread.join()
        equal(answers[0].status, 200)
        stored(daemon, 1 + 3 * (n + 1))


@case
def a_daemon_waits_for_its_server_at_the_start():
    server = postgres.Server()
    uri = server.database(keep=True)
    server.stop()
    daemon = Daemon(database=uri, ready=False)
    daemon.wait_log(r"warn .* trying again until it works")
    server.start()
    daemon.wait_ready()
    daemon.save(texts(1))
    daemon.stop()
    server.stop()
    daemon = Daemon(database=uri, ready=False)
    daemon.wait_log(r"warn .* trying again until it works")
    daemon.stop()
    server.start()


@case
def a_session_that_ends_costs_nobody_an_answer():
    server = postgres.server()
    uri = server.database()
    daemon = Daemon(database=uri)
    for n in range(scale(10, 3)):
        end_sessions(server, uri)
        recovers(daemon, texts(2, 2 * n))
        stored(daemon, 2 * (n + 1))


@case
def a_server_that_does_not_answer_is_waited_for():
    server = postgres.Server()
    daemon = Daemon(database=server.database(), hold="200ms")
    daemon.save(texts(1))
    server.pause()
    refused(daemon, texts(2, 10))
    server.go_on()
    answer = poll(lambda: next((a for a in [daemon.post(texts(2, 10))] if a.status == 200), None), "it to go on")
    equal(answer.json()["saved"], 2)
    stored(daemon, 3)


# --- there, and of no use -----------------------------------------------------------------------

@case
def a_server_that_takes_no_writes_is_told_by_503():
    server = postgres.server()
    uri = server.database()
    daemon = Daemon(database=uri, hold="100ms")
    daemon.save(texts(1))
    for n, (off, on) in enumerate([("alter database %s set default_transaction_read_only = on", True),
                                   ("alter system set default_transaction_read_only = on", False)]):
        admin = server.admin()
        psql.psql(admin, off % name_of(uri) if on else off)
        psql.psql(admin, "select pg_reload_conf()")
        if on:
            end_sessions(server, uri)
        some = texts(2, 10 * (n + 1))
        poll(lambda: daemon.post([event(NOW, 99)]).status == 503, "the setting to count")
        refused(daemon, some)
        admin += "&options=-cdefault_transaction_read_only%3Doff"
        psql.psql(admin, "alter database %s reset all" % name_of(uri))
        psql.psql(admin, "alter system reset default_transaction_read_only")
        psql.psql(admin, "select pg_reload_conf()")
        recovers(daemon, some)
    daemon.post([event(NOW, 99)])
    stored(daemon, 6)


@case
def a_server_without_connections_left_is_told_by_503():
    server = postgres.Server(max_connections=12, superuser_reserved_connections=2)
    uri = server.database()
    daemon = Daemon(database=uri, hold="100ms")
    daemon.save(texts(1))
    held = []

    names = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'beacond'"

    def hold():
        """A session that has ended may count for a moment longer: that there is none left now proves nothing."""
        psql.rows(server.admin(), names)
        with contextlib.suppress(psql.Failed):
            session = psql.Session(uri)
            session.run("select 1;")
            held.append(session)
        return len(held) == 12 - 2

    poll(hold, "all connections")
    refused(daemon, texts(2, 10))
    for session in held:
        session.close()
    recovers(daemon, texts(2, 10))
    stored(daemon, 3)


@case
def a_server_whose_disk_is_full_is_told_by_503():
    path, resize = tiny_disk(32 << 20)
    server = postgres.Server()  # which sees that disk
    if server.person:
        os.chown(path, *server.person)
    uri = server.database(keep=True)
    name = name_of(uri)
    psql.psql(server.admin(), "create tablespace small location '%s'" % path)
    psql.psql(server.admin(), "alter database %s set tablespace small" % name)
    daemon = Daemon(database=uri, hold="200ms")
    daemon.save(texts(1))
    number = 0
    for number in range(100, 200):
        if daemon.post(big(number)).status == 503:
            break
    refused(daemon, big(number))
    resize(200 << 20)
    recovers(daemon, big(number))
    stored(daemon, 1 + 100 * (number - 99))


def big(number):
    dice = random.Random(number)
    return [event(NOW + n, 1000 * number + n, payload='"%s"' % dice.randbytes(4000).hex()) for n in range(100)]


# --- cut off ------------------------------------------------------------------------------------

def behind_proxy():
    server = postgres.server()
    proxy = Proxy(server, server.database())
    return proxy, Daemon(database=proxy.uri)


@case
def a_commit_whose_answer_is_lost_is_stored_once():
    proxy, daemon = behind_proxy()
    daemon.save([event(NOW - 1, 1)])
    count = 1
    for n, fate in enumerate(["before", "answer", "sent"] * scale(5, 2)):
        some = texts(4, 10 * (n + 1)) if n % 2 else [event(NOW + 10 * n, n)] * 4  # a burst
        proxy.arm(fate)
        answer = daemon.post(some)
        equal((proxy.met, answer.status), (n + 1, 200))
        equal(answer.json()["saved"], 4)
        count += 4
        stored(daemon, count)
    assert any("a commit whose answer was lost was made" in line for line in daemon.log()), "nothing in the log"


@case
def a_burst_like_another_is_stored_once_when_its_commits_answer_is_lost():
    proxy, daemon = behind_proxy()
    some = [event(NOW, 7)] * 4
    for n, fate in enumerate([None, "before", "answer", "sent"], 1):
        proxy.arm(fate)
        answer = daemon.post(some).json()
        equal((answer["saved"], answer["rejected"], proxy.met), (4, 0, n - 1))
        stored(daemon, 4 * n)


@case
def a_burst_whose_client_and_commits_answer_are_lost_has_one_repetition():
    proxy, daemon = behind_proxy()
    some = [event(NOW, 7)] * 4
    body = batch(some)
    proxy.arm("answer")
    with daemon.connect() as sock:
        sock.sendall(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) +
                     body)
    daemon.wait_log("a commit whose answer was lost was made")
    equal(daemon.post(some).json()["duplicate"], 4, "of its repetition")
    equal(daemon.post(some).json()["duplicate"], 0, "of another one")
    stored(daemon, 8)


@case
def a_commit_whose_answer_is_lost_is_known_to_other_nodes():
    server = postgres.server()
    uri = server.database()
    proxy = Proxy(server, uri)
    cut, other = Daemon(database=proxy.uri), Daemon(database=uri, node="other")
    count = 0
    for n, fate in enumerate(["before", "answer", "sent"] * scale(5, 2)):
        some = texts(4, 10 * n)
        proxy.arm(fate)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(cut.post(some)))
        thread.start()
        poll(lambda: proxy.met > n, "the COMMIT")
        answers.append(other.post(some))  # while the first is in doubt
        thread.join()
        equal([a.status for a in answers], [200, 200])
        equal(sum(a.json()["saved"] - a.json()["duplicate"] for a in answers) in (0, 4), True, "stored anew")
        count += 4
        stored(other, count)
        stored(cut, count)


@case
def other_sessions_are_notified_of_what_was_stored_and_of_nothing_else():
    daemon = Daemon()
    with psql.Session(daemon.database) as session:
        session.run("listen beacond_news;")

        def notified():
            return b"Asynchronous notification" in session.run("select 1;")

        def quiet():
            """From one sign of life to the next."""
            seen = daemon.sql("select seen from nodes")
            daemon.total()
            poll(lambda: daemon.sql("select seen from nodes") != seen, "the node to say that it lives")
            return not notified()

        for n in range(3):
            daemon.save(texts(2, 10 * n))
            poll(notified, "a notification")
            poll(quiet, "an end of notifications")


@case
def a_session_that_seems_to_be_another_ones_polls():
    server = postgres.server()
    uri = server.database()
    proxy = Proxy(server, uri, pooler=True)
    one, other = Daemon(database=proxy.uri, node="pooled"), Daemon(database=uri)
    one.wait_log("a pooler stands before PostgreSQL")
    watchers = [Socket(daemon).follow() for daemon in (one, other)]
    for n, daemon in enumerate((one, other) * 3):
        daemon.save(texts(2, 10 * n))
        for watcher in watchers:
            watcher.wait_pushes(2 * (n + 1))
        equal([d.total() for d in (one, other)], [2 * (n + 1)] * 2)


# --- names --------------------------------------------------------------------------------------

def living(daemon):
    return [tuple(row) for row in daemon.sql("select name, slot from nodes where ended is null order by slot")]


@case
def a_name_is_one_nodes_and_goes_to_its_successor():
    first = Daemon(node="one")
    uri = first.database
    other = Daemon(database=uri, node="two")
    equal(living(first), [(b"one", 0), (b"two", 1)])
    code, _, err = finish(begin("--database", uri, "--listen", "127.0.0.1:0", "--node", "one"))
    assert code == 78 and 'another node is called "one"' in err, (code, err)
    first.crash()
    first = Daemon(database=uri, node="one")
    equal(sorted(living(first)), [(b"one", 0), (b"two", 1)])
    other.stop()
    equal(living(first), [(b"one", 0)])
    third = Daemon(database=uri, node="two")
    equal(living(first), [(b"one", 0), (b"two", 1)])
    third.stop()


@case
def a_place_is_taken_once_nothing_of_its_last_node_is_left():
    first = Daemon(node="one")
    instance = first.sql("select instance from nodes")[0][0]
    first.save(texts(1))
    with psql.Session(first.database) as session:
        # As its transaction would that the server is still busy with.
        session.run("begin; select pg_advisory_xact_lock_shared((70::bigint << 56) | %d);" % instance)
        first.crash()
        again = Daemon(database=first.database, node="one", ready=False)
        again.wait_log('warn .*the node "one" is not heard of, but something of it is still there')
        session.run("commit;")
    again.wait_ready()
    equal(living(again), [(b"one", 0)])


@case
def a_node_that_was_taken_for_dead_goes_on_as_a_new_one():
    daemon = Daemon(node="stopped")
    other = Daemon(database=daemon.database, node="other")
    daemon.save(texts(2))
    daemon.signal(signal.SIGSTOP)
    end_sessions(postgres.server(), daemon.database)
    other.wait_log('the node "stopped" is gone')
    equal(living(other), [(b"other", 1)])
    daemon.signal(signal.SIGCONT)
    daemon.wait_log("others took it for dead")
    equal(living(other), [(b"stopped", 0), (b"other", 1)])
    daemon.save(texts(2, 10))
    equal((daemon.total(), other.total()), (4, 4))
    equal(daemon.post(texts(2)).json()["duplicate"], 2)


# --- all of it ----------------------------------------------------------------------------------

class Standby(postgres.Server):
    """A server that streams from another and is promoted when that has died. What the other acknowledges is here."""

    def __init__(self, primary):
        self.person, self.process, self.stopped = primary.person, None, []
        self.directory = self._folder()
        self.data = os.path.join(self.directory, "data")
        self.path = os.path.join(self.directory, postgres.SOCKET)
        postgres.atexit.register(self.remove)
        postgres.runner.behind(self.remove)
        postgres._run("pg_basebackup", "-D", self.data, "-h", primary.directory, "-U", "postgres", "-R", "-X", "stream",
                      "-c", "fast", person=self.person)
        self.configure(primary_conninfo="host=%s user=postgres application_name=standby" % primary.directory,
                       hot_standby="on")
        self.start()

    def promote(self):
        psql.psql(self.admin(), "select pg_promote()")


def everybody(cluster):
    people = [Visitor(cluster, n, 1 << 30, list(ROADS), 0) for n in range(2)]
    people += [Reporter(cluster, 10 + n, 1 << 30, 0.3, 0) for n in range(2)]
    for one in people:
        one.clock -= PAST_MS
    people.append(Listener(cluster, 0, 1 << 30))
    people.append(Prober(cluster, 1, 1 << 30, list(people)))
    return people


def enough(people):
    for one in people:
        one.visits = 0


@case
def a_standby_takes_over_and_nothing_acknowledged_is_lost():
    primary = postgres.Server(max_wal_senders=4, wal_level="replica")
    uri = primary.database(keep=True)
    standby = Standby(primary)
    psql.psql(primary.admin(), "alter system set synchronous_standby_names = 'standby'")
    psql.psql(primary.admin(), "select pg_reload_conf()")
    poll(lambda: psql.rows(primary.admin(), "select sync_state from pg_stat_replication") == [(b"sync",)], "a standby")
    both = uri.replace("host=" + primary.directory, "host=%s,%s" % (primary.directory, standby.directory))
    cluster = Cluster(2, server=standby, database=both)
    people = everybody(cluster)

    def disturb(cluster):
        try:
            cluster.wait_acks(scale(150, 30), people)
            primary.kill()
            standby.promote()
            cluster.wait_acks(cluster.acks + scale(150, 30), people)
        finally:
            enough(people)

    play(cluster, people, disturb, check)


@case
def each_event_is_stored_once_whatever_becomes_of_the_server():
    server = postgres.Server()
    cluster = Cluster(1, server=server)
    people, dice = everybody(cluster), random.Random("%s-outages" % SEED)

    def away():
        dice.choice([lambda: server.stop(signal.SIGINT), lambda: server.stop(signal.SIGQUIT), server.kill])()
        time.sleep(dice.random() * 0.5)  # the time in which it is away
        server.start()

    def stopped():
        server.pause()
        time.sleep(dice.random())  # the time in which it does not answer
        server.go_on()

    def backend():
        pids = cluster.backends()
        if pids:
            os.kill(dice.choice(pids), signal.SIGKILL)

    def disturb(cluster):
        try:
            for _ in range(scale(15, 4)):
                cluster.wait_acks(cluster.acks + dice.randrange(1, 40), people)
                dice.choice([away, away, stopped, backend, cluster.terminate_backends])()
        finally:
            enough(people)

    play(cluster, people, disturb, check)


main()
