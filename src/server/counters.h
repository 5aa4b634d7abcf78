/*
 * counters.h: what one loop counts of itself, for metrics.c to show. The loop's thread writes, any
 * thread reads.
 */
#ifndef BEACOND_SERVER_COUNTERS_H
#define BEACOND_SERVER_COUNTERS_H

#include "base/counter.h"
#include "engine/reading.h"
#include "server/route.h"

/* How events come in. */
enum counters_way { COUNTERS_HTTP, COUNTERS_LINES, COUNTERS_WEBSOCKET, COUNTERS_WAYS };

/* The statuses that we send, and one for all others. */
#define COUNTERS_STATUSES 28

/* Requests whose time is told. */
enum counters_timed { COUNTERS_INGEST, COUNTERS_READ, COUNTERS_TIMED };

struct counters {
    struct counter requests[ROUTE_ACTIONS][COUNTERS_STATUSES];
    struct histogram
        request_ms[COUNTERS_TIMED]; /* from a whole request to the head of its answer */

    struct counter batches[COUNTERS_WAYS]; /* that were read and are not empty */
    struct counter events[COUNTERS_WAYS];  /* in them, rejects included */
    struct counter bytes[COUNTERS_WAYS];   /* of their text, inflated */
    struct counter held[COUNTERS_WAYS];    /* that waited for room in the queue */

    struct counter reads[READING_SOURCES]; /* answers made to their end */

    struct counter accepted, accept_failures; /* connections */
    struct gauge websockets, feeds;
    struct counter websockets_opened, messages;
    struct counter pushes, pushes_lost;
};

extern const struct histogram_form counters_seconds; /* of request_ms */

/* The status of requests[…][n]: "200", or "other". NULL past the last. */
const char *counters_status(size_t n);

/* A request is answered with that status; after so long, or less than 0 where that tells nothing.
 */
void counters_answer(struct counters *counters, enum route_action action, int status,
                     int64_t took_ms);

/* A batch has been read. */
void counters_batch(struct counters *counters, enum counters_way way, size_t events, size_t bytes);

#endif
