/*
 * show.h: GET /: the page (page/page.h). It needs no key, having no data in it. Its loop's thread.
 */
#ifndef BEACOND_SERVER_SHOW_H
#define BEACOND_SERVER_SHOW_H

#include "server/exchange.h"

/* Answers the exchange. */
void show_begin(struct exchange *exchange);

#endif
