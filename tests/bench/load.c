/*
 * load.c: clients that send as fast as they are answered, or at a given rate.
 *
 *   load PORT CONNECTIONS SECONDS [ws] [rate=BATCHES] [count=BATCHES]
 *
 * Keeps so many connections to 127.0.0.1 alive, on each one POST of 25 events after the other (see
 * stock.h), or with ws one message over a WebSocket, all from one thread. With a rate so many a
 * second are due, at even distances and each connection in its turn; one that is still waiting for
 * its last answer then is late, and makes up for it. With a count it ends after so many. What was
 * begun is waited for.
 *
 * Writes one line: events and answers a second, the latency of an answer in ms (from the first byte
 * sent, or from when that was due, to the last one read) at its median, at 99 of 100, and at its
 * worst, and how many answers were neither 200 nor ack.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "stock.h"

#define LOAD_ANSWER 4096

struct client {
    int fd;
    size_t sent;   /* of the request */
    size_t got;    /* of the answer */
    int64_t began; /* when the request was begun, or due, in ns */
    uint64_t turn; /* requests begun */
    size_t number; /* of this client */
    bool waits;    /* for an answer */
    char *request; /* head and body, this client's own */
    char answer[LOAD_ANSWER + 1];
};

struct load {
    struct stock stock;
    char head[256];
    size_t head_len, request_len;
    unsigned flushes;
    int port, epoll, timer;
    bool websocket;
    struct client *clients;
    size_t client_count;
    int64_t start, end; /* ns */
    double interval;    /* ns between two requests that are due; 0: no rate */
    uint64_t due;       /* the next one */
    uint64_t wanted, begun;
    size_t flying;      /* requests begun and not answered */
    int64_t *latencies; /* ns */
    size_t count, room, refused;
};

static int64_t load_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void load_die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void load_watch(struct load *load, struct client *client, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(load->epoll, how, client->fd, &event) != 0)
        load_die("epoll_ctl");
}

static void load_send(struct load *load, struct client *client)
{
    while (client->sent < load->request_len) {
        ssize_t n = send(client->fd, client->request + client->sent,
                         load->request_len - client->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            load_watch(load, client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n < 0)
            load_die("send");
        client->sent += (size_t)n;
    }
}

/* When request number n of all is due. */
static int64_t load_due(const struct load *load, uint64_t n)
{
    return load->start + (int64_t)((double)n * load->interval);
}

/* The client is free: begins its next request, if it is due, and if more are wanted. */
static void load_begin(struct load *load, struct client *client)
{
    int64_t now = load_now(), began = now;
    if (load->interval > 0)
        began = load_due(load, client->turn * load->client_count + client->number);
    if (began > now || began >= load->end || load->begun == load->wanted)
        return;
    stock_stamp(&load->stock, (unsigned)getpid(), load->flushes++, clock_wall_ms());
    memcpy(client->request + load->head_len, load->stock.body.data, load->stock.body.len);
    client->sent = client->got = 0;
    client->began = began;
    client->turn++;
    client->waits = true;
    load->begun++;
    load->flying++;
    load_send(load, client);
}

/* Begins what is due by now, and has the timer tell of the next. */
static void load_tick(struct load *load)
{
    for (; load_due(load, load->due) <= load_now(); load->due++) {
        struct client *client = &load->clients[load->due % load->client_count];
        if (!client->waits)
            load_begin(load, client);
    }
    int64_t next = load_due(load, load->due);
    struct itimerspec at = {.it_value = {next / 1000000000, next % 1000000000}};
    if (timerfd_settime(load->timer, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        load_die("timerfd_settime");
}

/* Becomes a WebSocket; the socket still blocks. */
static void load_upgrade(struct client *client)
{
    static const char request[] = "GET /_tracker/ws HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                  "Sec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    if (send(client->fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1)
        load_die("send");
    do {
        ssize_t n = recv(client->fd, client->answer + client->got, LOAD_ANSWER - client->got, 0);
        if (n <= 0)
            load_die("no handshake");
        client->got += (size_t)n;
        client->answer[client->got] = '\0';
    } while (strstr(client->answer, "\r\n\r\n") == NULL);
    if (strncmp(client->answer, "HTTP/1.1 101 ", 13) != 0)
        load_die("the handshake is refused");
}

static void load_connect(struct load *load, struct client *client)
{
    const int on = 1;
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)load->port),
                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    client->request = malloc(load->request_len);
    if (client->fd < 0 || client->request == NULL ||
        connect(client->fd, (struct sockaddr *)&sin, sizeof sin) != 0)
        load_die("connect");
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (load->websocket)
        load_upgrade(client);
    (void)fcntl(client->fd, F_SETFL, O_NONBLOCK);
    memcpy(client->request, load->head, load->head_len);
    load_watch(load, client, EPOLL_CTL_ADD, EPOLLIN);
}

/* Whether the answer is whole. */
static bool load_whole(const struct load *load, struct client *client)
{
    /* An ack is a frame of less than 126 bytes. */
    if (load->websocket)
        return client->got >= 2 && client->got >= 2 + (size_t)client->answer[1];
    client->answer[client->got] = '\0';
    const char *end = strstr(client->answer, "\r\n\r\n");
    const char *length = strcasestr(client->answer, "\r\ncontent-length:");
    if (end == NULL)
        return false;
    if (length == NULL || length > end)
        load_die("an answer without a length");
    size_t need = (size_t)(end + 4 - client->answer) + (size_t)atol(length + 17);
    return client->got >= need;
}

static void load_note(struct load *load, struct client *client)
{
    if (load->count == load->room) {
        load->room = load->room == 0 ? 1 << 16 : load->room * 2;
        load->latencies = realloc(load->latencies, load->room * sizeof *load->latencies);
        if (load->latencies == NULL)
            load_die("realloc");
    }
    load->latencies[load->count++] = load_now() - client->began;
    bool taken = load->websocket ? strncmp(client->answer + 2, "{\"type\":\"ack\",", 14) == 0
                                 : strncmp(client->answer + 8, " 200 ", 5) == 0;
    load->refused += !taken;
    client->waits = false;
    load->flying--;
}

/* Returns 1 when an answer has been read to its end. */
static int load_receive(const struct load *load, struct client *client)
{
    ssize_t n = recv(client->fd, client->answer + client->got, LOAD_ANSWER - client->got, 0);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        load_die("the connection has ended");
    client->got += (size_t)n;
    return load_whole(load, client);
}

static void load_serve(struct load *load, struct client *client, uint32_t events)
{
    if (events & EPOLLOUT) {
        load_watch(load, client, EPOLL_CTL_MOD, EPOLLIN);
        load_send(load, client);
    }
    if ((events & ~(uint32_t)EPOLLOUT) && load_receive(load, client)) {
        load_note(load, client);
        load_begin(load, client);
    }
}

static void load_start(struct load *load, double seconds)
{
    struct epoll_event tick = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    load->start = load_now();
    load->end = load->start + (int64_t)(seconds * 1e9);
    if (load->interval > 0) {
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->timer, &tick) != 0)
            load_die("epoll_ctl");
        load_tick(load);
        return;
    }
    for (size_t i = 0; i < load->client_count; i++)
        load_begin(load, &load->clients[i]);
}

