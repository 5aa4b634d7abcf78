#include "base/wary.h"

static void wary_believe(struct wary *wary, int64_t wall_ms, int64_t mono_ms)
{
    *wary = (struct wary){.wall_ms = wall_ms, .mono_ms = mono_ms};
}

void wary_begin(struct wary *wary, int64_t known_ms, int64_t wall_ms, int64_t mono_ms)
{
    wary_believe(wary, wall_ms, mono_ms);
    if (known_ms == WARY_UNKNOWN || wall_ms <= known_ms || wall_ms - known_ms <= WARY_OFF_MS)
        return;
    wary->wall_ms = known_ms;
    wary->doubted_ms = mono_ms;
    wary->doubts = true;
}

int64_t wary_now(struct wary *wary, int64_t wall_ms, int64_t mono_ms, int64_t slack_ms)
{
    int64_t held_ms = wary->wall_ms + (mono_ms - wary->mono_ms);
    if (wall_ms - held_ms <= slack_ms ||
        (wary->doubts && mono_ms - wary->doubted_ms >= WARY_DOUBT_MS)) {
        wary_believe(wary, wall_ms, mono_ms);
        return wall_ms;
    }
    if (!wary->doubts) {
        wary->doubts = true;
        wary->doubted_ms = mono_ms;
    }
    return held_ms;
}
