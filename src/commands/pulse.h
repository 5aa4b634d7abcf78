/*
 * pulse.h: what the main thread does while the daemon serves: it waits for signals, feeds the
 * service manager's watchdog and keeps its line of status true (notify.h).
 *
 * The watchdog is fed only when the writer and every loop have come round since the time before:
 * one thread that is stuck, whatever the others do, ends the feeding, and with it the process. It
 * is looked four times within the watchdog's time. Where nobody listens, the thread sleeps until a
 * signal comes.
 */
#ifndef BEACOND_COMMANDS_PULSE_H
#define BEACOND_COMMANDS_PULSE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "server/server.h"

struct pulse {
    struct engine *engine;
    struct server *server;
    bool draining;

    int64_t look_every_ms; /* at the threads; 0: there is no watchdog */
    int64_t look_ms;       /* monotonic: when next */
    int64_t tell_ms;       /* likewise for the status; INT64_MAX: nobody listens */
    int64_t told_ms;       /* when it was told last */
    uint64_t taken;        /* engine_taken at that time */
    bool writer_stuck, loop_stuck;
    char status[200]; /* as told */
};

void pulse_init(struct pulse *pulse, struct engine *engine, struct server *server);

/* The end has begun, and the status says so at once. */
void pulse_drain(struct pulse *pulse);

/* Waits for one of the blocked signals, at most most_ms (-1: for ever), and does what is due
 * meanwhile. Returns the signal, or 0 when the time is over. */
int pulse_wait(struct pulse *pulse, const sigset_t *signals, int64_t most_ms);

#endif
