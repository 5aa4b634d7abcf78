/*
 * What the writer does besides when other nodes write to the same database (store/shared.h): it
 * holds the receipts of what it commits, and follows what all of them commit.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "cache/ring.h"
#include "engine/filler.h"
#include "engine/internal.h"
#include "engine/writer_parts.h"

/* However quiet it is, the log is looked at so often, */
#define WRITER_FOLLOW_MS 1000
/* more often while something is committed that belongs to no moment yet: nobody tells when it does,
 */
#define WRITER_FOLLOW_SOON_MS 10
/* and after a failure. */
#define WRITER_FOLLOW_AGAIN_MS 100
/* While another node's transaction is in front of ours: how long until the next look, first and at
 * most. */
#define WRITER_TELL_LEAST_US 500
#define WRITER_TELL_MOST_US 20000
/* What is committed is answered behind this, come what may. Servers end transactions that make
 * others wait longer. */
#define WRITER_TELL_MOST_MS 30000

/* --- receipts --------------------------------------------------------------------------------- */

static int writer_put_receipt(void *arg, const struct store_claimed *receipt)
{
    struct writer *writer = arg;
    return receipts_put(writer->receipts, receipt->serial, receipt->at_ms, receipt->lost,
                        receipt->data, receipt->len);
}

int writer_claim(struct writer *writer, size_t from, size_t to, struct error *err)
{
    uint64_t keys[STORE_SHARED_BATCHES];
    size_t count = 0;
    for (size_t i = from; i < to; i++) {
        const struct marks *marks = &writer->group[i]->batch->marks;
        if (marks->count > 0)
            keys[count++] = marks->running[0];
    }
    receipts_reset(writer->receipts, writer->serial);
    return store_claim(writer->store, keys, count, writer_put_receipt, writer, err);
}

void writer_add_lost(struct writer *writer, uint64_t receipt)
{
    if (writer->lost_count == writer->lost_room) {
        size_t room = writer->lost_room == 0 ? 64 : writer->lost_room * 2;
        uint64_t *lost = realloc(writer->lost, room * sizeof *lost);
        if (lost != NULL) {
            writer->lost = lost;
            writer->lost_room = room;
        }
    }
    /* Without memory the retry is stored a second time, which is the lesser evil. */
    if (writer->lost_count < writer->lost_room)
        writer->lost[writer->lost_count++] = receipt;
}

int writer_lose(struct writer *writer, struct error *err)
{
    uint64_t *lost = writer->lost;
    size_t count = writer->lost_count;
    if (count == 0)
        return STORE_OK;
    writer->lost = NULL;
    writer->lost_count = writer->lost_room = 0;
    pthread_mutex_unlock(&writer->mutex);
    int status = store_lose(writer->store, lost, count, err);
    pthread_mutex_lock(&writer->mutex);
    for (size_t i = 0; i < count && status != STORE_OK; i++)
        writer_add_lost(writer, lost[i]);
    free(lost);
    return status;
}

/* --- what is told ----------------------------------------------------------------------------- */

/* The ring's moment is what the news say from here on. */
static void writer_move_on(struct writer *writer, const struct store_state *state)
{
    writer->total = state->total;
    if (writer->ring == NULL)
        return;
    /* The number first: see slices_erased. */
    ring_told(writer->ring, state->last_seq, (uint64_t)state->total);
    ring_set_erasures(writer->ring, state->erasures);
}

static void writer_tell_own(struct writer *writer, const struct store_news *news)
{
    int64_t now_ms = clock_mono_ms();
    for (size_t i = writer->held_from; i < writer->held_to && writer->ring != NULL; i++) {
        const struct batch *batch = writer->items[i].batch;
        size_t from = 0, to = batch->event_count;
        while (from < to && batch->events[from].seq < news->first_seq)
            from++;
        /* Those that are not stored anew, with 0, end no commit: others' may stand before them. */
        while (from < to &&
               (batch->events[to - 1].seq > news->last_seq || batch->events[to - 1].seq == 0))
            to--;
        ring_tell(writer->ring, batch->events + from, to - from, now_ms);
    }
    follow_publish_part(writer->follow, &writer->items[writer->held_from],
                        writer->held_to - writer->held_from, news->first_seq, news->last_seq);
}

static void writer_tell_others(struct writer *writer, const struct store_news *news)
{
    struct batch batch = {.events = (struct batch_event *)news->events, .event_count = news->count};
    const struct store_item item = {.batch = &batch};
    if (writer->ring != NULL)
        ring_tell(writer->ring, news->events, news->count, clock_mono_ms());
    follow_publish(writer->follow, &item, 1);
}

static void writer_tell_erased(struct writer *writer, const struct store_news *news)
{
    if (news->last)
        counter_add(&writer->measures.erased, (uint64_t)(writer->total - news->state.total));
    if (writer->ring == NULL)
        return;
    if (news->kind == STORE_NEWS_ERASED)
        ring_erase_places(writer->ring, news->places, news->place_count);
    else
        ring_erase(writer->ring, news->low, news->high);
}

static void writer_tell_all(struct writer *writer, const struct store_news *news)
{
    if (writer->ring != NULL) {
        ring_clear(writer->ring, filler_ceiling_ms());
        ring_renumber(writer->ring, news->state.last_seq);
    }
    if (news->gap)
        follow_lose(writer->follow);
}

static void writer_on_news(void *arg, const struct store_news *news)
{
    struct writer *writer = arg;
    writer_come_round(writer);
    if (news->kind == STORE_NEWS_ALL)
        writer_tell_all(writer, news);
    else if (news->kind != STORE_NEWS_COMMIT)
        writer_tell_erased(writer, news);
    else if (news->own)
        writer_tell_own(writer, news);
    else
        writer_tell_others(writer, news);
    if (news->last)
        writer_move_on(writer, &news->state);
}

