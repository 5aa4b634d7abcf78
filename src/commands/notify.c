#include "commands/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* For the last commit and the checkpoint behind a drain; lengthy.h extends it. */
#define NOTIFY_CLOSE_MS 30000

#ifdef HAVE_LIBSYSTEMD

#include <systemd/sd-daemon.h>

#include "base/clock.h"

bool notify_wanted(void)
{
    return getenv("NOTIFY_SOCKET") != NULL;
}

int64_t notify_watchdog_ms(void)
{
    uint64_t us = 0;
    if (sd_watchdog_enabled(0, &us) <= 0)
        return 0;
    return us < 1000 ? 1 : us > INT64_MAX ? INT64_MAX / 1000 : (int64_t)(us / 1000);
}

static void notify_send(const char *state)
{
    (void)sd_notify(0, state);
}

void notify_reloading(void)
{
    char state[80];
    /* Type=notify-reload tells by the time which reload this is. */
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_us());
    notify_send(state);
}

#else

bool notify_wanted(void)
{
    return false;
}

int64_t notify_watchdog_ms(void)
{
    return 0;
}

static void notify_send(const char *state)
{
    (void)state;
}

void notify_reloading(void)
{
}

#endif

void notify_alive(void)
{
    notify_send("WATCHDOG=1");
}

void notify_ready(void)
{
    notify_send("READY=1");
}

void notify_extend(int64_t ms)
{
    char state[80];
    snprintf(state, sizeof state, "EXTEND_TIMEOUT_USEC=%" PRId64, ms * 1000);
    notify_send(state);
}

void notify_stopping(int64_t drain_ms)
{
    notify_send("STOPPING=1");
    notify_extend(drain_ms + NOTIFY_CLOSE_MS);
}

void notify_status(const char *text)
{
    char state[300];
    snprintf(state, sizeof state, "STATUS=%s", text);
    notify_send(state);
}
