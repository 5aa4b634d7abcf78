/*
 * Memory runs out, at one allocation after the other: what can't be done says so, what the cache
 * still holds is complete, and nothing leaks. tests/faults/memory.py does the same to a whole
 * daemon, which shows what clients see of it.
 */

#include <stdint.h>
#include <string.h>

#include "contract/marks.h"
#include "contract/utf8.h"
#include "engine/receipts.h"
#include "ring_run.h"
#include "scarce.h"

static const unsigned char key[SIPHASH_KEY_BYTES] = {1, 2, 3};

/* --- text and marks --------------------------------------------------------------------------- */

static void repair(void)
{
    static const char sound[] =
        "more than the sixty-four bytes that there is room for at first, and so on";
    struct bytes text = {0}, out = {0}, wanted = {0};
    for (int i = 0; i < 6; i++)
        ck_assert(bytes_append_text(&text, sound) == 0 &&
                  bytes_append(&text, "\xff\xe2\x82", 3) == 0 &&
                  bytes_append_text(&wanted, sound) == 0 &&
                  bytes_append_text(&wanted, "\xef\xbf\xbd\xef\xbf\xbd") == 0);
    scarce.armed = true;
    int status = utf8_repair(&out, text.data, text.len, false);
    scarce.armed = false;
    ck_assert_int_eq(status, scarce_verdict());
    if (status == 0) {
        ck_assert_uint_eq(out.len, wanted.len);
        ck_assert(memcmp(out.data, wanted.data, out.len) == 0);
    }
    bytes_clear(&text);
    bytes_clear(&out);
    bytes_clear(&wanted);
}

START_TEST(text_is_repaired_whole_or_not_at_all)
{
    scarce_play(repair, 4);
}
END_TEST

static int add_marks(struct marks *marks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (marks_add(marks, key, (const char *)&i, sizeof i, 7, false) != 0)
            return -1;
    return 0;
}

static void mark(void)
{
    enum { MOST = 300 };
    struct marks marks;
    marks_init(&marks);
    scarce.armed = true;
    int status = add_marks(&marks, MOST);
    int wanted = scarce_verdict();
    uint64_t last = status == 0 ? marks.running[MOST - 1] : 0;
    marks_finish(&marks); /* what can't be given back is kept */
    scarce.armed = false;
    ck_assert_int_eq(status, wanted);
    ck_assert(status != 0 || (marks.count == MOST && marks.running[MOST - 1] == last));
    marks_clear(&marks);
}

START_TEST(marks_say_which_element_they_could_not_take)
{
    scarce_play(mark, 8);
}
END_TEST

/* --- receipts --------------------------------------------------------------------------------- */

struct received {
    struct receipts *receipts;
    struct bytes row, kept, gone;
};

/* The receipt of a body, the row of it, and that row without the receipts of an element. */
static int take_receipt(struct received *received, const struct marks *marks)
{
    struct receipts_verdict known;
    if (receipts_take(received->receipts, marks, false, 0, &known) != 0)
        return -1;
    return receipts_row(received->receipts, &received->row);
}

static int strip_receipt(struct received *received, unsigned element)
{
    struct hash_set hashes = {0};
    struct bytes *row = &received->row;
    int count = -1;
    if (hash_set_add(&hashes, marks_hash(key, (const char *)&element, sizeof element)) == 0)
        count = receipt_row_strip(1, row->data, row->len, key, &hashes, &received->kept,
                                  &received->gone);
    hash_set_clear(&hashes);
    return count;
}

static size_t receipt_count(const struct receipts *receipts)
{
    struct receipts_facts facts;
    receipts_tell(receipts, &facts);
    return facts.count;
}

/* What could not be taken is not known afterwards. */
static void receive(void)
{
    struct received received = {0};
    struct marks marks;
    int taken = -1, kept = -1, gone = -1;
    marks_init(&marks);
    ck_assert_int_eq(add_marks(&marks, 100), 0);
    scarce.armed = true;
    received.receipts = receipts_new(1 << 20);
    if (received.receipts != NULL)
        taken = take_receipt(&received, &marks);
    if (taken == 0)
        kept = strip_receipt(&received, 1000);
    if (kept == 0)
        gone = strip_receipt(&received, 5);
    scarce.armed = false;
    ck_assert_int_eq(gone, scarce.failed ? -1 : 1);
    if (received.receipts != NULL && taken != 0) {
        receipts_rollback(received.receipts);
        ck_assert_uint_eq(receipt_count(received.receipts), 0);
        received.row.len = 0;
        ck_assert_int_eq(take_receipt(&received, &marks), 0);
    }
    if (received.receipts != NULL) {
        (void)receipts_commit(received.receipts, 0);
        ck_assert_uint_eq(receipt_count(received.receipts), 1);
    }
    receipts_free(received.receipts);
    marks_clear(&marks);
    bytes_clear(&received.row);
    bytes_clear(&received.kept);
    bytes_clear(&received.gone);
}

