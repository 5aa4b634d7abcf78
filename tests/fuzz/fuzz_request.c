/*
 * fuzz_request.c: what a client sends, against the whole server: a real engine with a database in a
 * folder of its own, one loop, connections over a Unix socket.
 *
 * The first byte of the input tells in how many bytes the rest is sent; then the client has no more
 * to say. Whatever it was, each answer must be well-formed HTTP that nothing of the request shows
 * in but what belongs there, there must be as many as whole requests were sent, none may be 500,
 * and a request on a new connection must be answered.
 */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "contract/inflate.h"
#include "engine/engine.h"
#include "fuzz.h"
#include "server/chunked.h"
#include "server/head.h"
#include "server/server.h"

#define FUZZ_MAX_BODY 4096
#define FUZZ_MAX_HEAD 4096
#define FUZZ_PATIENCE_S 60
#define FUZZ_OTHER 16 /* every so many inputs a request on another connection */

static struct {
    char folder[PATH_MAX], database[PATH_MAX], socket[PATH_MAX], listen[PATH_MAX + 8];
    struct access *access;
    struct engine *engine;
    struct server *server;
    struct sockaddr_un address;
    struct bytes got;
    unsigned inputs;
} fuzz;

/* --- the server --------------------------------------------------------------------------------
 */

static void fuzz_remove(void)
{
    char path[PATH_MAX + 300];
    DIR *dir = opendir(fuzz.folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", fuzz.folder, entry->d_name);
        (void)unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    (void)rmdir(fuzz.folder);
}

static void fuzz_start(void)
{
    static char *prefixes[] = {"/_tracker", "/p"};
    static char *listens[] = {fuzz.listen};
    static struct server_options options;
    const char *where = getenv("TMPDIR");
    struct error err = {""};
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    json_object_seed(1);
    snprintf(fuzz.folder, sizeof fuzz.folder, "%s/beacond-fuzz-XXXXXX",
             where != NULL ? where : "/tmp");
    fuzz_need(mkdtemp(fuzz.folder) != NULL, "no folder");
    atexit(fuzz_remove);
    snprintf(fuzz.database, sizeof fuzz.database, "%.4000s/b.db", fuzz.folder);
    snprintf(fuzz.socket, sizeof fuzz.socket, "%.4000s/s", fuzz.folder);
    snprintf(fuzz.listen, sizeof fuzz.listen, "unix:%s", fuzz.socket);
    fuzz.address.sun_family = AF_UNIX;
    fuzz_need(strlen(fuzz.socket) < sizeof fuzz.address.sun_path, "TMPDIR is too long a path");
    strcpy(fuzz.address.sun_path, fuzz.socket);
    const struct engine_options engine = {.store = {.database = fuzz.database,
                                                    .synchronous = STORE_SYNC_OFF,
                                                    .max_rejects = 100,
                                                    .max_rejects_bytes = 1 << 20},
                                          .queue_bytes = 1 << 20,
                                          .receipts_bytes = 1 << 20,
                                          .cache_events = 200,
                                          .cache_bytes = 1 << 20,
                                          .readers = 1,
                                          .retain_bytes = 8 << 20};
    fuzz_need(engine_open(&fuzz.engine, &engine, &err) == STORE_OK, err.text);
    options = (struct server_options){.listen = listens,
                                      .listen_count = 1,
                                      .routes = {prefixes, 2, NULL},
                                      .app_id = "app",
                                      .version = "0",
                                      .max_header = FUZZ_MAX_HEAD,
                                      .max_body = FUZZ_MAX_BODY,
                                      .max_inflated = 4 * FUZZ_MAX_BODY,
                                      .max_message = FUZZ_MAX_BODY,
                                      .limits = {1000, 32},
                                      .max_events = 20,
                                      .threads = 1,
                                      .hold_ms = 2000,
                                      .drain_ms = 1000,
                                      .timeout_ms = 60000,
                                      .head_timeout_ms = 60000,
                                      .body_timeout_ms = 60000,
                                      .ping_interval_ms = 30000,
                                      .max_push = 65536,
                                      .max_connections = 100,
                                      .max_receiving = 1 << 20,
                                      .max_reads = 10};
    fuzz.access = access_new();
    fuzz_need(fuzz.access != NULL && access_add_key(fuzz.access, "both", &err) == 0 &&
                  access_add_key(fuzz.access, "in:ingest", &err) == 0 &&
                  access_add_key(fuzz.access, "out:query", &err) == 0,
              err.text);
    fuzz_need(server_start(&fuzz.server, &options, fuzz.access, fuzz.engine, &err) == 0, err.text);
    bytes_init(&fuzz.got);
}

/* --- the client --------------------------------------------------------------------------------
 */

/* An answer without an end: what has come of it is enough. */
static bool fuzz_endless(const struct bytes *got)
{
    return got->len > 0 && memmem(got->data, got->len, "text/event-stream", 17) != NULL;
}

/* Sends it in pieces, then its end, and reads all answers into fuzz.got. */
static void fuzz_talk(const char *text, size_t len, size_t step)
{
    const struct timeval patience = {FUZZ_PATIENCE_S, 0};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fuzz_need(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
                  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
                  connect(fd, (const struct sockaddr *)&fuzz.address, sizeof fuzz.address) == 0,
              "no connection");
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, text + at, len - at < step ? len - at : step, MSG_NOSIGNAL);
        fuzz_need(n > 0 || errno == EPIPE || errno == ECONNRESET, "it takes nothing any more");
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    (void)shutdown(fd, SHUT_WR);
    fuzz.got.len = 0;
    for (;;) {
        fuzz_need(bytes_reserve(&fuzz.got, 65536) == 0, "out of memory");
        ssize_t n = recv(fd, fuzz.got.data + fuzz.got.len, 65536, 0);
        fuzz_need(n >= 0 || errno == ECONNRESET, "an answer does not end");
        if (n <= 0)
            break;
        fuzz.got.len += (size_t)n;
        if (fuzz_endless(&fuzz.got))
            break;
    }
    close(fd);
}

