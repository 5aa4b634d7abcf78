#include "commands/meter.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "commands/interrupt.h"

#define METER_DRAW_MS 200
#define METER_CELLS 24

void meter_init(struct meter *meter)
{
    *meter = (struct meter){
        .shown = isatty(STDERR_FILENO) == 1, .unit = "events", .begun_ms = clock_mono_ms()};
}

void meter_clear(struct meter *meter)
{
    if (meter->drawn)
        fputs("\r\033[K", stderr);
    meter->drawn = false;
}

void meter_say(struct meter *meter, const char *format, ...)
{
    va_list arguments;
    meter_clear(meter);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static void meter_bar(double share)
{
    int full = (int)(share * METER_CELLS);
    fputs(" [", stderr);
    for (int i = 0; i < METER_CELLS; i++)
        fputc(i < full ? '#' : '.', stderr);
    fprintf(stderr, "] %3d %%", (int)(share * 100));
}

void meter_step(struct meter *meter, const char *what, int64_t done, int64_t total,
                const char *unit)
{
    int64_t now_ms = clock_mono_ms();
    if (!meter->shown)
        return;
    if (strncmp(meter->what, what, sizeof meter->what - 1) != 0) {
        snprintf(meter->what, sizeof meter->what, "%s", what);
        meter->begun_ms = now_ms;
    } else if (now_ms - meter->drawn_ms < METER_DRAW_MS) {
        return;
    }
    meter->drawn_ms = now_ms;
    double spent = (double)(now_ms - meter->begun_ms) / 1000, scale = 1;
    if (strcmp(unit, "bytes") == 0) {
        unit = "MB";
        scale = 1e6;
    }
    double rate = spent > 0 ? (double)done / spent : 0;
    fprintf(stderr, "\r%s", meter->what);
    if (total > 0)
        meter_bar(done < total ? (double)done / (double)total : 1);
    fprintf(stderr, " %.*f %s, %.*f/s", scale > 1, (double)done / scale, unit, scale > 1,
            rate / scale);
    if (total > done && rate > 0) {
        int64_t left = (int64_t)((double)(total - done) / rate);
        fprintf(stderr, ", %lld:%02lld left", (long long)(left / 60), (long long)(left % 60));
    }
    fputs("\033[K", stderr);
    meter->drawn = true;
}

static int meter_hear(void *arg, const char *what, int64_t done, int64_t total)
{
    struct meter *meter = arg;
    if (what != NULL)
        meter_step(meter, what, done, total, strstr(what, "events") ? "events" : meter->unit);
    return interrupted() ? -1 : 0;
}

struct progress meter_progress(struct meter *meter)
{
    return (struct progress){.step = meter_hear, .arg = meter};
}
