#include "cache/blend.h"

size_t blend(const struct segment *segment, struct loose *const *run, size_t run_count,
             const struct blend_window *window, struct blend_event *out)
{
    size_t count = 0;
    size_t n = segment == NULL ? 0 : segment_from(segment, window->high);
    size_t end = segment == NULL ? 0 : segment_from(segment, window->low);
    size_t above = loose_from(run, run_count, window->high);
    size_t first = loose_from(run, run_count, window->low);
    while (n < end || above > first) {
        const struct loose *loose = above > first ? run[above - 1] : NULL;
        struct range_place sealed = n < end ? segment_place(segment, n) : PLACE_LOWEST;
        if (loose == NULL || (n < end && place_before(loose->place, sealed))) {
            if (sealed.seq <= window->max_seq)
                out[count++] = (struct blend_event){NULL, n};
            n++;
            continue;
        }
        /* A gone mark stands at the very place of what it hides. */
        if (loose->gone)
            n++;
        else if (loose->place.seq <= window->max_seq)
            out[count++] = (struct blend_event){loose, 0};
        above--;
    }
    return count;
}

size_t blend_count(const struct segment *segment, struct loose *const *run, size_t run_count,
                   const struct blend_window *window)
{
    size_t count = 0;
    if (segment != NULL) {
        size_t n = segment_from(segment, window->high), end = segment_from(segment, window->low);
        count = end - n;
        if (segment->highest_seq > window->max_seq)
            for (; n < end; n++)
                count -= segment_place(segment, n).seq > window->max_seq;
    }
    size_t first = loose_from(run, run_count, window->low);
    size_t above = loose_from(run, run_count, window->high);
    for (size_t i = first; i < above; i++) {
        if (run[i]->place.seq > window->max_seq)
            continue;
        if (run[i]->gone)
            count--; /* counted with the segment */
        else
            count++;
    }
    return count;
}

struct range_place blend_place(const struct segment *segment, const struct blend_event *event)
{
    return event->loose != NULL ? event->loose->place : segment_place(segment, event->n);
}

size_t blend_depth(const struct segment *segment, const struct blend_event *events, size_t count)
{
    while (count > 0 && events[count - 1].loose != NULL)
        count--;
    return count == 0 ? 0 : segment_end(segment, events[count - 1].n);
}

size_t blend_len(const struct segment *segment, const struct blend_event *event)
{
    if (event->loose != NULL)
        return event->loose->len;
    return segment_end(segment, event->n) - 1 - segment_begin(segment, event->n);
}

const char *blend_text(const struct segment *segment, const char *plain,
                       const struct blend_event *event)
{
    return event->loose != NULL ? event->loose->text : plain + segment_begin(segment, event->n);
}
