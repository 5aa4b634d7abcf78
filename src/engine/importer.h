/*
 * importer.h: lines of log files on their way into the database.
 *
 * Takes a file's lines some thousand at a time, drops what is stored already, and hands the rest to
 * the writer; while that is committed the next lines are read. Nothing is kept of a file but the
 * hashes of lines without an id (contract/line_ids.h). It belongs to one thread, which must be none
 * of the engine's; calls block.
 *
 * While the database can't be written it waits, telling progress so, for as long as progress does
 * not ask to stop.
 */
#ifndef BEACOND_ENGINE_IMPORTER_H
#define BEACOND_ENGINE_IMPORTER_H

#include "contract/lines.h"
#include "engine/engine.h"
#include "engine/progress.h"

#define IMPORTER_WAITING "waiting: the database can't be written"

struct importer;

struct importer_counts {
    int64_t lines, skipped, malformed; /* as lines_report's */
    int64_t stored;                    /* events */
    int64_t duplicate;                 /* those that had been stored before */
    int64_t refused;                   /* by the database; they are among its rejects */
};

/* The engine and progress must outlive it. A store_status. */
int importer_open(struct importer **out, struct engine *engine, const struct batch_limits *limits,
                  const struct progress *progress, struct error *err) MUST_CHECK;

/* Waits for what is under way, or takes it back from a writer that can't commit. NULL is fine. */
void importer_close(struct importer *importer);

/* Takes lines of the current file. *report tells of them; what becomes of their events is told by
 * importer_end_file. STORE_OK, or STORE_BUSY with err: these lines are not stored. Once progress
 * has asked to stop, the last may not be. */
int importer_take(struct importer *importer, const struct lines_chunk *chunk,
                  struct lines_report *report, struct error *err) MUST_CHECK;

/* The file has ended: waits until all of it is committed. *counts: of the file, what is committed.
 * STORE_OK, or STORE_BUSY with err when something had to be taken back. The next file may begin. */
int importer_end_file(struct importer *importer, struct importer_counts *counts,
                      struct error *err) MUST_CHECK;

#endif
