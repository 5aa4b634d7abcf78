/* Receipts against a plain list of all bodies that were stored, compared element by element. */

#include "engine/receipts.h"

#include "dice.h"
#include "receipts_bodies.h"

#define BODY_MOST 6
#define HELD_MOST 1200
#define ROWS_MOST 1200
#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* --- the list --------------------------------------------------------------------------------- */

struct held {
    char body[BODY_MOST + 1];
    size_t len;
    bool burst;
    int64_t row, at_ms;
    unsigned lost;
    uint64_t serial; /* 0 until a verdict has told it */
};

struct model {
    struct held held[HELD_MOST]; /* oldest first */
    size_t count;
};

struct stored_row {
    int64_t row, at_ms;
    struct bytes data;
    size_t from, to; /* what it holds: [from, to) of bodies */
};

static struct dice dice;
static struct receipts *receipts;
static struct model model, before;
static struct stored_row rows[ROWS_MOST];
static size_t row_count;
static char bodies[HELD_MOST * 2][BODY_MOST + 1]; /* of the rows, in their order */
static size_t body_count;
static char history[64][BODY_MOST + 1];
static uint64_t serials[64];
static size_t overhead_bytes, max_bytes;
static int64_t now_ms;
static unsigned long seen_known, seen_beyond, seen_burst, seen_evidence, seen_trimmed, seen_evicted;

static bool is_burst(const char *body, size_t k)
{
    bool twice = false;
    for (size_t i = 0; i < k; i++) {
        if (body_time(body[i]) != body_time(body[0]))
            return false;
        for (size_t j = 0; j < i; j++)
            twice = twice || body[i] == body[j];
    }
    return twice;
}

static size_t overlap_of(const char *one, const char *other)
{
    size_t a = strlen(one), b = strlen(other), least = a < b ? a : b;
    return memcmp(one, other, least) == 0 ? least : 0;
}

static void model_remove(size_t n)
{
    memmove(&model.held[n], &model.held[n + 1], (--model.count - n) * sizeof *model.held);
}

static struct held *model_add(const char *body, int64_t row)
{
    if (model.count == HELD_MOST)
        ck_abort_msg("the list is too short for this test");
    struct held *held = &model.held[model.count++];
    *held = (struct held){.row = row, .at_ms = now_ms, .len = strlen(body)};
    held->burst = is_burst(body, held->len);
    memcpy(held->body, body, held->len + 1);
    return held;
}

/* What receipts_take must say: *known, and the one that stands for the body. */
static struct held *model_take(const char *body, size_t *known)
{
    struct held *best = NULL, *same = NULL;
    *known = 0;
    for (size_t n = model.count; n-- > 0;) {
        struct held *held = &model.held[n];
        size_t overlap = overlap_of(held->body, body);
        if (overlap == 0)
            continue;
        bool burst = held->burst || is_burst(body, overlap);
        bool evidence = held->lost > 0 && overlap == held->len;
        if (same == NULL && strcmp(held->body, body) == 0)
            same = held;
        if (overlap <= *known)
            continue;
        seen_burst += burst && !evidence;
        if (burst && !evidence)
            continue;
        best = held;
        *known = overlap;
    }
    seen_known += *known == strlen(body);
    seen_beyond += *known > 0 && *known < strlen(body);
    if (best != NULL && best->burst) {
        seen_evidence++;
        best->lost--;
    }
    if (*known == strlen(body))
        return best;
    return same != NULL ? same : model_add(body, receipts_row_number(receipts));
}

static void model_trim(char first)
{
    size_t count = 0, oldest = 0;
    for (size_t n = model.count; n-- > 0;)
        if (model.held[n].body[0] == first) {
            count++;
            oldest = n;
        }
    if (count > RECEIPTS_CHAIN) {
        seen_trimmed++;
        model_remove(oldest);
    }
}

static size_t model_bytes(void)
{
    size_t bytes = 0;
    for (size_t n = 0; n < model.count; n++)
        bytes += overhead_bytes + model.held[n].len * sizeof(uint64_t);
    return bytes;
}

