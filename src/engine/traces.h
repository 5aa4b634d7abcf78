/*
 * traces.h: what is left of erased events in the files: in the WAL, and in unused parts of the
 * database. Behind engine_forget.
 *
 * SQLite moves rows between pages and leaves copies behind (store/sqlite/leaf.h), so the whole file
 * is read and every page with something in its unused part is cleaned, whosever it was. In the
 * index of ids it is looked for the erased ones alone; when one is found, the index is made anew,
 * and nothing is committed meanwhile. Where an ID is found after all that, the whole file is
 * written anew; likewise. In indexes an ID of a few bytes is not looked for: it stands among their
 * numbers by chance, and the file would be written anew for nearly every such ID.
 *
 * In a server's database the tables that held some of it are vacuumed, and that is all.
 */
#ifndef BEACOND_ENGINE_TRACES_H
#define BEACOND_ENGINE_TRACES_H

#include "base/hash_set.h"
#include "engine/erasure.h"
#include "engine/writer.h"

struct traces {
    struct store *store;
    struct writer *writer;
    const struct forget_who *who;
    struct hash_set ids; /* of erased ids that clients chose; traces_clear it */
    const struct progress *progress;
    bool stopped; /* progress wanted no more */
};

void traces_clear(struct traces *traces);

/* Notes an id as it stands in the index. 0, or -1 when out of memory. */
int traces_note_id(struct traces *traces, const char *id, size_t len) MUST_CHECK;

/* Removes all of it. A store_status; STORE_BUSY also while another program keeps the WAL from being
 * emptied. */
int traces_erase(struct traces *traces, struct error *err) MUST_CHECK;

#endif
