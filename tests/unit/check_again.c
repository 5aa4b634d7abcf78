#include "options/again.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A process that was started with one file and meets another. In the files @ stands for a
 * directory of the test's own, which has the file "keys". */
static char directory[256], config[300], keys[300];
static struct options running, again;
static struct options_changes changes;
static struct arguments arguments;
static const struct arguments_usage everything = {.serves = true};
static struct error err;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fchmod(fileno(file), 0600), 0);
    for (; *text != '\0'; text++)
        (void)(*text == '@' ? fputs(directory, file) : fputc(*text, file));
    ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/beacond-again-XXXXXX", tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(config, sizeof config, "%s/conf", directory);
    snprintf(keys, sizeof keys, "%s/keys", directory);
    write_file(keys, "one\n");
}

static void teardown(void)
{
    (void)unlink(config);
    (void)unlink(keys);
    (void)rmdir(directory);
    options_clear(&running);
    options_clear(&again);
}

static void begin(const char *file, char **environment)
{
    static char name[] = "beacond", flag[] = "--config", level[] = "--log-level", error[] = "error";
    static char *argv[] = {name, flag, config, level, error, NULL};
    write_file(config, file);
    arguments = (struct arguments){.usage = &everything};
    int status = options_read(&running, &arguments, 5, argv, environment, &err);
    ck_assert_msg(status == OPTIONS_OK, "%s", err.text);
}

static int then(const char *file)
{
    options_clear(&again);
    write_file(config, file);
    return options_read_again(&again, &running, &arguments, &changes, &err);
}

/* ---- what is compared ---- */

static const struct {
    const char *before, *after, *changed, *restart;
} cases[] = {
    {"", "", "", ""},
    {"max-body = 8M", "", "", ""}, /* the default is no other value */
    {"max-body = 8M", "max-body = 8388608", "", ""},
    {"", "max-body = 9M", "max-body", ""},
    {"app-id = a\nhold = 1s", "app-id = b\nhold = 1m", "app-id, hold", ""},
    {"app-id = a", "", "app-id", ""},
    {"allow-keyless = yes", "allow-keyless = no", "allow-keyless", ""},
    {"key = a", "key = a\nkey = b", "key", ""},
    {"key = a\nkey = b", "key = b\nkey = a", "key", ""},
    {"key = a", "key = a:query", "key", ""},
    {"key-file = @/keys", "key-file = @/keys", "", ""},
    {"key-file = @/keys", "", "key, key-file", ""},
    {"key-file = @/keys", "key = one", "key-file", ""},
    {"trusted-proxy = unix\nproxy-header = forwarded", "", "trusted-proxy, proxy-header", ""},
    {"", "prefix = /a", "", "prefix"},
    {"prefix = /a", "prefix = /a\nprefix = /b", "", "prefix"},
    {"", "database = other.db", "", "database"},
    {"synchronous = off", "synchronous = full", "", "synchronous"},
    {"", "threads = 4\nmax-reads = 4\nreaders = 4", "max-reads", "threads, readers"},
    {"log-level = info", "log-level = debug", "", ""}, /* the flag counts */
};

START_TEST(what_differs_is_named)
{
    begin(cases[_i].before, NULL);
    int status = then(cases[_i].after);
    ck_assert_msg(status == 0, "%s", err.text);
    ck_assert_str_eq(changes.changed, cases[_i].changed);
    ck_assert_str_eq(changes.restart, cases[_i].restart);
}
END_TEST

START_TEST(what_needs_a_restart_stays_and_the_rest_is_new)
{
    begin("prefix = /a\nprefix = /b\ndatabase = x.db\nthreads = 2\nsynchronous = off\nkey = a",
          NULL);
    ck_assert_int_eq(then("prefix = /c\ndatabase = y.db\nreaders = 9\nkey = b\nmax-depth = 3"), 0);
    ck_assert_uint_eq(again.prefix.count, 2);
    ck_assert_str_eq(again.prefix.items[1], "/b");
    ck_assert_ptr_ne(again.prefix.items[1], running.prefix.items[1]); /* copies: running may go */
    ck_assert_str_eq(again.database, "x.db");
    ck_assert_int_eq(again.threads, 2);
    ck_assert_int_eq(again.readers, running.readers);
    ck_assert_int_eq(again.synchronous, OPTIONS_SYNC_OFF);
    ck_assert_str_eq(again.key.items[0], "b");
    ck_assert_int_eq(again.max_depth, 3);
    ck_assert_str_eq(changes.restart, "prefix, database, threads, readers, synchronous");
}
END_TEST