START_TEST(receipts_are_taken_whole_or_not_at_all)
{
    scarce_play(receive, 8);
}
END_TEST

/* --- the cache -------------------------------------------------------------------------------- */

/* What the ring holds is complete, or it holds nothing and sends everyone to the database. */
static void check_complete(const char *all)
{
    struct ring_survey now = survey();
    if (scarce.failed && now.events == 0 && place_equal(now.floor, now.ceiling))
        ck_assert_int_gt(wakes, 0); /* to be opened again */
    else
        ck_assert_msg(strcmp(read_all(), all) == 0, "allocation %lu: %s", scarce.one, read_all());
}

static void make(void)
{
    struct ring_options options = {.max_events = 1, .max_bytes = 1};
    scarce.armed = true;
    struct ring *made = ring_new(&options);
    scarce.armed = false;
    ck_assert((made == NULL) == scarce.failed);
    ring_free(made);
}

START_TEST(ring_is_made_whole_or_not_at_all)
{
    scarce_play(make, 2);
}
END_TEST

/* Late events, each before those that came earlier, divide slots, and there are more of those than
 * the ring has room for at first. Two slices. */
static void tell_many(void)
{
    enum { MOST = 300 };
    static struct batch_event events[MOST];
    static char texts[MOST][8], all[MOST * 4 + 1];
    size_t len = 0;
    for (int i = 0; i < MOST; i++) {
        int n = i < 200 ? i : MOST + 199 - i; /* 0 to 199 in order, then 299 down to 200 */
        int text_len = snprintf(texts[i], sizeof texts[i], "%d", 100 + i);
        events[i] = (struct batch_event){
            .ts = 1 + n, .seq = 1 + i, .text = texts[i], .text_len = (size_t)text_len};
    }
    for (int n = MOST - 1; n >= 0; n--)
        len += (size_t)sprintf(all + len, "%d,", 100 + (n < 200 ? n : MOST + 199 - n));
    all[len - 1] = '\0';
    ring_setup();
    scarce.armed = true;
    ring_tell(ring, events, MOST, 0);
    scarce.armed = false;
    ring_told(ring, 0, 0);
    check_complete(all);
    ring_teardown();
}

START_TEST(ring_that_could_not_take_an_event_holds_none)
{
    scarce_play(tell_many, 310);
}
END_TEST

/* After an erasure that fails the ring must not go on showing what is erased. */
static void erase(void)
{
    static const struct range_place places[] = {{2, 2}, {6, 100}, {9, 9}, {3, 3}};
    ring_setup();
    tell_run(1, SEGMENT * 2 + 1);
    ck_assert_int_eq(seal_all(SETTLE_MS), 2);
    tell(6, 100);
    scarce.armed = true;
    ring_erase_places(ring, places, 4);
    ring_erase(ring, place_of_ms(5), place_of_ms(7));
    scarce.armed = false;
    check_complete("8,7,4,1");
    ring_teardown();
}

START_TEST(ring_that_could_not_erase_holds_none)
{
    scarce_play(erase, 5);
}
END_TEST

/* Slots of all kinds, more than a cut has parts for at first. */
static void cut(void)
{
    struct cut_ask ask = {.since = INT64_MIN,
                          .until = INT64_MAX,
                          .start = PLACE_HIGHEST,
                          .max_seq = INT64_MAX,
                          .limit = UINT64_MAX};
    struct cut cut;
    struct bytes scratch = {0}, text = {0};
    ring_setup();
    for (int64_t n = 0; n < 20 * SEGMENT; n++)
        tell(1 + 10 * n, 1 + n);
    (void)seal_all(SETTLE_MS);
    for (int64_t n = 0; n < 20; n++)
        tell(5 + 40 * n, 1000 + n);
    scarce.armed = true;
    int status = ring_cut(ring, &ask, &cut), read = status;
    for (size_t i = 0; read == 0 && i < cut.part_count; i++)
        read = cut_text(&cut, &cut.parts[i], &scratch, &text);
    scarce.armed = false;
    ck_assert_int_eq(read, scarce_verdict());
    if (status == 0) {
        ck_assert_uint_eq(cut.count, 100);
        cut_clear(&cut);
    }
    ck_assert_uint_eq(survey().events, 100);
    bytes_clear(&scratch);
    bytes_clear(&text);
    ring_teardown();
}

