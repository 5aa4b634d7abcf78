/*
 * sqlite_facts.h: see store/facts.h for what each call promises.
 */
#ifndef BEACOND_STORE_SQLITE_FACTS_H
#define BEACOND_STORE_SQLITE_FACTS_H

#include "store/facts.h"

struct db;

int sqlite_facts(struct store_reader *reader, struct store_facts *out,
                 struct error *err) MUST_CHECK;
int sqlite_days(struct store_reader *reader, store_day_fn *day, void *arg,
                struct error *err) MUST_CHECK;

/* For the room's own: the facts that take no time, in the transaction that is open, and the sizes
 * of the files. A store_status. */
int sqlite_facts_quick(struct db *db, struct store_facts *out, struct error *err) MUST_CHECK;
void sqlite_facts_files(struct db *db, struct store_facts *out);

/* sqlite_steps.c */
int sqlite_count_steps(struct store_reader *reader, const struct store_steps_ask *ask,
                       struct store_steps *out, struct error *err) MUST_CHECK;

/* sqlite_reader_pages.c */
int sqlite_show_rejects(struct store_reader *reader, const struct store_rejects_ask *ask,
                        struct store_rejects_show *show, struct error *err) MUST_CHECK;

#endif
