/*
 * link.h: messages over the control socket.
 *
 * A message is one JSON object on a line of its own; when it has a member "bytes", so many bytes
 * follow it. Both ends use the same calls. Blocking; one thread at a time.
 */
#ifndef BEACOND_CONTROL_LINK_H
#define BEACOND_CONTROL_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/error.h"

#define LINK_LINE_MOST (256 << 10) /* bytes of a message's line */
#define LINK_BYTES_MOST (64 << 20) /* bytes behind it */

struct link {
    int fd;
    struct bytes in; /* received and not taken yet */
};

void link_init(struct link *link, int fd);
void link_clear(struct link *link); /* closes */

/* Sends message (which stays the caller's; it gets its member "bytes" here when len > 0) with bytes
 * behind it. 0, or -1: the other end is gone, or memory is. */
int link_send(struct link *link, json_t *message, const void *bytes, size_t len) MUST_CHECK;

/* Waits for a message. 0 and *message (json_decref it), bytes holding what follows it (NULL when
 * none are expected); -1 with err: the other end is gone, or sends what is no message. */
int link_receive(struct link *link, json_t **message, struct bytes *bytes,
                 struct error *err) MUST_CHECK;

/* No more is sent from this end. The other end can still send. */
void link_end(struct link *link);

/* Whether the other end has said so, or is gone. Never blocks. */
bool link_ended(const struct link *link);

#endif