/* Returns the oldest row that is needed, given the number of the next one. */
static int64_t model_evict(int64_t next_row)
{
    while (model.count > 0 && (model.held[0].at_ms < now_ms - RECEIPTS_MAX_AGE_MS ||
                               (model_bytes() > max_bytes && model.count > 1))) {
        seen_evicted++;
        model_remove(0);
    }
    return model.count > 0 ? model.held[0].row : next_row;
}

/* --- one step of both ------------------------------------------------------------------------- */

static void invent_body(char *body)
{
    static const char letters[] = "aaabnoz";
    size_t len = 0, wanted = 1 + dice_roll(&dice, BODY_MOST);
    const char *earlier = history[dice_roll(&dice, 64)];
    unsigned kind = (unsigned)dice_roll(&dice, 8);
    if (kind >= 2) /* one that was there: as it was, a part, or with more behind it */
        len = strlen(earlier);
    memcpy(body, earlier, len);
    if (kind >= 6 && len > wanted)
        len = wanted;
    while (len < wanted && kind != 2)
        body[len++] = kind == 0 ? 'a' : letters[dice_roll(&dice, sizeof letters - 1)];
    if (len == 0)
        body[len++] = 'n';
    body[len] = '\0';
    memcpy(history[dice_roll(&dice, 64)], body, len + 1);
}

static void step_take(void)
{
    char body[BODY_MOST + 1];
    struct marks marks;
    struct receipts_verdict verdict;
    size_t known;
    invent_body(body);
    bool lost = dice_roll(&dice, 8) == 0;
    struct held *stands = model_take(body, &known);
    stands->lost += lost && stands->burst;
    body_marks(&marks, body);
    if (receipts_take(receipts, &marks, lost, now_ms, &verdict) != 0)
        ck_abort_msg("out of memory");
    marks_clear(&marks);
    if (verdict.known != known)
        ck_abort_msg("%s: %zu known, not %zu", body, verdict.known, known);
    if ((verdict.serial != 0) != is_burst(body, strlen(body)))
        ck_abort_msg("%s: serial %llu", body, (unsigned long long)verdict.serial);
    if (verdict.serial == 0)
        return;
    if (stands->serial != 0 && stands->serial != verdict.serial)
        ck_abort_msg("%s: another serial", body);
    stands->serial = verdict.serial;
    serials[dice_roll(&dice, 64)] = verdict.serial;
}

static void check_facts(void)
{
    struct receipts_facts facts;
    receipts_tell(receipts, &facts);
    if (facts.count != model.count || facts.bytes != model_bytes() ||
        facts.oldest_ms != (model.count > 0 ? model.held[0].at_ms : 0))
        ck_abort_msg("%zu receipts of %zu bytes, not %zu of %zu", facts.count, facts.bytes,
                     model.count, model_bytes());
}

static void drop_rows(int64_t needed)
{
    size_t gone = 0;
    while (gone < row_count && rows[gone].row < needed)
        bytes_clear(&rows[gone++].data);
    memmove(rows, rows + gone, (row_count - gone) * sizeof *rows);
    row_count -= gone;
    size_t first = row_count > 0 ? rows[0].from : body_count;
    memmove(bodies, bodies + first, (body_count - first) * sizeof *bodies);
    body_count -= first;
    for (size_t n = 0; n < row_count; n++) {
        rows[n].from -= first;
        rows[n].to -= first;
    }
}

static void store_row(void)
{
    struct stored_row *row = &rows[row_count];
    int64_t number = receipts_row_number(receipts);
    *row = (struct stored_row){.row = number, .at_ms = now_ms, .from = body_count};
    bytes_init(&row->data);
    ck_assert_int_eq(receipts_row(receipts, &row->data), 0);
    for (size_t n = 0; n < model.count; n++)
        if (model.held[n].row == number)
            memcpy(bodies[body_count++], model.held[n].body, sizeof *bodies);
    row->to = body_count;
    ck_assert((row->data.len == 0) == (row->from == row->to));
    if (row->data.len > 0)
        row_count++;
    ck_assert(row_count < ROWS_MOST && body_count < HELD_MOST * 2 - 10);
}

