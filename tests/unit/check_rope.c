/* Ropes, with real segments. */

#include <string.h>

#include "rope_text.h"

static struct gzip_pieces *pieces;
static struct segment *first, *second;
static struct rope rope, other;
static struct bytes expected, back;
static struct leases *leases;

static struct segment *seal(const char *text)
{
    struct draft draft;
    draft_init(&draft);
    ck_assert_int_eq(draft_add(&draft, (struct range_place){1, 2}, text, strlen(text)), 0);
    ck_assert_int_eq(draft_add(&draft, (struct range_place){1, 1}, text, strlen(text)), 0);
    struct segment *segment = draft_seal(&draft, pieces);
    ck_assert_ptr_nonnull(segment);
    draft_clear(&draft);
    return segment;
}

static void setup(void)
{
    pieces = gzip_pieces_new(1);
    ck_assert_ptr_nonnull(pieces);
    first = seal("{\"n\":1}");
    second = seal("{\"n\":2,\"text\":\"something else\"}");
    rope_init(&rope);
    rope_init(&other);
    bytes_init(&expected);
    bytes_init(&back);
    leases = leases_new(1000);
    ck_assert_ptr_nonnull(leases);
}

/* Gives the rope a lease. */
static void lend(size_t bytes)
{
    ck_assert(leases_take(leases, bytes));
    rope.leases = leases;
    rope.leased = bytes;
}

static void teardown(void)
{
    leases_drop(leases);
    rope_clear(&rope);
    rope_clear(&other);
    /* Every reference that the ropes had is gone. */
    ck_assert_uint_eq(atomic_load(&first->references), 1);
    ck_assert_uint_eq(atomic_load(&second->references), 1);
    segment_drop(first);
    segment_drop(second);
    gzip_pieces_free(pieces);
    bytes_clear(&expected);
    bytes_clear(&back);
}

static void add_text(const char *text)
{
    struct bytes *to = rope_text(&rope);
    ck_assert_ptr_nonnull(to);
    ck_assert_int_eq(bytes_append_text(to, text), 0);
    ck_assert_int_eq(bytes_append_text(&expected, text), 0);
}

static void add_segment(struct segment *segment, size_t len)
{
    ck_assert_int_eq(rope_segment(&rope, segment, len), 0);
    ck_assert_int_eq(bytes_append(&expected, segment->deflated, len), 0);
}

static void check(const struct rope *what)
{
    back.len = 0;
    rope_read(what, &back);
    ck_assert_uint_eq(rope_len(what), expected.len);
    ck_assert_uint_eq(back.len, expected.len);
    if (back.len > 0)
        ck_assert_mem_eq(back.data, expected.data, back.len);
}

START_TEST(rope_of_nothing_has_no_bytes)
{
    ck_assert_uint_eq(rope_len(&rope), 0);
    ck_assert_uint_eq(rope.count, 0);
    rope_clear(&rope);
    ck_assert_uint_eq(rope_len(&rope), 0);
}
END_TEST

START_TEST(rope_text_goes_on_with_the_last_text)
{
    add_text("one ");
    add_text("two ");
    ck_assert_uint_eq(rope.count, 1);
    add_segment(first, first->deflated_len);
    add_text("three");
    add_text("");
    ck_assert_uint_eq(rope.count, 3);
    check(&rope);
}
END_TEST

START_TEST(rope_text_that_stays_empty_counts_for_nothing)
{
    add_text("");
    add_segment(first, first->deflated_len);
    add_text("");
    check(&rope);
}
END_TEST

START_TEST(rope_segment_is_held_once_a_piece_until_the_rope_is_cleared)
{
    add_segment(first, first->deflated_len);
    add_segment(first, first->deflated_last);
    add_segment(second, second->deflated_len);
    ck_assert_ptr_eq(rope.pieces[0].segment, first);
    ck_assert_uint_eq(atomic_load(&first->references), 3);
    ck_assert_uint_eq(atomic_load(&second->references), 2);
    check(&rope);
    rope_clear(&rope);
    ck_assert_uint_eq(atomic_load(&first->references), 1);
    ck_assert_uint_eq(atomic_load(&second->references), 1);
}
END_TEST