/* --- answers -----------------------------------------------------------------------------------
 */

struct fuzz_answer {
    int status;
    bool chunked, gzip, json, stream, closes;
    int lengths;
    size_t length;
    struct bytes body;
};

static bool fuzz_is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

static void fuzz_header(struct fuzz_answer *answer, const char *name, size_t name_len,
                        const char *value, size_t len)
{
    static const char *const known[] = {"Access-Control-Allow-Credentials",
                                        "Access-Control-Allow-Headers",
                                        "Access-Control-Allow-Methods",
                                        "Access-Control-Allow-Origin",
                                        "Access-Control-Expose-Headers",
                                        "Access-Control-Max-Age",
                                        "Allow",
                                        "Cache-Control",
                                        "Connection",
                                        "Content-Encoding",
                                        "Content-Length",
                                        "Content-Security-Policy",
                                        "Content-Type",
                                        "Date",
                                        "ETag",
                                        "Keep-Alive",
                                        "Location",
                                        "Referrer-Policy",
                                        "Retry-After",
                                        "Sec-WebSocket-Accept",
                                        "Sec-WebSocket-Extensions",
                                        "Sec-WebSocket-Version",
                                        "Transfer-Encoding",
                                        "Upgrade",
                                        "Vary",
                                        "WWW-Authenticate",
                                        "X-Content-Type-Options",
                                        "X-Frame-Options",
                                        "X-Accel-Buffering",
                                        "Cross-Origin-Opener-Policy",
                                        "Cross-Origin-Resource-Policy",
                                        NULL};
    bool found = false;
    for (size_t i = 0; known[i] != NULL && !found; i++)
        found = fuzz_is(name, name_len, known[i]);
    fuzz_need(found, "a header that is none of ours");
    for (size_t i = 0; i < len; i++)
        fuzz_need((unsigned char)value[i] >= ' ' || value[i] == '\t', "a control character");
    if (fuzz_is(name, name_len, "Content-Length")) {
        answer->lengths++;
        answer->length = (size_t)strtoul(value, NULL, 10);
    } else if (fuzz_is(name, name_len, "Transfer-Encoding")) {
        answer->lengths++;
        answer->chunked = fuzz_is(value, len, "chunked");
    } else if (fuzz_is(name, name_len, "Content-Encoding")) {
        answer->gzip = fuzz_is(value, len, "gzip");
    } else if (fuzz_is(name, name_len, "Connection")) {
        answer->closes = answer->closes || fuzz_is(value, len, "close");
    } else if (fuzz_is(name, name_len, "Content-Type")) {
        answer->json = len >= 16 && strncmp(value, "application/json", 16) == 0;
        answer->stream = len >= 17 && strncmp(value, "text/event-stream", 17) == 0;
    }
}

