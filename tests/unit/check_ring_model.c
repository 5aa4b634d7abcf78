/* The ring against a plain sorted list of all events: every cut must give what the list gives. */

#include <stdio.h>

#include "cache/fill.h"
#include "cache/sealing.h"
#include "dice.h"
#include "ring_glue.h"

#define STORED_MOST 6000
#define TEXT_MOST 400
#define SEALINGS_MOST 3
#define HELD_MOST 4

struct stored {
    struct range_place place;
    char text[TEXT_MOST];
};

static struct dice dice;
static struct ring *ring;
static struct ring_options options;
static struct sealer sealer;
static struct glue glue;
static struct stored *list[STORED_MOST]; /* newest first */
static size_t list_count;
static int64_t next_seq, told_seq, now_ms;
static struct fill *fill;
static bool fill_read;
static struct sealing *sealings[SEALINGS_MOST];
static struct {
    struct cut cut;
    struct bytes text; /* what it must give */
    struct range_place last;
    bool used;
} held[HELD_MOST];
static struct {
    unsigned long whole, late, stale, moved, full, voided, told, erased, dropped, above, below;
} seen;

/* --- the list --------------------------------------------------------------------------------- */

static void list_put(struct stored *stored)
{
    size_t at = list_count++;
    ck_assert_uint_le(list_count, STORED_MOST);
    for (; at > 0 && place_before(list[at - 1]->place, stored->place); at--)
        list[at] = list[at - 1];
    list[at] = stored;
}

static void list_erase(size_t n)
{
    free(list[n]);
    memmove(list + n, list + n + 1, (--list_count - n) * sizeof *list);
}

static bool list_in(size_t n, struct range_place low, struct range_place high, int64_t max_seq)
{
    struct range_place place = list[n]->place;
    return place.seq <= max_seq && !place_before(place, low) && place_before(place, high);
}

static size_t list_total(struct range_place low, struct range_place high, int64_t max_seq)
{
    size_t total = 0;
    for (size_t i = 0; i < list_count; i++)
        total += list_in(i, low, high, max_seq);
    return total;
}

/* A time near now: mostly recent, often the same, some late, some ahead. */
static int64_t some_ts(void)
{
    switch (dice_roll(&dice, 8)) {
    case 0:
        return now_ms - (int64_t)dice_roll(&dice, 3000);
    case 1:
        return now_ms + (int64_t)dice_roll(&dice, 500);
    case 2:
        return now_ms - (int64_t)dice_roll(&dice, 100);
    default:
        return now_ms - (int64_t)dice_roll(&dice, 4);
    }
}

static struct stored *some_event(void)
{
    struct stored *stored = malloc(sizeof *stored);
    ck_assert_ptr_nonnull(stored);
    stored->place = (struct range_place){some_ts(), ++next_seq};
    size_t pad = dice_roll(&dice, dice_roll(&dice, 20) == 0 ? TEXT_MOST - 60 : 20);
    snprintf(stored->text, sizeof stored->text, "{\"seq\":%ld,\"pad\":\"%0*d\"}", (long)next_seq,
             (int)pad + 1, 0);
    return stored;
}

/* --- what happens ----------------------------------------------------------------------------- */

static void check_bounds(void)
{
    struct ring_survey survey;
    ring_survey(ring, &survey);
    ck_assert_uint_eq(survey.events, list_total(survey.floor, survey.ceiling, INT64_MAX));
    ck_assert_uint_le(survey.events, options.max_events + 4 * options.segment_events);
    ck_assert_int_eq(survey.last_seq, told_seq);
}

static void read_fill(void);

