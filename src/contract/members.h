/*
 * members.h: the top level members of one stored event. Pure, without memory of its own.
 *
 * For those who look into events: what is stored was checked when it came, but a database may have
 * been changed by hand, so any bytes may be passed. Member names count after unescaping.
 */
#ifndef BEACOND_CONTRACT_MEMBERS_H
#define BEACOND_CONTRACT_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "contract/scan.h"

struct members_name {
    const char *text; /* ASCII, of at most SCAN_WANTED_MOST characters */
    size_t len;
};
#define MEMBERS_NAME(literal)           \
    {                                   \
        (literal), sizeof(literal) - 1, \
    }

/* Reads the last member of each of count names into fields (of kind SCAN_ABSENT where there is
 * none); the slices are places in text. 0, or -1 when the text is no JSON object; fields holds what
 * stands before the fault then. */
int members_read(const char *text, size_t len, const struct members_name *names, size_t count,
                 struct scan_field *fields) MUST_CHECK;

/* The same, and each occurrence of a name as it comes: every one of duplicate members. Non-zero
 * from fn ends the walk, with status 0. */
typedef int members_fn(void *arg, size_t name, const struct scan_field *field);
int members_walk(const char *text, size_t len, const struct members_name *names, size_t count,
                 members_fn *fn, void *arg) MUST_CHECK;

/* Is the field, after unescaping, this text? A string is compared by its characters, a number by
 * the bytes it is written with; anything else is equal to nothing. */
bool members_equal(const char *text, const struct scan_field *field, const char *wanted,
                   size_t wanted_len);

/* Is any of the object's members of that name equal to wanted? False for what is no object. */
bool members_any(const char *text, size_t len, const struct members_name *name, const char *wanted,
                 size_t wanted_len);

#endif
