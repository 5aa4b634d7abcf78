/*
 * read.c: clients that read as fast as they are answered.
 *
 *   read PORT CONNECTIONS SECONDS gzip|identity [TARGET…]
 *
 * Keeps so many connections to 127.0.0.1 alive, on each one GET after the other, all from one
 * thread. The targets (paths with their query; without any, the lines of standard input) are asked
 * in turn. Bodies are received and counted, neither looked at nor inflated. A request that was
 * begun is waited for, so the time may be passed.
 *
 * Writes one line: answers a second; the latency of an answer (from the request sent to the last
 * byte received, ms) at its best, its median, at 99 of 100 and at its worst, and the median of the
 * slowest target; the bytes of the last body, and of all a second; how many answers had a
 * Content-Length, and how many were no 200.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_HEAD 4096
#define READ_BUFFER (256 << 10)

enum read_phase {
    READ_IN_HEAD,
    READ_IN_BODY,  /* left bytes of it are to come */
    READ_IN_SIZE,  /* the line in front of a chunk */
    READ_IN_CHUNK, /* left bytes of it and its line end are to come */
    READ_IN_TRAILER,
    READ_WHOLE
};

struct client {
    int fd;
    enum read_phase phase;
    char head[READ_HEAD + 1];
    size_t head_len;
    uint64_t left;
    uint64_t body;    /* bytes of it; of chunks those announced so far */
    size_t line;      /* characters of a trailer's line */
    size_t target;    /* what it asks */
    int64_t began_ns; /* when the request was sent */
};

struct sample {
    size_t target;
    int64_t ns;
};

struct run {
    int port, epoll;
    const char *coding;
    char **targets;
    size_t target_count, next;
    int64_t end_ns;
    size_t flying; /* requests that are not answered */
    struct sample *samples;
    size_t count, room;
    size_t refused, with_length;
    uint64_t last_body, bytes;
};

static void read_die(const char *what)
{
    fprintf(stderr, "read: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t read_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void read_ask(struct run *run, struct client *client)
{
    char request[4096];
    client->target = run->next++ % run->target_count;
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: %s\r\n\r\n",
                       run->targets[client->target], run->coding);
    if (len < 0 || (size_t)len >= sizeof request)
        read_die("too long a target");
    client->phase = READ_IN_HEAD;
    client->head_len = 0;
    client->body = 0;
    run->flying++;
    client->began_ns = read_now();
    if (send(client->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        read_die("send");
}

static void read_connect(struct run *run, struct client *client)
{
    const int on = 1;
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)run->port),
                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&sin, sizeof sin) != 0)
        read_die("connect");
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        read_die("epoll_ctl");
}

/* The value of a header, or NULL. name: with the line end in front and the colon behind. */
static const char *read_header(const struct client *client, const char *name)
{
    const char *found = strcasestr(client->head, name);
    return found == NULL ? NULL : found + strlen(name);
}

/* The head is whole: what comes behind it? */
static void read_judge(struct run *run, struct client *client)
{
    const char *length = read_header(client, "\r\ncontent-length:");
    const char *coding = read_header(client, "\r\ntransfer-encoding:");
    run->refused += strncmp(client->head, "HTTP/1.1 200 ", 13) != 0;
    client->left = 0;
    if (length != NULL) {
        client->left = client->body = strtoull(length, NULL, 10);
        client->phase = client->left > 0 ? READ_IN_BODY : READ_WHOLE;
        run->with_length++;
    } else if (coding != NULL && strncasecmp(coding + strspn(coding, " "), "chunked", 7) == 0) {
        client->phase = READ_IN_SIZE;
    } else {
        errno = EPROTO;
        read_die("an answer without a length");
    }
}

/* Takes what of data belongs to the head; returns how much that was. */
static size_t read_head(struct run *run, struct client *client, const char *data, size_t len)
{
    size_t old = client->head_len, more = READ_HEAD - old < len ? READ_HEAD - old : len;
    memcpy(client->head + old, data, more);
    client->head_len += more;
    client->head[client->head_len] = '\0';
    const char *end = strstr(client->head, "\r\n\r\n");
    if (end == NULL) {
        errno = EMSGSIZE;
        if (client->head_len == READ_HEAD)
            read_die("too long a head");
        return more;
    }
    size_t head_len = (size_t)(end + 4 - client->head);
    client->head[head_len] = '\0';
    read_judge(run, client);
    return head_len - old;
}

/* Passes over what is to come of a body or chunk; returns how much of len that was. */
static size_t read_pass(struct client *client, size_t len, enum read_phase then)
{
    size_t part = client->left < len ? (size_t)client->left : len;
    client->left -= part;
    if (client->left == 0)
        client->phase = then;
    return part;
}

static void read_size(struct client *client, char c)
{
    if (c == '\n') {
        client->phase = client->left > 0 ? READ_IN_CHUNK : READ_IN_TRAILER;
        client->body += client->left;
        client->left += 2; /* its line end */
        client->line = 0;
        return;
    }
    const char *digits = "0123456789abcdef", *digit = strchr(digits, c | 0x20);
    if (c == '\r')
        return;
    if (digit == NULL) {
        errno = EPROTO;
        read_die("a chunk without a size");
    }
    client->left = client->left << 4 | (uint64_t)(digit - digits);
}

static void read_trailer(struct client *client, char c)
{
    if (c == '\n' && client->line == 0)
        client->phase = READ_WHOLE;
    client->line = c == '\n' ? 0 : client->line + (c != '\r');
}