START_TEST(flags_and_environment_stay_above_the_file)
{
    char variable[] = "BEACOND_MAX_DEPTH=9";
    char *environment[] = {variable, NULL};
    begin("", environment);
    ck_assert_int_eq(then("max-depth = 3\nlog-level = debug\nmax-events = 5"), 0);
    ck_assert_str_eq(changes.changed, "max-events");
    ck_assert_int_eq(again.max_depth, 9);
    ck_assert_int_eq(again.log_level, LOG_LEVEL_ERROR);
}
END_TEST

START_TEST(every_name_fits)
{
    size_t all = 0;
    for (size_t i = 0; options_name(i) != NULL; i++)
        all += strlen(options_name(i)) + 2;
    ck_assert_uint_lt(all, sizeof changes.changed);
}
END_TEST

/* ---- errors ---- */

static const struct {
    const char *after, *why;
} bad[] = {
    {"max-body = x", "/conf:1: max-body: expected a size such as 8M, got \"x\""},
    {"colour = red", "/conf:1: there is no option \"colour\""},
    {"key-file = @/none", "/none: No such file or directory"},
    {"key-file = @", ": Is a directory"},
    {"key = one\nkey-file = @/keys", "the same key is given twice"},
    {"max-receiving = 1M", "max-receiving: expected max-body at least"},
    /* In order by itself, but not while the daemon listens where it does. */
    {"listen = 127.0.0.1:1", "and there is no key"},
    {"receipts-size = 1K\nmax-rejects-size = 1K\nretain-size = 1M\nkey = a",
     "which count as well; what needs a restart counts as it is"},
};

START_TEST(an_error_says_why)
{
    begin("listen = 0.0.0.0:1\nkey = secret", NULL);
    ck_assert_int_eq(then(bad[_i].after), -1);
    ck_assert_msg(strstr(err.text, bad[_i].why) != NULL, "%s", err.text);
    ck_assert_ptr_null(strstr(err.text, "secret"));
}
END_TEST

START_TEST(pipes_are_not_waited_for)
{
    begin("", NULL);
    ck_assert_int_eq(unlink(keys), 0);
    ck_assert_int_eq(mkfifo(keys, 0600), 0);
    ck_assert_int_eq(then("key-file = @/keys"), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "/keys: a pipe can be read once only"));
    ck_assert_int_eq(unlink(config), 0);
    ck_assert_int_eq(mkfifo(config, 0600), 0);
    options_clear(&again);
    ck_assert_int_eq(options_read_again(&again, &running, &arguments, &changes, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "/conf: a pipe can be read once only"));
}
END_TEST

/* ---- the manual ---- */

#define MARK "Needs a restart.\n"

/* Each entry of an option in the manual ends where the next or a section begins. */
START_TEST(the_manual_marks_what_needs_a_restart)
{
    char path[1024], line[1024], name[128] = "";
    bool marked = false;
    size_t entries = 0, restarts = 0;
    snprintf(path, sizeof path, "%s/man/beacond.conf.5", unit_srcdir());
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    bool more = true;
    while (more) {
        more = fgets(line, sizeof line, file) != NULL;
        char next[128] = "";
        bool entry = more && sscanf(line, ".It Ic %127s No", next) == 1;
        if (entry || !more || strncmp(line, ".Sh ", 4) == 0) {
            if (*name != '\0')
                ck_assert_msg(options_reloads(name) != marked, "%s is %smarked", name,
                              marked ? "" : "not ");
            entries += entry;
            restarts += marked;
            marked = false;
            snprintf(name, sizeof name, "%s", next);
        }
        marked = marked || (more && strcmp(line, MARK) == 0);
    }
    fclose(file);
    ck_assert_uint_gt(entries, 40);
    ck_assert_uint_gt(restarts, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("again");
    TCase *tests = tcase_create("again");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, what_differs_is_named, 0, COUNT(cases));
    tcase_add_test(tests, what_needs_a_restart_stays_and_the_rest_is_new);
    tcase_add_test(tests, flags_and_environment_stay_above_the_file);
    tcase_add_test(tests, every_name_fits);
    tcase_add_loop_test(tests, an_error_says_why, 0, COUNT(bad));
    tcase_add_test(tests, pipes_are_not_waited_for);
    tcase_add_test(tests, the_manual_marks_what_needs_a_restart);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
