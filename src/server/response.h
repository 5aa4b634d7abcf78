/*
 * response.h: the answer to an events:query, streamed into an outbox as fast as the peer takes it.
 *
 * As with a GET (query.h) at most two chunks are in memory: one on its way to the socket, one made
 * ahead. One at a time on a WebSocket.
 */
#ifndef BEACOND_SERVER_RESPONSE_H
#define BEACOND_SERVER_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "contract/range.h"
#include "engine/reading.h"
#include "server/loop.h"
#include "server/outbox.h"

/* Something has happened to the response: look at its state. */
typedef void response_fn(void *arg);

struct response {
    struct loop *loop;
    struct outbox *outbox;
    struct reading *reading; /* NULL when none is under way */
    bool deflate;
    bool asking;     /* its snapshot has not been taken yet */
    bool failed;     /* it can't go on: nothing of it is out if asking, else only a Close helps */
    int64_t max_seq; /* the snapshot's, when not asking */
    bool ready;      /* chunk waits for the socket */
    enum reading_state state; /* of chunk */
    struct rope chunk;
    response_fn *fn;
    void *arg;
};

void response_init(struct response *response, struct loop *loop, struct outbox *outbox,
                   bool deflate, response_fn *fn, void *arg);
bool response_active(const struct response *response);

/* Whether one more answer may be under way: then response_begin must follow. */
bool response_reserve(struct response *response);

/* Begins: head, the document and the tail of message.h become one message. head: 1 byte or more. 0,
 * or -1 when out of memory. fn is called with every chunk. */
int response_begin(struct response *response, const struct range *range,
                   const struct bytes *head) MUST_CHECK;

/* The socket may have room: puts out the chunk that waits. */
void response_go_on(struct response *response);

/* Ends it at any time: after a failure, or with the connection. */
void response_end(struct response *response);

#endif
