/*
 * dispatch.h: where requests come in: which route it is, whether it may, who answers it.
 */
#ifndef BEACOND_SERVER_DISPATCH_H
#define BEACOND_SERVER_DISPATCH_H

#include <event2/http.h>
#include <stdbool.h>

#include "contract/access.h"
#include "server/head.h"

struct exchange;

/* evhttp_set_gencb's callback: every request comes in here. arg is the door (loop.h). */
void dispatch_begin(struct evhttp_request *request, void *arg);

/* guard.h's question: false for a head that dispatch_begin will refuse without looking at the body
 * (no such route or method, no access). arg is the conn. */
bool dispatch_wants(void *arg, const struct head *head);

/* Whether a request that has been let in would be let in now, by the keys and origins of its loop.
 * Its connection must be there. */
enum access_verdict dispatch_verdict(struct exchange *exchange);
int dispatch_status(enum access_verdict verdict); /* 401 or 403, for any but ACCESS_OK */

#endif