START_TEST(rope_segment_outlives_its_other_owners)
{
    struct segment *third = seal("{\"n\":3}");
    add_segment(third, third->deflated_len);
    segment_drop(third);
    check(&rope);
}
END_TEST

START_TEST(rope_segment_may_be_taken_in_part)
{
    ck_assert_uint_lt(second->deflated_last, second->deflated_len);
    add_segment(second, second->deflated_last);
    add_segment(second, 1);
    add_segment(second, 0);
    ck_assert_uint_eq(rope_len(&rope), second->deflated_last + 1);
    check(&rope);
}
END_TEST

START_TEST(rope_grows_piece_by_piece)
{
    for (int i = 0; i < 100; i++) {
        add_segment(i % 3 == 0 ? first : second, (size_t)(i % 5));
        if (i % 2 == 0)
            add_text("text");
    }
    ck_assert_uint_eq(rope.count, 150);
    check(&rope);
}
END_TEST

START_TEST(rope_move_leaves_an_empty_rope)
{
    add_text("text");
    add_segment(first, first->deflated_len);
    ck_assert(leases_take(leases, 7));
    lend(first->deflated_len);
    rope_move(&other, &rope);
    check(&other);
    ck_assert_uint_eq(rope_len(&rope), 0);
    ck_assert_uint_eq(rope.count, 0);
    ck_assert_uint_eq(atomic_load(&first->references), 2);
    /* The lease has moved along. */
    rope_clear(&rope);
    ck_assert_uint_eq(leases_out(leases), first->deflated_len + 7);
    rope_clear(&other);
    ck_assert_uint_eq(leases_out(leases), 7);
    leases_give(leases, 7);
}
END_TEST

START_TEST(rope_gives_its_lease_back_once)
{
    add_segment(first, first->deflated_len);
    lend(900);
    ck_assert(!leases_take(leases, 101));
    ck_assert(leases_take(leases, 100));
    rope_clear(&rope);
    ck_assert_uint_eq(leases_out(leases), 100);
    rope_clear(&rope);
    ck_assert_uint_eq(leases_out(leases), 100);
    leases_give(leases, 100);
}
END_TEST

/* As when the engine is closed while something is on its way. */
START_TEST(rope_may_outlive_the_maker_of_its_lease)
{
    add_segment(first, first->deflated_len);
    lend(900);
    leases_drop(leases);
    leases = NULL;
    rope_clear(&rope); /* the sanitizers look on */
}
END_TEST

START_TEST(rope_that_was_cleared_can_be_used_again)
{
    add_text("before");
    add_segment(first, first->deflated_len);
    rope_clear(&rope);
    expected.len = 0;
    add_text("after");
    add_segment(second, second->deflated_len);
    check(&rope);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rope");
    TCase *tests = tcase_create("rope");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, rope_of_nothing_has_no_bytes);
    tcase_add_test(tests, rope_text_goes_on_with_the_last_text);
    tcase_add_test(tests, rope_text_that_stays_empty_counts_for_nothing);
    tcase_add_test(tests, rope_segment_is_held_once_a_piece_until_the_rope_is_cleared);
    tcase_add_test(tests, rope_segment_outlives_its_other_owners);
    tcase_add_test(tests, rope_segment_may_be_taken_in_part);
    tcase_add_test(tests, rope_grows_piece_by_piece);
    tcase_add_test(tests, rope_move_leaves_an_empty_rope);
    tcase_add_test(tests, rope_gives_its_lease_back_once);
    tcase_add_test(tests, rope_may_outlive_the_maker_of_its_lease);
    tcase_add_test(tests, rope_that_was_cleared_can_be_used_again);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