static void read_feed(struct run *run, struct client *client, const char *data, size_t len)
{
    while (len > 0 && client->phase != READ_WHOLE) {
        size_t took = 1;
        if (client->phase == READ_IN_HEAD)
            took = read_head(run, client, data, len);
        else if (client->phase == READ_IN_BODY)
            took = read_pass(client, len, READ_WHOLE);
        else if (client->phase == READ_IN_CHUNK)
            took = read_pass(client, len, READ_IN_SIZE);
        else if (client->phase == READ_IN_SIZE)
            read_size(client, *data);
        else
            read_trailer(client, *data);
        data += took;
        len -= took;
    }
    errno = EPROTO;
    if (len > 0)
        read_die("bytes behind an answer");
}

static void read_note(struct run *run, const struct client *client)
{
    if (run->count == run->room) {
        run->room = run->room == 0 ? 1 << 16 : run->room * 2;
        run->samples = realloc(run->samples, run->room * sizeof *run->samples);
        if (run->samples == NULL)
            read_die("realloc");
    }
    run->samples[run->count++] = (struct sample){client->target, read_now() - client->began_ns};
    run->last_body = client->body;
    run->bytes += client->body;
    run->flying--;
}

static void read_receive(struct run *run, struct client *client)
{
    static char buffer[READ_BUFFER];
    ssize_t n = recv(client->fd, buffer, sizeof buffer, 0);
    if (n <= 0)
        read_die("the connection has ended");
    read_feed(run, client, buffer, (size_t)n);
    if (client->phase != READ_WHOLE)
        return;
    read_note(run, client);
    if (read_now() < run->end_ns)
        read_ask(run, client);
}

static void read_all(struct run *run)
{
    struct epoll_event events[64];
    while (run->flying > 0) {
        int count = epoll_wait(run->epoll, events, 64, -1);
        for (int i = 0; i < count; i++)
            read_receive(run, events[i].data.ptr);
    }
}

static int read_compare(const void *a, const void *b)
{
    const struct sample *one = a, *other = b;
    return one->ns < other->ns ? -1 : one->ns > other->ns;
}

static int read_compare_targets(const void *a, const void *b)
{
    const struct sample *one = a, *other = b;
    return one->target != other->target ? (one->target < other->target ? -1 : 1)
                                        : read_compare(a, b);
}

/* The greatest of the targets' medians. Puts the samples into another order. */
static int64_t read_slowest(struct run *run)
{
    int64_t slowest = 0;
    qsort(run->samples, run->count, sizeof *run->samples, read_compare_targets);
    for (size_t from = 0, to; from < run->count; from = to) {
        for (to = from + 1; to < run->count; to++)
            if (run->samples[to].target != run->samples[from].target)
                break;
        int64_t median = run->samples[from + (to - from) / 2].ns;
        slowest = median > slowest ? median : slowest;
    }
    return slowest;
}

static double read_at(const struct run *run, double part)
{
    return (double)run->samples[(size_t)(part * (double)(run->count - 1))].ns / 1e6;
}

static void read_report(struct run *run, double seconds)
{
    qsort(run->samples, run->count, sizeof *run->samples, read_compare);
    printf("answers=%.3f best=%.4f p50=%.4f p99=%.4f worst=%.4f", (double)run->count / seconds,
           read_at(run, 0), read_at(run, 0.5), read_at(run, 0.99), read_at(run, 1));
    printf(" slowest=%.4f bytes=%llu rate=%.0f count=%zu with_length=%zu refused=%zu\n",
           (double)read_slowest(run) / 1e6, (unsigned long long)run->last_body,
           (double)run->bytes / seconds, run->count, run->with_length, run->refused);
}

/* The targets from standard input. They stay until the end. */
static void read_targets(struct run *run)
{
    char *line = NULL;
    size_t size = 0, room = 0;
    ssize_t len;
    while ((len = getline(&line, &size, stdin)) > 0) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (run->target_count == room) {
            room = room == 0 ? 256 : room * 2;
            run->targets = realloc(run->targets, room * sizeof *run->targets);
            if (run->targets == NULL)
                read_die("realloc");
        }
        run->targets[run->target_count++] = line;
        line = NULL;
        size = 0;
    }
    free(line);
}

int main(int argc, char **argv)
{
    static struct run run;
    if (argc < 5) {
        fprintf(stderr, "usage: read PORT CONNECTIONS SECONDS gzip|identity [TARGET...]\n");
        return 2;
    }
    size_t clients = (size_t)atol(argv[2]);
    run.port = atoi(argv[1]);
    run.coding = argv[4];
    run.targets = argv + 5;
    run.target_count = (size_t)argc - 5;
    if (run.target_count == 0) {
        run.targets = NULL;
        read_targets(&run);
    }
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct client *all = calloc(clients, sizeof *all);
    if (all == NULL || clients == 0 || run.epoll < 0 || run.target_count == 0)
        read_die("can't begin");
    for (size_t i = 0; i < clients; i++)
        read_connect(&run, &all[i]);
    int64_t began = read_now();
    run.end_ns = began + (int64_t)(atof(argv[3]) * 1e9);
    for (size_t i = 0; i < clients; i++)
        read_ask(&run, &all[i]);
    read_all(&run);
    read_report(&run, (double)(read_now() - began) / 1e9);
    for (size_t i = 0; i < clients; i++)
        close(all[i].fd);
    free(all);
    free(run.samples);
    return EXIT_SUCCESS;
}