/* Its head. The place behind it. */
static const char *fuzz_head(struct fuzz_answer *answer, const char *at, const char *end)
{
    const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
    fuzz_need(end - at > 13 && stop != NULL && memcmp(at, "HTTP/1.", 7) == 0 &&
                  (at[7] == '1' || at[7] == '0') && at[8] == ' ' && at[12] == ' ',
              "no status line");
    answer->status = (int)strtol(at + 9, NULL, 10);
    answer->closes = at[7] == '0';
    fuzz_need(answer->status >= 100 && answer->status < 600, "no status");
    for (at = stop + 2;; at = stop + 2) {
        stop = memmem(at, (size_t)(end - at), "\r\n", 2);
        fuzz_need(stop != NULL, "a head that does not end");
        if (stop == at)
            return at + 2;
        const char *colon = memchr(at, ':', (size_t)(stop - at));
        const char *value = colon != NULL ? colon + 1 : at;
        fuzz_need(value > at + 1, "a header line that is none");
        while (value < stop && *value == ' ')
            value++;
        fuzz_header(answer, at, (size_t)(colon - at), value, (size_t)(stop - value));
    }
}

/* Its body, decoded. The place behind it. */
static const char *fuzz_body(struct fuzz_answer *answer, const char *at, const char *end, bool head)
{
    bool none = head || answer->status < 200 || answer->status == 204 || answer->status == 304;
    size_t used = answer->length, left = (size_t)(end - at);
    if (none)
        return at;
    fuzz_need(answer->lengths == 1 || (answer->lengths == 0 && answer->closes), "not one length");
    if (answer->chunked) {
        struct chunked chunked = {0};
        fuzz_need(chunked_read(&chunked, at, left, 1 << 28, &answer->body, &used) == CHUNKED_DONE,
                  "chunks that do not end");
    } else {
        if (answer->lengths == 0)
            used = left;
        fuzz_need(used <= left, "less than its length");
        fuzz_need(used == 0 || bytes_append(&answer->body, at, used) == 0, "out of memory");
    }
    return at + used;
}