static void play_commit(void)
{
    struct batch_event events[40] = {{0}};
    size_t count = dice_roll(&dice, 40), before = next_seq;
    for (size_t i = 0; i < count; i++) {
        if (dice_roll(&dice, 10) == 0) /* a duplicate: not stored */
            continue;
        struct stored *stored = some_event();
        list_put(stored);
        events[i] = (struct batch_event){.ts = stored->place.ts,
                                         .seq = stored->place.seq,
                                         .text = stored->text,
                                         .text_len = strlen(stored->text)};
    }
    if (fill != NULL && !fill_read && dice_roll(&dice, 3) == 0)
        read_fill(); /* a snapshot between the commit and the telling */
    ring_tell(ring, events, count, now_ms);
    ring_told(ring, 0, 0);
    if ((int64_t)before != next_seq)
        told_seq = next_seq;
    struct ring_survey survey;
    ring_survey(ring, &survey);
    if (survey.events > 0 && count > 0)
        ck_assert_uint_le(survey.bytes, options.max_bytes);
    seen.dropped += survey.floor.ts != INT64_MIN && survey.events >= options.max_events;
}

static void play_erase(void)
{
    if (list_count == 0)
        return;
    struct range_place places[5];
    size_t count = 0;
    if (dice_roll(&dice, 2) == 0) {
        struct range_place low = {some_ts(), (int64_t)dice_roll(&dice, (size_t)next_seq + 1)};
        struct range_place high = {low.ts + (int64_t)dice_roll(&dice, 30), low.seq};
        for (size_t i = list_count; i-- > 0;)
            if (list_in(i, low, high, INT64_MAX))
                list_erase(i);
        ring_erase(ring, low, high);
        return;
    }
    size_t at = dice_roll(&dice, list_count);
    for (size_t i = 0; i < 5 && at < list_count; i++, at += dice_roll(&dice, 3)) {
        places[count++] = list[at]->place;
        list_erase(at);
    }
    ring_erase_places(ring, places, count);
    seen.erased += count;
}

static void begin_fill(void)
{
    struct ring_survey survey;
    ring_survey(ring, &survey);
    if (dice_roll(&dice, 2) == 0)
        fill = fill_down(ring);
    else
        fill = fill_up(ring, now_ms + 200);
    if (fill != NULL)
        ck_assert(place_equal(fill_high(fill), survey.floor) ||
                  place_equal(fill_low(fill), survey.ceiling));
    fill_read = false;
}

static void read_fill(void)
{
    bool up = !place_equal(fill_low(fill), PLACE_LOWEST);
    struct range_place low = fill_low(fill);
    size_t most = up ? STORED_MOST : 1 + dice_roll(&dice, 200), n = 0;
    fill_snapshot(fill, next_seq, list_count == 0 ? PLACE_LOWEST : list[0]->place);
    for (size_t i = 0; i < list_count && n < most; i++) {
        if (!list_in(i, fill_low(fill), fill_high(fill), next_seq))
            continue;
        ck_assert_int_eq(
            fill_add(fill, glue.pieces, list[i]->place, list[i]->text, strlen(list[i]->text)), 0);
        n++;
        if (n == most && !up) /* there may be more below */
            low = list[i]->place;
    }
    ck_assert_int_eq(fill_end(fill, glue.pieces, low), 0);
    ck_assert_uint_eq(fill_count(fill), n);
    fill_read = true;
}

static void play_fill(void)
{
    if (fill == NULL) {
        begin_fill();
    } else if (dice_roll(&dice, 20) == 0) {
        fill_free(fill);
        fill = NULL;
    } else if (!fill_read) {
        read_fill();
    } else {
        struct ring_survey before, after;
        ring_survey(ring, &before);
        bool is_void = fill_void(fill);
        enum fill_status status = fill_publish(fill, now_ms);
        ring_survey(ring, &after);
        ck_assert_int_eq(status == FILL_VOID, is_void);
        seen.voided += status == FILL_VOID;
        seen.moved += status == FILL_DONE;
        seen.full += status == FILL_FULL;
        seen.told += after.loose_events > before.loose_events;
        told_seq = after.last_seq;
        fill = NULL;
    }
}

