/*
 * engine_asks.h: the questions of the games of check_engine_model.c, and the checking of answers.
 */
#ifndef BEACOND_TESTS_ENGINE_ASKS_H
#define BEACOND_TESTS_ENGINE_ASKS_H

#include "engine_game.h"

/* --- readings --------------------------------------------------------------------------------- */

/* One reading under way. */
struct ask {
    struct reading *reading; /* NULL: it has ended */
    struct range range;
    enum reading_coding coding;
    bool wrapped;     /* in HEAD and TAIL */
    struct tag known; /* that was sent along, if any */
    int64_t at_seq;   /* the newest event's when it began */
    unsigned chunks;  /* so far */
    unsigned most;    /* given up after so many */
    bool due;         /* a chunk has come and the next has not been asked for */
    enum reading_state state;
    int64_t max_seq;
    char tag[ETAG_SIZE];
    struct bytes text;
};

static inline void ask_hear(void *arg, enum reading_state state, struct rope *chunk)
{
    struct ask *ask = arg;
    ck_assert(!ask->due);
    ck_assert_int_ne(state, READING_FAILED);
    if (ask->chunks > 0)
        ck_assert_int_eq(reading_max_seq(ask->reading), ask->max_seq);
    ask->max_seq = reading_max_seq(ask->reading);
    strcpy(ask->tag, reading_tag(ask->reading));
    ask->state = state;
    ask->chunks++;
    ask->due = true;
    seen.chunks++;
    for (size_t i = 0; i < chunk->count; i++)
        seen.glued += chunk->pieces[i].segment != NULL;
    rope_read(chunk, &ask->text);
}

static inline void ask_begin(struct ask *ask, const char *query)
{
    static const size_t most[] = {500000, 500000, 1000};
    struct error err = {""};
    *ask = (struct ask){.coding = (enum reading_coding)dice_roll(&dice, 3),
                        .wrapped = dice_roll(&dice, 3) == 0,
                        .at_seq = model_top(&model),
                        .most = dice_roll(&dice, 12) == 0 ? (unsigned)below(4) : UINT_MAX};
    if (dice_roll(&dice, 3) == 0)
        ask->known = tags[dice_roll(&dice, TAGS)];
    ck_assert_msg(range_parse(&ask->range, query, (int64_t)most[dice_roll(&dice, 3)],
                              engine_secret(engine), &err) == 0,
                  "%s: %s", query, err.text);
    const struct reading_form form = {
        .coding = ask->coding,
        .head = ask->wrapped ? HEAD : NULL,
        .head_len = ask->wrapped ? strlen(HEAD) : 0,
        .tail = ask->wrapped ? TAIL : NULL,
        .known = ask->known.generation > 0 ? ask->known.text : NULL,
    };
    bytes_init(&ask->text);
    ask->reading = reading_new(engine, &ask->range, &form, mailbox, ask_hear, ask);
    ck_assert_ptr_nonnull(ask->reading);
}

/* Takes the next chunk, or ends it. */
static inline void ask_go_on(struct ask *ask)
{
    if (ask->due && ask->state == READING_MORE && ask->chunks < ask->most) {
        ask->due = false;
        reading_next(ask->reading);
    } else if (ask->due || ask->chunks >= ask->most) {
        reading_free(ask->reading);
        ask->reading = NULL;
    }
}

static inline const struct bytes *ask_inflate(struct ask *ask)
{
    if (ask->coding == READING_PLAIN)
        return &ask->text;
    bytes_clear(&inflated);
    if (ask->coding == READING_DEFLATE)
        inflate_message(&ask->text, &inflated);
    else
        ck_assert_int_eq(inflate_gzip(ask->text.data, ask->text.len, 1 << 30, &inflated),
                         INFLATE_OK);
    return &inflated;
}

/* The tag names total and generation, no more and no less. */
static inline void ask_check_tag(struct ask *ask, int64_t total)
{
    size_t n = dice_roll(&dice, TAGS);
    bool same = ask->known.generation == generation && ask->known.total == total;
    ck_assert_int_eq(ask->state == READING_SAME, same);
    if (same)
        ck_assert_str_eq(ask->tag, ask->known.text);
    seen.same += same;
    seen.different += ask->known.generation > 0 && !same;
    strcpy(tags[n].text, ask->tag);
    tags[n].generation = generation;
    tags[n].total = total;
}

/* The cursor that stands in the answer, if any. It must stand for the same events as the expected
 * one: any place between the last event sent and the next one does. */
static inline void ask_read_cursor(const struct ask *ask, const struct bytes *text,
                                   const struct range_place *last, char cursor[RANGE_CURSOR_SIZE])
{
    static const char name[] = "\"nextCursor\":\"";
    struct range next;
    char query[RANGE_CURSOR_SIZE + 16];
    size_t len = strlen(cursor), end = strlen(ask->wrapped ? "\"}" TAIL : "\"}");
    ck_assert_uint_gt(text->len, strlen(name) + len + end);
    const char *found = text->data + text->len - end - len;
    ck_assert_mem_eq(found - strlen(name), name, strlen(name));
    memcpy(cursor, found, len);
    snprintf(query, sizeof query, "cursor=%s", cursor);
    ck_assert_int_eq(range_parse(&next, query, 1, engine_secret(engine), NULL), 0);
    ck_assert(!place_before(*last, next.after));
    for (size_t i = model_from(&model, *last); i < model.count; i++)
        if (!place_before(model.list[i]->place, next.after))
            ck_assert_int_gt(model.list[i]->place.seq, ask->max_seq);
        else
            break;
}

