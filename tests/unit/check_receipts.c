/* What receipts promise, case by case; check_receipts_model.c compares them with a plain list. */

#include "engine/receipts.h"

#include "receipts_bodies.h"

#define ROOM (16 << 20)
#define NOW INT64_C(1795233600000)

static struct receipts *receipts;
static struct bytes row;

static void setup(void)
{
    receipts = receipts_new(ROOM);
    ck_assert_ptr_nonnull(receipts);
    bytes_init(&row);
}

static void teardown(void)
{
    receipts_free(receipts);
    bytes_clear(&row);
}

static struct receipts_verdict take_with(const char *body, bool lost, int64_t now_ms)
{
    struct receipts_verdict verdict;
    struct marks marks;
    body_marks(&marks, body);
    int status = receipts_take(receipts, &marks, lost, now_ms, &verdict);
    marks_clear(&marks);
    ck_assert_int_eq(status, 0);
    return verdict;
}

static struct receipts_verdict take_at(const char *body, int64_t now_ms)
{
    return take_with(body, false, now_ms);
}

/* How many elements of a body are known; in an open transaction. */
static size_t take(const char *body)
{
    return take_at(body, NOW).known;
}

/* The same, and committed. The serial is for a loss. */
static size_t keep_with(const char *body, uint64_t *serial)
{
    struct receipts_verdict verdict = take_at(body, NOW);
    (void)receipts_commit(receipts, NOW);
    if (serial != NULL)
        *serial = verdict.serial;
    return verdict.known;
}

static size_t keep(const char *body)
{
    return keep_with(body, NULL);
}

static size_t counted(void)
{
    struct receipts_facts facts;
    receipts_tell(receipts, &facts);
    return facts.count;
}

/* Starts anew with the row of the open transaction as the only one stored. */
static void restart_with_open_row(void)
{
    row.len = 0;
    ck_assert_int_eq(receipts_row(receipts, &row), 0);
    int64_t number = receipts_row_number(receipts);
    receipts_free(receipts);
    receipts = receipts_new(ROOM);
    ck_assert_ptr_nonnull(receipts);
    ck_assert_int_eq(receipts_load(receipts, number, NOW, row.data, row.len), 0);
    (void)receipts_commit(receipts, NOW);
}

START_TEST(receipts_know_a_body_sent_again)
{
    ck_assert_uint_eq(keep("an"), 0);
    ck_assert_uint_eq(keep("an"), 2);
    ck_assert_uint_eq(keep("an"), 2);
    ck_assert_uint_eq(keep("ab"), 0);
    ck_assert_uint_eq(keep("ab"), 2);
    ck_assert_uint_eq(keep("b"), 0);
}
END_TEST

START_TEST(receipts_know_a_body_sent_again_with_more_and_more_behind_it)
{
    ck_assert_uint_eq(keep("an"), 0);
    ck_assert_uint_eq(keep("ano"), 2);
    ck_assert_uint_eq(keep("anopq"), 3);
    ck_assert_uint_eq(keep("anopq"), 5);
}
END_TEST

START_TEST(receipts_know_an_original_that_comes_after_its_retry)
{
    ck_assert_uint_eq(keep("anopq"), 0);
    ck_assert_uint_eq(keep("an"), 2);
    ck_assert_uint_eq(keep("ano"), 3);
    ck_assert_uint_eq(keep("anopqr"), 5);
}
END_TEST

START_TEST(receipts_take_what_only_begins_alike_for_another_body)
{
    ck_assert_uint_eq(keep("anop"), 0);
    ck_assert_uint_eq(keep("anoq"), 0);
    ck_assert_uint_eq(keep("aopn"), 0);
}
END_TEST

START_TEST(receipts_find_the_longest_of_several_overlaps)
{
    ck_assert_uint_eq(keep("anop"), 0);
    ck_assert_uint_eq(keep("a"), 1);
    ck_assert_uint_eq(keep("b"), 0);
    ck_assert_uint_eq(keep("bn"), 1);
    ck_assert_uint_eq(keep("bno"), 2);
    ck_assert_uint_eq(keep("bp"), 1);
    ck_assert_uint_eq(keep("bnop"), 3);
}
END_TEST

