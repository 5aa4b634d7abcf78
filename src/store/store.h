/*
 * store.h: where events are kept, whatever keeps them.
 *
 * A store has one writing side and any number of readers. The writing side (everything that takes
 * a struct store, but where "any thread" is said, and store_reader_open) belongs to one thread, the
 * engine's writer; store_open and store_close run before it starts and after it has ended. Each
 * reader belongs to one thread. All calls block.
 *
 * A store may have its readers stay out for a moment (the gate below): each of their calls waits
 * for that, also within one as if it were two. So a callback that is handed rows must not wait for
 * long, and not for the writer.
 *
 * Order: events are kept in the order (ts, seq). seq numbers the commits' events, ascending, and no
 * number is used twice in a database's life, so "seq <= max_seq" is what was there at one moment.
 */
#ifndef BEACOND_STORE_STORE_H
#define BEACOND_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/siphash.h"
#include "contract/batch.h"
#include "contract/range.h"

enum store_status {
    STORE_OK = 0,
    STORE_BUSY = -1,    /* full disk, I/O error, locked, out of memory: may work later */
    STORE_REFUSED = -2, /* this content can't be stored; trying again is no use */
    STORE_UNFIT = -3,   /* open: foreign, newer or damaged; nothing was changed */
    STORE_HELD = -4,    /* open: another process has it open to write */
};

enum store_synchronous { STORE_SYNC_FULL, STORE_SYNC_NORMAL, STORE_SYNC_OFF };

struct store_options {
    const char *database;               /* what it is called: see store_is_file */
    enum store_synchronous synchronous; /* FULL: what append has returned survives a power loss */
    int64_t max_rejects;                /* rows of rejects kept */
    int64_t max_rejects_bytes;          /* their bytes */
    int64_t max_receipts_bytes;         /* of a shared store: bound for what it keeps of receipts */
    const char *node; /* what this process is called among those that write to a shared store, at
                       * most 200 bytes; NULL: what no other one is. Only looked at by open */
};

/* One batch to append and what became of it. */
struct store_item {
    struct batch *batch; /* the caller's; append sets seq in its events (0: not stored anew) */
    size_t known;        /* elements of it, by position, that were stored by an earlier commit or
                          * batch: they are counted as duplicates and left alone */
    size_t saved;        /* events of it that are stored now, duplicates included */
    size_t duplicate;    /* of those, how many had been stored before */
    size_t refused;      /* by store_append_apart alone: put among the rejects by it */
};

/* One of what store_claim has handed out: more or fewer of its answers are known to be lost. */
struct store_loss {
    uint64_t serial;
    int change; /* 1 or -1 */
};

/* What is to be remembered of the batches of one append, in the same transaction: see
 * engine/receipts.h. */
struct store_receipts {
    int64_t row;      /* its number, higher than those before */
    int64_t at_ms;    /* wall clock */
    const void *data; /* the row (contract/receipt_rows.h); nothing is stored when len is 0 */
    size_t len;
    int64_t before; /* rows with lower numbers are not needed any more */

    /* Of a shared store alone (store/shared.h), which keeps each receipt by itself. */
    uint64_t first_serial; /* of the row's first receipt; the others' follow */
    const struct store_loss *losses;
    size_t loss_count;
    /* Serials of the receipts of bursts whose clients wait for an answer; one stands there once for
     * each burst. Of a commit that nobody was told of those answers have been lost. */
    const uint64_t *awaited;
    size_t awaited_count;
};

struct store;
struct store_reader;

/* Whether a database of that name is a file of this machine; else it is a server's. */
bool store_is_file(const char *database);

/* How it is called in messages: the path, or the connection string without its password. */
void store_name(const char *database, char *out, size_t size);
#define STORE_NAME_SIZE 512

/* Whether it can be what a database is called, and this program was built for such ones. Touches
 * neither disk nor network. STORE_OK or STORE_UNFIT; whatever opens one asks this first. */
int store_check(const char *database, struct error *err) MUST_CHECK;

/* Whether other processes may write to it at the same time: store/shared.h says what that means.
 * Constant; any thread. */
bool store_shared(const struct store *store);

/* Opens or creates. STORE_OK and *out, STORE_UNFIT, STORE_HELD or STORE_BUSY; err says what and
 * what to do. */