static void load_run(struct load *load, double seconds)
{
    struct epoll_event events[64];
    load_start(load, seconds);
    while (load->flying > 0 || (load_now() < load->end && load->begun < load->wanted)) {
        int count = epoll_wait(load->epoll, events, 64, 100);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                load_tick(load);
            else
                load_serve(load, events[i].data.ptr, events[i].events);
        }
    }
}

static int load_compare(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return one < other ? -1 : one > other;
}

static double load_at(const struct load *load, double part)
{
    return (double)load->latencies[(size_t)(part * (double)(load->count - 1))] / 1e6;
}

static void load_report(struct load *load, double seconds)
{
    if (load->count == 0)
        load_die("no answer at all");
    qsort(load->latencies, load->count, sizeof *load->latencies, load_compare);
    printf("events=%.0f answers=%.0f p50=%.3f p99=%.3f worst=%.3f refused=%zu\n",
           (double)(load->count - load->refused) * STOCK_EVENTS / seconds,
           (double)load->count / seconds, load_at(load, 0.5), load_at(load, 0.99), load_at(load, 1),
           load->refused);
}

/* What stands in front of every body, whose length is always the same. */
static void load_head(struct load *load)
{
    size_t len = load->stock.body.len;
    if (!load->websocket) {
        load->head_len =
            (size_t)snprintf(load->head, sizeof load->head,
                             "POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\n"
                             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                             len);
        return;
    }
    /* Text, final, masked with zeros, which costs the daemon what any mask does. */
    const char frame[] = {(char)0x81, (char)0xfe, (char)(len >> 8), (char)len, 0, 0, 0, 0};
    if (len < 126 || len > 65535)
        load_die("a body of another size than expected");
    memcpy(load->head, frame, sizeof frame);
    load->head_len = sizeof frame;
}

static bool load_option(struct load *load, const char *option)
{
    if (strcmp(option, "ws") == 0)
        load->websocket = true;
    else if (strncmp(option, "rate=", 5) == 0 && atof(option + 5) > 0)
        load->interval = 1e9 / atof(option + 5);
    else if (strncmp(option, "count=", 6) == 0)
        load->wanted = strtoull(option + 6, NULL, 10);
    else
        return false;
    return true;
}

static void load_open(struct load *load)
{
    stock_init(&load->stock);
    load_head(load);
    load->request_len = load->head_len + load->stock.body.len;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    load->clients = calloc(load->client_count, sizeof *load->clients);
    if (load->clients == NULL || load->epoll < 0 || load->timer < 0)
        load_die("can't begin");
    for (size_t i = 0; i < load->client_count; i++) {
        load->clients[i].number = i;
        load_connect(load, &load->clients[i]);
    }
}

static void load_close(struct load *load)
{
    for (size_t i = 0; i < load->client_count; i++) {
        close(load->clients[i].fd);
        free(load->clients[i].request);
    }
    free(load->clients);
    free(load->latencies);
    bytes_clear(&load->stock.body);
}

int main(int argc, char **argv)
{
    static struct load load = {.wanted = UINT64_MAX};
    bool understood = argc >= 4 && atol(argv[2]) > 0;
    for (int i = 4; i < argc; i++)
        understood = understood && load_option(&load, argv[i]);
    if (!understood) {
        fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS [ws] [rate=BATCHES] "
                        "[count=BATCHES]\n");
        return 2;
    }
    load.port = atoi(argv[1]);
    load.client_count = (size_t)atol(argv[2]);
    load_open(&load);
    load_run(&load, atof(argv[3]));
    load_report(&load, (double)(load_now() - load.start) / 1e9);
    load_close(&load);
    return EXIT_SUCCESS;
}
