/*
 * audit.h: is a database whole, and is what it says of itself true?
 *
 * Reads alone, by path and over a connection of its own, whether a daemon has the database open or
 * not. A read transaction lasts as long as each of the two parts does that go through everything
 * (SQLite's own check, the tally); a daemon's WAL can't be put back meanwhile. Any thread; blocks.
 */
#ifndef BEACOND_STORE_AUDIT_H
#define BEACOND_STORE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum store_audit_depth {
    STORE_AUDIT_WHOLE,
    STORE_AUDIT_QUICK, /* SQLite's quick_check: indexes are not compared with their tables */
    STORE_AUDIT_COPY,  /* pages and tally: what a copy has right, whatever was done to the database
                        */
    STORE_AUDIT_TALLY, /* the tally alone */
};

/* What step hears while SQLite's own check runs; done and total are bytes then. */
#define STORE_AUDIT_PAGES "checking pages"

/* Who hears of it. All calls come on the auditing thread. */
struct store_audit_ear {
    /* One line, printable ASCII: what is as it must be (ok), or what is wrong. */
    void (*say)(void *arg, bool ok, const char *text);
    /* Whether a row of receipts can be read, see contract/receipt_rows.h. */
    bool (*receipts)(const void *data, size_t len);
    /* As progress.step (engine/progress.h), done and total in bytes read with STORE_AUDIT_PAGES,
     * then in rows; often. Non-zero: stop. */
    int (*step)(void *arg, const char *what, int64_t done, int64_t total);
    void *arg;
    int64_t max_rejects, max_rejects_bytes; /* what they are bounded by; 0: nobody knows */
};

struct store_audit_facts {
    bool whole;        /* nothing wrong was found */
    bool tally_right;  /* as far as it was looked at */
    bool others_wrong; /* something beside the tally was found wrong */
    int64_t events;    /* counted one by one */
};

/* Looks at everything and says what it finds. STORE_OK when it came to its end, whatever it found;
 * STORE_UNFIT, with err, when the file is no beacond database or one of a newer version; STORE_BUSY
 * with err: stopped, or it can't be read now. */
int store_audit(const char *database, enum store_audit_depth depth,
                const struct store_audit_ear *ear, struct store_audit_facts *facts,
                struct error *err) MUST_CHECK;

#endif
