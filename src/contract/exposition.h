/*
 * exposition.h: writes metrics as Prometheus reads them, text format 0.0.4. Pure.
 *
 * A family is begun with its name, type and help, then come its samples; a family is never begun
 * twice, and no two of its samples have the same labels: that is the caller's to see to, as it is
 * that names and labels' names are of letters, digits and '_'. Values of labels may hold anything.
 *
 * Where memory runs out the rest is left out and `failed` says so, once for all calls.
 */
#ifndef BEACOND_CONTRACT_EXPOSITION_H
#define BEACOND_CONTRACT_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/counter.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_kind { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct exposition {
    struct bytes *out;
    const char *name; /* of the family */
    bool failed;
};

struct exposition_label {
    const char *name; /* NULL ends a list of labels */
    const char *value;
};

/* Begins; out is the caller's. */
void exposition_init(struct exposition *exposition, struct bytes *out);

/* Begins a family. name must stay valid until the next one. */
void exposition_family(struct exposition *exposition, const char *name, enum exposition_kind kind,
                       const char *help);

/* A sample of it. labels: ended by one without a name; NULL for none. */
void exposition_count(struct exposition *exposition, const struct exposition_label *labels,
                      uint64_t value);
void exposition_number(struct exposition *exposition, const struct exposition_label *labels,
                       double value);

/* All samples of a histogram with these labels, at most three: the buckets, each with those below
 * it, the sum and the count, which is that of the last bucket. */
#define EXPOSITION_LABELS 3
void exposition_histogram(struct exposition *exposition, const struct exposition_label *labels,
                          const struct histogram_form *form,
                          const struct histogram_figures *figures);

/* A family of one sample without labels. */
void exposition_counter(struct exposition *exposition, const char *name, const char *help,
                        uint64_t value);
void exposition_gauge(struct exposition *exposition, const char *name, const char *help,
                      double value);

#endif
