/* How ids stand in PostgreSQL. */

#include <string.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include "store/postgres/postgres_id.h"

/* A text, its length, and what stands there for it. */
#define SPELT(id, text)                            \
    {                                              \
        id, sizeof(id) - 1, text, sizeof(text) - 1 \
    }

static const struct {
    const char *id;
    size_t len;
    const char *text;
    size_t text_len;
} cases[] = {
    SPELT("a", "a"),
    SPELT("x\001y", "x\001y"),
    SPELT("\303\251\355\237\277", "\303\251\355\237\277"), /* U+D7FF is the last before them */
    SPELT("\360\237\230\200", "\360\237\230\200"),
    SPELT("\0", "\001x00"),
    SPELT("a\0b", "\001x610062"),
    SPELT("\001", "\001x01"),
    SPELT("\001x00", "\001x01783030"),
    SPELT("\355\240\200", "\001xeda080"),
    SPELT("z\355\277\277", "\001x7aedbfbf"),
};

START_TEST(what_text_can_not_hold_is_spelt_and_read_back)
{
    struct bytes text = {NULL, 0, 0}, id = {NULL, 0, 0};
    bool found = false;
    bool plain = cases[_i].len == cases[_i].text_len &&
                 memcmp(cases[_i].id, cases[_i].text, cases[_i].len) == 0;
    ck_assert_int_eq(postgres_id_is_plain(cases[_i].id, cases[_i].len), plain);
    ck_assert_int_eq(postgres_id_spell(&text, cases[_i].id, cases[_i].len), 0);
    ck_assert_uint_eq(text.len, cases[_i].text_len);
    ck_assert_mem_eq(text.data, cases[_i].text, text.len);
    ck_assert_int_eq(postgres_id_read(&id, text.data, text.len, &found), 0);
    ck_assert(found);
    ck_assert_uint_eq(id.len, cases[_i].len);
    ck_assert_mem_eq(id.data, cases[_i].id, id.len);
    bytes_clear(&text);
    bytes_clear(&id);
}
END_TEST

/* The length of what stands for an id of so many bytes, all the same, and whether it is read back.
 */
static size_t spelt(char byte, size_t len, bool *found)
{
    struct bytes text = {NULL, 0, 0}, read = {NULL, 0, 0};
    char *id = malloc(len);
    ck_assert_ptr_nonnull(id);
    memset(id, byte, len);
    ck_assert_int_eq(postgres_id_spell(&text, id, len), 0);
    ck_assert_int_eq(postgres_id_read(&read, text.data, text.len, found), 0);
    ck_assert_uint_eq(read.len, *found ? len : 0);
    size_t text_len = text.len;
    bytes_clear(&text);
    bytes_clear(&read);
    free(id);
    return text_len;
}

START_TEST(what_is_too_long_is_known_by_its_hash)
{
    bool found = false;
    ck_assert_uint_eq(spelt('a', POSTGRES_ID_BYTES, &found), POSTGRES_ID_BYTES);
    ck_assert(found);
    ck_assert_uint_eq(spelt('a', POSTGRES_ID_BYTES + 1, &found), 66);
    ck_assert(!found);
    ck_assert_uint_eq(spelt('\0', 999, &found), 2000);
    ck_assert(found);
    ck_assert_uint_eq(spelt('\0', 1000, &found), 66);
    ck_assert(!found);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_id");
    TCase *tests = tcase_create("id");
    tcase_add_loop_test(tests, what_text_can_not_hold_is_spelt_and_read_back, 0,
                        (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tests, what_is_too_long_is_known_by_its_hash);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}

#else
#include "without_libpq.h"
#endif
