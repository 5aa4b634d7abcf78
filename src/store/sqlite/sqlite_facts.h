/*
 * sqlite_facts.h: see store/facts.h for what each call promises.
 */
#ifndef BEACOND_STORE_SQLITE_FACTS_H
#define BEACOND_STORE_SQLITE_FACTS_H

#include "store/facts.h"

int sqlite_facts(struct store_reader *reader, struct store_facts *out,
                 struct error *err) MUST_CHECK;
int sqlite_days(struct store_reader *reader, store_day_fn *day, void *arg,
                struct error *err) MUST_CHECK;

#endif