int store_open(struct store **out, const struct store_options *options,
               struct error *err) MUST_CHECK;

/* works is called now and then from within statements that take long, as a sign of life; it must be
 * quick and must not call the store. NULL ends that. The writer's thread, or before it runs. */
void store_on_work(struct store *store, void (*works)(void *arg), void *arg);

/* Puts everything in its lasting place and closes. The readers must be closed. NULL is fine. */
void store_close(struct store *store);

/* Appends all batches, their rejects too, in one transaction: all or nothing. STORE_OK when it is
 * committed, STORE_BUSY, or STORE_REFUSED when a statement failed for what is in one of them. */
int store_append(struct store *store, struct store_item *items, size_t count,
                 const struct store_receipts *receipts, struct error *err) MUST_CHECK;

/* Other bounds for rejects. A lower one is met when the next reject comes. Any thread. */
void store_limit_rejects(struct store *store, int64_t max_rejects, int64_t max_rejects_bytes);

/* Appends one batch, putting each event that the store refuses among the rejects. STORE_OK or
 * STORE_BUSY. Slow: for the batch that store_append refused. */
int store_append_apart(struct store *store, struct store_item *item,
                       const struct store_receipts *receipts, struct error *err) MUST_CHECK;

/* Hands out the rows of receipts, oldest first; data is valid during the call, non-zero ends it.
 * Before the first append. Of a shared store one empty row, of the last commit's time, if there was
 * one. STORE_OK, also when fn ended it, or STORE_BUSY. */
typedef int store_receipts_fn(void *arg, int64_t row, int64_t at_ms, const void *data, size_t len);
int store_load_receipts(struct store *store, store_receipts_fn *fn, void *arg,
                        struct error *err) MUST_CHECK;

/* Erases the oldest events dated before before_ms, at most most of them, in one transaction. places
 * has room for most, and gets where they were, ascending by (ts, seq); *erased says how many, 0
 * when there is none left. Their numbers are not used again. STORE_OK or STORE_BUSY (nothing is
 * erased then). */
int store_erase_oldest(struct store *store, int64_t before_ms, size_t most,
                       struct range_place *places, size_t *erased, struct error *err) MUST_CHECK;

/* The same for the events at these places; one that is not there (any more) is passed over. */
int store_erase(struct store *store, const struct range_place *places, size_t count, size_t *erased,
                struct error *err) MUST_CHECK;

/* The same for rejects, by number. */
int store_erase_rejects(struct store *store, const int64_t *numbers, size_t count, size_t *erased,
                        struct error *err) MUST_CHECK;

/* A reject that was read anew. */
enum store_retried {
    STORE_RETRY_STORED,    /* the event is in, the reject is out */
    STORE_RETRY_DUPLICATE, /* the event had been stored before, the reject is out */
    STORE_RETRY_KEPT,      /* it stays, with its reason as it is now */
    STORE_RETRY_GONE,      /* there is no such reject (any more) */
};
struct store_retry {
    int64_t n; /* it must still be of this number, time and text */
    int64_t received;
    const char *text;
    size_t len;
    struct batch *batch; /* of one event, which gets its seq; NULL: it stays */
    const char *reason;  /* why, when it stays */
    enum store_retried outcome;
};

/* Does it for all of them in one transaction: all or nothing. An event that the store refuses stays
 * a reject. STORE_OK or STORE_BUSY. */
int store_retry_rejects(struct store *store, struct store_retry *retries, size_t count,
                        struct error *err) MUST_CHECK;

/* Puts other contents into rows of receipts, in one transaction; a row whose len is 0 is deleted,
 * one that is not there is passed over. STORE_OK or STORE_BUSY. */
struct store_receipts_row {
    int64_t row;
    const void *data;
    size_t len;
};
int store_replace_receipts(struct store *store, const struct store_receipts_row *rows, size_t count,
                           struct error *err) MUST_CHECK;

struct store_size {
    int64_t page_bytes;
    int64_t pages;      /* of the database, those in the WAL included */
    int64_t free_pages; /* of them, used for nothing */
    int64_t wal_bytes;  /* of the file beside it */
};
int store_size(struct store *store, struct store_size *out, struct error *err) MUST_CHECK;

/* Gives up to so many free pages at the end back, moving what is in use there forward. The file
 * becomes smaller with the next checkpoint. *left: the free pages left. STORE_OK or STORE_BUSY. */
