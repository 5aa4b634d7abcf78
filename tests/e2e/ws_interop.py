"""Against another implementation of WebSockets: Python's websockets (Debian's python3-websockets).

It belongs to the system's python3: where the one that runs this has it not, the system's is tried.
"""

import asyncio
import json
import os
import sys

try:
    import websockets
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
except ImportError:
    websockets = None
    if os.path.realpath(sys.executable) != os.path.realpath("/usr/bin/python3") and \
            os.access("/usr/bin/python3", os.X_OK):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

from harness import PATIENCE, Daemon, Skip, batch, case, equal, event, main, scale

KEY = "tk_test"


def run(talk, daemon, **options):
    """Runs talk(connection), a coroutine, on a connection of its own."""
    if websockets is None:
        raise Skip("no python3-websockets")

    async def whole():
        options.setdefault("max_size", None)
        async with websockets.connect("ws://%s/_tracker/ws" % daemon.address, **options) as connection:
            await connection.send(json.dumps({"type": "auth", "key": KEY}))
            equal(json.loads(await connection.recv()), {"type": "auth_ok"})
            return await talk(connection)

    return asyncio.run(asyncio.wait_for(whole(), PATIENCE))


def packing(**parameters):
    return {"compression": None, "extensions": [ClientPerMessageDeflateFactory(**parameters)]}


def ways():
    """Options of websockets.connect, and whether compression comes out of them (None: as it likes)."""
    if websockets is None:
        raise Skip("no python3-websockets")
    return [({}, True), ({"compression": None}, False), (packing(), True),
            (packing(server_no_context_takeover=True, client_no_context_takeover=True), True),
            (packing(client_max_window_bits=True), True), (packing(client_max_window_bits=9), True),
            (packing(server_max_window_bits=15), None), (packing(server_max_window_bits=10), False)]


@case
def it_ingests_queries_and_gets_pushes():
    for options, packed in ways():
        daemon = Daemon(key=KEY)

        async def talk(connection):
            if packed is not None:
                equal(bool(connection.extensions), packed, repr(options))
            await connection.send(batch([event(n=n) for n in range(500)]).decode())
            equal(json.loads(await connection.recv()), {"type": "ack", "saved": 500})
            for n in range(3):
                await connection.send(json.dumps({"type": "events:query", "reqId": "r%d" % n, "query": {}}))
                answer = json.loads(await connection.recv())
                equal((answer["type"], answer["reqId"]), ("events:response", "r%d" % n))
                equal([e["n"] for e in answer["response"]["events"]], list(range(499, -1, -1)))
            await connection.send(batch([event(n=1000), event(n=1001)]).decode())
            kinds, pushed = set(), []
            while len(pushed) < 2 or "ack" not in kinds:
                message = json.loads(await connection.recv())
                kinds.add(message["type"])
                pushed += message.get("events", [])
            equal(([e["n"] for e in pushed], kinds), ([1000, 1001], {"ack", "push"}))

        run(talk, daemon, **options)
        daemon.stop()


@case
def its_fragments_pings_and_close_are_understood():
    daemon = Daemon(key=KEY)
    for options, _ in ways():

        async def talk(connection):
            text = batch([event(payload='"%s"' % ("\u20ac" * 1000)) for _ in range(20)]).decode()
            await connection.send(text[n:n + 777] for n in range(0, len(text), 777))
            equal(json.loads(await connection.recv())["saved"], 20)
            for _ in range(5):
                await asyncio.wait_for(await connection.ping(), PATIENCE)
            await connection.close(4321, "b\u00fce")
            equal(connection.close_code, 4321)

        run(talk, daemon, **options)


@case
def large_messages_go_both_ways():
    daemon, count = Daemon(key=KEY), scale(12000, 1000)
    for options, _ in ways()[:2]:

        async def talk(connection):
            await connection.send(batch([event(payload='"%s"' % ("x" * 1000)) for _ in range(count)]).decode())
            equal(json.loads(await connection.recv())["saved"], count)
            await connection.send('{"type":"events:query","reqId":"r","query":{}}')
            answer = json.loads(await connection.recv())
            equal(len(answer["response"]["events"]), answer["response"]["total"])

        run(talk, daemon, **options)


@case
def it_is_told_why_it_is_closed():
    if websockets is None:
        raise Skip("no python3-websockets")
    daemon = Daemon(key=KEY, max_message="64K")

    async def refused(message, code, auth=True):
        async with websockets.connect("ws://%s/_tracker/ws" % daemon.address) as connection:
            if auth:
                await connection.send(json.dumps({"type": "auth", "key": KEY}))
                equal(json.loads(await connection.recv()), {"type": "auth_ok"})
            await connection.send(message)
            try:
                raise AssertionError("answered: %r" % await connection.recv())
            except websockets.ConnectionClosed:
                equal(connection.close_code, code, repr(message)[:60])

    async def stopped():
        async with websockets.connect("ws://%s/_tracker/ws" % daemon.address) as connection:
            daemon.signal()
            try:
                raise AssertionError("answered: %r" % await connection.recv())
            except websockets.ConnectionClosed:
                equal((connection.close_code, connection.close_reason), (1012, "restarting"))

    async def all_of_it():
        await refused('{"type":"auth","key":"wrong"}', 1008, auth=False)
        await refused('{"type":"ingest","events":[]}', 1008, auth=False)
        await refused(b"binary", 1003)
        await refused(" " * 70000, 1009)
        await stopped()

    asyncio.run(asyncio.wait_for(all_of_it(), PATIENCE))
    equal(daemon.ended(), 0)


main()
