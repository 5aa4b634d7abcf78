/*
 * copy.h: a copy of the database into a file of its own while it is being written to.
 *
 * Made in steps by the writing side, between two appends: what is appended meanwhile goes into the
 * copy, too, so that at its last step it holds all that is committed then. Nothing is flushed and
 * no read transaction lasts longer than a step. Whoever makes the file, looks at it and gives it
 * its name does that elsewhere: engine/backup.h.
 */
#ifndef BEACOND_STORE_COPY_H
#define BEACOND_STORE_COPY_H

#include "store/store.h"

struct store_copy;

struct store_copy_state {
    int64_t done_bytes, total_bytes; /* total grows with the database */
    bool complete;
    struct store_state state; /* once complete: what the copy holds */
};

/* Whether it can be copied in this way. STORE_OK, or STORE_REFUSED: err says what to do instead.
 * Any thread. */
int store_copy_possible(const struct store *store, struct error *err) MUST_CHECK;

/* Begins to copy into path, an empty file. STORE_OK and *out, or STORE_BUSY. The writing side's
 * thread, like the next two. */
int store_copy_begin(struct store *store, const char *path, struct store_copy **out,
                     struct error *err) MUST_CHECK;

/* Copies half a megabyte, or what is left. STORE_OK, or STORE_BUSY: the copy can't be made, for
 * example since its disk is full; the database is none the worse. Not after the last. */
int store_copy_step(struct store_copy *copy, struct store_copy_state *out,
                    struct error *err) MUST_CHECK;

/* Ends it, complete or not, and closes the file. NULL is fine. */
void store_copy_end(struct store_copy *copy);

/* Makes a complete copy one single file, which needs no other beside it and can be read where
 * nothing can be written, and has the disk take it. Any thread. STORE_OK or STORE_BUSY. */
int store_copy_settle(const char *path, struct error *err) MUST_CHECK;

#endif
