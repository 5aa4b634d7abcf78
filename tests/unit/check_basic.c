#include <string.h>

#include "contract/basic.h"
#include "unit.h"

static const struct {
    const char *header, *password; /* NULL: refused */
} cases[] = {
    {"Basic dXNlcjpzZWNyZXQ=", "secret"},
    {"basic dXNlcjpzZWNyZXQ=", "secret"},
    {"BASIC   dXNlcjpzZWNyZXQ=", "secret"},
    {"Basic OnNlY3JldA==", "secret"}, /* no user name */
    {"Basic dTphOmI6Yw==", "a:b:c"},  /* the first colon counts */
    {"Basic dTo=", ""},               /* no password */
    {"Basic Og==", ""},               /* neither */
    {"Basic w7w6a8O8", "k\303\274"},  /* UTF-8 */
    {"Basic dTprPz8/", "k???"},       /* the digit '/' */
    {"Basic dTo+Pj4+", ">>>>"},       /* the digit '+' */
    {"Basic dXNlcg==", NULL},         /* no colon */
    {"Basic ", NULL},
    {"Basic", NULL},
    {"Basic dXNlcjpzZWNyZXQ", NULL}, /* no padding */
    {"Basic dXNlcjpzZWNyZXQ==", NULL},
    {"Basic dXNlcjpzZWNyZXQ=\t", NULL},
    {"Basic dXNl cjpzZWNyZXQ=", NULL},
    {"Basic dXNlcjpzZWNyZXQ=, Basic dXNlcjpzZWNyZXQ=", NULL},
    {"Basic ====", NULL},
    {"Basic A===", NULL},
    {"Basic dTo=dTo=", NULL},
    {"Basic dTp-Pj4-", NULL}, /* base64 for URLs is another one */
    {"Basic\tdXNlcjpzZWNyZXQ=", NULL},
    {"Bearer dXNlcjpzZWNyZXQ=", NULL},
    {"Digest username=\"u\"", NULL},
    {"dXNlcjpzZWNyZXQ=", NULL},
    {"", NULL},
    {NULL, NULL},
};

START_TEST(basic_reads_user_and_password_and_nothing_else)
{
    struct basic basic;
    const char *password = cases[_i].password;
    int status = basic_read(cases[_i].header, &basic);
    ck_assert_msg(status == (password != NULL ? 0 : -1), "%s", cases[_i].header);
    if (password == NULL)
        return;
    ck_assert_uint_eq(basic.password_len, strlen(password));
    ck_assert_mem_eq(basic.password, password, basic.password_len);
}
END_TEST

START_TEST(basic_keeps_a_nul_in_the_password)
{
    struct basic basic;
    ck_assert_int_eq(basic_read("Basic dTpzZWNyZXQA", &basic), 0);
    ck_assert_uint_eq(basic.password_len, 7);
    ck_assert_mem_eq(basic.password, "secret", 7);
}
END_TEST

/* Exactly what fits, and a group more. */
START_TEST(basic_has_room_for_so_much)
{
    struct basic basic;
    char header[8 + BASIC_SIZE * 2];
    for (size_t groups = BASIC_SIZE / 3 - 3; groups < BASIC_SIZE / 3 + 3; groups++) {
        strcpy(header, "Basic ");
        for (size_t i = 0; i < groups; i++)
            memcpy(header + 6 + i * 4, i == 0 ? "OkFB" : "QUFB", 4);
        header[6 + groups * 4] = '\0';
        bool fits = groups * 3 <= BASIC_SIZE;
        ck_assert_int_eq(basic_read(header, &basic), fits ? 0 : -1);
        if (fits)
            ck_assert_uint_eq(basic.password_len, groups * 3 - 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("basic");
    TCase *tcase = tcase_create("basic");
    tcase_add_loop_test(tcase, basic_reads_user_and_password_and_nothing_else, 0,
                        (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tcase, basic_keeps_a_nul_in_the_password);
    tcase_add_test(tcase, basic_has_room_for_so_much);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
