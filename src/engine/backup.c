#include "engine/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/backup_place.h"
#include "engine/internal.h"
#include "contract/receipt_rows.h"
#include "engine/writer_parts.h"
#include "store/audit.h"
#include "store/copy.h"

/* While commits are made: of the writer's time a step may take one part in so many, and so many
 * bytes are copied a second at most. */
#define BACKUP_SHARE 5
#define BACKUP_BYTES_S (INT64_C(32) << 20)
/* When the database is locked by another program. */
#define BACKUP_AGAIN_MS 20
/* How far what was written may be ahead of the disk. */
#define BACKUP_AHEAD_BYTES (INT64_C(4) << 20)
#define BACKUP_NICE 15

/* What the writer's thread does for it, a step at a time. */
struct backup_errand {
    struct errand errand;
    struct writer *writer;
    const char *path;
    struct store_copy *copy;
    struct store_copy_state state;
    struct store_state seen; /* by the last step */
    bool busy;               /* something was committed since */
    int64_t took_us;
    int status;
    struct error err;
};

/* ---- on the writer's thread ---- */

static void backup_run_begin(struct errand *errand)
{
    struct backup_errand *run = (struct backup_errand *)errand;
    run->status = store_copy_begin(run->writer->store, run->path, &run->copy, &run->err);
}

static void backup_run_step(struct errand *errand)
{
    struct backup_errand *run = (struct backup_errand *)errand;
    struct store_state state;
    int64_t begun_us = clock_mono_us();
    /* What a person has changed is to be counted in the copy as well. */
    (void)writer_notice(run->writer);
    store_look(run->writer->store, &state);
    run->busy = state.last_seq != run->seen.last_seq;
    run->seen = state;
    run->status = store_copy_step(run->copy, &run->state, &run->err);
    run->took_us = clock_mono_us() - begun_us;
}

static void backup_run_end(struct errand *errand)
{
    struct backup_errand *run = (struct backup_errand *)errand;
    store_copy_end(run->copy);
    run->copy = NULL;
}

/* ---- on the caller's ---- */

static void backup_have(struct backup_errand *run, void (*what)(struct errand *errand))
{
    run->errand.run = what;
    writer_run(run->writer, &run->errand);
}

/* Leaves the writer to its commits for a while, if it makes any. */
static void backup_pause(const struct backup_errand *run, int64_t bytes)
{
    int64_t share_us = run->took_us * (BACKUP_SHARE - 1);
    int64_t rate_us = bytes * 1000000 / BACKUP_BYTES_S - run->took_us;
    if (bytes <= 0 && !run->state.complete)
        clock_sleep_us(BACKUP_AGAIN_MS * 1000);
    else if (run->busy)
        clock_sleep_us(share_us > rate_us ? share_us : rate_us);
}

/* Has the disk begin to take what was written, and waits for what it was given a while ago: what is
 * written ahead of it would be waited for by commits, too. What it says of failures may be said to
 * no one else: 0, or -1 with errno. */
static int backup_push(const struct backup_place *place, int64_t done)
{
    int status = 0;
#ifdef HAVE_SYNC_FILE_RANGE
    int64_t settled = done - BACKUP_AHEAD_BYTES;
    status = sync_file_range(place->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    if (status == 0 && settled > 0)
        status = sync_file_range(place->fd,
                                 settled > BACKUP_AHEAD_BYTES ? settled - BACKUP_AHEAD_BYTES : 0,
                                 BACKUP_AHEAD_BYTES, SYNC_FILE_RANGE_WAIT_BEFORE);
#else
    (void)place;
    (void)done;
#endif
    return status != 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT) ? -1 : 0;
}

static int backup_lost(const struct backup *backup, struct error *err)
{
    error_set(err, "%s: %s", backup->file, strerror(errno));
    return STORE_BUSY;
}

static int backup_stopped(struct error *err)
{
    error_set(err, "the backup was stopped before it was complete; nothing of it is left");
    return STORE_BUSY;
}

static int backup_copy_on(struct backup_errand *run, const struct backup *backup,
                          const struct backup_place *place, const struct progress *progress,
                          struct error *err)
{
    int64_t before = 0;
    while (!run->state.complete) {
        backup_have(run, backup_run_step);
        if (run->status != STORE_OK)
            return run->status;
        if (before == 0 &&
            backup_place_room(place, backup->database,
                              run->state.total_bytes - run->state.done_bytes, err) != 0)
            return STORE_REFUSED;
        if (progress_step(progress, "copying", run->state.done_bytes, run->state.total_bytes) != 0)
            return backup_stopped(err);
        if (backup_push(place, run->state.done_bytes) != 0)
            return backup_lost(backup, err);
        backup_pause(run, run->state.done_bytes - before);
        before = run->state.done_bytes;
    }
    return STORE_OK;
}

