"""Three beaconds on one PostgreSQL server, behind a balancer that sends each connection to one of them at random, so
that a retry mostly goes to another node than what it repeats, often while that is under way. Nodes are killed (kill -9)
at any time, and the server too; they are ended, stopped for a while, lose their sessions. Each event is stored once, what
was acknowledged by any node is read from each from then on, whoever watches on one node sees what another took, once.

  BEACOND_SEED        the seed, printed when something fails; 1 by default
  BEACOND_TEST_LONG   1: thousands of kills; BEACOND_KILLS says how many, 3000 by default
  BEACOND_TEST_UNTIL  and until when at most (seconds since 1970)
"""

import os
import random
import signal
import sys
import time

# Whatever the other tests run against.
os.environ["BEACOND_TEST_STORE"] = "postgresql"

import postgres
from cluster import PAST_MS, Cluster, Listener, Looker, Prober, check
from harness import BRIEF, NOW, Skip, case, equal, event, main, poll, scale, sql
from reporters import Reporter
from sockets import Socket
from visitors import ROADS, Visitor
from world import LONG, SEED, play

NODES = 3
SOME = 3 if BRIEF else scale(16, 6)
KILLS = int(os.environ.get("BEACOND_KILLS", "3000"))
UNTIL = float(os.environ.get("BEACOND_TEST_UNTIL", "inf"))


class Bulk(Looker):
    """Sends large bodies, whose commits take long: others overtake them."""

    def _visit(self, session):
        _, items = self._emit(session, self.dice.randrange(200, 1000))
        self._post(items)


def people(cluster, roads=("pass",), cut=0.0, bursts=0.0):
    """Who sends and looks, until visits is 0."""
    senders = [Visitor(cluster, n, sys.maxsize, list(roads), bursts) for n in range(3)]
    senders += [Reporter(cluster, 10 + n, sys.maxsize, cut, bursts, stock=n == 2) for n in range(3)]
    for one in senders:
        one.clock -= PAST_MS
    lookers = [Listener(cluster, 0, sys.maxsize), Listener(cluster, 1, sys.maxsize), Bulk(cluster, 2, sys.maxsize)]
    everybody = senders + lookers
    everybody += [Prober(cluster, 3 + n, sys.maxsize, list(everybody)) for n in range(3)]
    return everybody


# --- what happens to them -----------------------------------------------------------------------

def kill(cluster, dice):
    cluster.kill_node(dice.randrange(NODES))


def kill_for_a_while(cluster, dice):
    n = dice.randrange(NODES)
    cluster.kill_node(n, start=False)
    cluster.wait_more(dice.randrange(1, 40))
    cluster.start_node(n)


def kill_all(cluster, dice):
    for n in range(NODES):
        cluster.kill_node(n, start=False)
    nodes = [cluster.start_node(n, ready=False) for n in range(NODES)]
    for n, node in enumerate(nodes):
        cluster.await_node(n, node)


def end(cluster, dice):
    cluster.restart_node(dice.randrange(NODES))


def pause(cluster, dice):
    cluster.pause_node(dice.randrange(NODES), dice.random() * 0.5)


def pause_for_long(cluster, dice):
    """Until the others take it for dead."""
    cluster.pause_node(dice.randrange(NODES), 7)


def lose_sessions(cluster, dice):
    cluster.terminate_backends()


def kill_server(cluster, dice):
    cluster.server.kill()
    cluster.kills += 1
    time.sleep(dice.random() * 0.1)  # the server's absence
    cluster.server.start()


def kill_server_and_node(cluster, dice):
    n = dice.randrange(NODES)
    cluster.server.kill()
    cluster.kill_node(n, start=False)
    node = cluster.start_node(n, ready=False)
    cluster.server.start()
    cluster.await_node(n, node)


def kill_backend(cluster, dice):
    """The server ends all its sessions then, and recovers."""
    pids = cluster.backends()
    if pids:
        os.kill(dice.choice(pids), signal.SIGKILL)
        cluster.kills += 1


def end_server(cluster, dice):
    cluster.server.stop(dice.choice([signal.SIGINT, signal.SIGQUIT]))
    cluster.kills += 1
    cluster.server.start()


def stall_server(cluster, dice):
    cluster.server.pause()
    time.sleep(dice.random() * 0.3)  # the time in which it does not answer
    cluster.server.go_on()


TO_NODES = [kill] * 5 + [kill_for_a_while, kill_all, end, pause, lose_sessions]
TO_ALL = TO_NODES + [kill_server] * 3 + [kill_server_and_node, kill_backend, kill_backend, end_server, stall_server]


def storm(name, kills, what, judge=check, server=None, **more):
    """So many kills at any time."""
    dice = random.Random("%s-%s" % (SEED, name))
    cluster = Cluster(NODES, server=server)
    everybody = people(cluster, **more)
    cluster.wait_more = lambda count: cluster.wait_acks(cluster.acks + count, everybody)

    def disturb(cluster):
        try:
            while cluster.kills < kills and not cluster.failure and time.time() < UNTIL:
                cluster.wait_more(dice.randrange(1, 60))
                time.sleep(dice.random() * 0.01)
                dice.choice(what)(cluster, dice)
        finally:
            for one in everybody:
                one.visits = 0

    play(cluster, everybody, disturb, lambda world, senders: judge(world, senders))
    return cluster.kills


