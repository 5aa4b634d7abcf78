/*
 * postgres_question.h: a person's question in SQL made ready for PostgreSQL. Pure.
 *
 * A parameter is written :name, and is a text; PostgreSQL knows them by number. What only looks
 * like one is left alone: in quotes of all kinds, in comments, behind another colon.
 */
#ifndef BEACOND_STORE_POSTGRES_QUESTION_H
#define BEACOND_STORE_POSTGRES_QUESTION_H

#include "base/bytes.h"
#include "store/ask.h"

#define POSTGRES_QUESTION_PARAMETERS 64

struct postgres_question {
    struct bytes sql;                                /* ended by a NUL */
    const char *names[POSTGRES_QUESTION_PARAMETERS]; /* in the text given, not ended */
    size_t lens[POSTGRES_QUESTION_PARAMETERS];
    const char *values[POSTGRES_QUESTION_PARAMETERS]; /* NULL: not given */
    size_t count;
};

/* STORE_OK; STORE_REFUSED: it is no SELECT by its first word, has too many parameters, or lacks one
 * that is given; STORE_BUSY: out of memory. postgres_question_clear it in any case. */
int postgres_question_read(struct postgres_question *question, const struct store_ask *ask,
                           struct error *err) MUST_CHECK;
void postgres_question_clear(struct postgres_question *question);

#endif