/* cursor: what the document goes on with. */
static inline void ask_check(struct ask *ask, char cursor[RANGE_CURSOR_SIZE])
{
    cursor[0] = '\0';
    if (ask->state == READING_MORE || ask->chunks == 0) {
        seen.given_up++;
        bytes_clear(&ask->text);
        return;
    }
    if (ask->range.resumed) {
        ck_assert_int_eq(ask->max_seq, ask->range.max_seq);
    } else {
        /* Nothing that was stored before it began is missing. */
        ck_assert_int_ge(ask->max_seq, ask->at_seq);
        ck_assert_int_le(ask->max_seq, model.last_seq);
    }
    ask_check_tag(ask, model_total(&model, &ask->range, ask->max_seq));
    struct range_place last;
    const struct bytes *text = ask->state == READING_SAME ? &ask->text : ask_inflate(ask);
    if (model_goes_on(&model, &ask->range, ask->max_seq, engine_secret(engine), &last, cursor) &&
        ask->state != READING_SAME)
        ask_read_cursor(ask, text, &last, cursor);
    expected.len = 0;
    if (ask->state != READING_SAME) {
        ck_assert_int_eq(bytes_append_text(&expected, ask->wrapped ? HEAD : ""), 0);
        model_answer(&model, &ask->range, ask->max_seq, cursor, &expected);
        ck_assert_int_eq(bytes_append_text(&expected, ask->wrapped ? TAIL : ""), 0);
    }
    ck_assert_uint_eq(text->len, expected.len);
    if (text->len > 0)
        ck_assert_mem_eq(text->data, expected.data, expected.len);
    bytes_clear(&ask->text);
}

/* --- queries ---------------------------------------------------------------------------------- */

static inline void add_parameter(char *query, size_t size, const char *name, int64_t ms)
{
    char stamp[TIMESTAMP_SIZE];
    size_t len = strlen(query);
    timestamp_format(stamp, ms);
    snprintf(query + len, size - len, "&%s=%s", name, stamp);
}

static inline void some_window(char *query, size_t size)
{
    query[0] = '\0';
    if (dice_roll(&dice, 2) == 0)
        add_parameter(query, size, dice_roll(&dice, 3) == 0 ? "after" : "since",
                      some_ts() - below(3) * below(HOUR));
    if (dice_roll(&dice, 3) == 0)
        add_parameter(query, size, "until", some_ts() + below(2));
}

static inline void add_number(char *query, size_t size, const char *name, int64_t number)
{
    size_t len = strlen(query);
    snprintf(query + len, size - len, "&%s=%" PRId64, name, number);
}

static inline void some_query(char *query, size_t size)
{
    static const int64_t limits[] = {0, 1, 7, 100, 1000, INT64_MAX};
    some_window(query, size);
    if (dice_roll(&dice, 3) == 0)
        add_number(query, size, "limit", limits[dice_roll(&dice, 6)]);
    if (dice_roll(&dice, 6) == 0)
        add_number(query, size, "page", 1 + below(dice_roll(&dice, 2) == 0 ? 3 : 1000));
}

/* --- games of questions ----------------------------------------------------------------------- */

/* What happens meanwhile; NULL: nothing. */
struct meanwhile {
    void (*choose)(void); /* before each question: who is asked */
    void (*commit)(void);
    void (*chunk)(void); /* between chunks, besides commits */
    void (*page)(void);  /* between pages, besides commits */
};

static inline void happen(void (*what)(void))
{
    if (what != NULL)
        what();
}

/* Several readings at once, taken slowly or not. */
static inline void play_readings(const struct meanwhile *meanwhile)
{
    struct ask asks[ASKS_MOST];
    size_t count = 1 + dice_roll(&dice, ASKS_MOST), under_way = count;
    size_t commits = dice_roll(&dice, 3) == 0 ? 2 : 0;
    char query[512], cursor[RANGE_CURSOR_SIZE];
    for (size_t i = 0; i < count; i++) {
        happen(meanwhile->choose);
        some_query(query, sizeof query);
        ask_begin(&asks[i], query);
    }
    while (under_way > 0) {
        bool busy = false;
        if (commits > 0 && dice_roll(&dice, 2) == 0) {
            happen(meanwhile->commit);
            commits--;
        }
        happen(meanwhile->chunk);
        for (size_t i = 0; i < count; i++) {
            if (asks[i].reading == NULL)
                continue;
            if (dice_roll(&dice, 4) != 0)
                ask_go_on(&asks[i]);
            under_way -= asks[i].reading == NULL;
            busy = busy || (asks[i].reading != NULL && asks[i].due);
        }
        if (!busy && under_way > 0)
            wait_for_mail(mailbox);
    }
    for (size_t i = 0; i < count; i++)
        ask_check(&asks[i], cursor);
}

static inline void ask_all(struct ask *ask, const char *query, char cursor[RANGE_CURSOR_SIZE])
{
    ask_begin(ask, query);
    ask->most = UINT_MAX;
    for (ask_go_on(ask); ask->reading != NULL; ask_go_on(ask))
        if (!ask->due)
            wait_for_mail(mailbox);
    ask_check(ask, cursor);
}

/* Pages by cursor to the end, whatever happens between them. */
static inline void play_chain(const struct meanwhile *meanwhile)
{
    char query[512], cursor[RANGE_CURSOR_SIZE];
    struct ask ask;
    int64_t limit = (int64_t)model.count / (1 + below(8)) + 1;
    some_window(query, sizeof query);
    add_number(query, sizeof query, "limit", limit);
    for (;;) {
        happen(meanwhile->choose);
        ask_all(&ask, query, cursor);
        seen.pages++;
        if (cursor[0] == '\0')
            return;
        snprintf(query, sizeof query, "cursor=%s&limit=%" PRId64, cursor, limit);
        if (dice_roll(&dice, 3) == 0)
            happen(meanwhile->commit);
        happen(meanwhile->page);
    }
}

#endif
