#include <math.h>
#include <string.h>

#include "contract/exposition.h"
#include "unit.h"

static struct bytes out;
static struct exposition exposition;

static void setup(void)
{
    bytes_init(&out);
    exposition_init(&exposition, &out);
}

static void teardown(void)
{
    bytes_clear(&out);
}

static void expect(const char *text)
{
    ck_assert(!exposition.failed);
    ck_assert_int_eq(bytes_append(&out, "", 1), 0);
    ck_assert_str_eq(out.data, text);
    out.len = 0;
}

START_TEST(a_family_has_help_and_type_and_its_samples)
{
    const struct exposition_label one[] = {{"route", "read"}, {"status", "200"}, {NULL, NULL}};
    const struct exposition_label none[] = {{NULL, NULL}};
    exposition_family(&exposition, "x_total", EXPOSITION_COUNTER, "What x is.");
    exposition_count(&exposition, one, UINT64_MAX);
    exposition_count(&exposition, none, 0);
    expect("# HELP x_total What x is.\n# TYPE x_total counter\n"
           "x_total{route=\"read\",status=\"200\"} 18446744073709551615\nx_total 0\n");
    exposition_gauge(&exposition, "y", "Y.", -2.5);
    expect("# HELP y Y.\n# TYPE y gauge\ny -2.5\n");
    exposition_counter(&exposition, "z_total", "Z.", 3);
    expect("# HELP z_total Z.\n# TYPE z_total counter\nz_total 3\n");
}
END_TEST

START_TEST(what_would_end_a_line_or_a_value_is_escaped)
{
    const struct exposition_label odd[] = {
        {"a", "q\"b\\n\nx\xc3\xa9{},="}, {"b", ""}, {NULL, NULL}};
    exposition_family(&exposition, "x", EXPOSITION_GAUGE, "a \\ and\na \"quote\"");
    exposition_number(&exposition, odd, 1);
    expect("# HELP x a \\\\ and\\na \"quote\"\n# TYPE x gauge\n"
           "x{a=\"q\\\"b\\\\n\\nx\xc3\xa9{},=\",b=\"\"} 1\n");
}
END_TEST

static const struct {
    double value;
    const char *text;
} numbers[] = {
    {0, "0"},
    {1795233600.123, "1795233600.123"},
    {0.1, "0.1"},
    {0.1 + 0.2, "0.30000000000000004"},
    {9007199254740993.0, "9007199254740992"},
    {1e300, "1e+300"},
    {INFINITY, "+Inf"},
    {-INFINITY, "-Inf"},
    {NAN, "NaN"},
};

START_TEST(a_number_is_written_as_short_as_it_can_be_read_again)
{
    char expected[80] = "x ";
    exposition.name = "x";
    exposition_number(&exposition, NULL, numbers[_i].value);
    strcat(strcat(expected, numbers[_i].text), "\n");
    expect(expected);
}
END_TEST

static const struct histogram_form form = {{500, 1000, 25000}, 3, 1e6};

START_TEST(a_histogram_adds_up_from_bucket_to_bucket)
{
    struct histogram histogram = {0}, other = {0};
    struct histogram_figures figures = {0};
    const struct exposition_label labels[] = {{"route", "read"}, {NULL, NULL}};
    const int64_t values[] = {-7, 0, 500, 501, 1000, 1001, 25000, 25001, 1000000};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        histogram_add(i % 2 == 0 ? &histogram : &other, &form, values[i]);
    histogram_collect(&histogram, &figures);
    histogram_collect(&other, &figures);
    exposition_family(&exposition, "t_seconds", EXPOSITION_HISTOGRAM, "T.");
    exposition_histogram(&exposition, labels, &form, &figures);
    expect("# HELP t_seconds T.\n# TYPE t_seconds histogram\n"
           "t_seconds_bucket{route=\"read\",le=\"0.0005\"} 3\n"
           "t_seconds_bucket{route=\"read\",le=\"0.001\"} 5\n"
           "t_seconds_bucket{route=\"read\",le=\"0.025\"} 7\n"
           "t_seconds_bucket{route=\"read\",le=\"+Inf\"} 9\n"
           "t_seconds_sum{route=\"read\"} 1.053003\n"
           "t_seconds_count{route=\"read\"} 9\n");
}
END_TEST

START_TEST(an_empty_histogram_has_all_its_buckets)
{
    const struct histogram_figures figures = {0};
    const struct histogram_form one = {{1}, 1, 1};
    exposition.name = "n";
    exposition_histogram(&exposition, NULL, &one, &figures);
    expect("n_bucket{le=\"1\"} 0\nn_bucket{le=\"+Inf\"} 0\nn_sum 0\nn_count 0\n");
}
END_TEST

START_TEST(counters_and_gauges_hold_what_they_were_told)
{
    struct counter counter = {0};
    struct gauge gauge = {0};
    counter_add(&counter, 3);
    counter_add(&counter, UINT64_C(1) << 40);
    ck_assert(counter_read(&counter) == (UINT64_C(1) << 40) + 3);
    gauge_set(&gauge, 5);
    gauge_add(&gauge, -7);
    ck_assert(gauge_read(&gauge) == -2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exposition");
    TCase *tests = tcase_create("exposition");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_family_has_help_and_type_and_its_samples);
    tcase_add_test(tests, what_would_end_a_line_or_a_value_is_escaped);
    tcase_add_loop_test(tests, a_number_is_written_as_short_as_it_can_be_read_again, 0,
                        sizeof numbers / sizeof *numbers);
    tcase_add_test(tests, a_histogram_adds_up_from_bucket_to_bucket);
    tcase_add_test(tests, an_empty_histogram_has_all_its_buckets);
    tcase_add_test(tests, counters_and_gauges_hold_what_they_were_told);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