START_TEST(receipts_count_rejected_elements_too)
{
    ck_assert_uint_eq(keep("znz"), 0);
    ck_assert_uint_eq(keep("znza"), 3);
}
END_TEST

START_TEST(receipts_of_an_empty_body_are_none)
{
    ck_assert_uint_eq(keep(""), 0);
    ck_assert_uint_eq(keep(""), 0);
    ck_assert_uint_eq(counted(), 0);
}
END_TEST

/* --- bursts ----------------------------------------------------------------------------------- */

START_TEST(receipts_let_equal_bursts_through)
{
    for (unsigned i = 0; i < 5; i++)
        ck_assert_uint_eq(keep("aaaa"), 0);
    ck_assert_uint_eq(keep("aaaaa"), 0);
    ck_assert_uint_eq(keep("aa"), 0);
    ck_assert_uint_eq(keep("zz"), 0);
    ck_assert_uint_eq(keep("zz"), 0);
}
END_TEST

/* 9 equal events in batches of 4: the last one comes alone. */
START_TEST(receipts_let_the_rest_of_a_burst_through)
{
    ck_assert_uint_eq(keep("aaaa"), 0);
    ck_assert_uint_eq(keep("aaaa"), 0);
    ck_assert_uint_eq(keep("a"), 0);
    ck_assert_uint_eq(keep("a"), 1);
    ck_assert_uint_eq(keep("an"), 1);
}
END_TEST

START_TEST(receipts_take_a_burst_for_a_retry_once_for_each_answer_lost)
{
    uint64_t serial;
    ck_assert_uint_eq(keep_with("aaaa", &serial), 0);
    ck_assert_uint_ne(serial, 0);
    ck_assert_uint_eq(keep("aaaa"), 0);
    receipts_lost(receipts, serial);
    receipts_lost(receipts, serial);
    ck_assert_uint_eq(keep("aaaa"), 4);
    ck_assert_uint_eq(keep("aaaa"), 4);
    ck_assert_uint_eq(keep("aaaa"), 0);
}
END_TEST

START_TEST(receipts_know_a_burst_whose_retry_was_not_answered_either)
{
    uint64_t serial, again;
    ck_assert_uint_eq(keep_with("aaaa", &serial), 0);
    receipts_lost(receipts, serial);
    ck_assert_uint_eq(keep_with("aaaa", &again), 4);
    ck_assert_uint_eq(again, serial);
    receipts_lost(receipts, again);
    ck_assert_uint_eq(keep("aaaa"), 4);
}
END_TEST

START_TEST(receipts_know_a_lost_burst_in_front_of_newer_events)
{
    uint64_t serial;
    ck_assert_uint_eq(keep_with("aaaa", &serial), 0);
    receipts_lost(receipts, serial);
    ck_assert_uint_eq(keep_with("aaaaaa", &serial), 4);
    receipts_lost(receipts, serial);
    ck_assert_uint_eq(keep("aaaaaan"), 6);
    ck_assert_uint_eq(keep("aaaaaan"), 7);
    ck_assert_uint_eq(keep("aaaa"), 0);
}
END_TEST

/* Two batches in flight: the answer to the first is lost, then the shorter second comes. */
START_TEST(receipts_take_no_part_of_a_lost_burst_for_its_retry)
{
    uint64_t serial;
    ck_assert_uint_eq(keep_with("aaaa", &serial), 0);
    receipts_lost(receipts, serial);
    ck_assert_uint_eq(keep("aa"), 0);
    ck_assert_uint_eq(keep("a"), 0);
    ck_assert_uint_eq(keep("aaaa"), 4);
}
END_TEST

START_TEST(receipts_need_no_evidence_where_time_goes_on_within_the_overlap)
{
    uint64_t serial;
    ck_assert_uint_eq(keep_with("aaaan", &serial), 0);
    ck_assert_uint_eq(serial, 0);
    ck_assert_uint_eq(keep("aaaan"), 5);
    ck_assert_uint_eq(keep("aaaano"), 5);
    ck_assert_uint_eq(keep("a"), 1);
    ck_assert_uint_eq(keep("aa"), 0);
}
END_TEST

