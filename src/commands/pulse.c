#include "commands/pulse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "commands/notify.h"

/* A person reads it now and then, and each time the process wakes up. */
#define PULSE_TELL_MS 10000
/* Of the watchdog's time: asked in one look, answered by the next, and one to spare. */
#define PULSE_LOOKS 4

void pulse_init(struct pulse *pulse, struct engine *engine, struct server *server)
{
    int64_t now = clock_mono_ms(), watchdog_ms = notify_watchdog_ms();
    *pulse = (struct pulse){
        .engine = engine,
        .server = server,
        .look_every_ms = watchdog_ms > 0 ? watchdog_ms / PULSE_LOOKS + 1 : 0,
        .look_ms = watchdog_ms > 0 ? now : INT64_MAX,
        .tell_ms = notify_wanted() ? now : INT64_MAX,
        .told_ms = now,
    };
}

void pulse_drain(struct pulse *pulse)
{
    pulse->draining = true;
    if (pulse->tell_ms != INT64_MAX)
        pulse->tell_ms = clock_mono_ms();
}

static void pulse_look(struct pulse *pulse, int64_t now)
{
    /* Both are asked, whatever the first says. */
    pulse->writer_stuck = !engine_beat(pulse->engine);
    pulse->loop_stuck = !server_beat(pulse->server);
    if (!pulse->writer_stuck && !pulse->loop_stuck)
        notify_alive();
    pulse->look_ms = now + pulse->look_every_ms;
}

static void pulse_describe(struct pulse *pulse, char *out, size_t size, int64_t now)
{
    size_t connections = server_connections(pulse->server);
    /* First: a writer that is stuck with its mutex must not be asked for anything. */
    if (pulse->writer_stuck || pulse->loop_stuck) {
        snprintf(out, size, "stuck: %s not answered; %zu connections",
                 pulse->writer_stuck ? "the writer has" : "a network thread has", connections);
        return;
    }
    if (pulse->draining) {
        snprintf(out, size, "finishing what is in flight: %zu connections", connections);
        return;
    }
    if (!engine_healthy(pulse->engine)) {
        snprintf(out, size, "can't commit, trying again (the log says why); %zu connections",
                 connections);
        return;
    }
    uint64_t taken = engine_taken(pulse->engine);
    double seconds = (double)(now - pulse->told_ms) / 1000;
    double rate = seconds > 0 ? (double)(taken - pulse->taken) / seconds : 0;
    pulse->taken = taken;
    snprintf(out, size, "%.*f events/s, %" PRIu64 " since the start; %zu connections",
             rate > 0 && rate < 10 ? 1 : 0, rate, taken, connections);
}

static void pulse_tell(struct pulse *pulse, int64_t now)
{
    char status[sizeof pulse->status];
    pulse_describe(pulse, status, sizeof status, now);
    pulse->told_ms = now;
    pulse->tell_ms = now + PULSE_TELL_MS;
    if (strcmp(status, pulse->status) == 0)
        return;
    memcpy(pulse->status, status, sizeof status);
    notify_status(status);
}

int pulse_wait(struct pulse *pulse, const sigset_t *signals, int64_t most_ms)
{
    int64_t end_ms = most_ms < 0 ? INT64_MAX : clock_mono_ms() + most_ms;
    for (;;) {
        int64_t now = clock_mono_ms();
        bool was_stuck = pulse->writer_stuck || pulse->loop_stuck;
        if (now >= pulse->look_ms)
            pulse_look(pulse, now);
        if (now >= pulse->tell_ms || (pulse->tell_ms != INT64_MAX &&
                                      was_stuck != (pulse->writer_stuck || pulse->loop_stuck)))
            pulse_tell(pulse, now);
        if (now >= end_ms)
            return 0;
        int64_t next_ms = pulse->look_ms < pulse->tell_ms ? pulse->look_ms : pulse->tell_ms;
        next_ms = next_ms < end_ms ? next_ms : end_ms;
        int64_t wait_ms = next_ms - now;
        struct timespec wait = {wait_ms / 1000, (wait_ms % 1000) * 1000000};
        int got =
            next_ms == INT64_MAX ? sigwaitinfo(signals, NULL) : sigtimedwait(signals, NULL, &wait);
        if (got > 0)
            return got;
    }
}
