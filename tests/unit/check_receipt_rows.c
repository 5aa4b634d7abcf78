/* Rows of receipts that are whole, and those that are not. */

#include "contract/receipt_rows.h"
#include "unit.h"

START_TEST(rows_of_receipts_are_whole_or_not)
{
    static const struct {
        const char *data;
        size_t len;
        bool fits;
    } rows[] = {
        {"", 0, false},
        {"\0", 1, false},
        {"\1", 1, true},
        {"\2", 1, true},
        {"\3", 1, false},
        {"\1\1\0\0\0", 5, false},
        {"\1\1\0\0\0abcdefgh", 13, true},
        {"\1\1\0\0\200abcdefgh", 13, true},
        {"\1\1\0\0\0abcdefg", 12, false},
        {"\1\1\0\0\0abcdefghi", 14, false},
        {"\1\2\0\0\0abcdefgh", 13, false},
        {"\1\2\0\0\0abcdefghabcdefgh", 21, true},
        {"\1\1\0\0\0abcdefgh\1\0\0\0abcdefgh", 25, true},
        {"\1\1\0\0\0abcdefgh\1\0\0", 16, false},
        {"\1\0\0\0\0", 5, false},
        {"\1\377\377\377\177abcdefgh", 13, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(receipt_row_fits(rows[i].data, rows[i].len) == rows[i].fits, "row %zu", i);
}
END_TEST

/* Nothing behind the damage is read, not even what would be as long. */
START_TEST(rows_are_read_up_to_their_damage)
{
    static const char data[] = "\2\1\0\0\0abcdefgh\3\0\0\0abcdefgh";
    struct receipt_row row = receipt_row_begin(data, sizeof data - 1);
    struct receipt_entry entry;
    uint64_t mark;
    ck_assert(receipt_row_next(&row, &entry));
    ck_assert_uint_eq(entry.count, 1);
    ck_assert_uint_eq(entry.len, 12);
    ck_assert(!entry.burst);
    receipt_entry_marks(&entry, &mark);
    ck_assert_uint_eq(mark, UINT64_C(0x6867666564636261));
    ck_assert(!receipt_row_next(&row, &entry));
    row = receipt_row_begin("\1\1\0\0\0abcdefgh", 13);
    ck_assert(!receipt_row_next(&row, &entry));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("receipt_rows");
    TCase *tcase = tcase_create("receipt_rows");
    tcase_add_test(tcase, rows_of_receipts_are_whole_or_not);
    tcase_add_test(tcase, rows_are_read_up_to_their_damage);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
