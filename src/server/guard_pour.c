/* Bodies of lines: evhttp gets the head alone, and who answers takes the body as it comes. */

#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "server/guard_parts.h"
#include "server/secure.h"

/* evhttp would say so, but it does not see a head before its body is here. */
void guard_continue(struct guard *guard)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    /* Nothing is on its way out between two requests, so there is room; a client that does not hear
     * it sends all the same after a while. */
    if (guard->secure)
        secure_send(guard->bev, text, sizeof text - 1);
    else
        (void)send(bufferevent_getfd(guard->bev), text, sizeof text - 1,
                   MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Puts text at the end of the input, where evhttp reads it. */
static int guard_put(struct guard *guard, const void *text, size_t len, struct evbuffer *more)
{
    struct evbuffer *input = bufferevent_get_input(guard->bev);
    guard->touching = true;
    guard_unfreeze(guard);
    int status = len > 0 ? evbuffer_add(input, text, len) : 0;
    if (status == 0 && more != NULL)
        status = evbuffer_add_buffer(input, more);
    guard_freeze(guard);
    guard->touching = false;
    return status;
}

int guard_open(struct guard *guard, const struct head *head, const char *text, size_t len)
{
    struct bytes plain;
    bytes_init(&plain);
    guard->expects = head->expects && !head->http_1_0;
    guard->poured_chunks = head->chunked;
    guard->left = head->content_length;
    guard->chunked = (struct chunked){0};
    int status = head_with_length(text, len, 0, &plain);
    (void)evbuffer_drain(guard->stash, len);
    if (status == 0)
        status = guard_put(guard, plain.data, plain.len, NULL);
    guard->phase = GUARD_POUR;
    guard->unread = plain.len;
    bytes_clear(&plain);
    guard->closing = true; /* until all of the body has been taken */
    return status;
}

/* Through TLS more of the body can come before evhttp has had its turn: that goes to the stash. */
int guard_pour_keep(struct guard *guard)
{
    struct evbuffer *input = bufferevent_get_input(guard->bev), *head = evbuffer_new();
    guard->touching = true;
    int status = -1;
    if (head != NULL && evbuffer_remove_buffer(input, head, guard->unread) == (int)guard->unread &&
        evbuffer_add_buffer(guard->stash, input) == 0)
        status = evbuffer_add_buffer(input, head);
    guard->touching = false;
    if (head != NULL)
        evbuffer_free(head);
    return status;
}

bool guard_pour_asked(const struct guard *guard)
{
    return guard->expects && evbuffer_get_length(guard->stash) == 0;
}

void guard_pour_wanted(struct guard *guard)
{
    guard->unread = 0;
    if (guard_pour_asked(guard))
        guard_continue(guard);
    guard->expects = false;
}

int guard_pour(struct guard *guard, size_t most, struct bytes *out, const char **why)
{
    size_t have = evbuffer_get_length(guard->stash), used = 0;
    guard->unread = 0;
    *why = "out of memory";
    if (!guard->poured_chunks) {
        size_t take = have < most ? have : most;
        take = take < guard->left ? take : (size_t)guard->left;
        if (bytes_reserve(out, take) != 0)
            return -1;
        if (take > 0)
            (void)evbuffer_remove(guard->stash, out->data + out->len, take);
        out->len += take;
        guard->left -= take;
        return guard->left == 0;
    }
    int status = CHUNKED_MORE;
    for (size_t taken = 0; status == CHUNKED_MORE && taken < most && have > 0; taken += used) {
        size_t run = evbuffer_get_contiguous_space(guard->stash);
        const char *data = (const char *)evbuffer_pullup(guard->stash, (ev_ssize_t)run);
        if (data == NULL)
            return -1;
        status = chunked_read(&guard->chunked, data, run < most ? run : most, SIZE_MAX, out, &used);
        (void)evbuffer_drain(guard->stash, used);
        have = evbuffer_get_length(guard->stash);
    }
    if (status != CHUNKED_NO_MEMORY)
        *why = "malformed chunked body";
    return status == CHUNKED_DONE ? 1 : status == CHUNKED_MORE ? 0 : -1;
}

int guard_pour_end(struct guard *guard)
{
    guard->closing = false;
    guard->phase = GUARD_PASS;
    guard->given = 0;
    return guard_put(guard, NULL, 0, guard->stash);
}