int store_shrink(struct store *store, int64_t pages, int64_t *left, struct error *err) MUST_CHECK;

/* Puts the whole WAL back and empties it, so that nothing of what was erased is left in it.
 * STORE_BUSY while a reader is in the way: try again. Waits for one a moment. */
int store_scrub(struct store *store, struct error *err) MUST_CHECK;

/* What erased rows may have left behind in parts of the file that are not in use any more: whatever
 * stands there. table: store_clean_traces can clean the page, else store_rebuild_index does. */
typedef void store_trace_fn(void *arg, int64_t page, bool table, const char *bytes, size_t len);

/* Looks for it in the pages from *page on (0 and up), some hundred of them, and moves *page on;
 * *more: there are others. The WAL is not looked into: store_scrub first. Any thread. STORE_OK or
 * STORE_BUSY. */
int store_find_traces(struct store *store, int64_t *page, store_trace_fn *fn, void *arg, bool *more,
                      struct error *err) MUST_CHECK;

/* Cleans pages as far as that can be done; empties the WAL before, but not behind. STORE_OK or
 * STORE_BUSY. */
int store_clean_traces(struct store *store, const int64_t *pages, size_t count,
                       struct error *err) MUST_CHECK;

/* Makes the index of ids that clients chose anew. Takes its time. STORE_OK or STORE_BUSY. */
int store_rebuild_index(struct store *store, struct error *err) MUST_CHECK;

/* Writes the whole database anew, without a trace of what was erased; store_scrub it afterwards.
 * Takes its time, and as much room again on the disk. STORE_OK or STORE_BUSY. */
int store_rewrite(struct store *store, struct error *err) MUST_CHECK;

/* Housekeeping between appends: checkpoints when due; idle says that nothing waits. now_ms: what
 * time it is held to be, as with receipts, for what is too old to be kept. Returns whether there is
 * more to do once idle. */
bool store_tend(struct store *store, bool idle, int64_t now_ms);

/* What is committed, after store_open and after each call that writes; of a shared store, what has
 * been followed (store/shared.h). */
struct store_state {
    int64_t last_seq; /* the newest number in use, or ever used */
    int64_t total;    /* events stored */
    int64_t erasures; /* how often events were erased, or changed by another program */
    uint64_t epoch;   /* of a shared store: another one, other events behind the same numbers */
};
void store_look(const struct store *store, struct store_state *out);

/* What has become of the WAL since store_open. */
struct store_checkpoints {
    int64_t done;    /* times all of it was put back */
    int64_t failed;  /* times the disk did not take it; that a reader is in the way is no failure */
    int64_t last_ms; /* when it last was, by the wall clock; 0: not yet */
    bool spoilt;     /* the disk has lost what it had taken: all of it is put back anew */
};
void store_look_checkpoints(const struct store *store, struct store_checkpoints *out);

/* Tries whether events can be committed: one is inserted and deleted again in one transaction,
 * which nobody sees. STORE_OK or STORE_BUSY. */
int store_probe(struct store *store, struct error *err) MUST_CHECK;

/* Whether another program has changed the database since the last append. The next append, of no
 * items if need be, then notices: it counts the events anew and an erasure. */
bool store_changed(struct store *store) MUST_CHECK;

/* Has the next append count the events anew, as if another program had changed them. */
void store_doubt(struct store *store);

/* 16 secret bytes of this database, constant while it is open; any thread. */
const unsigned char *store_secret(const struct store *store);

/* STORE_OK or STORE_BUSY. Called on the thread that will own the reader. */
int store_reader_open(struct store *store, struct store_reader **out, struct error *err) MUST_CHECK;
void store_reader_close(struct store_reader *reader); /* NULL is fine */

/* A reader without a store, for processes that only read, whether a daemon has the database open or
 * not; takes no lock and never checkpoints. STORE_OK, STORE_BUSY, or STORE_UNFIT with the words of
 * store_open; a file that is missing or still empty is unfit, too. Not in a process that has the
 * same file open already: looking at it would drop SQLite's locks. Where no process has the
 * database open the files that SQLite needs beside it are made, empty, and stay. */
int store_reader_open_file(const char *database, struct store_reader **out,
                           struct error *err) MUST_CHECK;

