/* Messages over a socket pair, cut into whatever pieces. */

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/link.h"
#include "unit.h"

static struct link link_here; /* under test */
static int there;             /* the other end */

static void setup(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    link_init(&link_here, pair[0]);
    there = pair[1];
}

static void teardown(void)
{
    link_clear(&link_here);
    if (there >= 0)
        close(there);
}

static void say(const void *data, size_t len)
{
    ck_assert_int_eq(write(there, data, len), (ssize_t)len);
}

static void say_text(const char *text)
{
    say(text, strlen(text));
}

static void hang_up(void)
{
    close(there);
    there = -1;
}

/* The member n of the next message. */
static json_int_t hear(struct bytes *bytes)
{
    struct error err = {""};
    json_t *message = NULL;
    int status = link_receive(&link_here, &message, bytes, &err);
    ck_assert_msg(status == 0, "%s", err.text);
    json_int_t n = json_integer_value(json_object_get(message, "n"));
    json_decref(message);
    return n;
}

static void hear_nothing(struct bytes *bytes, const char *why)
{
    struct error err = {""};
    json_t *message = NULL;
    ck_assert_int_eq(link_receive(&link_here, &message, bytes, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, why));
}

START_TEST(messages_come_one_by_one_however_they_are_cut)
{
    static const char text[] = "{\"n\":1}\n{\"n\":2}\n{\"s\":\"a\\nb\",\"n\":3}\n";
    for (size_t cut = 0; cut < sizeof text - 1; cut++) {
        say(text, cut);
        json_int_t n = 1;
        /* What is whole can be had before the rest is there. */
        for (size_t i = 0; i < cut; i++)
            if (text[i] == '\n')
                ck_assert_int_eq(hear(NULL), n++);
        say(text + cut, sizeof text - 1 - cut);
        for (; n <= 3; n++)
            ck_assert_int_eq(hear(NULL), n);
        ck_assert_uint_eq(link_here.in.len, 0);
    }
}
END_TEST

START_TEST(bytes_behind_a_message_are_its_own)
{
    struct bytes bytes;
    bytes_init(&bytes);
    say_text("{\"n\":1,\"bytes\":6}\na\nb{}\n{\"n\":2}\n{\"n\":3,\"bytes\":1}\nx{\"n\":4}\n");
    ck_assert_int_eq(hear(&bytes), 1);
    ck_assert_uint_eq(bytes.len, 6);
    ck_assert_mem_eq(bytes.data, "a\nb{}\n", 6);
    ck_assert_int_eq(hear(&bytes), 2);
    ck_assert_uint_eq(bytes.len, 0);
    ck_assert_int_eq(hear(&bytes), 3);
    ck_assert_mem_eq(bytes.data, "x", 1);
    ck_assert_int_eq(hear(NULL), 4);
    bytes_clear(&bytes);
}
END_TEST

START_TEST(bytes_that_nobody_expects_are_refused)
{
    say_text("{\"n\":1,\"bytes\":1}\nx");
    hear_nothing(NULL, "too long");
}
END_TEST

START_TEST(a_count_of_bytes_is_bounded)
{
    static const char *const counts[] = {"-1", "67108865", "9223372036854775807"};
    struct bytes bytes;
    bytes_init(&bytes);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"bytes\":%s}\n", counts[i]);
        say_text(text);
        hear_nothing(&bytes, "too long");
    }
    bytes_clear(&bytes);
}
END_TEST

START_TEST(what_is_no_message_is_refused)
{
    static const char *const texts[] = {"\n",         "x\n",     "[1]\n", "1\n",
                                        "{\"n\":1\n", "{} {}\n", "\377\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        say_text(texts[i]);
        hear_nothing(NULL, "no message");
    }
    say("\0\n", 2);
    hear_nothing(NULL, "no message");
    say_text("{\"n\":5}\n");
    ck_assert_int_eq(hear(NULL), 5); /* the line alone was lost */
}
END_TEST

/* Says a line that does not end, until nobody listens. */
static void *talk(void *arg)
{
    char text[4096];
    (void)arg;
    memset(text, ' ', sizeof text);
    while (send(there, text, sizeof text, MSG_NOSIGNAL) > 0)
        continue;
    return NULL;
}

START_TEST(a_line_without_end_is_given_up)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, talk, NULL), 0);
    hear_nothing(NULL, "too long");
    ck_assert_uint_le(link_here.in.len, LINK_LINE_MOST + (64 << 10));
    link_clear(&link_here);
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(who_hangs_up_half_way_is_noticed)
{
    say_text("{\"n\":1}\n{\"n\":");
    ck_assert(!link_ended(&link_here));
    ck_assert_int_eq(hear(NULL), 1);
    ck_assert_int_eq(shutdown(there, SHUT_WR), 0);
    ck_assert(link_ended(&link_here));
    hear_nothing(NULL, "closed");
    json_t *message = json_pack("{si}", "n", 1);
    ck_assert_int_eq(link_send(&link_here, message, NULL, 0), 0); /* it can still be told */
    hang_up();
    ck_assert_int_eq(link_send(&link_here, message, NULL, 0), -1); /* no SIGPIPE */
    json_decref(message);
}
END_TEST

START_TEST(who_hangs_up_within_bytes_is_noticed)
{
    struct bytes bytes;
    bytes_init(&bytes);
    say_text("{\"n\":1,\"bytes\":10}\nabc");
    hang_up();
    hear_nothing(&bytes, "closed");
    bytes_clear(&bytes);
}
END_TEST

static void *echo(void *arg)
{
    struct link other;
    struct bytes bytes;
    struct error err;
    json_t *message;
    (void)arg;
    link_init(&other, there);
    bytes_init(&bytes);
    while (link_receive(&other, &message, &bytes, &err) == 0) {
        int status = link_send(&other, message, bytes.data, bytes.len);
        json_decref(message);
        if (status != 0)
            break;
    }
    bytes_clear(&bytes);
    link_clear(&other);
    there = -1;
    return NULL;
}

START_TEST(what_is_sent_comes_back)
{
    static char data[3 << 20];
    pthread_t thread;
    struct bytes bytes;
    bytes_init(&bytes);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7 + i / 251);
    ck_assert_int_eq(pthread_create(&thread, NULL, echo, NULL), 0);
    for (size_t len = 0; len <= sizeof data; len = len * 5 + 1) {
        json_t *message = json_pack("{si}", "n", (int)len + 1);
        ck_assert_int_eq(link_send(&link_here, message, data, len), 0);
        json_decref(message);
        ck_assert_int_eq(hear(&bytes), (json_int_t)len + 1);
        ck_assert_uint_eq(bytes.len, len);
        if (len > 0)
            ck_assert_mem_eq(bytes.data, data, len);
    }
    link_end(&link_here);
    hear_nothing(NULL, "closed");
    pthread_join(thread, NULL);
    bytes_clear(&bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("link");
    TCase *tcase = tcase_create("link");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, messages_come_one_by_one_however_they_are_cut);
    tcase_add_test(tcase, bytes_behind_a_message_are_its_own);
    tcase_add_test(tcase, bytes_that_nobody_expects_are_refused);
    tcase_add_test(tcase, a_count_of_bytes_is_bounded);
    tcase_add_test(tcase, what_is_no_message_is_refused);
    tcase_add_test(tcase, a_line_without_end_is_given_up);
    tcase_add_test(tcase, who_hangs_up_half_way_is_noticed);
    tcase_add_test(tcase, who_hangs_up_within_bytes_is_noticed);
    tcase_add_test(tcase, what_is_sent_comes_back);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
