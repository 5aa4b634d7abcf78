/* Writer, sealer, filler and readers at once: what a reader cuts is complete at every moment. */

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "cache/fill.h"
#include "cache/sealing.h"
#include "ring_glue.h"

#define OLD_EVENTS 1500 /* stored before the ring begins */
#define BATCH 25
#define READERS 2
#define SLICE 200

static struct ring *ring;
static int64_t all_events;
static atomic_long committed;        /* the newest seq in the "database" */
static _Atomic(struct fill *) ready; /* on its way to the writer */
static atomic_bool written;          /* the writer is through */
static atomic_ulong cuts, read_events, glued;

/* The database: a function of seq. Times advance, and go back now and then. */
static int64_t ts_of(int64_t seq)
{
    return seq % 17 == 0 ? seq / 10 - 40 : seq / 10 + seq % 3;
}

static size_t text_of(int64_t seq, char text[64])
{
    return (size_t)snprintf(text, 64, "{\"seq\":%ld,\"n\":%ld}", (long)seq, (long)(seq * 7919));
}

static struct range_place place_of(int64_t seq)
{
    return (struct range_place){ts_of(seq), seq};
}

/* How many events the database holds of a range. */
static uint64_t count_of(struct range_place low, struct range_place high, int64_t max_seq)
{
    uint64_t count = 0;
    for (int64_t seq = 1; seq <= max_seq; seq++)
        count += !place_before(place_of(seq), low) && place_before(place_of(seq), high);
    return count;
}

static void tell(int64_t first)
{
    static char texts[BATCH][64];
    struct batch_event events[BATCH] = {{0}};
    for (int i = 0; i < BATCH; i++) {
        events[i].seq = first + i;
        events[i].ts = ts_of(first + i);
        events[i].text = texts[i];
        events[i].text_len = text_of(first + i, texts[i]);
    }
    atomic_store(&committed, (long)first + BATCH - 1);
    ring_tell(ring, events, BATCH, first);
    ring_told(ring, 0, 0);
}

/* Lets the readers have their turn. */
static void await_cut(void)
{
    unsigned long before = atomic_load(&cuts);
    while (atomic_load(&cuts) == before)
        sched_yield();
}

static void *writer_run(void *arg)
{
    (void)arg;
    for (int64_t seq = OLD_EVENTS + 1; seq < all_events; seq += BATCH) {
        tell(seq);
        struct fill *fill = atomic_exchange(&ready, NULL);
        if (fill != NULL)
            (void)(fill_publish(fill, seq) == FILL_DONE);
        if (seq % 200 < BATCH)
            await_cut();
        if (seq % 1000 < BATCH) { /* nothing is stored at that place: it makes fills void */
            struct range_place nowhere = {ts_of(seq) + 1, 0};
            ring_erase_places(ring, &nowhere, 1);
        }
    }
    atomic_store(&written, true);
    return NULL;
}

static void *sealer_run(void *arg)
{
    struct sealer sealer;
    int64_t wait_ms;
    (void)arg;
    ck_assert_int_eq(sealer_init(&sealer, 1), 0);
    while (!atomic_load(&written)) {
        struct sealing *sealing = sealing_take(ring, atomic_load(&committed), &wait_ms);
        if (sealing == NULL)
            continue;
        ck_assert_int_eq(sealing_work(ring, sealing, &sealer), 0);
        (void)sealing_give(ring, sealing, atomic_load(&committed));
    }
    sealer_clear(&sealer);
    return NULL;
}

static int newest_first(const void *a, const void *b)
{
    struct range_place one = *(const struct range_place *)a, other = *(const struct range_place *)b;
    return place_before(one, other) ? 1 : -1;
}

/* Reads the "database" below the fill's edge. */
static void fill_from(struct fill *fill, struct gzip_pieces *pieces)
{
    int64_t max_seq = atomic_load(&committed);
    struct range_place *places = malloc((size_t)max_seq * sizeof *places);
    size_t count = 0, n = 0;
    ck_assert_ptr_nonnull(places);
    for (int64_t seq = 1; seq <= max_seq; seq++)
        if (place_before(place_of(seq), fill_high(fill)))
            places[count++] = place_of(seq);
    qsort(places, count, sizeof *places, newest_first);
    fill_snapshot(fill, max_seq, PLACE_HIGHEST);
    for (; n < SLICE && n < count; n++) {
        char text[64];
        size_t len = text_of(places[n].seq, text);
        ck_assert_int_eq(fill_add(fill, pieces, places[n], text, len), 0);
    }
    ck_assert_int_eq(fill_end(fill, pieces, n < count ? places[n - 1] : PLACE_LOWEST), 0);
    free(places);
}

