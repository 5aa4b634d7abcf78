/*
 * rejects_page.h: what could not be stored, the newest first, a page at a time: <prefix>/rejects.
 */
#ifndef BEACOND_ENGINE_REJECTS_PAGE_H
#define BEACOND_ENGINE_REJECTS_PAGE_H

#include "engine/inquiry.h"
#include "store/facts.h"

#define REJECTS_PAGE_DEFAULT 50
#define REJECTS_PAGE_MOST 500   /* a higher limit is cut to it */
#define REJECTS_PAGE_HEAD 2000  /* bytes shown of each */
#define REJECTS_PAGE_REASONS 50 /* shown */

/* Reads an URL's query string (may be NULL): limit, before. 0, or -1 with err naming the parameter.
 */
int rejects_page_read(struct store_rejects_ask *ask, const char *query,
                      struct error *err) MUST_CHECK;

/* Asks (inquiry.h). NULL when out of memory. */
struct inquiry *rejects_page_new(struct engine *engine, const struct store_rejects_ask *ask,
                                 struct mailbox *reply_to, inquiry_fn *fn, void *arg) MUST_CHECK;

#endif