static void play_sealing(void)
{
    size_t n = dice_roll(&dice, SEALINGS_MOST);
    int64_t wait_ms;
    if (sealings[n] == NULL) {
        sealings[n] = sealing_take(ring, now_ms, &wait_ms);
        if (sealings[n] != NULL && dice_roll(&dice, 20) != 0)
            ck_assert_int_eq(sealing_work(ring, sealings[n], &sealer), 0);
        return;
    }
    seen.late += sealings[n]->segment != NULL;
    seen.stale += !sealing_give(ring, sealings[n], now_ms);
    sealings[n] = NULL;
}

/* --- cuts ------------------------------------------------------------------------------------- */

static void some_ask(struct cut_ask *ask)
{
    *ask = (struct cut_ask){.since = dice_roll(&dice, 3) == 0 ? INT64_MIN : some_ts(),
                            .until = dice_roll(&dice, 3) == 0 ? INT64_MAX : some_ts(),
                            .start = PLACE_HIGHEST,
                            .max_seq = told_seq,
                            .limit = dice_roll(&dice, 3) == 0 ? dice_roll(&dice, 60) : 500000};
    if (dice_roll(&dice, 4) == 0)
        ask->since = now_ms - 1000 - (int64_t)dice_roll(&dice, 4000);
    if (dice_roll(&dice, 4) == 0 && list_count > 0)
        ask->start = list[dice_roll(&dice, list_count)]->place;
    if (dice_roll(&dice, 4) == 0)
        ask->max_seq -= (int64_t)dice_roll(&dice, 50);
    if (dice_roll(&dice, 4) == 0)
        ask->skip = dice_roll(&dice, 100);
}

/* The events that the cut must have taken, from the list. */
static void expect_text(const struct cut *cut, const struct cut_ask *ask, struct bytes *text,
                        struct range_place *last)
{
    uint64_t total = 0, count = 0;
    text->len = 0;
    ck_assert_int_eq(bytes_append_text(text, GLUE_HEAD), 0);
    for (size_t i = 0; i < list_count; i++) {
        if (!list_in(i, cut->low, cut->high, ask->max_seq))
            continue;
        if (total++ < ask->skip || count >= ask->limit)
            continue;
        ck_assert_int_eq(bytes_append_format(text, count++ == 0 ? "%s" : ",%s", list[i]->text), 0);
        *last = list[i]->place;
    }
    ck_assert_int_eq(bytes_append_text(text, GLUE_TAIL), 0);
    ck_assert_uint_eq(cut->total, total);
    ck_assert_uint_eq(cut->count, count);
    ck_assert_uint_eq(cut->skipped, total < ask->skip ? total : ask->skip);
}

/* What the cut does not cover must be what it says. */
static void check_cover(const struct cut *cut, const struct cut_ask *ask)
{
    struct ring_survey survey;
    ring_survey(ring, &survey);
    struct range_place low = place_of_ms(ask->since);
    struct range_place high = place_earlier(place_behind_ms(ask->until), ask->start);
    if (!place_before(low, high))
        return;
    if (!place_before(low, survey.floor) && !place_before(survey.ceiling, high))
        ck_assert(place_equal(cut->low, low) && place_equal(cut->high, high));
    if (!cut->above)
        ck_assert_uint_eq(list_total(place_later(cut->high, low), high, ask->max_seq), 0);
    if (!cut->below)
        ck_assert_uint_eq(list_total(low, cut->low, ask->max_seq), 0);
    seen.above += cut->above;
    seen.below += cut->below;
}

static void read_held(size_t n)
{
    glue.whole = 0;
    glue_document(&glue, &held[n].cut);
    seen.whole += glue.whole;
    ck_assert_uint_eq(glue.back.len, held[n].text.len);
    ck_assert_mem_eq(glue.back.data, held[n].text.data, glue.back.len);
    if (held[n].cut.part_count > 0)
        ck_assert(place_equal(glue.last, held[n].last));
    cut_clear(&held[n].cut);
    held[n].used = false;
}

