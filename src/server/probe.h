/*
 * probe.h: /livez and /readyz, for whoever decides whether the daemon is restarted or gets
 * requests.
 */
#ifndef BEACOND_SERVER_PROBE_H
#define BEACOND_SERVER_PROBE_H

#include "server/exchange.h"

/* Why events can't be taken now, a static text; NULL: they can. Any thread. */
const char *probe_unready(const struct loop *loop);

/* 200, whatever else there is: a loop is there to say it. */
void probe_alive(struct exchange *exchange);

/* 200, or 503 with the reason while draining or while commits fail. */
void probe_ready(struct exchange *exchange);

#endif