static bool writer_wants_news(void *arg)
{
    struct writer *writer = arg;
    return writer->ring != NULL || follow_wanted(writer->follow);
}

/* Follows to the newest moment, which *state tells. */
static int writer_follow(struct writer *writer, struct store_state *state, int64_t *newest,
                         struct error *err)
{
    const struct store_follow_ask ask = {.held_seq = writer->held_seq,
                                         .wants = writer_wants_news,
                                         .fn = writer_on_news,
                                         .arg = writer};
    abreast_begin(writer->abreast);
    int status = store_follow(writer->store, &ask, newest, err);
    store_look(writer->store, state);
    abreast_tell(writer->abreast, state, status == STORE_OK);
    int64_t now_ms = clock_mono_ms();
    bool behind = status == STORE_OK && *newest > state->last_seq;
    writer->follow_ms = now_ms + (behind ? WRITER_FOLLOW_SOON_MS : WRITER_FOLLOW_MS);
    writer->again_ms = status == STORE_OK ? now_ms : now_ms + WRITER_FOLLOW_AGAIN_MS;
    return status;
}

/* --- what is committed here ------------------------------------------------------------------- */

/* The moment from which on it may be answered. */
struct writer_goal {
    int64_t seq;
    bool newest; /* some had been stored before, by anyone: their commit is told, but not its number
                  */
};

static struct writer_goal writer_hold(struct writer *writer, size_t from, size_t to)
{
    struct writer_goal goal = {0, false};
    writer->held_from = from;
    writer->held_to = to;
    writer->held_seq = INT64_MAX;
    for (size_t i = from; i < to; i++) {
        const struct store_item *item = &writer->items[i];
        for (size_t n = 0; n < item->batch->event_count; n++) {
            int64_t seq = item->batch->events[n].seq;
            if (seq != 0 && seq < writer->held_seq)
                writer->held_seq = seq;
            if (seq > goal.seq)
                goal.seq = seq;
        }
        goal.newest = goal.newest || item->duplicate > 0;
    }
    return goal;
}

/* Whether to look again: not behind so long, nor where there is no database to look at and who
 * stops waits for this. */
static bool writer_tell_again(struct writer *writer, bool fine, int64_t until_ms, int64_t *pause_us)
{
    pthread_mutex_lock(&writer->mutex);
    bool hurry = writer->stopping && !fine;
    pthread_mutex_unlock(&writer->mutex);
    if (hurry || clock_mono_ms() >= until_ms)
        return false;
    writer_come_round(writer);
    clock_sleep_us(*pause_us);
    if (*pause_us < WRITER_TELL_MOST_US)
        *pause_us *= 2;
    return true;
}

void writer_tell_shared(struct writer *writer, size_t from, size_t to)
{
    struct writer_goal goal = writer_hold(writer, from, to);
    int64_t until_ms = clock_mono_ms() + WRITER_TELL_MOST_MS, pause_us = WRITER_TELL_LEAST_US;
    struct store_state state;
    struct error err = {""};
    bool there;
    int status;
    do {
        int64_t newest = 0;
        status = writer_follow(writer, &state, &newest, &err);
        if (status == STORE_OK && goal.newest && newest > goal.seq)
            goal.seq = newest;
        if (status == STORE_OK)
            goal.newest = false;
        there = !goal.newest && state.last_seq >= goal.seq;
    } while (from < to && !there &&
             writer_tell_again(writer, status == STORE_OK, until_ms, &pause_us));
    if (from < to && !there)
        log_warn("what was stored is answered before other nodes can see it: %s",
                 err.text[0] != '\0' ? err.text : "another transaction is in front of it");
    writer->held_seq = INT64_MAX;
}

/* --- what comes from elsewhere ---------------------------------------------------------------- */

static void writer_wake(void *arg)
{
    struct writer *writer = arg;
    pthread_mutex_lock(&writer->mutex);
    writer->news = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->mutex);
}

int64_t writer_hear_ms(const struct writer *writer)
{
    bool soon = writer->news || writer->lost_count > 0;
    return (soon ? writer->again_ms : writer->follow_ms) - clock_mono_ms();
}

void writer_hear(struct writer *writer)
{
    struct error err = {""};
    struct store_state state;
    int64_t newest;
    if (writer->abreast == NULL || writer_hear_ms(writer) > 0)
        return;
    writer->news = false;
    int status = writer_lose(writer, &err);
    pthread_mutex_unlock(&writer->mutex);
    if (status == STORE_OK)
        status = writer_follow(writer, &state, &newest, &err);
    else
        writer->again_ms = clock_mono_ms() + WRITER_FOLLOW_AGAIN_MS;
    if (status != STORE_OK)
        writer_note_health(writer, false, &err);
    pthread_mutex_lock(&writer->mutex);
}

void writer_catch_up(struct writer *writer)
{
    struct error err;
    struct store_state state;
    int64_t newest;
    if (writer->abreast != NULL && writer_follow(writer, &state, &newest, &err) != STORE_OK)
        writer_note_health(writer, false, &err);
}

void writer_begin_shared(struct writer *writer)
{
    struct store_state state;
    writer->held_seq = INT64_MAX;
    if (writer->abreast == NULL)
        return;
    store_look(writer->store, &state);
    writer->total = state.total;
    writer->serial = store_first_serial(writer->store);
    store_on_news(writer->store, writer_wake, writer);
    abreast_on_ask(writer->abreast, writer_wake, writer);
}

void writer_end_shared(struct writer *writer)
{
    if (writer->abreast == NULL)
        return;
    abreast_on_ask(writer->abreast, NULL, NULL);
    store_on_news(writer->store, NULL, NULL);
}