START_TEST(receipts_ignore_a_loss_of_an_unknown_serial)
{
    uint64_t serial;
    receipts_lost(receipts, 1);
    ck_assert_uint_eq(keep_with("aaaa", &serial), 0);
    receipts_lost(receipts, 0);
    receipts_lost(receipts, serial + 1);
    receipts_lost(receipts, UINT64_MAX);
    ck_assert_uint_eq(keep("aaaa"), 0);
}
END_TEST

/* --- transactions ----------------------------------------------------------------------------- */

START_TEST(receipts_of_the_open_transaction_are_looked_up)
{
    ck_assert_uint_eq(take("an"), 0);
    ck_assert_uint_eq(take("ano"), 2);
    ck_assert_uint_eq(take("an"), 2);
}
END_TEST

START_TEST(receipts_forget_what_is_rolled_back_and_nothing_else)
{
    ck_assert_uint_eq(keep("an"), 0);
    ck_assert_uint_eq(take("ano"), 2);
    ck_assert_uint_eq(take("bn"), 0);
    receipts_rollback(receipts);
    ck_assert_uint_eq(counted(), 1);
    ck_assert_uint_eq(take("bn"), 0);
    ck_assert_uint_eq(take("anop"), 2);
}
END_TEST

START_TEST(receipts_can_use_a_loss_again_after_a_rollback)
{
    uint64_t serial;
    ck_assert_uint_eq(keep_with("aaaa", &serial), 0);
    receipts_lost(receipts, serial);
    ck_assert_uint_eq(take("aaaa"), 4);
    receipts_rollback(receipts);
    ck_assert_uint_eq(take("aaaa"), 4);
    (void)receipts_commit(receipts, NOW);
    receipts_rollback(receipts);
    ck_assert_uint_eq(take("aaaa"), 0);
}
END_TEST

START_TEST(receipts_know_in_the_same_transaction_that_a_client_has_gone)
{
    ck_assert_uint_eq(keep("aaaa"), 0);
    ck_assert_uint_eq(take_with("aaaa", true, NOW).known, 0);
    ck_assert_uint_eq(take_with("aaaa", true, NOW).known, 4);
    ck_assert_uint_eq(take("aaaa"), 4);
    ck_assert_uint_eq(take("aaaa"), 0);
    receipts_rollback(receipts);
    ck_assert_uint_eq(take("aaaa"), 0);
    ck_assert_uint_eq(take_with("an", true, NOW).serial, 0);
}
END_TEST

/* --- rows ------------------------------------------------------------------------------------- */

START_TEST(receipts_make_no_row_of_what_they_knew)
{
    ck_assert_uint_eq(keep("an"), 0);
    int64_t number = receipts_row_number(receipts);
    ck_assert_uint_eq(take("an"), 2);
    ck_assert_int_eq(receipts_row(receipts, &row), 0);
    ck_assert_uint_eq(row.len, 0);
    (void)receipts_commit(receipts, NOW);
    ck_assert_int_gt(receipts_row_number(receipts), number);
}
END_TEST

START_TEST(receipts_know_after_a_restart_what_their_rows_hold)
{
    ck_assert_uint_eq(take("an"), 0);
    ck_assert_uint_eq(take("bno"), 0);
    int64_t number = receipts_row_number(receipts);
    restart_with_open_row();
    ck_assert_int_gt(receipts_row_number(receipts), number);
    ck_assert_uint_eq(counted(), 2);
    ck_assert_uint_eq(keep("anp"), 2);
    ck_assert_uint_eq(keep("bn"), 2);
}
END_TEST

START_TEST(receipts_take_a_restart_for_a_lost_answer)
{
    ck_assert_uint_eq(take("aaaa"), 0);
    restart_with_open_row();
    ck_assert_uint_eq(keep("aa"), 0);
    ck_assert_uint_eq(keep("aaaan"), 4);
    ck_assert_uint_eq(keep("aaaa"), 0);
}
END_TEST

