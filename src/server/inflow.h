/*
 * inflow.h: a POST of lines (application/x-ndjson), stored piece by piece while it comes.
 *
 * The body may be of any length: one piece of it, about 1 MiB of plain text, is read while the last
 * is being committed; while both are waiting the socket is not read. A piece ends with the first
 * line that makes it that large, and of a line longer than an event may be the rest is dropped:
 * where a piece is cut depends on the content alone, so that a body that is sent again meets the
 * receipts of its pieces. The answer comes behind the last commit and sums them up.
 *
 * It hangs on an ingest exchange whose guard is in GUARD_POUR. Its loop's thread.
 */
#ifndef BEACOND_SERVER_INFLOW_H
#define BEACOND_SERVER_INFLOW_H

#include <stdbool.h>
#include <stdint.h>

struct exchange;
struct inflow;

/* Takes the exchange. refuse: 0, or the status to answer it with once the client has sent its body,
 * and why, with Retry-After if retry_after is not 0. */
void inflow_begin(struct exchange *exchange, bool gzip, int refuse, const char *why,
                  int retry_after);

void inflow_free(struct inflow *inflow); /* NULL is fine */

/* The connection is about to be freed by evhttp. */
void inflow_gone(struct inflow *inflow);

/* Other keys and origins count from now on: a body need not end, so one that would not be let in
 * any more ends here. What of it is stored stays. */
void inflow_renew(struct inflow *inflow);

/* Goes on where there is room again, gives up what comes too slowly. */
void inflow_tick(struct inflow *inflow, int64_t now_ms);

#endif
