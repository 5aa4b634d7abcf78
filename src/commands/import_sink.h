/*
 * import_sink.h: where `beacond import` puts lines: an importer of its own, or that of the daemon
 * which has the database open, some chunks ahead.
 */
#ifndef BEACOND_COMMANDS_IMPORT_SINK_H
#define BEACOND_COMMANDS_IMPORT_SINK_H

#include <stdbool.h>

#include "commands/work.h"
#include "engine/importer.h"

/* Zero it, set the first three. */
struct import_sink {
    struct work *work;               /* open */
    const struct progress *progress; /* asked whether to stop, told of waits; outlives it */
    /* Told of lines that can't be stored: malformed of them, the first as faults. */
    void (*fault)(void *arg, int64_t malformed, const struct lines_fault *faults, size_t count);
    void *fault_arg;

    size_t line_bytes; /* longer lines need not be handed in; set by open */
    struct importer *importer;
    unsigned ahead; /* chunks that the daemon has not answered */
    bool ended;     /* nothing is sent to it any more */
    bool counted;   /* the counts of the file have come, */
    struct importer_counts counts;
    struct error lost; /* and why not all is stored; "" if it is */
};

/* All: a store_status with err. */

int import_sink_open(struct import_sink *sink, struct error *err) MUST_CHECK;
void import_sink_close(struct import_sink *sink);

/* Takes lines of the current file. */
int import_sink_take(struct import_sink *sink, const struct lines_chunk *chunk,
                     struct error *err) MUST_CHECK;

/* Ends the file: all of it is committed, but for STORE_BUSY. *counts in any case. */
int import_sink_end_file(struct import_sink *sink, struct importer_counts *counts,
                         struct error *err) MUST_CHECK;

#endif