START_TEST(receipts_skip_what_is_damaged_in_a_row)
{
    static const char other_version[] = {1, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    static const char nothing_of_it[] = {2, 0, 0, 0, 0};
    static const char too_many[] = {2, -1, -1, -1, 127, 1, 2, 3, 4, 5, 6, 7, 8};
    ck_assert_uint_eq(take("an"), 0);
    ck_assert_uint_eq(take("bno"), 0);
    ck_assert_int_eq(receipts_row(receipts, &row), 0);
    receipts_rollback(receipts);
    for (size_t len = 0; len < row.len; len++) {
        char *exact = malloc(len + 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, row.data, len);
        ck_assert_int_eq(receipts_load(receipts, 5, NOW, exact, len), 0);
        free(exact);
    }
    size_t count = counted();
    ck_assert_int_eq(receipts_load(receipts, 6, NOW, other_version, sizeof other_version), 0);
    ck_assert_int_eq(receipts_load(receipts, 7, NOW, nothing_of_it, sizeof nothing_of_it), 0);
    ck_assert_int_eq(receipts_load(receipts, 8, NOW, too_many, sizeof too_many), 0);
    ck_assert_uint_eq(counted(), count);
    ck_assert_int_eq(receipts_row_number(receipts), 9);
    ck_assert_uint_eq(keep("bno"), 0);
}
END_TEST

/* --- erasing ---------------------------------------------------------------------------------- */

static const unsigned char key[SIPHASH_KEY_BYTES] = {7}; /* that of body_marks */

/* Strips the row of what holds the element, in memory, too. Returns how many receipts went. */
static int erase_element(const char *element, int64_t number)
{
    struct hash_set hashes = {0};
    struct bytes kept = {0}, gone = {0};
    ck_assert_int_eq(hash_set_add(&hashes, marks_hash(key, element, 1)), 0);
    int count = receipt_row_strip(number, row.data, row.len, key, &hashes, &kept, &gone);
    ck_assert_uint_eq(gone.len, (size_t)count * sizeof(struct receipt_key));
    for (int i = 0; i < count; i++)
        receipts_erase(receipts, (const struct receipt_key *)(void *)gone.data + i);
    bytes_clear(&row);
    row = kept;
    bytes_clear(&gone);
    hash_set_clear(&hashes);
    return count;
}

START_TEST(receipts_of_what_is_erased_go_and_no_others)
{
    int64_t number = receipts_row_number(receipts);
    (void)take("nop");
    (void)take("qrs");
    (void)take("tuv");
    (void)take("tua");
    ck_assert_int_eq(receipts_row(receipts, &row), 0);
    (void)receipts_commit(receipts, NOW);
    ck_assert_int_eq(erase_element("w", number), 0);
    ck_assert_int_eq(erase_element("r", number), 1);
    ck_assert_int_eq(erase_element("u", number), 2);
    ck_assert_uint_eq(counted(), 1);
    ck_assert_uint_eq(take("nop"), 3);
    ck_assert_uint_eq(take("qrs"), 0);
    ck_assert_uint_eq(take("tuv"), 0);
    ck_assert_uint_eq(take("tua"), 0);
    receipts_rollback(receipts);
    /* The row that is left says the same. */
    receipts_free(receipts);
    receipts = receipts_new(ROOM);
    ck_assert_int_eq(receipts_load(receipts, number, NOW, row.data, row.len), 0);
    ck_assert_uint_eq(counted(), 1);
    ck_assert_int_eq(erase_element("n", number), 1);
    ck_assert_uint_eq(counted(), 0);
    ck_assert_uint_eq(row.len, 0);
}
END_TEST

/* --- bounds ----------------------------------------------------------------------------------- */

/* All but one of its four facts are another receipt's as well, and so is the bucket. */
START_TEST(receipts_erase_what_all_of_a_key_names)
{
    static const uint64_t bodies[][3] = {{5, 7}, {5 + (1 << 20), 7}, {5, 8}, {5, 6, 7}};
    static const size_t counts[] = {2, 2, 2, 3};
    const struct receipt_key keys[] = {{1, 5, 7, 2}, {1, 5, 8, 2}, {2, 5, 7, 2}, {1, 5, 7, 3}};
    for (size_t n = 0; n < 4; n++)
        ck_assert_int_eq(receipt_row_put(&row, bodies[n], counts[n], false), 0);
    ck_assert_int_eq(receipts_load(receipts, 1, NOW, row.data, row.len), 0);
    row.len = 0;
    ck_assert_int_eq(receipt_row_put(&row, bodies[0], 2, false), 0);
    ck_assert_int_eq(receipts_load(receipts, 2, NOW, row.data, row.len), 0);
    for (size_t n = 0; n < 4; n++) {
        receipts_erase(receipts, &keys[n]);
        ck_assert_uint_eq(counted(), 4 - n);
        receipts_erase(receipts, &keys[n]);
        ck_assert_uint_eq(counted(), 4 - n);
    }
}
END_TEST

START_TEST(receipts_are_dropped_seven_days_later)
{
    (void)take_at("an", NOW);
    (void)receipts_commit(receipts, NOW);
    (void)receipts_commit(receipts, NOW + RECEIPTS_MAX_AGE_MS);
    ck_assert_uint_eq(counted(), 1);
    (void)take_at("bn", NOW + RECEIPTS_MAX_AGE_MS);
    int64_t number = receipts_row_number(receipts);
    ck_assert_int_eq(receipts_commit(receipts, NOW + RECEIPTS_MAX_AGE_MS + 1), number);
    ck_assert_uint_eq(counted(), 1);
    ck_assert_uint_eq(keep("bn"), 2);
    ck_assert_uint_eq(keep("an"), 0);
}
END_TEST

START_TEST(receipts_drop_the_oldest_when_memory_is_short)
{
    struct receipts_facts facts;
    ck_assert_uint_eq(keep("an"), 0);
    receipts_tell(receipts, &facts);
    size_t room = 3 * facts.bytes;
    receipts_free(receipts);
    receipts = receipts_new(room);
    ck_assert_ptr_nonnull(receipts);
    ck_assert_uint_eq(keep("an"), 0);
    ck_assert_uint_eq(keep("bn"), 0);
    ck_assert_uint_eq(keep("cn"), 0);
    ck_assert_uint_eq(counted(), 3);
    int64_t second = receipts_row_number(receipts) - 2;
    ck_assert_uint_eq(take("dn"), 0);
    ck_assert_int_eq(receipts_commit(receipts, NOW), second);
    ck_assert_uint_eq(keep("bn"), 2);
    ck_assert_uint_eq(keep("an"), 0);
    receipts_tell(receipts, &facts);
    ck_assert_uint_le(facts.bytes, room);
}
END_TEST

START_TEST(receipts_keep_a_single_one_however_large)
{
    receipts_free(receipts);
    receipts = receipts_new(0);
    ck_assert_ptr_nonnull(receipts);
    ck_assert_uint_eq(keep("anopq"), 0);
    ck_assert_uint_eq(keep("anopq"), 5);
    ck_assert_uint_eq(keep("bn"), 0);
    ck_assert_uint_eq(keep("anopq"), 0);
    ck_assert_uint_eq(counted(), 1);
}
END_TEST

START_TEST(receipts_that_begin_alike_are_bounded)
{
    char body[] = "a??";
    for (unsigned i = 0; i < 12; i++)
        for (unsigned j = 0; j < 12; j++) {
            body[1] = (char)('n' + i);
            body[2] = (char)('n' + j);
            ck_assert_uint_eq(keep(body), 0);
        }
    ck_assert_uint_eq(counted(), RECEIPTS_CHAIN);
    ck_assert_uint_eq(keep("ayy"), 3);
    ck_assert_uint_eq(keep("ann"), 0);
}
END_TEST

/* The table grows on the way. */
START_TEST(receipts_of_thousands_of_bodies_are_all_found)
{
    static const unsigned char key[SIPHASH_KEY_BYTES] = {7};
    for (size_t known = 0; known <= 1; known++)
        for (unsigned i = 0; i < 20000; i++) {
            struct receipts_verdict verdict;
            struct marks marks;
            marks_init(&marks);
            if (marks_add(&marks, key, (const char *)&i, sizeof i, NOW, false) != 0 ||
                receipts_take(receipts, &marks, false, NOW, &verdict) != 0)
                ck_abort_msg("out of memory");
            marks_clear(&marks);
            (void)receipts_commit(receipts, NOW);
            if (verdict.known != known)
                ck_abort_msg("body %u: %zu known", i, verdict.known);
        }
}
END_TEST

START_TEST(receipts_tell_the_oldest)
{
    struct receipts_facts facts;
    receipts_tell(receipts, &facts);
    ck_assert_uint_eq(facts.count, 0);
    ck_assert_uint_eq(facts.bytes, 0);
    ck_assert_int_eq(facts.oldest_ms, 0);
    (void)take_at("an", NOW);
    (void)take_at("bn", NOW + 1);
    receipts_tell(receipts, &facts);
    ck_assert_uint_eq(facts.count, 2);
    ck_assert_uint_ge(facts.bytes, 4 * sizeof(uint64_t));
    ck_assert_int_eq(facts.oldest_ms, NOW);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("receipts");
    TCase *tcase = tcase_create("receipts");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, receipts_know_a_body_sent_again);
    tcase_add_test(tcase, receipts_know_a_body_sent_again_with_more_and_more_behind_it);
    tcase_add_test(tcase, receipts_know_an_original_that_comes_after_its_retry);
    tcase_add_test(tcase, receipts_take_what_only_begins_alike_for_another_body);
    tcase_add_test(tcase, receipts_find_the_longest_of_several_overlaps);
    tcase_add_test(tcase, receipts_count_rejected_elements_too);
    tcase_add_test(tcase, receipts_of_an_empty_body_are_none);
    tcase_add_test(tcase, receipts_let_equal_bursts_through);
    tcase_add_test(tcase, receipts_let_the_rest_of_a_burst_through);
    tcase_add_test(tcase, receipts_take_a_burst_for_a_retry_once_for_each_answer_lost);
    tcase_add_test(tcase, receipts_know_a_burst_whose_retry_was_not_answered_either);
    tcase_add_test(tcase, receipts_know_a_lost_burst_in_front_of_newer_events);
    tcase_add_test(tcase, receipts_take_no_part_of_a_lost_burst_for_its_retry);
    tcase_add_test(tcase, receipts_need_no_evidence_where_time_goes_on_within_the_overlap);
    tcase_add_test(tcase, receipts_ignore_a_loss_of_an_unknown_serial);
    tcase_add_test(tcase, receipts_of_the_open_transaction_are_looked_up);
    tcase_add_test(tcase, receipts_forget_what_is_rolled_back_and_nothing_else);
    tcase_add_test(tcase, receipts_can_use_a_loss_again_after_a_rollback);
    tcase_add_test(tcase, receipts_know_in_the_same_transaction_that_a_client_has_gone);
    tcase_add_test(tcase, receipts_make_no_row_of_what_they_knew);
    tcase_add_test(tcase, receipts_know_after_a_restart_what_their_rows_hold);
    tcase_add_test(tcase, receipts_take_a_restart_for_a_lost_answer);
    tcase_add_test(tcase, receipts_skip_what_is_damaged_in_a_row);
    tcase_add_test(tcase, receipts_of_what_is_erased_go_and_no_others);
    tcase_add_test(tcase, receipts_erase_what_all_of_a_key_names);
    tcase_add_test(tcase, receipts_are_dropped_seven_days_later);
    tcase_add_test(tcase, receipts_drop_the_oldest_when_memory_is_short);
    tcase_add_test(tcase, receipts_keep_a_single_one_however_large);
    tcase_add_test(tcase, receipts_that_begin_alike_are_bounded);
    tcase_add_test(tcase, receipts_of_thousands_of_bodies_are_all_found);
    tcase_add_test(tcase, receipts_tell_the_oldest);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
