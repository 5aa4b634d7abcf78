/*
 * counter.h: figures that one thread writes and any thread reads.
 *
 * Plain loads and stores, relaxed: no lock, no locked instruction, nothing that a hot path would
 * notice. So each counter, gauge and histogram has one thread that writes it; who wants the figure
 * of several threads adds them up. Reading several of them gives no picture of one moment. All zero
 * is a good beginning.
 */
#ifndef BEACOND_BASE_COUNTER_H
#define BEACOND_BASE_COUNTER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Only ever goes up. */
struct counter {
    _Atomic uint64_t n;
};

static inline void counter_add(struct counter *counter, uint64_t n)
{
    uint64_t now = atomic_load_explicit(&counter->n, memory_order_relaxed);
    atomic_store_explicit(&counter->n, now + n, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counter *counter)
{
    return atomic_load_explicit(&counter->n, memory_order_relaxed);
}

struct gauge {
    _Atomic int64_t n;
};

static inline void gauge_set(struct gauge *gauge, int64_t n)
{
    atomic_store_explicit(&gauge->n, n, memory_order_relaxed);
}

static inline int64_t gauge_read(const struct gauge *gauge)
{
    return atomic_load_explicit(&gauge->n, memory_order_relaxed);
}

static inline void gauge_add(struct gauge *gauge, int64_t n)
{
    gauge_set(gauge, gauge_read(gauge) + n);
}

#define HISTOGRAM_BOUNDS 16

/* Where the buckets end: bounds[0..count), ascending; a value belongs to the first bound that is
 * not below it, or to the last bucket, which has none. */
struct histogram_form {
    int64_t bounds[HISTOGRAM_BOUNDS];
    size_t count;
    double per; /* so many are one of what is shown: 1e6 for microseconds as seconds */
};

struct histogram {
    struct counter buckets[HISTOGRAM_BOUNDS + 1];
    struct counter sum;
};

/* Negative values, from a clock that jumped, count as 0. */
void histogram_add(struct histogram *histogram, const struct histogram_form *form, int64_t value);

/* What was counted, of one or of several histograms of one form; all zero to begin with. */
struct histogram_figures {
    uint64_t buckets[HISTOGRAM_BOUNDS + 1]; /* each alone, not added up */
    uint64_t sum;
};
void histogram_collect(const struct histogram *histogram, struct histogram_figures *figures);

#endif
