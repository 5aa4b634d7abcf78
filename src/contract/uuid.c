#include "contract/uuid.h"

#include "base/random.h"

#define UUID_COUNTER_MAX 0xfff
/* A millisecond's count starts in the lower half, so that 2,048 ids fit in at least. */
#define UUID_COUNTER_START 0x7ff

static uint64_t uuid_rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

/* xoshiro256** of Blackman and Vigna: ids must be unique, not secret, and a system call for each
 * would be most of the cost. */
static uint64_t uuid_random(uint64_t state[4])
{
    uint64_t result = uuid_rotate(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = uuid_rotate(state[3], 45);
    return result;
}

void uuid_source_init(struct uuid_source *source)
{
    random_fill(source->state, sizeof source->state);
    source->state[0] |= 1; /* all zeros would stay zeros */
    source->last_ms =
        0; /* before 1970 there are no ids: those of a clock that is there begin here */
    source->counter = 0;
}

/* The count lowest digits of value, ending in front of end. */
static void uuid_hex(char *end, uint64_t value, int count)
{
    while (count-- > 0) {
        *--end = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

static void uuid_write(char out[UUID_LEN], uint64_t ms, uint64_t version, uint64_t high,
                       uint64_t low)
{
    uuid_hex(out + 8, ms >> 16, 8);
    out[8] = '-';
    uuid_hex(out + 13, ms & 0xffff, 4);
    out[13] = '-';
    uuid_hex(out + 18, version << 12 | (high & 0xfff), 4);
    out[18] = '-';
    uuid_hex(out + 23, 0x8000 | (low >> 48 & 0x3fff), 4);
    out[23] = '-';
    uuid_hex(out + 36, low, 12);
}

void uuid_next(struct uuid_source *source, int64_t now_ms, char out[UUID_LEN])
{
    uint64_t random = uuid_random(source->state);
    if (now_ms > source->last_ms || source->counter == UUID_COUNTER_MAX) {
        source->last_ms = now_ms > source->last_ms ? now_ms : source->last_ms + 1;
        source->counter = (unsigned)(uuid_random(source->state) >> 32) & UUID_COUNTER_START;
    } else {
        source->counter++;
    }
    uint64_t ms = (uint64_t)source->last_ms & UINT64_C(0xffffffffffff);
    uuid_write(out, ms, 7, source->counter, random);
}

void uuid_of(int64_t ms, uint64_t high, uint64_t low, char out[UUID_LEN])
{
    uuid_write(out, (uint64_t)ms & UINT64_C(0xffffffffffff), 8, high, low);
}