@case
def each_event_is_stored_once_whichever_node_is_killed_at_any_time():
    storm("nodes", SOME, TO_NODES, roads=ROADS, cut=0.5)


@case
def each_event_is_stored_once_whatever_is_killed_at_any_time():
    storm("all", SOME, TO_ALL, roads=ROADS, cut=0.5)


@case
def commits_that_overtake_each_other_are_seen_by_every_node():
    """Nobody is killed, and each commit takes its time behind the moment in which it got its numbers."""
    server = postgres.Server(commit_delay=5000, commit_siblings=0)
    cluster = Cluster(NODES, server=server)
    everybody = people(cluster)

    def disturb(cluster):
        cluster.wait_acks(scale(1500, 300), everybody)
        for one in everybody:
            one.visits = 0

    play(cluster, everybody, disturb, check)


@case
def equal_batches_are_all_stored_whichever_nodes_they_go_to():
    """Where no kill falls between two of them: see visitors.py."""
    dice = random.Random("%s-equal" % SEED)
    cluster = Cluster(NODES)
    everybody = people(cluster, bursts=0.3)

    def disturb(cluster):
        try:
            while cluster.kills < scale(8, 3) and not cluster.failure:
                cluster.wait_acks(cluster.acks + dice.randrange(1, 60), everybody)
                with cluster.calm.for_kill():
                    dice.choice([kill, kill, kill_server])(cluster, dice)
        finally:
            for one in everybody:
                one.visits = 0

    play(cluster, everybody, disturb, check)


# --- one after the other ------------------------------------------------------------------------

@case
def what_one_node_took_is_pushed_by_the_others_once():
    cluster = Cluster(NODES)
    watchers = [Socket(node).follow() for node in cluster.nodes]
    sent = []
    for n in range(scale(30, 10)):
        texts = [event(NOW + n) for _ in range(n % 4 + 1)]
        cluster.nodes[n % NODES].save(texts)
        sent += texts
    for watcher in watchers:
        watcher.wait_pushes(len(sent))
        watcher.sync()
        equal(len(watcher.pushes), len(sent))
    stored = [row[0] for row in sql(cluster.database, "select event from events order by seq")]
    for watcher in watchers:
        equal(watcher.pushes, stored)


@case
def a_retry_is_known_whichever_node_took_the_first():
    cluster, texts = Cluster(NODES), [event(NOW + n) for n in range(20)]
    cluster.nodes[0].save(texts)
    for node in cluster.nodes:
        equal(node.post(texts + [event(NOW + 99)]).json()["duplicate"], 20)
        equal(node.post(texts[:7]).json()["duplicate"], 7)
    cluster.kill_node(0)
    for node in cluster.nodes:
        equal(node.post(texts).json()["duplicate"], 20)
    equal([node.total() for node in cluster.nodes], [23] * NODES)


def burst_without_an_answer(cluster, n):
    """A burst that node n has stored, whose client was killed with it."""
    texts = [event(NOW, 7)] * 5
    cluster.nodes[n].save(texts)
    return texts


def ended(cluster, name):
    return sql(cluster.database, "select count(*) from nodes where name = ? and ended is not null", name)[0][0]


@case
def a_burst_is_known_once_the_place_of_its_node_is_taken():
    cluster = Cluster(2)
    texts = burst_without_an_answer(cluster, 0)
    cluster.kill_node(0)
    equal(ended(cluster, "node 0"), 1)
    equal(cluster.nodes[1].post(texts).json()["duplicate"], 5, "sent again to the other")
    equal(cluster.nodes[1].post(texts).json()["duplicate"], 0, "one more")


@case
def a_burst_is_known_once_its_node_is_taken_for_dead():
    cluster = Cluster(2)
    texts = burst_without_an_answer(cluster, 0)
    cluster.kill_node(0, start=False)
    poll(lambda: ended(cluster, "node 0"), "the other to notice")
    cluster.nodes[1].wait_log('the node "node 0" is gone')
    equal(cluster.nodes[1].post(texts).json()["duplicate"], 5)
    equal(cluster.nodes[1].post(texts).json()["duplicate"], 0)


@case
def thousands_of_kills_lose_and_double_nothing():
    if not LONG:
        raise Skip("BEACOND_TEST_LONG=1 alone")
    kills, number = 0, 0
    while kills < KILLS and time.time() < UNTIL:
        number += 1
        bad = number % 2 == 0
        what = [TO_NODES, TO_ALL, TO_ALL + [pause_for_long]][number % 3]
        kills += storm("long-%d" % number, 100, what, roads=ROADS if bad else ("pass",), cut=0.5 * bad)
        print("# %d kills" % kills, flush=True)


main()