static void fuzz_look(struct fuzz_answer *answer)
{
    struct bytes plain;
    struct bytes *body = &answer->body;
    bytes_init(&plain);
    if (answer->gzip && body->len > 0) {
        fuzz_need(inflate_gzip(body->data, body->len, 1 << 28, &plain) == INFLATE_OK, "no gzip");
        body = &plain;
    }
    if (answer->json && body->len > 0) {
        /* Events are as they came: jansson refuses some that are JSON. */
        json_error_t error;
        json_t *json = json_loadb(body->data, body->len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
        fuzz_need(json != NULL || answer->status == 200, error.text);
        fuzz_need(answer->status < 400 || json_is_string(json_object_get(json, "error")),
                  "an error without its words");
        json_decref(json);
    }
    bytes_clear(&plain);
}

/* --- frames ------------------------------------------------------------------------------------
 */

static void fuzz_frames(const char *text, const char *end)
{
    const unsigned char *at = (const unsigned char *)text;
    while (at < (const unsigned char *)end) {
        size_t left = (size_t)((const unsigned char *)end - at), head = 2;
        fuzz_need(left >= 2, "half a frame");
        uint64_t len = at[1];
        unsigned code = at[0] & 15;
        fuzz_need(len < 128, "a frame with a mask");
        fuzz_need(code <= 2 || (code >= 8 && code <= 10), "an opcode that is none");
        fuzz_need(code < 8 || ((at[0] & 0x80) != 0 && len < 126), "a control frame that is none");
        for (; len >= 126 && head == 2; head += at[1] == 126 ? 2 : 8) {
            size_t bytes = at[1] == 126 ? 2 : 8;
            fuzz_need(left >= 2 + bytes, "half a frame");
            len = 0;
            for (size_t i = 0; i < bytes; i++)
                len = len << 8 | at[2 + i];
            if (len >= 126) {
                head += bytes;
                break;
            }
        }
        fuzz_need(left >= head + len, "half a frame");
        at += head + len;
    }
}

/* --- requests ----------------------------------------------------------------------------------
 */

/* What can be told of a text without asking the server. */
struct fuzz_asked {
    unsigned count; /* requests at its start, */
    uint64_t heads; /* those that are a HEAD, a bit each */
    bool clean;     /* nothing else stands there, and none of them closes the connection */
    bool known;     /* nothing else stands there */
};

/* Steps over the body behind a head. False: it is not whole, or of lines, which end anywhere. */
static bool fuzz_step(const struct head *head, const char *text, size_t len, size_t *at)
{
    struct chunked chunked = {0};
    struct bytes body;
    size_t used = 0;
    if (head->refuse != 0 || head->lines)
        return false;
    if (!head->chunked) {
        bool whole = head->content_length <= len - *at;
        *at += whole ? head->content_length : 0;
        return whole;
    }
    bytes_init(&body);
    int status = chunked_read(&chunked, text + *at, len - *at, FUZZ_MAX_BODY, &body, &used);
    bytes_clear(&body);
    *at += used;
    return status == CHUNKED_DONE;
}

static struct fuzz_asked fuzz_requests(const char *text, size_t len)
{
    struct fuzz_asked asked = {.clean = true, .known = true};
    for (size_t at = 0; at < len && asked.known;) {
        size_t seen = 0, size;
        struct head head;
        /* Empty lines in front of a request are passed over. */
        while (at < len && (text[at] == '\r' || text[at] == '\n'))
            at++;
        if (at == len)
            break;
        size = head_end(text + at, len - at, &seen);
        asked.known = size > 0 && size <= FUZZ_MAX_HEAD && asked.count < 60;
        if (!asked.known)
            break;
        head_check(text + at, size, FUZZ_MAX_BODY, &head);
        bool is_head = head.method.len == 4 && memcmp(head.method.at, "HEAD", 4) == 0;
        asked.heads |= (uint64_t)is_head << asked.count++;
        asked.clean = asked.clean && !head.http_1_0 && !head.expects &&
                      memmem(text + at, size, "\nConnection", 11) == NULL &&
                      memmem(text + at, size, "\nconnection", 11) == NULL;
        at += size;
        asked.known = fuzz_step(&head, text, len, &at);
    }
    asked.clean = asked.clean && asked.known;
    return asked;
}

static void fuzz_answers(const char *text, size_t len)
{
    struct fuzz_asked asked = fuzz_requests(text, len);
    unsigned answers = 0;
    const char *at = fuzz.got.data, *end = at + fuzz.got.len;
    bool endless = fuzz_endless(&fuzz.got), closed = endless;
    while (at < end) {
        struct fuzz_answer answer = {.status = 0};
        if (endless && memmem(at, (size_t)(end - at), "\r\n\r\n", 4) == NULL)
            return;
        at = fuzz_head(&answer, at, end);
        fuzz_need(answer.status != 500, "500");
        if (answer.status == 101) {
            fuzz_frames(at, end);
            return;
        }
        if (answer.stream)
            return;
        /* Of those behind what was understood it can't be told. */
        bool head = answers < asked.count ? (asked.heads >> answers & 1) != 0
                                          : end - at < 5 || memcmp(at, "HTTP/", 5) == 0;
        at = fuzz_body(&answer, at, end, head);
        fuzz_look(&answer);
        bytes_clear(&answer.body);
        if (answer.status >= 200)
            answers++;
        closed = closed || answer.status == 413 || answer.status == 503 || answer.status == 400;
    }
    fuzz_need(!asked.clean || closed || answers == asked.count, "not as many answers as requests");
    fuzz_need(!asked.known || answers <= asked.count, "an answer to nothing");
}

static void fuzz_other(void)
{
    static const char ask[] = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    fuzz_talk(ask, sizeof ask - 1, sizeof ask);
    fuzz_need(fuzz.got.len > 20 && memcmp(fuzz.got.data, "HTTP/1.1 200 ", 13) == 0,
              "it answers nobody any more");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (fuzz.server == NULL)
        fuzz_start();
    const char *text = (const char *)data + 1;
    fuzz_talk(text, size - 1, data[0] == 0 ? size : data[0]);
    fuzz_answers(text, size - 1);
    if (++fuzz.inputs % FUZZ_OTHER == 0)
        fuzz_other();
    return 0;
}
