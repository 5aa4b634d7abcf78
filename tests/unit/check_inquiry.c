/* Inquiries of an engine without a socket: turns, answers, what is given up. */

#include "engine/figures.h"
#include "engine/inquiry.h"
#include "engine/rejects_page.h"
#include "engine_run.h"

/* One of a kind of its own: takes so many turns, then ends in a state. */
struct probe {
    struct inquiry inquiry; /* first */
    unsigned turns;
    enum inquiry_state end;
};

/* What has been told. */
struct heard {
    unsigned answers;
    enum inquiry_state state;
    char text[100]; /* of the document, or why */
};

static atomic_uint turns_run, probes_freed;

static enum inquiry_state probe_run(struct inquiry *inquiry, struct readers_desk *desk,
                                    struct bytes *document, struct error *err)
{
    struct probe *probe = (struct probe *)inquiry;
    ck_assert_ptr_nonnull(desk->reader);
    atomic_fetch_add(&turns_run, 1);
    if (--probe->turns > 0)
        return INQUIRY_MORE;
    if (probe->end == INQUIRY_DONE)
        ck_assert_int_eq(bytes_append_text(document, "found"), 0);
    else
        error_set(err, "not like that");
    return probe->end;
}

static void probe_free(struct inquiry *inquiry)
{
    atomic_fetch_add(&probes_freed, 1);
    free(inquiry);
}

static const struct inquiry_kind probe_kind = {probe_run, probe_free};

static void hear(void *arg, enum inquiry_state state, struct bytes *document, const char *why)
{
    struct heard *heard = arg;
    heard->answers++;
    heard->state = state;
    snprintf(heard->text, sizeof heard->text, "%.*s",
             state == INQUIRY_DONE ? (int)document->len : 99,
             state == INQUIRY_DONE ? document->data : why);
}

static struct inquiry *probe_ask(unsigned turns, enum inquiry_state end, struct heard *heard)
{
    struct probe *probe = calloc(1, sizeof *probe);
    ck_assert_ptr_nonnull(probe);
    probe->turns = turns;
    probe->end = end;
    inquiry_ask(&probe->inquiry, &probe_kind, engine, mailbox, hear, heard);
    return &probe->inquiry;
}

static void setup(void)
{
    atomic_store(&turns_run, 0);
    atomic_store(&probes_freed, 0);
    run_setup();
}

static const struct {
    enum inquiry_state end;
    const char *text;
} ends[] = {
    {INQUIRY_DONE, "found"}, {INQUIRY_REFUSED, "not like that"}, {INQUIRY_FAILED, "not like that"}};

START_TEST(each_is_answered_once_when_its_turns_are_over)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct heard heard = {0};
        unsigned before = atomic_load(&turns_run);
        (void)!probe_ask(7, ends[i].end, &heard);
        while (heard.answers == 0)
            wait_for_mail(mailbox);
        ck_assert_uint_eq(heard.answers, 1);
        ck_assert_int_eq(heard.state, ends[i].end);
        ck_assert_str_eq(heard.text, ends[i].text);
        ck_assert_uint_eq(atomic_load(&turns_run) - before, 7);
        ck_assert_uint_eq(atomic_load(&probes_freed), i + 1);
    }
}
END_TEST

START_TEST(one_that_would_never_end_ends_when_it_is_given_up)
{
    enum { COUNT = 20 };
    struct heard heard[COUNT] = {0}, other = {0};
    struct inquiry *inquiries[COUNT];
    for (int i = 0; i < COUNT; i++)
        inquiries[i] = probe_ask(UINT_MAX, INQUIRY_DONE, &heard[i]);
    /* Nobody waits behind them. */
    (void)!probe_ask(3, INQUIRY_DONE, &other);
    while (other.answers == 0)
        wait_for_mail(mailbox);
    for (int i = 0; i < COUNT; i++)
        inquiry_give_up(inquiries[i]);
    for (int i = 0; i < COUNT; i++) {
        while (heard[i].answers == 0)
            wait_for_mail(mailbox);
        ck_assert_int_eq(heard[i].state, INQUIRY_FAILED);
    }
    for (int i = 0; i < COUNT; i++)
        ck_assert_uint_eq(heard[i].answers, 1);
    ck_assert_uint_eq(atomic_load(&probes_freed), COUNT + 1);
}
END_TEST

START_TEST(stats_and_rejects_are_such)
{
    struct heard stats = {0}, rejects = {0};
    struct figures_ask figures;
    struct store_rejects_ask page;
    struct error err = {""};
    const struct figures_host host = {.version = "1", .up_s = 5};
    ck_assert_int_eq(figures_read(&figures, "step=second&since=2000-01-01&until=2001-01-01", &err),
                     0);
    ck_assert_int_eq(rejects_page_read(&page, NULL, &err), 0);
    ck_assert_ptr_nonnull(figures_new(engine, &figures, &host, mailbox, hear, &stats));
    ck_assert_ptr_nonnull(rejects_page_new(engine, &page, mailbox, hear, &rejects));
    while (stats.answers == 0 || rejects.answers == 0)
        wait_for_mail(mailbox);
    ck_assert_int_eq(stats.state, INQUIRY_REFUSED);
    ck_assert_int_eq(strncmp(stats.text, "step: ", 6), 0);
    ck_assert_int_eq(rejects.state, INQUIRY_DONE);
    ck_assert_str_eq(rejects.text, "{\"total\":0,\"reasons\":[],\"rejects\":[],\"next\":null}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inquiry");
    TCase *tests = tcase_create("inquiry");
    tcase_add_checked_fixture(tests, setup, run_teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, each_is_answered_once_when_its_turns_are_over);
    tcase_add_test(tests, one_that_would_never_end_ends_when_it_is_given_up);
    tcase_add_test(tests, stats_and_rejects_are_such);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
