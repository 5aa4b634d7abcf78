/* Rows of receipts that are whole, and those that are not. */

#include "engine/receipt_rows.h"
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

int main(void)
{
    Suite *suite = suite_create("receipt_rows");
    TCase *tcase = tcase_create("receipt_rows");
    tcase_add_test(tcase, rows_of_receipts_are_whole_or_not);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