static void *filler_run(void *arg)
{
    struct gzip_pieces *pieces = gzip_pieces_new(1);
    (void)arg;
    ck_assert_ptr_nonnull(pieces);
    while (!atomic_load(&written)) {
        struct fill *fill = atomic_load(&ready) == NULL ? fill_down(ring) : NULL;
        if (fill == NULL) { /* the last one waits, or the ring holds everything */
            sched_yield();
            continue;
        }
        fill_from(fill, pieces);
        atomic_store(&ready, fill);
    }
    gzip_pieces_free(pieces);
    return NULL;
}

/* The document holds, in order, count events of the range, none of them later than max_seq. */
static void check_document(const struct glue *glue, const struct cut *cut)
{
    struct range_place before = cut->high;
    const char *at = glue->back.data + strlen(GLUE_HEAD);
    uint64_t count = 0;
    char text[64];
    while (*at == '{') {
        int64_t seq = strtol(at + strlen("{\"seq\":"), NULL, 10);
        size_t len = text_of(seq, text);
        ck_assert_mem_eq(at, text, len);
        ck_assert(place_before(place_of(seq), before));
        ck_assert(!place_before(place_of(seq), cut->low));
        ck_assert_int_le(seq, cut->max_seq);
        before = place_of(seq);
        at += len + (at[len] == ',');
        count++;
    }
    ck_assert_uint_eq(count, cut->count);
    ck_assert_uint_eq(count, count_of(cut->low, cut->high, cut->max_seq));
}

static void *reader_run(void *arg)
{
    struct glue glue;
    glue_init(&glue);
    int64_t turn = (int64_t)(uintptr_t)arg;
    while (!atomic_load(&written)) {
        struct cut cut;
        struct cut_ask ask = {.since = turn % 3 == 0 ? turn * 7 % (all_events / 10) : INT64_MIN,
                              .until = INT64_MAX,
                              .start = PLACE_HIGHEST,
                              .max_seq = ring_last_seq(ring) - turn % 30,
                              .limit = UINT64_MAX};
        ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
        glue.whole = 0;
        glue_document(&glue, &cut);
        check_document(&glue, &cut);
        (void)atomic_fetch_add(&cuts, 1);
        (void)atomic_fetch_add(&read_events, cut.count);
        (void)atomic_fetch_add(&glued, glue.whole);
        cut_clear(&cut);
        turn++;
    }
    glue_clear(&glue);
    return NULL;
}

START_TEST(ring_is_complete_for_every_reader_at_every_moment)
{
    struct ring_options options = {.max_events = 100000,
                                   .max_bytes = 1 << 30,
                                   .segment_events = 32,
                                   .ceiling_ms = 1 << 30,
                                   .settle_ms = 100};
    pthread_t writer, sealer, filler, readers[READERS];
    all_events = OLD_EVENTS + (int64_t)BATCH * (20 + unit_rounds(200));
    ring = ring_new(&options);
    ck_assert_ptr_nonnull(ring);
    atomic_store(&committed, OLD_EVENTS);
    ck_assert_int_eq(pthread_create(&filler, NULL, filler_run, NULL), 0);
    ck_assert_int_eq(pthread_create(&sealer, NULL, sealer_run, NULL), 0);
    for (size_t i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, reader_run, (void *)(uintptr_t)(i * 11)),
                         0);
    ck_assert_int_eq(pthread_create(&writer, NULL, writer_run, NULL), 0);
    pthread_join(writer, NULL);
    pthread_join(filler, NULL);
    pthread_join(sealer, NULL);
    for (size_t i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    fill_free(atomic_load(&ready));
    if (getenv("BEACOND_SEEN") != NULL) {
        struct ring_survey survey;
        ring_survey(ring, &survey);
        fprintf(stderr, "cuts %lu read %lu glued %lu held %zu floor %ld loose %zu\n",
                atomic_load(&cuts), atomic_load(&read_events), atomic_load(&glued), survey.events,
                (long)survey.floor.ts, survey.loose_events);
    }
    ring_free(ring);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring_threads");
    TCase *tests = tcase_create("ring_threads");
    tcase_set_timeout(tests, 600);
    tcase_add_test(tests, ring_is_complete_for_every_reader_at_every_moment);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
