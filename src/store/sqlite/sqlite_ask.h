/*
 * sqlite_ask.h: see store/ask.h for what each call promises.
 */
#ifndef BEACOND_STORE_SQLITE_ASK_H
#define BEACOND_STORE_SQLITE_ASK_H

#include "store/ask.h"

bool sqlite_query_at(size_t n, struct store_query *out) MUST_CHECK;
const char *sqlite_views(void);
int sqlite_ask(struct store_reader *reader, const struct store_ask *ask,
               struct error *err) MUST_CHECK;

#endif