static void play_cut(void)
{
    size_t n = dice_roll(&dice, HELD_MOST);
    struct cut_ask ask;
    if (held[n].used) {
        read_held(n);
        return;
    }
    some_ask(&ask);
    ck_assert_int_eq(ring_cut(ring, &ask, &held[n].cut), 0);
    held[n].used = true;
    expect_text(&held[n].cut, &ask, &held[n].text, &held[n].last);
    check_cover(&held[n].cut, &ask);
}

/* --- the game --------------------------------------------------------------------------------- */

static void begin_game(void)
{
    static const size_t most_events[] = {1, 20, 100, 700, 100000};
    static const size_t most_bytes[] = {3000, 30000, 100000, 100000, 1 << 30};
    static const size_t segment_events[] = {2, 8, 20};
    now_ms = 1000000;
    next_seq = told_seq = 0;
    options = (struct ring_options){.max_events = most_events[dice_roll(&dice, 5)],
                                    .max_bytes = most_bytes[dice_roll(&dice, 5)],
                                    .segment_events = segment_events[dice_roll(&dice, 3)],
                                    .ceiling_ms = now_ms + 200,
                                    .settle_ms = (int64_t)dice_roll(&dice, 20)};
    ring = ring_new(&options);
    ck_assert_ptr_nonnull(ring);
}

static void end_game(void)
{
    for (size_t i = 0; i < SEALINGS_MOST; i++)
        if (sealings[i] != NULL)
            (void)sealing_give(ring, sealings[i], now_ms);
    memset(sealings, 0, sizeof sealings);
    fill_free(fill);
    fill = NULL;
    ring_free(ring);
    /* Cuts outlive the ring. */
    for (size_t i = 0; i < HELD_MOST; i++)
        if (held[i].used)
            read_held(i);
    while (list_count > 0)
        list_erase(list_count - 1);
}

static void play(void)
{
    size_t what = dice_roll(&dice, 100);
    now_ms += (int64_t)dice_roll(&dice, 5);
    if (what < 18 && list_count < STORED_MOST - 40)
        play_commit();
    else if (what < 36)
        play_fill();
    else if (what < 60)
        play_sealing();
    else if (what < 62)
        play_erase();
    else if (what < 96)
        play_cut();
    else if (dice_roll(&dice, 60) == 0)
        ring_clear(ring, now_ms + (int64_t)dice_roll(&dice, 300));
    else
        check_bounds();
}

START_TEST(ring_gives_what_a_sorted_list_gives)
{
    unsigned games = unit_rounds(100);
    if (games == 0)
        games = 1;
    dice = dice_new();
    ck_assert_int_eq(sealer_init(&sealer, 1), 0);
    glue_init(&glue);
    for (unsigned game = 0; game < games; game++) {
        begin_game();
        for (int i = 0; i < 1000; i++)
            play();
        check_bounds();
        end_game();
    }
    if (games >= 50) /* that it has played what it is meant to */
        ck_assert(seen.whole > 0 && seen.late > 0 && seen.stale > 0 && seen.moved > 0 &&
                  seen.full > 0 && seen.voided > 0 && seen.told > 0 && seen.erased > 0 &&
                  seen.dropped > 0 && seen.above > 0 && seen.below > 0);
    if (getenv("BEACOND_SEEN") != NULL)
        fprintf(stderr,
                "whole %lu late %lu stale %lu moved %lu full %lu void %lu told %lu erased %lu "
                "dropped %lu above %lu below %lu\n",
                seen.whole, seen.late, seen.stale, seen.moved, seen.full, seen.voided, seen.told,
                seen.erased, seen.dropped, seen.above, seen.below);
    for (size_t i = 0; i < HELD_MOST; i++)
        bytes_clear(&held[i].text);
    glue_clear(&glue);
    sealer_clear(&sealer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring_model");
    TCase *tests = tcase_create("ring_model");
    tcase_set_timeout(tests, 600);
    tcase_add_test(tests, ring_gives_what_a_sorted_list_gives);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
