#include "base/counter.h"

void histogram_add(struct histogram *histogram, const struct histogram_form *form, int64_t value)
{
    size_t n = 0;
    if (value < 0)
        value = 0;
    while (n < form->count && value > form->bounds[n])
        n++;
    counter_add(&histogram->buckets[n], 1);
    counter_add(&histogram->sum, (uint64_t)value);
}

void histogram_collect(const struct histogram *histogram, struct histogram_figures *figures)
{
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        figures->buckets[i] += counter_read(&histogram->buckets[i]);
    figures->sum += counter_read(&histogram->sum);
}