static void step_transaction(void)
{
    before = model;
    for (size_t i = 1 + dice_roll(&dice, 4); i > 0; i--)
        step_take();
    if (dice_roll(&dice, 6) == 0) {
        receipts_rollback(receipts);
        for (size_t n = 0; n < before.count; n++) /* what was told stays told */
            before.held[n].serial = model.held[n].serial;
        model = before;
        check_facts();
        return;
    }
    int64_t number = receipts_row_number(receipts);
    size_t from = body_count;
    store_row();
    for (size_t n = from; n < body_count; n++)
        model_trim(bodies[n][0]);
    int64_t needed = receipts_commit(receipts, now_ms);
    ck_assert_int_eq(receipts_row_number(receipts), number + 1);
    ck_assert_int_eq(needed, model_evict(number + 1));
    check_facts();
    drop_rows(needed);
}

static void step_loss(void)
{
    uint64_t serial = serials[dice_roll(&dice, 64)];
    receipts_lost(receipts, serial);
    for (size_t n = 0; n < model.count; n++)
        if (serial != 0 && model.held[n].serial == serial)
            model.held[n].lost++;
}

static void step_restart(void)
{
    int64_t later = now_ms;
    receipts_free(receipts);
    receipts = receipts_new(max_bytes);
    ck_assert_ptr_nonnull(receipts);
    memset(serials, 0, sizeof serials);
    model.count = 0;
    for (size_t n = 0; n < row_count; n++) {
        const struct stored_row *row = &rows[n];
        now_ms = row->at_ms;
        ck_assert_int_eq(
            receipts_load(receipts, row->row, row->at_ms, row->data.data, row->data.len), 0);
        for (size_t i = row->from; i < row->to; i++) {
            struct held *held = model_add(bodies[i], row->row);
            held->lost = held->burst;
            model_trim(held->body[0]);
        }
    }
    now_ms = later;
    int64_t number = receipts_row_number(receipts);
    ck_assert_int_gt(number, row_count > 0 ? rows[row_count - 1].row : 0);
    int64_t needed = receipts_commit(receipts, now_ms);
    ck_assert_int_eq(needed, model_evict(number + 1));
    check_facts();
    drop_rows(needed);
}

static void learn_overhead(void)
{
    struct receipts_facts facts;
    max_bytes = SIZE_MAX;
    receipts = receipts_new(max_bytes);
    ck_assert_ptr_nonnull(receipts);
    step_take();
    receipts_tell(receipts, &facts);
    overhead_bytes = facts.bytes - model.held[0].len * sizeof(uint64_t);
    receipts_free(receipts);
    model.count = 0;
}

static void play_list(unsigned steps)
{
    static const unsigned rooms[] = {3, 20, 100, 10000};
    max_bytes = rooms[dice_roll(&dice, 4)] * (overhead_bytes + 24);
    receipts = receipts_new(max_bytes);
    ck_assert_ptr_nonnull(receipts);
    memset(serials, 0, sizeof serials);
    model.count = row_count = body_count = 0;
    while (steps-- > 0) {
        now_ms += (int64_t)dice_roll(&dice, 1000);
        if (dice_roll(&dice, 300) == 0)
            now_ms += (int64_t)dice_roll(&dice, 9) * DAY_MS;
        switch (dice_roll(&dice, 12)) {
        case 0:
        case 1:
            step_loss();
            break;
        case 2:
            if (dice_roll(&dice, 8) == 0)
                step_restart();
            break;
        default:
            step_transaction();
        }
    }
    receipts_free(receipts);
    drop_rows(INT64_MAX);
}

START_TEST(receipts_agree_with_a_plain_list_of_all_bodies)
{
    dice = dice_new();
    now_ms = INT64_C(1795233600000);
    for (size_t n = 0; n < 64; n++)
        strcpy(history[n], "n");
    learn_overhead();
    for (unsigned round = 0; round < unit_rounds(100); round++)
        play_list(400);
    if (unit_slow()) /* too few rounds for each of these */
        return;
    ck_assert_uint_gt(seen_known, 0);
    ck_assert_uint_gt(seen_beyond, 0);
    ck_assert_uint_gt(seen_burst, 0);
    ck_assert_uint_gt(seen_evidence, 0);
    ck_assert_uint_gt(seen_trimmed, 0);
    ck_assert_uint_gt(seen_evicted, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("receipts_model");
    TCase *tcase = tcase_create("receipts_model");
    tcase_add_test(tcase, receipts_agree_with_a_plain_list_of_all_bodies);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
