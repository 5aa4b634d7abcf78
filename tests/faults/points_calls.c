/* Points before and after calls from one source file to another: see points.c. The linker's --wrap
 * sends the calls here (Makefile.am: faulty_wraps). */
#include <fcntl.h>
#include <string.h>

#include "base/mailbox.h"
#include "cache/fill.h"
#include "cache/ring.h"
#include "cache/sealing.h"
#include "commands/notify.h"
#include "contract/message.h"
#include "control/control.h"
#include "engine/backup_place.h"
#include "engine/filler.h"
#include "engine/internal.h"
#include "engine/keeper.h"
#include "engine/readers.h"
#include "engine/receipts.h"
#include "engine/retention.h"
#include "engine/writer_parts.h"
#include "server/exchange.h"
#include "server/outbox.h"
#include "server/server.h"
#include "store/audit.h"
#include "store/copy.h"
#include "store/sqlite/checkpoint.h"
#include "store/sqlite/fit.h"
#include "store/sqlite/sqlite_store_parts.h"

#include "points.h"

/* typeof: a prototype that has changed does not compile. */
#define DECLARE(kind, name)                        \
    __typeof__(name) __real_##name, __wrap_##name; \
    POINT(name##_before, kind, "before-" #name);   \
    POINT(name##_after, kind, "after-" #name)
#define AROUND(kind, type, name, parameters, ...) \
    DECLARE(kind, name);                          \
    type __wrap_##name parameters                 \
    {                                             \
        point_pass(&name##_before);               \
        type got = __real_##name(__VA_ARGS__);    \
        point_pass(&name##_after);                \
        return got;                               \
    }
#define AROUND_VOID(kind, name, parameters, ...) \
    DECLARE(kind, name);                         \
    void __wrap_##name parameters                \
    {                                            \
        point_pass(&name##_before);              \
        __real_##name(__VA_ARGS__);              \
        point_pass(&name##_after);               \
    }

/* --- start ------------------------------------------------------------------------------------ */

AROUND("start", int, fit_header, (const char *d, struct error *e), d, e)
AROUND("start", int, fit_lock, (const char *d, struct error *e), d, e)
AROUND("start", int, fit_open, (struct db * db, const struct store_options *o, struct error *e), db,
       o, e)
AROUND("start", int, checkpoint_open,
       (struct checkpoint * c, struct db *db, const char *d, struct gate *g, bool w,
        struct error *e),
       c, db, d, g, w, e)
AROUND("start", int, store_open,
       (struct store * *s, const struct store_options *o, struct error *e), s, o, e)
AROUND("start", int, store_load_receipts,
       (struct store * s, store_receipts_fn *f, void *a, struct error *e), s, f, a, e)
AROUND("start", int, receipts_load,
       (struct receipts * r, int64_t row, int64_t at, const void *d, size_t n), r, row, at, d, n)
AROUND("start", int, readers_start,
       (struct readers * *r, struct store *s, unsigned n, struct error *e), r, s, n, e)
AROUND("start", int, writer_start,
       (struct writer * *w, struct store *s, struct ring *r, struct follow *f, struct abreast *a,
        const struct engine_options *o, struct error *e),
       w, s, r, f, a, o, e)
AROUND("start", int, keeper_start,
       (struct keeper * k, struct store *s, struct writer *w, struct error *e), k, s, w, e)
AROUND("start", int, retention_start,
       (struct retention * *r, struct writer *w, const struct engine_options *o, struct error *e),
       r, w, o, e)
AROUND("start", int, control_start,
       (struct control * *c, struct engine *n, const char *d, const char *a,
        const struct batch_limits *l, struct error *e),
       c, n, d, a, l, e)
AROUND("start", int, server_start,
       (struct server * *s, const struct server_options *o, const struct access *a,
        struct engine *n, struct error *e),
       s, o, a, n, e)
AROUND_VOID("start", notify_ready, (void))

/* The cache is filled, and packed. */
AROUND("start", bool, filler_place, (struct filler * f), f)
AROUND("start", bool, filler_deepen, (struct filler * f), f)
AROUND_VOID("start", ring_open, (struct ring * r, struct range_place f, struct range_place t), r, f,
            t)
AROUND("start", enum fill_status, fill_publish, (struct fill * f, int64_t n), f, n)
AROUND("bulk", int, sealing_work, (const struct ring *r, struct sealing *s, struct sealer *l), r, s,
       l)
AROUND("bulk", bool, sealing_give, (struct ring * r, struct sealing *s, int64_t n), r, s, n)

/* --- commit ----------------------------------------------------------------------------------- */

AROUND_VOID("commit", writer_submit, (struct writer * w, struct submission *s), w, s)
AROUND("commit", int, receipts_take,
       (struct receipts * r, const struct marks *m, bool l, int64_t n, struct receipts_verdict *v),
       r, m, l, n, v)
AROUND("commit", int, receipts_row, (const struct receipts *r, struct bytes *b), r, b)
AROUND("commit", int, store_append,
       (struct store * s, struct store_item *i, size_t n, const struct store_receipts *r,
        struct error *e),
       s, i, n, r, e)
AROUND("commit", int, sqlite_store_begin, (struct sqlite_store * s, struct error *e), s, e)
AROUND("commit", int, sqlite_store_end, (struct sqlite_store * s, int n, struct error *e), s, n, e)
AROUND("start", int64_t, receipts_commit, (struct receipts * r, int64_t n), r, n)
AROUND_VOID("commit", ring_tell,
            (struct ring * r, const struct batch_event *v, size_t n, int64_t t), r, v, n, t)
AROUND_VOID("commit", ring_told, (struct ring * r, int64_t l, uint64_t n), r, l, n)
AROUND_VOID("commit", follow_publish, (struct follow * f, const struct store_item *i, size_t n), f,
            i, n)
AROUND_VOID("commit", mailbox_post, (struct mailbox * b, struct mail *m), b, m)
AROUND("commit", size_t, mailbox_open_all, (struct mailbox * b), b)
AROUND("commit", bool, store_tend, (struct store * s, bool i, int64_t n), s, i, n)
AROUND("commit", int, message_ack, (struct bytes * b, size_t n), b, n)
AROUND_VOID("commit", outbox_answer, (struct outbox * o, const void *t, size_t n, uint64_t r), o, t,
            n, r)
AROUND_VOID("commit", exchange_reply,
            (struct exchange * x, int s, struct bytes *b, const struct exchange_extra *e), x, s, b,
            e)
AROUND_VOID("commit", outbox_push, (struct outbox * o, struct publication *p, bool d, bool a), o, p,
            d, a)

/* What the database refuses. */
AROUND_VOID("poison", receipts_rollback, (struct receipts * r), r)
AROUND("poison", int, store_append_apart,
       (struct store * s, struct store_item *i, const struct store_receipts *r, struct error *e), s,
       i, r, e)
AROUND("poison", int, store_retry_rejects,
       (struct store * s, struct store_retry *r, size_t n, struct error *e), s, r, n, e)

/* Another program has changed the database. */
AROUND_VOID("stranger", ring_clear, (struct ring * r, int64_t c), r, c)

/* BEGIN and COMMIT themselves, of whatever is written. */
POINT(begin_before, "commit", "before-begin");
POINT(begin_after, "commit", "after-begin");
POINT(commit_before, "commit", "before-commit");
POINT(commit_after, "commit", "after-commit");

__typeof__(db_run) __real_db_run, __wrap_db_run;

int __wrap_db_run(struct db *db, enum sql_statement name, struct error *err)
{
    bool begin = name == SQL_BEGIN, commit = name == SQL_COMMIT;
    if (begin || commit)
        point_pass(begin ? &begin_before : &commit_before);
    int status = __real_db_run(db, name, err);
    if (begin || commit)
        point_pass(begin ? &begin_after : &commit_after);
    return status;
}

/* --- checkpoint ------------------------------------------------------------------------------- */

POINT(part_before, "bulk", "before-checkpoint-passive");
POINT(part_after, "bulk", "after-checkpoint-passive");
POINT(whole_before, "forget", "before-checkpoint-truncate");
POINT(whole_after, "forget", "after-checkpoint-truncate");

__typeof__(sqlite3_wal_checkpoint_v2) __real_sqlite3_wal_checkpoint_v2,
    __wrap_sqlite3_wal_checkpoint_v2;

int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *name, int mode, int *log, int *done)
{
    bool part = mode == SQLITE_CHECKPOINT_PASSIVE;
    point_pass(part ? &part_before : &whole_before);
    int code = __real_sqlite3_wal_checkpoint_v2(db, name, mode, log, done);
    point_pass(part ? &part_after : &whole_after);
    return code;
}

/* --- erasing ---------------------------------------------------------------------------------- */

AROUND("prune", int, store_erase_oldest,
       (struct store * s, int64_t b, size_t m, struct range_place *p, size_t *n, struct error *e),
       s, b, m, p, n, e)
AROUND_VOID("prune", ring_set_erasures, (struct ring * r, int64_t n), r, n)
AROUND_VOID("prune", ring_erase, (struct ring * r, struct range_place l, struct range_place h), r,
            l, h)
AROUND("prune", int, store_shrink, (struct store * s, int64_t p, int64_t *l, struct error *e), s, p,
       l, e)
AROUND("forget", int, store_erase,
       (struct store * s, const struct range_place *p, size_t n, size_t *d, struct error *e), s, p,
       n, d, e)
AROUND_VOID("forget", ring_erase_places, (struct ring * r, const struct range_place *p, size_t n),
            r, p, n)
AROUND("forget", int, store_erase_rejects,
       (struct store * s, const int64_t *i, size_t n, size_t *d, struct error *e), s, i, n, d, e)
AROUND("forget", int, store_replace_receipts,
       (struct store * s, const struct store_receipts_row *r, size_t n, struct error *e), s, r, n,
       e)
AROUND_VOID("forget", receipts_erase, (struct receipts * r, const struct receipt_key *k), r, k)
AROUND("forget", int, store_scrub, (struct store * s, struct error *e), s, e)
AROUND("forget", int, store_find_traces,
       (struct store * s, int64_t *p, store_trace_fn *f, void *a, bool *m, struct error *e), s, p,
       f, a, m, e)
AROUND("forget", int, store_clean_traces,
       (struct store * s, const int64_t *p, size_t n, struct error *e), s, p, n, e)

/* --- backup ----------------------------------------------------------------------------------- */

AROUND("backup", int, backup_place_make,
       (struct backup_place * p, const char *d, const char *f, bool r, struct error *e), p, d, f, r,
       e)
AROUND("backup", int, store_copy_begin,
       (struct store * s, const char *p, struct store_copy **c, struct error *e), s, p, c, e)
AROUND("backup", int, store_copy_step,
       (struct store_copy * c, struct store_copy_state *o, struct error *e), c, o, e)
AROUND_VOID("backup", store_copy_end, (struct store_copy * c), c)
AROUND("backup", int, store_copy_settle, (const char *p, struct error *e), p, e)
AROUND("backup", int, store_audit,
       (const char *d, enum store_audit_depth p, const struct store_audit_ear *r,
        struct store_audit_facts *f, struct error *e),
       d, p, r, f, e)
AROUND("backup", int, backup_place_keep, (struct backup_place * p, struct error *e), p, e)
AROUND_VOID("backup", backup_place_clear, (struct backup_place * p), p)

/* --- end -------------------------------------------------------------------------------------- */

AROUND_VOID("end", server_drain, (struct server * s), s)
AROUND_VOID("end", server_join, (struct server * s), s)
AROUND_VOID("end", control_stop, (struct control * c), c)
AROUND_VOID("end", engine_close, (struct engine * n), n)
AROUND_VOID("end", retention_stop, (struct retention * r), r)
AROUND_VOID("end", keeper_stop, (struct keeper * k), k)
AROUND_VOID("end", writer_stop, (struct writer * w), w)
AROUND_VOID("end", readers_stop, (struct readers * r), r)
AROUND_VOID("end", store_close, (struct store * s), s)
AROUND_VOID("end", checkpoint_finish, (struct checkpoint * c, struct db *db), c, db)
AROUND_VOID("end", server_free, (struct server * s), s)