static int backup_copy(struct engine *engine, const struct backup *backup,
                       const struct backup_place *place, const struct progress *progress,
                       struct store_state *state, struct error *err)
{
    struct backup_errand run = {.writer = engine->writer, .path = place->partial};
    backup_have(&run, backup_run_begin);
    int status = run.status;
    if (status == STORE_OK)
        status = backup_copy_on(&run, backup, place, progress, err);
    if (run.status != STORE_OK)
        error_set(err, "%s: %s", backup->file, run.err.text);
    *state = run.state.state;
    backup_have(&run, backup_run_end);
    return status;
}

struct backup_audit {
    const struct progress *progress;
    struct error first; /* that was found */
};

static void backup_audit_say(void *arg, bool ok, const char *text)
{
    struct backup_audit *audit = arg;
    if (!ok && audit->first.text[0] == '\0')
        error_set(&audit->first, "%s", text);
}

static int backup_audit_step(void *arg, const char *what, int64_t done, int64_t total)
{
    const struct backup_audit *audit = arg;
    return progress_step(audit->progress, what, done, total);
}

/* Is what lies on the disk what was copied, and a database that is right? */
static int backup_audit(struct backup *backup, const struct backup_place *place,
                        const struct store_state *state, const struct progress *progress,
                        struct error *err)
{
    struct backup_audit audit = {.progress = progress};
    const struct store_audit_ear ear = {.say = backup_audit_say,
                                        .receipts = receipt_row_fits,
                                        .step = backup_audit_step,
                                        .arg = &audit};
    struct store_audit_facts facts;
    struct error why = {""};
    int status = store_audit(place->partial, STORE_AUDIT_COPY, &ear, &facts, &why);
    if (status == STORE_BUSY && progress_step(progress, NULL, 0, 0) != 0)
        return backup_stopped(err);
    backup->events = facts.events;
    if (status == STORE_OK && facts.whole && facts.events == state->total)
        return STORE_OK;
    if (status == STORE_OK && facts.whole)
        error_set(&why, "it holds %lld events, not %lld", (long long)facts.events,
                  (long long)state->total);
    error_set(err,
              "%s: what was copied is not right and was removed (%s); look at the database with "
              "`beacond check%s`",
              backup->file, status == STORE_OK && !facts.whole ? audit.first.text : why.text,
              status == STORE_OK && !facts.tally_right && !facts.others_wrong ? " --repair-tally"
                                                                              : "");
    return STORE_BUSY;
}

static int backup_finish(struct backup *backup, struct backup_place *place,
                         const struct store_state *state, const struct progress *progress,
                         struct error *err)
{
    struct error why = {""};
    struct stat info;
    /* Nobody waits for the rest: ingest goes first. */
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), BACKUP_NICE);
    if (store_copy_settle(place->partial, &why) != STORE_OK) {
        error_set(err, "%s: %s", backup->file, why.text);
        return STORE_BUSY;
    }
    /* By the descriptor that was open all the time: others may not be told what went wrong before.
     */
    if (fsync(place->fd) != 0)
        return backup_lost(backup, err);
    int status = backup_audit(backup, place, state, progress, err);
    if (status != STORE_OK)
        return status;
    backup->bytes = fstat(place->fd, &info) == 0 ? (int64_t)info.st_size : 0;
    /* The memory is better used for the database. */
    (void)posix_fadvise(place->fd, 0, 0, POSIX_FADV_DONTNEED);
    return backup_place_keep(place, err) == 0 ? STORE_OK : STORE_REFUSED;
}

int engine_backup(struct engine *engine, struct backup *backup, const struct progress *progress,
                  struct error *err)
{
    struct backup_place place;
    struct store_state state = {0};
    int status = store_copy_possible(engine->store, err);
    if (status != STORE_OK)
        return status;
    status = STORE_REFUSED;
    if (backup_place_make(&place, backup->database, backup->file, backup->replace, err) == 0)
        status = backup_copy(engine, backup, &place, progress, &state, err);
    if (status == STORE_OK)
        status = backup_finish(backup, &place, &state, progress, err);
    backup_place_clear(&place);
    return status;
}
