#include "engine/reading.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/answer.h"
#include "engine/internal.h"
#include "engine/packing.h"

struct reading_chunk {
    bool ready; /* state and all below it are set */
    enum reading_state state;
    struct rope rope;
    struct gzip_sum sum; /* of its plain text */
};

/*
 * A turn fetches the next chunk, queues itself for the one after it, and then makes bytes of its
 * own: so a second thread can fetch while the first compresses, and chunks become ready in any
 * order. The owner gets them in theirs.
 *
 * A mail in a mailbox and a turn in the readers' queue can't be taken back: a reading that is freed
 * meanwhile is only marked, and goes with the last of them.
 */
struct reading {
    struct turn turn;
    struct mail mail; /* the chunk that is asked for is ready */
    struct engine *engine;
    struct mailbox *reply_to;
    reading_fn *fn;
    void *arg;
    struct gzip_sum sum; /* the owner's: of all chunks that were given */

    pthread_mutex_t mutex; /* guards all down to answer */
    uint64_t fetched;      /* chunks fetched, which is the number of the next one */
    uint64_t given;        /* chunks given to the owner */
    struct reading_chunk chunks[READING_AHEAD]; /* number n in [n % READING_AHEAD] */
    bool ended;                                 /* there is nothing left to fetch */
    bool turning;                               /* the turn is queued, or fetches */
    unsigned working;                           /* turns, those included that make bytes */
    bool asked;                                 /* the owner waits */
    bool posted;                                /* mail is on its way */
    bool freed;

    struct answer answer; /* of the turn that fetches; what the first chunk sets is everyone's */
    char texts[];         /* the form's head, tail and known */
};

static void reading_destroy(struct reading *reading)
{
    for (size_t i = 0; i < READING_AHEAD; i++)
        rope_clear(&reading->chunks[i].rope);
    pthread_mutex_destroy(&reading->mutex);
    free(reading);
}

/* Unlocks, and frees it when that is due. */
static void reading_unlock(struct reading *reading)
{
    bool unused = reading->freed && !reading->posted && reading->working == 0;
    pthread_mutex_unlock(&reading->mutex);
    if (unused)
        reading_destroy(reading);
}

/* Queues the next turn if there is room for its chunk. Called locked. */
static void reading_go_on(struct reading *reading)
{
    if (reading->ended || reading->turning || reading->freed ||
        reading->fetched - reading->given >= READING_AHEAD)
        return;
    reading->turning = true;
    reading->working++;
    readers_take(reading->engine->readers, &reading->turn);
}

/* Tells the owner when what it waits for is there. Called locked. */
static void reading_tell(struct reading *reading)
{
    if (!reading->asked || reading->posted || reading->freed ||
        !reading->chunks[reading->given % READING_AHEAD].ready)
        return;
    reading->posted = true;
    mailbox_post(reading->reply_to, &reading->mail);
}

/* --- on the reader threads -------------------------------------------------------------------- */

static enum reading_state reading_pack(struct reading *reading, struct answer_chunk *chunk,
                                       struct readers_desk *desk, struct reading_chunk *out)
{
    bool last = chunk->last;
    if (packing_chunk(&reading->answer, chunk, desk, &out->rope, &out->sum) == 0)
        return last ? READING_LAST : READING_MORE;
    log_error("a read failed: out of memory");
    return READING_FAILED;
}

static void reading_run(struct turn *turn, struct readers_desk *desk)
{
    struct reading *reading = (struct reading *)((char *)turn - offsetof(struct reading, turn));
    struct reading_chunk done = {.ready = true};
    struct answer_chunk chunk;
    struct error err = {""};
    pthread_mutex_lock(&reading->mutex);
    if (reading->freed) {
        reading->working--;
        reading_unlock(reading);
        return;
    }
    pthread_mutex_unlock(&reading->mutex);
    bool fine =
        answer_fetch(&reading->answer, desk->reader, READING_CHUNK_BYTES, &chunk, &err) == 0;
    bool same = fine && reading->answer.same;
    pthread_mutex_lock(&reading->mutex);
    uint64_t n = reading->fetched++;
    reading->ended = !fine || chunk.last;
    reading->turning = false;
    reading_go_on(reading);
    pthread_mutex_unlock(&reading->mutex);
    if (!fine)
        log_error("a read failed: %s", err.text);
    done.state = !fine  ? READING_FAILED
                 : same ? READING_SAME
                        : reading_pack(reading, &chunk, desk, &done);
    answer_chunk_clear(&chunk, reading->answer.source);
    pthread_mutex_lock(&reading->mutex);
    reading->chunks[n % READING_AHEAD] = done;
    reading->working--;
    reading_tell(reading);
    reading_unlock(reading);
}

