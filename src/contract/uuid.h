/*
 * uuid.h: UUIDv7 (RFC 9562), the ids given to events that came without one, and UUIDv8. Pure.
 *
 * Ids of one source are strictly ascending as text: 48 bits of milliseconds, a 12-bit counter that
 * starts at a random value each millisecond and borrows from the future when it runs over, 62
 * random bits. A source belongs to one thread.
 */
#ifndef BEACOND_CONTRACT_UUID_H
#define BEACOND_CONTRACT_UUID_H

#include <stdint.h>

#define UUID_LEN 36 /* characters of the text form, no NUL */

struct uuid_source {
    uint64_t state[4]; /* xoshiro256** state, seeded from the kernel */
    int64_t last_ms;   /* the millisecond of the last id */
    unsigned counter;  /* its 12-bit counter */
};

void uuid_source_init(struct uuid_source *source);

/* Writes the 36 characters of the next id, without a NUL. now_ms: milliseconds since 1970; a clock
 * that went back does not bring older ids. */
void uuid_next(struct uuid_source *source, int64_t now_ms, char out[UUID_LEN]);

/* Writes a UUIDv8 that depends on nothing but what is given: the milliseconds where a v7 has them
 * (their lowest 48 bits), the lowest 12 bits of high, the lowest 62 of low. */
void uuid_of(int64_t ms, uint64_t high, uint64_t low, char out[UUID_LEN]);

#endif
