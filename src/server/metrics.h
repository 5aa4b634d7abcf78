/*
 * metrics.h: /metrics, for Prometheus.
 *
 * Made anew for each request by the loop that got it, of what the loops and the engine count
 * (counters.h, engine/expose.h): some hundred lines, a tenth of a millisecond. Labels come from
 * tables of ours alone, so there are never more series than these tables have. Each metric is
 * described in beacond.8, which a test compares with what is sent.
 */
#ifndef BEACOND_SERVER_METRICS_H
#define BEACOND_SERVER_METRICS_H

#include "server/exchange.h"

void metrics_begin(struct exchange *exchange);

#endif
