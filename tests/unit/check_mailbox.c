#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/mailbox.h"
#include "unit.h"

#define MAILBOX_POSTERS 4
#define MAILBOX_MAILS 20000 /* of each poster */

struct letter {
    struct mail mail; /* first, so that a mail is its letter */
    int poster;
    int number;
};

static struct mailbox *box;
static int opened_numbers[16];
static size_t opened;

static void mailbox_setup(void)
{
    opened = 0;
}

static bool mailbox_is_readable(int timeout_ms)
{
    struct pollfd waiting = {.fd = mailbox_fd(box), .events = POLLIN};
    return poll(&waiting, 1, timeout_ms) == 1;
}

static void letter_note(struct mail *mail)
{
    opened_numbers[opened++] = ((struct letter *)mail)->number;
}

START_TEST(mailbox_opens_in_the_order_of_posting)
{
    box = mailbox_new();
    struct letter letters[5];
    ck_assert(!mailbox_is_readable(0));
    for (int i = 0; i < 5; i++) {
        letters[i] = (struct letter){.mail.open = letter_note, .number = i};
        mailbox_post(box, &letters[i].mail);
        ck_assert(mailbox_is_readable(0));
    }
    ck_assert_uint_eq(mailbox_open_all(box), 5);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(opened_numbers[i], i);
    ck_assert(!mailbox_is_readable(0));
    ck_assert_uint_eq(mailbox_open_all(box), 0);
    mailbox_free(box);
}
END_TEST

static void letter_post_again(struct mail *mail)
{
    opened++;
    mailbox_post(box, mail);
}

START_TEST(mailbox_leaves_what_mails_post_to_the_next_call)
{
    box = mailbox_new();
    struct letter letter = {.mail.open = letter_post_again};
    mailbox_post(box, &letter.mail);
    ck_assert_uint_eq(mailbox_open_all(box), 1);
    ck_assert(mailbox_is_readable(0));
    letter.mail.open = letter_note;
    ck_assert_uint_eq(mailbox_open_all(box), 1);
    ck_assert_uint_eq(opened, 2);
    mailbox_free(box);
}
END_TEST

static void letter_free(struct mail *mail)
{
    opened++;
    free(mail);
}

START_TEST(mailbox_lets_a_mail_free_itself)
{
    box = mailbox_new();
    for (int i = 0; i < 3; i++) {
        struct letter *letter = malloc(sizeof *letter);
        letter->mail.open = letter_free;
        mailbox_post(box, &letter->mail);
    }
    ck_assert_uint_eq(mailbox_open_all(box), 3);
    ck_assert_uint_eq(opened, 3);
    mailbox_free(box);
}
END_TEST

static struct letter letters[MAILBOX_POSTERS][MAILBOX_MAILS];
static int expected[MAILBOX_POSTERS];

static void letter_expect(struct mail *mail)
{
    struct letter *letter = (struct letter *)mail;
    ck_assert_int_eq(letter->number, expected[letter->poster]);
    expected[letter->poster]++;
}

static void *mailbox_poster(void *arg)
{
    struct letter *mine = arg;
    for (int i = 0; i < MAILBOX_MAILS; i++)
        mailbox_post(box, &mine[i].mail);
    return NULL;
}

START_TEST(mailbox_loses_nothing_between_threads)
{
    box = mailbox_new();
    pthread_t posters[MAILBOX_POSTERS];
    for (int p = 0; p < MAILBOX_POSTERS; p++) {
        for (int i = 0; i < MAILBOX_MAILS; i++)
            letters[p][i] = (struct letter){{NULL, letter_expect}, p, i};
        ck_assert_int_eq(pthread_create(&posters[p], NULL, mailbox_poster, letters[p]), 0);
    }
    /* Sleeps in poll as a loop does: a lost wake-up shows as a timeout. */
    size_t count = 0;
    while (count < (size_t)MAILBOX_POSTERS * MAILBOX_MAILS) {
        ck_assert_msg(mailbox_is_readable(20000), "mail waits and nobody was woken");
        count += mailbox_open_all(box);
    }
    for (int p = 0; p < MAILBOX_POSTERS; p++) {
        pthread_join(posters[p], NULL);
        ck_assert_int_eq(expected[p], MAILBOX_MAILS);
    }
    mailbox_free(box);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailbox");
    TCase *tests = tcase_create("mailbox");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, mailbox_setup, NULL);
    tcase_add_test(tests, mailbox_opens_in_the_order_of_posting);
    tcase_add_test(tests, mailbox_leaves_what_mails_post_to_the_next_call);
    tcase_add_test(tests, mailbox_lets_a_mail_free_itself);
    tcase_add_test(tests, mailbox_loses_nothing_between_threads);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
