/*
 * walk.h: scan_batch with a sink that remembers, for the tests of the scanner.
 */
#ifndef BEACOND_TESTS_WALK_H
#define BEACOND_TESTS_WALK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "contract/scan.h"
#include "unit.h"

#define MOST_SEEN 64

/* What a walk handed out. */
static struct {
    const char *text;
    struct scan_event events[MOST_SEEN];
    size_t count;
    int restarts;
    struct scan_envelope envelope;
    size_t stop_at; /* the sink refuses this event; 0 for none */
} seen;

static inline int see_event(void *arg, const struct scan_event *event)
{
    (void)arg;
    ck_assert_uint_lt(seen.count, MOST_SEEN);
    seen.events[seen.count++] = *event;
    return seen.count == seen.stop_at;
}

static inline void see_restart(void *arg)
{
    (void)arg;
    seen.count = 0;
    seen.restarts++;
}

static inline int walk_bytes(const char *text, size_t len, unsigned max_depth, struct error *err)
{
    static const struct scan_sink sink = {see_event, see_restart, NULL, &seen.envelope};
    seen.text = text;
    seen.count = 0;
    seen.restarts = 0;
    return scan_batch(text, len, max_depth, &sink, err);
}

static inline int walk(const char *text)
{
    struct error err;
    return walk_bytes(text, strlen(text), 512, &err);
}

/* The slice of the last walk's text, as a string. Four may be in use at once. */
static inline const char *text_of(struct scan_slice slice)
{
    static char texts[4][256];
    static int turn;
    char *text = texts[turn++ % 4];
    ck_assert_uint_lt(slice.len, sizeof texts[0]);
    memcpy(text, seen.text + slice.at, slice.len);
    text[slice.len] = '\0';
    return text;
}

#endif