struct store_survey {
    int64_t total;    /* events in the window */
    int64_t max_seq;  /* the newest event's, or one erased since; 0 when there never was any */
    int64_t erasures; /* as in store_state */
    struct range_place start; /* pages begin strictly behind it */
};

/* Counts [since, until] and finds the place behind the first skip events of it, all in one moment.
 * The cost does not grow with the window. STORE_OK or STORE_BUSY. */
int store_survey(struct store_reader *reader, int64_t since, int64_t until, int64_t skip,
                 struct store_survey *out, struct error *err) MUST_CHECK;

/* The newest of what is committed, in one moment. */
struct store_newest {
    int64_t max_seq; /* 0 when the store is empty */
    bool any;
    struct range_place top; /* the newest event's place by time, when there is any */
};

/* STORE_OK or STORE_BUSY. */
int store_newest(struct store_reader *reader, struct store_newest *out,
                 struct error *err) MUST_CHECK;

/* One event of a page; non-zero ends the page, this event taken. text is valid during the call. */
typedef int store_row_fn(void *arg, struct range_place place, const char *text, size_t len);

/* Hands out the events of [since, place] strictly behind place with seq <= max_seq, newest first,
 * until there is none left (*more false) or row ends it (*more true, though possibly none follows).
 * STORE_OK or STORE_BUSY. */
int store_page(struct store_reader *reader, int64_t since, int64_t max_seq,
               struct range_place place, store_row_fn *row, void *arg, bool *more,
               struct error *err) MUST_CHECK;

/* One event with all that is known of it; non-zero ends the page, this event taken. The texts are
 * valid during the call. */
struct store_row {
    struct range_place place;
    int64_t received; /* wall clock, ms */
    const char *text;
    size_t len;
    bool given;     /* the client chose the id */
    const char *id; /* as its column has it: unescaped. NULL: this store does not tell */
    size_t id_len;
};
typedef int store_seq_fn(void *arg, const struct store_row *row);

/* The events of [place, until] strictly above place with seq <= max_seq, oldest first: (ts, seq)
 * ascending. Otherwise as store_page. */
int store_page_up(struct store_reader *reader, int64_t until, int64_t max_seq,
                  struct range_place place, store_seq_fn *row, void *arg, bool *more,
                  struct error *err) MUST_CHECK;

/* store_page with what else is known of each event. */
int store_page_down(struct store_reader *reader, int64_t since, int64_t max_seq,
                    struct range_place place, store_seq_fn *row, void *arg, bool *more,
                    struct error *err) MUST_CHECK;

/* The events with after_seq < seq <= max_seq in the order of seq. Otherwise as store_page. */
int store_page_seq(struct store_reader *reader, int64_t after_seq, int64_t max_seq,
                   store_seq_fn *row, void *arg, bool *more, struct error *err) MUST_CHECK;

/* The number behind which the newest count events stand, by the order of seq; 0 when there are no
 * more than that. The cost grows with count. STORE_OK or STORE_BUSY. */
int store_seq_back(struct store_reader *reader, int64_t count, int64_t *seq,
                   struct error *err) MUST_CHECK;

/* One reject; non-zero ends the page, this one taken. The texts are valid during the call. */
struct store_reject {
    int64_t n;          /* its number */
    int64_t received;   /* wall clock, ms */
    const char *reason; /* why, in words */
    const char *text;   /* what was sent: any bytes */
    size_t len;
};
typedef int store_reject_fn(void *arg, const struct store_reject *reject);

/* The rejects with n > after_n, in the order of n. Otherwise as store_page. */
int store_page_rejects(struct store_reader *reader, int64_t after_n, store_reject_fn *row,
                       void *arg, bool *more, struct error *err) MUST_CHECK;

/* The same for the rows of receipts (store_load_receipts). */
int store_page_receipts(struct store_reader *reader, int64_t after_row, store_receipts_fn *row,
                        void *arg, bool *more, struct error *err) MUST_CHECK;

/* Which of the batch's events (known[i] for events[i]) are stored already, whoever has chosen their
 * ids: for batches read from files, which may hold what this database gave out. Linear in the
 * events asked for, also where many share a timestamp: for that the reader keeps something, outside
 * of memory, for as long as it is open. STORE_OK or STORE_BUSY. */
int store_known(struct store_reader *reader, const struct batch *batch, bool *known,
                struct error *err) MUST_CHECK;

#endif