/* --- on the owner's --------------------------------------------------------------------------- */

static void reading_open(struct mail *mail)
{
    struct reading *reading = (struct reading *)((char *)mail - offsetof(struct reading, mail));
    pthread_mutex_lock(&reading->mutex);
    reading->posted = false;
    if (reading->freed) {
        reading_unlock(reading);
        return;
    }
    struct reading_chunk *place = &reading->chunks[reading->given++ % READING_AHEAD];
    struct reading_chunk chunk = *place;
    *place = (struct reading_chunk){0};
    reading->asked = false;
    reading_go_on(reading);
    pthread_mutex_unlock(&reading->mutex);
    gzip_sum_add(&reading->sum, chunk.sum.crc, chunk.sum.plain);
    if (chunk.state == READING_LAST &&
        packing_end(&reading->answer, &chunk.rope, &reading->sum) != 0) {
        log_error("a read failed: out of memory");
        chunk.state = READING_FAILED;
    }
    /* May free the reading. */
    reading->fn(reading->arg, chunk.state, &chunk.rope);
    rope_clear(&chunk.rope);
}

static size_t reading_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static const char *reading_copy(char **to, const char *text, size_t size)
{
    const char *copy = size == 0 ? NULL : memcpy(*to, text, size);
    *to += size;
    return copy;
}

/* A small answer from memory takes less than it would take to wake another thread. 0, or -1: it is
 * to be begun by a turn. */
static int reading_make_at_once(struct reading *reading)
{
    struct readers_desk desk = {0};
    struct reading_chunk done = {.ready = true};
    struct answer_chunk chunk;
    if (answer_fetch_at_once(&reading->answer, &chunk) != 0)
        return -1;
    done.state = reading->answer.same ? READING_SAME : reading_pack(reading, &chunk, &desk, &done);
    answer_chunk_clear(&chunk, reading->answer.source);
    bytes_clear(&desk.plain);
    bytes_clear(&desk.scratch);
    reading->chunks[reading->fetched++ % READING_AHEAD] = done;
    reading->ended = true;
    return 0;
}

struct reading *reading_new(struct engine *engine, const struct range *range,
                            const struct reading_form *form, struct mailbox *reply_to,
                            reading_fn *fn, void *arg)
{
    size_t tail = reading_size(form->tail), known = reading_size(form->known);
    struct reading *reading = calloc(1, sizeof *reading + form->head_len + tail + known);
    if (reading == NULL)
        return NULL;
    char *texts = reading->texts;
    struct reading_form kept = *form;
    kept.head = reading_copy(&texts, form->head, form->head_len);
    kept.tail = reading_copy(&texts, form->tail, tail);
    kept.known = reading_copy(&texts, form->known, known);
    reading->turn.run = reading_run;
    reading->mail.open = reading_open;
    reading->engine = engine;
    reading->reply_to = reply_to;
    reading->fn = fn;
    reading->arg = arg;
    pthread_mutex_init(&reading->mutex, NULL);
    answer_init(&reading->answer, &engine->answers, range, &kept);
    if (reading_make_at_once(reading) != 0)
        answer_init(&reading->answer, &engine->answers, range, &kept);
    reading_next(reading);
    return reading;
}

void reading_next(struct reading *reading)
{
    pthread_mutex_lock(&reading->mutex);
    reading->asked = true;
    reading_tell(reading);
    reading_go_on(reading);
    pthread_mutex_unlock(&reading->mutex);
}

int64_t reading_max_seq(const struct reading *reading)
{
    return reading->answer.max_seq;
}

const char *reading_tag(const struct reading *reading)
{
    return reading->answer.tag;
}

enum reading_source reading_source(const struct reading *reading)
{
    if (!reading->answer.from_store)
        return READING_FROM_CACHE;
    return reading->answer.from_cache ? READING_FROM_BOTH : READING_FROM_STORE;
}

void reading_free(struct reading *reading)
{
    if (reading == NULL)
        return;
    pthread_mutex_lock(&reading->mutex);
    reading->freed = true;
    reading_unlock(reading);
}
