#include "server/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/loop.h"

/* A client that sends nothing for so long has read its answer, or never will. */
#define LINGER_SILENCE_MS 2000
/* The same while draining: the process waits for it. */
#define LINGER_DRAIN_MS 200
/* What one may take at most: the rest of an upload over a slow line, but no more of a drip. */
#define LINGER_MOST_MS 30000
#define LINGER_MOST_BYTES (64 << 20)
/* Thrown away of one before the others have their turn. */
#define LINGER_TURN_BYTES (256 << 10)

struct linger_socket {
    struct list node; /* in loop->lingers */
    struct loop *loop;
    struct event *event; /* its socket, which is closed with it */
    int64_t since_ms;    /* monotonic */
    int64_t heard_ms;    /* when something came last; monotonic */
    size_t bytes;        /* thrown away so far */
};

static void linger_end(struct linger_socket *linger)
{
    int fd = event_get_fd(linger->event);
    list_remove(&linger->node);
    linger->loop->lingering--;
    atomic_fetch_sub(&linger->loop->shared->connections, 1);
    event_free(linger->event);
    close(fd);
    free(linger);
}

static void linger_on_input(evutil_socket_t fd, short what, void *arg)
{
    struct linger_socket *linger = arg;
    char waste[64 << 10];
    (void)what;
    for (size_t turn = 0; turn < LINGER_TURN_BYTES;) {
        ssize_t n = recv(fd, waste, sizeof waste, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0 || linger->bytes > LINGER_MOST_BYTES) {
            linger_end(linger);
            return;
        }
        turn += (size_t)n;
        linger->bytes += (size_t)n;
    }
    linger->heard_ms = clock_mono_ms();
}

void linger_begin(struct loop *loop, int fd)
{
    if (loop->lingering * 4 * loop->shared->loop_count > loop->options->max_connections)
        return;
    struct linger_socket *linger = calloc(1, sizeof *linger);
    int own = linger == NULL ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct event *event =
        own < 0 ? NULL : event_new(loop->base, own, EV_READ | EV_PERSIST, linger_on_input, linger);
    if (event == NULL || event_add(event, NULL) != 0) {
        if (event != NULL)
            event_free(event);
        if (own >= 0)
            close(own);
        free(linger);
        return;
    }
    (void)shutdown(own, SHUT_WR);
    linger->loop = loop;
    linger->event = event;
    linger->since_ms = linger->heard_ms = clock_mono_ms();
    list_append(&loop->lingers, &linger->node);
    loop->lingering++;
    atomic_fetch_add(&loop->shared->connections, 1);
    loop_keep_ticking(loop);
}

size_t linger_sweep(struct loop *loop, bool force)
{
    int64_t now = clock_mono_ms();
    int64_t silence_ms = loop->draining ? LINGER_DRAIN_MS : LINGER_SILENCE_MS;
    struct list *node = loop->lingers.next;
    while (node != &loop->lingers) {
        struct linger_socket *linger = LIST_OF(node, struct linger_socket, node);
        node = node->next;
        if (force || now - linger->heard_ms > silence_ms || now - linger->since_ms > LINGER_MOST_MS)
            linger_end(linger);
    }
    return loop->lingering;
}