START_TEST(cut_is_whole_or_none)
{
    scarce_play(cut, 6);
}
END_TEST

/* While something is sealed more comes; what could not be sealed now still can be later. */
static void seal(void)
{
    int64_t wait_ms;
    bool given = false;
    ring_setup();
    tell_run(1, 7);
    (void)seal_all(SETTLE_MS);
    tell_run(8, 8 + SEGMENT);
    tell(3, 100);
    for (int i = 0; i < 2; i++) {
        scarce.armed = true;
        struct sealing *sealing = sealing_take(ring, SETTLE_MS, &wait_ms);
        int status = sealing == NULL ? -1 : sealing_work(ring, sealing, &sealer);
        scarce.armed = false;
        if (i == 0)
            tell(4, 101);
        scarce.armed = true;
        given = sealing != NULL && sealing_give(ring, sealing, 0);
        scarce.armed = false;
        ck_assert(given == (status == 0 && !scarce.failed) || i == 1);
    }
    static const char all[] = "12,11,10,9,8,7,6,5,101,4,100,3,2,1";
    ck_assert_str_eq(read_all(), all);
    (void)seal_all(INT64_MAX / 2);
    ck_assert_uint_eq(survey().loose_events, 0);
    ck_assert_str_eq(read_all(), all);
    ring_teardown();
}

START_TEST(what_could_not_be_sealed_stays_and_is_sealed_later)
{
    scarce_play(seal, 8);
}
END_TEST

static int fill_some(struct fill *fill)
{
    for (int64_t seq = 50; seq > 0; seq--) {
        char text[24];
        int len = snprintf(text, sizeof text, "%d", (int)(100 + seq));
        struct range_place place = {seq, seq};
        if (fill_add(fill, glue.pieces, place, text, (size_t)len) != 0)
            return -1;
    }
    return fill_end(fill, glue.pieces, PLACE_LOWEST);
}

/* Filled from the database while events come that its snapshot does not hold. */
static void fill(void)
{
    enum fill_status status = FILL_VOID;
    static char all[500];
    size_t len = 0;
    for (int n = 80; n > 0; n--)
        len += (size_t)sprintf(all + len, "%d,", n > 50 ? n : 100 + n);
    all[len - 1] = '\0';
    ring_setup();
    make_ring(1000, 1 << 20);
    ring_told(ring, 50, 50);
    scarce.armed = true;
    struct fill *fill = fill_down(ring);
    if (fill != NULL) {
        fill_snapshot(fill, 50, (struct range_place){50, 50});
        tell_run(51, 80);
        if (fill_some(fill) == 0)
            status = fill_publish(fill, 0);
        else
            fill_free(fill);
    }
    scarce.armed = false;
    if (status == FILL_DONE)
        check_complete(all);
    else
        ck_assert(scarce.failed && survey().events == 0 &&
                  place_equal(survey().floor, survey().ceiling));
    ring_teardown();
}

START_TEST(fill_is_published_whole_or_not_at_all)
{
    scarce_play(fill, 60);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("memory");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, text_is_repaired_whole_or_not_at_all);
    tcase_add_test(tcase, marks_say_which_element_they_could_not_take);
    tcase_add_test(tcase, receipts_are_taken_whole_or_not_at_all);
    tcase_add_test(tcase, ring_is_made_whole_or_not_at_all);
    tcase_add_test(tcase, ring_that_could_not_take_an_event_holds_none);
    tcase_add_test(tcase, ring_that_could_not_erase_holds_none);
    tcase_add_test(tcase, cut_is_whole_or_none);
    tcase_add_test(tcase, what_could_not_be_sealed_stays_and_is_sealed_later);
    tcase_add_test(tcase, fill_is_published_whole_or_not_at_all);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
