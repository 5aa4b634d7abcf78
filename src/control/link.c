#include "control/link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contract/document.h"

#define LINK_READ_BYTES (64 << 10)

void link_init(struct link *link, int fd)
{
    link->fd = fd;
    bytes_init(&link->in);
}

void link_clear(struct link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    bytes_clear(&link->in);
}

static int link_write(struct link *link, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(link->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int link_send(struct link *link, json_t *message, const void *bytes, size_t len)
{
    if (len > 0 && json_object_set_new(message, "bytes", json_integer((json_int_t)len)) != 0)
        return -1;
    struct bytes line;
    bytes_init(&line);
    int status = document_dump(&line, json_incref(message));
    if (status == 0)
        status = bytes_append(&line, "\n", 1);
    if (status == 0)
        status = link_write(link, line.data, line.len);
    bytes_clear(&line);
    return status == 0 && len > 0 ? link_write(link, bytes, len) : status;
}

/* Reads something more. 0, or -1 with err. */
static int link_fill(struct link *link, struct error *err)
{
    if (bytes_reserve(&link->in, LINK_READ_BYTES) != 0) {
        error_set(err, "out of memory");
        return -1;
    }
    ssize_t n;
    do
        n = recv(link->fd, link->in.data + link->in.len, LINK_READ_BYTES, 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        error_set(err, n == 0 ? "the connection was closed" : "the connection broke");
        return -1;
    }
    link->in.len += (size_t)n;
    return 0;
}

static void link_drop(struct link *link, size_t len)
{
    link->in.len -= len;
    memmove(link->in.data, link->in.data + len, link->in.len);
}

static json_t *link_line(struct link *link, struct error *err)
{
    const char *end = NULL;
    size_t seen = 0;
    for (;;) {
        if (link->in.len > seen)
            end = memchr(link->in.data + seen, '\n', link->in.len - seen);
        if (end != NULL)
            break;
        seen = link->in.len;
        if (seen > LINK_LINE_MOST) {
            error_set(err, "a message of the control socket is too long");
            return NULL;
        }
        if (link_fill(link, err) != 0)
            return NULL;
    }
    size_t len = (size_t)(end - link->in.data);
    json_t *message = json_loadb(link->in.data, len, 0, NULL);
    link_drop(link, len + 1);
    if (json_is_object(message))
        return message;
    json_decref(message);
    error_set(err, "what came over the control socket is no message");
    return NULL;
}

int link_receive(struct link *link, json_t **message, struct bytes *bytes, struct error *err)
{
    json_t *got = link_line(link, err);
    if (got == NULL)
        return -1;
    json_int_t len = json_integer_value(json_object_get(got, "bytes"));
    if (bytes != NULL)
        bytes->len = 0;
    if (len < 0 || len > LINK_BYTES_MOST || (len > 0 && bytes == NULL)) {
        error_set(err, "a message of the control socket is too long");
        json_decref(got);
        return -1;
    }
    while ((json_int_t)link->in.len < len) {
        if (link_fill(link, err) != 0) {
            json_decref(got);
            return -1;
        }
    }
    if (len > 0 && bytes_append(bytes, link->in.data, (size_t)len) != 0) {
        error_set(err, "out of memory");
        json_decref(got);
        return -1;
    }
    if (len > 0)
        link_drop(link, (size_t)len);
    *message = got;
    return 0;
}

void link_end(struct link *link)
{
    (void)shutdown(link->fd, SHUT_WR);
}

bool link_ended(const struct link *link)
{
    struct pollfd ready = {.fd = link->fd, .events = POLLRDHUP};
    return poll(&ready, 1, 0) > 0 && (ready.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}
