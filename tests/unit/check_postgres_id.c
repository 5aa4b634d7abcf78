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

START_TEST(what_text_can_not_hold_is_spelt)
{
    struct bytes text = {NULL, 0, 0};
    bool plain = cases[_i].len == cases[_i].text_len &&
                 memcmp(cases[_i].id, cases[_i].text, cases[_i].len) == 0;
    ck_assert_int_eq(postgres_id_is_plain(cases[_i].id, cases[_i].len), plain);
    ck_assert_int_eq(postgres_id_spell(&text, cases[_i].id, cases[_i].len), 0);
    ck_assert_uint_eq(text.len, cases[_i].text_len);
    ck_assert_mem_eq(text.data, cases[_i].text, text.len);
    bytes_clear(&text);
}
END_TEST

/* What stands for an id of so many bytes, all the same: its length, and whether it is a hash. */
static size_t spelt(char byte, size_t len, bool *hashed)
{
    struct bytes text = {NULL, 0, 0};
    char *id = malloc(len);
    ck_assert_ptr_nonnull(id);
    memset(id, byte, len);
    ck_assert_int_eq(postgres_id_spell(&text, id, len), 0);
    *hashed = text.len > 2 && text.data[0] == '\001' && text.data[1] != 'x';
    size_t text_len = text.len;
    bytes_clear(&text);
    free(id);
    return text_len;
}

START_TEST(what_is_too_long_is_known_by_its_hash)
{
    bool hashed;
    ck_assert_uint_eq(spelt('a', POSTGRES_ID_BYTES, &hashed), POSTGRES_ID_BYTES);
    ck_assert(!hashed);
    ck_assert_uint_eq(spelt('a', POSTGRES_ID_BYTES + 1, &hashed), 66);
    ck_assert(hashed);
    ck_assert_uint_eq(spelt('\0', 999, &hashed), 2000);
    ck_assert(!hashed);
    ck_assert_uint_eq(spelt('\0', 1000, &hashed), 66);
    ck_assert(hashed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_id");
    TCase *tests = tcase_create("id");
    tcase_add_loop_test(tests, what_text_can_not_hold_is_spelt, 0,
                        (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tests, what_is_too_long_is_known_by_its_hash);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}

#else
#include "without_libpq.h"
#endif
