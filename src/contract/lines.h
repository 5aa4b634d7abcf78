/*
 * lines.h: events as lines of text, one JSON object each (NDJSON): log files, and bodies of that
 * kind, made into a batch. Pure.
 *
 * A line ends with a line feed; white space around what is in it does not count, and lines of
 * nothing else are passed over.
 */
#ifndef BEACOND_CONTRACT_LINES_H
#define BEACOND_CONTRACT_LINES_H

#include "contract/batch.h"
#include "contract/line_ids.h"

#define LINES_FAULTS_KEPT 20

struct lines_fault {
    int64_t line;
    char why[100]; /* "no timestamp", "no JSON: expected a comma at byte 17", … */
};

/* Some lines of a file, in the order in which they are to be stored. */
struct lines_chunk {
    const char *text;
    size_t len;
    int64_t first; /* the number of the first line, */
    int64_t step;  /* and by how much they go on: 1, or -1 where a file is read backwards */
};

struct lines_report {
    int64_t lines;
    int64_t skipped;   /* empty ones, and those of the plugin's human-readable format, which begin
                        * with a bracket */
    int64_t malformed; /* those that can't be stored */
    struct lines_fault faults[LINES_FAULTS_KEPT]; /* of those the first */
    size_t fault_count;
};

/* Reads lines of a log file. Events without an id get one from ids, and count as given: the same
 * file gives the same. A last line without a line feed is one as well, if it is whole. BATCH_OK and
 * *out (batch_free it), which may be empty, or BATCH_NO_MEMORY with err set. */
int lines_import(const struct lines_chunk *chunk, const struct batch_limits *limits,
                 struct line_ids *ids, int64_t now_ms, struct lines_report *report,
                 struct batch **out, struct error *err) MUST_CHECK;

/* Reads a body or a piece of it, as batch_read does one that is JSON: lines that can't be stored
 * are its rejects. *objects: lines that are a JSON object, or too large to be looked at. BATCH_OK
 * or BATCH_NO_MEMORY. */
int lines_body(const char *text, size_t len, const struct batch_limits *limits,
               struct uuid_source *uuids, const unsigned char *secret, int64_t now_ms,
               size_t *objects, struct batch **out, struct error *err) MUST_CHECK;

/* The timestamp of a line. False when it is no event. */
bool lines_timestamp(const char *text, size_t len, int64_t *ts) MUST_CHECK;

#endif
