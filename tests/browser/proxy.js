/*
 * proxy.js: a TCP proxy in front of the daemon, which writes down what the browser sent and cuts
 * connections where a test wants it.
 *
 * A request is passed on when it is here as a whole. One connection of the browser is one connection
 * to the daemon, and what cuts the one resets the other: as without a proxy, the daemon must be able
 * to notice that its answer got lost.
 * Browsers neither pipeline nor send chunked bodies, so an answer begins with the first bytes that
 * come back after a request was passed on.
 * What comes after a WebSocket's handshake is passed on as it comes, and its frames are counted.
 */
import net from 'node:net';
import { once } from 'node:events';
import { Frames } from './frames.js';

const HEAD_END = Buffer.from('\r\n\r\n');

/* {line: "POST /… HTTP/1.1", headers: {lower-case name: value}, length: of the head}; null as long as
 * the head is not complete. */
function readHead(bytes) {
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) return null;
    const [line, ...rest] = bytes.subarray(0, end).toString('latin1').split('\r\n');
    const headers = {};
    for (const field of rest) {
        const colon = field.indexOf(':');
        headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
    }
    return { line, headers, length: end + HEAD_END.length };
}

export class Proxy {
    /* Passes on to 127.0.0.1:port. */
    static async open(port) {
        const proxy = new Proxy();
        proxy.target = port;
        /* What came, in order: {method, path, headers, body, raw, answer: {status, headers} or null,
         * cut: what mode did to it}; a WebSocket's handshake also {sent, got}, both Frames. */
        proxy.requests = [];
        /* What happens to POSTs: "pass"; "before" cuts when the request is here and not passed on;
         * "after" cuts when the daemon has begun to answer, that is after the commit; "late" cuts
         * at once, and deliver() passes the request on when the test says so. */
        proxy.mode = 'pass';
        proxy.late = [];
        proxy.sockets = new Set();
        proxy.server = net.createServer((client) => proxy.connect(client));
        proxy.server.listen(0, '127.0.0.1');
        await once(proxy.server, 'listening');
        proxy.port = proxy.server.address().port;
        return proxy;
    }

    async close() {
        for (const socket of this.sockets) socket.destroy();
        this.server.close();
        await once(this.server, 'close');
    }

    /* The POSTs so far. */
    posts() {
        return this.requests.filter((request) => request.method === 'POST');
    }

    connect(client) {
        const daemon = net.connect(this.target, '127.0.0.1');
        const link = { client, daemon, sent: Buffer.alloc(0), answered: Buffer.alloc(0), open: null };
        for (const [socket, other] of [[client, daemon], [daemon, client]]) {
            this.sockets.add(socket);
            socket.setNoDelay(true);
            socket.on('error', () => {}); // 'close' follows
            socket.on('close', () => {
                this.sockets.delete(socket);
                other.destroy();
            });
        }
        client.on('data', (bytes) => this.clientSends(link, bytes));
        daemon.on('data', (bytes) => this.daemonSends(link, bytes));
    }

    clientSends(link, bytes) {
        if (link.open?.sent) {
            link.open.sent.add(bytes);
            link.daemon.write(bytes);
            return;
        }
        link.sent = Buffer.concat([link.sent, bytes]);
        for (;;) {
            const head = readHead(link.sent);
            if (head === null) return;
            const length = head.length + Number(head.headers['content-length'] ?? 0);
            if (link.sent.length < length) return;
            const raw = link.sent.subarray(0, length);
            link.sent = link.sent.subarray(length);
            this.clientAsks(link, head, raw);
        }
    }

    clientAsks(link, head, raw) {
        const [method, path] = head.line.split(' ');
        const cut = method === 'POST' ? this.mode : 'pass';
        const body = raw.subarray(head.length);
        const request = { method, path, headers: head.headers, body, raw, answer: null, cut };
        if (head.headers.upgrade === 'websocket')
            Object.assign(request, { sent: new Frames(), got: new Frames() });
        this.requests.push(request);
        link.open = request;
        link.answered = Buffer.alloc(0);
        if (cut === 'late') this.late.push(request);
        if (cut === 'before' || cut === 'late') this.cut(link);
        else link.daemon.write(raw);
    }

    daemonSends(link, bytes) {
        const request = link.open;
        if (request !== null && request.answer === null) {
            link.answered = Buffer.concat([link.answered, bytes]);
            const head = readHead(link.answered);
            if (head !== null) {
                request.answer = { status: Number(head.line.split(' ')[1]), headers: head.headers };
                request.got?.add(link.answered.subarray(head.length));
            }
        } else {
            request?.got?.add(bytes);
        }
        if (request?.cut !== 'after') link.client.write(bytes);
        else if (request.answer !== null) this.cut(link);
    }

    cut(link) {
        link.client.resetAndDestroy();
        link.daemon.resetAndDestroy();
    }

    /* Passes on, one after the other, what "late" has kept. Resolves with the answers as text. */
    async deliver() {
        const answers = [];
        for (const request of this.late.splice(0)) {
            const daemon = net.connect(this.target, '127.0.0.1');
            this.sockets.add(daemon);
            let text = '';
            daemon.setEncoding('utf8');
            daemon.on('data', (piece) => (text += piece));
            /* So that the end of the connection is the end of the answer. */
            const asked = request.raw.toString('latin1');
            daemon.write(asked.replace(/^connection: keep-alive/im, 'Connection: close'), 'latin1');
            await once(daemon, 'close');
            this.sockets.delete(daemon);
            answers.push(text);
        }
        return answers;
    }
}
