/*
 * census.h: how many events carry each value of one member. Pure.
 *
 * Bounded: the first CENSUS_MOST different values are counted one by one, what comes beyond them is
 * counted together, and so are values that are too long to be told apart on a line.
 */
#ifndef BEACOND_CONTRACT_CENSUS_H
#define BEACOND_CONTRACT_CENSUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "contract/members.h"

#define CENSUS_MOST 1000
#define CENSUS_VALUE_BYTES 200 /* of a longer one */

struct census_value {
    char *text; /* unescaped; not ended by a NUL, which may stand in it */
    size_t len;
    int64_t events;
};

struct census {
    struct census_value *values; /* CENSUS_MOST; the first count are in use */
    size_t count;
    int64_t none;   /* events that lack the member, or where it is no string */
    int64_t others; /* with further or longer values */

    /* Its own. */
    struct census_value *last;
    uint16_t *slots; /* index + 1 into values, by hash; 0: free */
    unsigned char key[16];
};

/* 0, or -1 when out of memory. census_clear in any case. */
int census_init(struct census *census) MUST_CHECK;
void census_clear(struct census *census);

/* Counts an event by what members_read has found in its text. 0, or -1 when out of memory. */
int census_add(struct census *census, const char *text, const struct scan_field *field) MUST_CHECK;

/* The members that are counted of an event: appId, type, level. */
enum { CENSUS_MEMBERS = 3 };
extern const struct members_name census_names[CENSUS_MEMBERS];

/* Counts an event in the census of each of them. Any bytes may be passed; of what is no object what
 * could be read counts. 0, or -1 when out of memory. */
int census_add_event(struct census members[CENSUS_MEMBERS], const char *text,
                     size_t len) MUST_CHECK;

/* Sorts the values, most events first; nothing may be added any more. */
void census_sort(struct census *census);

#endif
