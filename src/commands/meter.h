/*
 * meter.h: how far a command is, on standard error.
 *
 * On a terminal a bar with rate and time left, drawn anew a few times a second; otherwise nothing:
 * what a command has to say there it says in lines of its own, through meter_say, which keeps the
 * bar out of the way. One thread at a time.
 */
#ifndef BEACOND_COMMANDS_METER_H
#define BEACOND_COMMANDS_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/progress.h"

struct meter {
    bool shown;       /* standard error is a terminal */
    bool drawn;       /* a bar stands there */
    const char *unit; /* of meter_progress, where what is done does not say "events": "events" */
    int64_t begun_ms, drawn_ms;
    char what[64];
};

void meter_init(struct meter *meter);

/* So much of what is done; total 0: unknown. unit: what is counted, "events"; "bytes" come out as
 * MB. */
void meter_step(struct meter *meter, const char *what, int64_t done, int64_t total,
                const char *unit);

/* A line on standard error, not on top of the bar. */
void meter_say(struct meter *meter, const char *format, ...) PRINTF_LIKE(2, 3);

void meter_clear(struct meter *meter); /* takes the bar away */

/* A progress that draws what it hears, and stops once interrupted() says so. */
struct progress meter_progress(struct meter *meter);

#endif
