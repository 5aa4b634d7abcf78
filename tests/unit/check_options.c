#include "options/options.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What one reading is made from and what came of it. Files are written into a directory of the
 * test's own; there "@" in a flag or variable stands for the directory. */
struct reading {
    char directory[256];
    char *flags[16];
    char *variables[16];
    struct options options;
    struct arguments arguments;
    struct error err;
    int status;
};

/* As of a command that takes all options and nothing else. */
static const struct arguments_usage everything = {.serves = true};

static char *expand(const struct reading *reading, const char *text)
{
    const char *at = strchr(text, '@');
    char *out;
    if (at == NULL)
        return strdup(text);
    ck_assert_int_ge(asprintf(&out, "%.*s%s%s", (int)(at - text), text, reading->directory, at + 1),
                     0);
    return out;
}

static void path_in(const struct reading *reading, const char *name, char *path, size_t size)
{
    int len = snprintf(path, size, "%s/%s", reading->directory, name);
    ck_assert(len > 0 && (size_t)len < size);
}

static void write_file(const struct reading *reading, const char *name, const void *text,
                       size_t len)
{
    char path[512];
    path_in(reading, name, path, sizeof(path));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert(write(fd, text, len) == (ssize_t)len);
    close(fd);
}

static void reading_init(struct reading *reading)
{
    const char *tmp = getenv("TMPDIR");
    memset(reading, 0, sizeof(*reading));
    snprintf(reading->directory, sizeof(reading->directory), "%s/beacond-options-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(reading->directory));
}

/* flags and variables: NULL-terminated; either may be NULL. May be called again. */
static void reading_do(struct reading *reading, const char *const *flags,
                       const char *const *variables)
{
    int argc = 1;
    reading->flags[0] = strdup("beacond");
    for (; flags != NULL && *flags != NULL; flags++)
        reading->flags[argc++] = expand(reading, *flags);
    ck_assert_int_lt(argc, (int)COUNT(reading->flags));
    size_t count = 0;
    for (; variables != NULL && variables[count] != NULL; count++)
        reading->variables[count] = expand(reading, variables[count]);
    /* Not the one that this machine may have. Of two the second counts. */
    ck_assert_uint_lt(count + 1, COUNT(reading->variables));
    memmove(reading->variables + 1, reading->variables, count * sizeof *reading->variables);
    reading->variables[0] = strdup("BEACOND_CONFIG=");
    reading->arguments = (struct arguments){.usage = &everything};
    reading->status = options_read(&reading->options, &reading->arguments, argc, reading->flags,
                                   reading->variables, &reading->err);
}

static void reading_drop(struct reading *reading)
{
    options_clear(&reading->options);
    for (size_t i = 0; i < COUNT(reading->flags); i++)
        free(reading->flags[i]);
    for (size_t i = 0; i < COUNT(reading->variables); i++)
        free(reading->variables[i]);
    memset(reading->flags, 0, sizeof(reading->flags));
    memset(reading->variables, 0, sizeof(reading->variables));
}

static void reading_clear(struct reading *reading)
{
    static const char *const names[] = {"conf", "keys"};
    char path[512];
    for (size_t i = 0; i < COUNT(names); i++) {
        path_in(reading, names[i], path, sizeof(path));
        unlink(path);
    }
    rmdir(reading->directory);
    reading_drop(reading);
}

static void assert_list(const struct options_list *list, const char *const *expected)
{
    size_t count = 0;
    for (; expected[count] != NULL; count++) {
        ck_assert_uint_lt(count, list->count);
        ck_assert_str_eq(list->items[count], expected[count]);
    }
    ck_assert_uint_eq(list->count, count);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- defaults ---- */

START_TEST(defaults_are_those_of_the_header)
{
    struct reading r;
    reading_init(&r);
    reading_do(&r, NULL, NULL);
    ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
    const struct options *o = &r.options;
    ck_assert_ptr_null(o->config);
    assert_list(&o->listen, LIST("127.0.0.1:4242"));
    assert_list(&o->prefix, LIST("/_tracker"));
    ck_assert_str_eq(o->database, "beacond.db");
    ck_assert_str_eq(o->app_id, "");
    ck_assert_uint_eq(o->key.count, 0);
    ck_assert_ptr_null(o->key_file);
    ck_assert_uint_eq(o->allow_origin.count, 0);
    ck_assert(!o->allow_keyless);
    ck_assert_int_eq(o->max_header, 16 << 10);
    ck_assert_int_eq(o->max_body, 8 << 20);
    ck_assert_int_eq(o->max_inflated, 32 << 20);
    ck_assert_int_eq(o->max_event, 1 << 20);
    ck_assert_int_eq(o->max_depth, 512);
    ck_assert_int_eq(o->max_events, 500000);
    ck_assert_int_eq(o->max_rejects, 10000);
    ck_assert_int_eq(o->max_rejects_size, 64 << 20);
    ck_assert_int_eq(o->threads, 0);
    ck_assert_int_eq(o->readers, 2);
    ck_assert_int_eq(o->queue_size, 64 << 20);
    ck_assert_int_eq(o->hold_ms, 2000);
    ck_assert_int_eq(o->drain_ms, 10000);
    ck_assert_int_eq(o->timeout_ms, 60000);
    ck_assert_int_eq(o->synchronous, OPTIONS_SYNC_FULL);
    ck_assert_int_eq(o->log_level, LOG_LEVEL_INFO);
    ck_assert_int_eq(o->log_format, LOG_FORMAT_AUTO);
    reading_clear(&r);
}
END_TEST

/* ---- kinds ---- */

enum member { DEPTH, BODY, HOLD, REJECTS, REJECTS_SIZE, SYNC, LEVEL, FORMAT };

static int64_t member_value(const struct options *o, enum member member)
{
    switch (member) {
    case DEPTH:
        return o->max_depth;
    case BODY:
        return o->max_body;
    case HOLD:
        return o->hold_ms;
    case REJECTS:
        return o->max_rejects;
    case REJECTS_SIZE:
        return o->max_rejects_size;
    case SYNC:
        return (int64_t)o->synchronous;
    case LEVEL:
        return (int64_t)o->log_level;
    case FORMAT:
        return (int64_t)o->log_format;
    }
    return -1;
}

static const struct {
    const char *flag;
    enum member member;
    int64_t value;
} good_numbers[] = {
    {"--max-depth=1", DEPTH, 1},
    {"--max-depth=1000", DEPTH, 1000},
    {"--max-depth=0100", DEPTH, 100},
    {"--max-rejects=0", REJECTS, 0},
    {"--max-body=1024", BODY, 1024},
    {"--max-body=1024B", BODY, 1024},
    {"--max-body=3K", BODY, 3 << 10},
    {"--max-body=3KB", BODY, 3 << 10},
    {"--max-body=3KiB", BODY, 3 << 10},
    {"--max-body=3k", BODY, 3 << 10},
    {"--max-body=3M", BODY, 3 << 20},
    {"--max-body=3MB", BODY, 3 << 20},
    {"--max-body=3MiB", BODY, 3 << 20},
    {"--max-body=1G", BODY, 1 << 30},
    {"--max-rejects-size=7G", REJECTS_SIZE, 7LL << 30},
    {"--max-rejects-size=1024GiB", REJECTS_SIZE, 1LL << 40},
    {"--max-rejects-size=0", REJECTS_SIZE, 0},
    {"--hold=0s", HOLD, 0},
    {"--hold=1500ms", HOLD, 1500},
    {"--hold=15s", HOLD, 15000},
    {"--hold=15m", HOLD, 900000},
    {"--hold=1h", HOLD, 3600000},
    {"--synchronous=full", SYNC, OPTIONS_SYNC_FULL},
    {"--synchronous=normal", SYNC, OPTIONS_SYNC_NORMAL},
    {"--synchronous=off", SYNC, OPTIONS_SYNC_OFF},
    {"--log-level=error", LEVEL, LOG_LEVEL_ERROR},
    {"--log-level=warn", LEVEL, LOG_LEVEL_WARN},
    {"--log-level=debug", LEVEL, LOG_LEVEL_DEBUG},
    {"--log-format=json", FORMAT, LOG_FORMAT_JSON},
    {"--log-format=journal", FORMAT, LOG_FORMAT_JOURNAL},
};

START_TEST(options_that_contradict_each_other_are_refused)
{
    static const char *const flags[] = {"--max-receiving=7M", "--trusted-proxy=127.0.0.1",
                                        "--proxy-header=forwarded", "--retain-size=128M"};
    for (size_t i = 0; i < COUNT(flags); i++) {
        struct reading r;
        reading_init(&r);
        reading_do(&r, LIST(flags[i]), NULL);
        ck_assert_int_eq(r.status, OPTIONS_CONFIG);
        ck_assert_ptr_nonnull(strstr(r.err.text, "expected"));
        reading_clear(&r);
    }
}
END_TEST

START_TEST(numbers_and_choices_are_read)
{
    struct reading r;
    reading_init(&r);
    /* Room for whatever body. */
    reading_do(&r, LIST("--max-receiving=1G", good_numbers[_i].flag), NULL);
    ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
    ck_assert_msg(member_value(&r.options, good_numbers[_i].member) == good_numbers[_i].value, "%s",
                  good_numbers[_i].flag);
    reading_clear(&r);
}
END_TEST

static const struct {
    const char *flag;
    const char *error;
} bad_values[] = {
    {"--max-depth=0", "--max-depth: expected 1 to 1000, got \"0\""},
    {"--max-depth=1001", "--max-depth: expected 1 to 1000, got \"1001\""},
    {"--max-depth=", "--max-depth: expected a whole number, got \"\""},
    {"--max-depth=-1", "--max-depth: expected a whole number, got \"-1\""},
    {"--max-depth=1.5", "--max-depth: expected a whole number, got \"1.5\""},
    {"--max-depth= 5", "--max-depth: expected a whole number, got \" 5\""},
    {"--max-depth=5K", "--max-depth: expected a whole number, got \"5K\""},
    {"--max-body=x", "--max-body: expected a size such as 8M, got \"x\""},
    {"--max-body=M", "--max-body: expected a size such as 8M, got \"M\""},
    {"--max-body=8 M", "--max-body: expected a size such as 8M, got \"8 M\""},
    {"--max-body=8iB", "--max-body: expected a size such as 8M, got \"8iB\""},
    {"--max-body=8T", "--max-body: expected a size such as 8M, got \"8T\""},
    {"--max-body=8", "--max-body: expected 1K to 1G, got \"8\""},
    {"--max-body=1073741825", "--max-body: expected 1K to 1G, got \"1073741825\""},
    {"--max-body=18446744073709551617", "--max-body: expected 1K to 1G, got "
                                        "\"18446744073709551617\""},
    {"--max-body=17179869185G", "--max-body: expected 1K to 1G, got \"17179869185G\""},
    {"--timeout=10", "--timeout: expected a duration such as 10s, got \"10\""},
    {"--timeout=10sec", "--timeout: expected a duration such as 10s, got \"10sec\""},
    {"--timeout=99ms", "--timeout: expected 100ms to 1d, got \"99ms\""},
    {"--timeout=2d", "--timeout: expected 100ms to 1d, got \"2d\""},
    {"--hold=61m", "--hold: expected 0ms to 1h, got \"61m\""},
    {"--threads=65", "--threads: expected 0 to 64, got \"65\""},
    {"--readers=0", "--readers: expected 1 to 64, got \"0\""},
    {"--readers=65", "--readers: expected 1 to 64, got \"65\""},
    {"--synchronous=FULL", "--synchronous: expected full, normal or off, got \"FULL\""},
    {"--synchronous=", "--synchronous: expected full, normal or off, got \"\""},
    {"--log-level=trace", "--log-level: expected error, warn, info or debug, got \"trace\""},
    {"--log-format=xml", "--log-format: expected auto, text, json or journal, got \"xml\""},
    {"--database=", "--database: expected the path of a file or a postgresql:// URI, got \"\""},
    {"--database=:memory:",
     "--database: expected the path of a file or a postgresql:// URI, got \":memory:\""},
    /* What stands behind the scheme may be a password. */
    {"--database=mysql://me:secret@db/x",
     "--database: expected the path of a file or a postgresql:// URI, got one of mysql://"},
    {"--database=PostgreSQL://me:secret@db/x",
     "--database: expected the path of a file or a postgresql:// URI, got one of PostgreSQL://"},
    {"--app-id=shop\n", "--app-id: expected UTF-8 without control characters"},
};

START_TEST(bad_values_say_what_was_expected)
{
    struct reading r;
    reading_init(&r);
    reading_do(&r, LIST(bad_values[_i].flag), NULL);
    ck_assert_msg(r.status == OPTIONS_CONFIG, "%s", bad_values[_i].flag);
    ck_assert_str_eq(r.err.text, bad_values[_i].error);
    reading_clear(&r);
}
END_TEST

/* ---- forms ---- */

#define A16 "aaaaaaaaaaaaaaaa"
#define A256 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16
#define A257 A256 "a"

static const char *const good_forms[] = {
    "--listen=localhost:4242",
    "--listen=127.0.0.1:0",
    "--listen=127.9.9.9:65535",
    "--listen=[::1]:4242",
    "--listen=[::ffff:127.0.0.1]:4242",
    "--listen=unix:/run/beacond.sock",
    "--listen=unix:relative path",
    "--prefix=/t",
    "--prefix=/a/b/c",
    "--prefix=/.well-known/x",
    "--prefix=/...",
    "--key=tk_test",
    "--key=tk_test:ingest,query",
    "--allow-origin=https://shop.example",
    "--allow-origin=null",
    "--app-id=My \"shop\"!",
    "--app-id="
    "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf"
    "\xbf",
    "--app-id=",
    "--app-id=" A256,
    "--key-file=",
    "--config=",
};

START_TEST(good_forms_are_taken)
{
    struct reading r;
    reading_init(&r);
    reading_do(&r, LIST(good_forms[_i]), NULL);
    ck_assert_msg(r.status == OPTIONS_OK, "%s: %s", good_forms[_i], r.err.text);
    reading_clear(&r);
}
END_TEST

static const char *const bad_forms[] = {
    "--listen=",
    "--listen=4242",
    "--listen=:4242",
    "--listen=*:4242",
    "--listen=[localhost]:4242",
    "--listen=localhost",
    "--listen=shop.example:4242",
    "--listen=127.0.0.1",
    "--listen=127.0.0.1:",
    "--listen=127.0.0.1:65536",
    "--listen=127.0.0.1:-1",
    "--listen=127.0.0.1:42a",
    "--listen=127.0.0.1:100000",
    "--listen=127.0.0:4242",
    "--listen=256.0.0.1:4242",
    "--listen=::1:4242",
    "--listen=[::1]",
    "--listen=[::1:4242",
    "--listen=[127.0.0.1]:4242",
    "--listen=[]:4242",
    "--listen=http://127.0.0.1:4242",
    "--listen=unix:",
    "--listen=unix:/"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaa",
    "--prefix=",
    "--prefix=/",
    "--prefix=t",
    "--prefix=/t/",
    "--prefix=//t",
    "--prefix=/a//b",
    "--prefix=/a/../b",
    "--prefix=/.",
    "--prefix=/..",
    "--prefix=/a b",
    "--prefix=/a?b",
    "--prefix=/a#b",
    "--prefix=/a%20b",
    "--prefix=/\xc3\xa4",
    "--prefix=/health",
    "--prefix=/" A256,
    "--app-id=\x7f",
    "--app-id=\xc2\x9f",
    "--app-id=\xff",
    "--app-id=\x80",
    "--app-id=\xc3",
    "--app-id=\xc0\xa1",
    "--app-id=\xe0\x9f\xbf",
    "--app-id=\xe2\x82",
    "--app-id=\xe2\x82x",
    "--app-id=\xed\xa0\x80",
    "--app-id=\xf0\x8f\xbf\xbf",
    "--app-id=\xf4\x90\x80\x80",
    "--app-id=\xf8\x88\x80\x80\x80",
    "--app-id=" A257,
    "--allow-origin=*",
    "--allow-origin=shop.example",
    "--allow-origin=https://shop.example/",
    "--allow-origin=",
};

START_TEST(bad_forms_are_refused)
{
    struct reading r;
    reading_init(&r);
    reading_do(&r, LIST(bad_forms[_i]), NULL);
    ck_assert_msg(r.status == OPTIONS_CONFIG, "%s", bad_forms[_i]);
    size_t name = strcspn(bad_forms[_i], "=");
    ck_assert_msg(strncmp(r.err.text, bad_forms[_i], name) == 0 && r.err.text[name] == ':', "%s",
                  r.err.text);
    reading_clear(&r);
}
END_TEST

/* ---- keys ---- */

/* Every way a key can be wrong or in the wrong place; the file keys holds text. */
static const struct {
    const char *text;
    const char *flags[3];
    const char *variables[2];
    const char *error; /* its beginning; "@" stands for the directory */
} bad_keys[] = {
    {"", {"--key=s3cret:all"}, {NULL}, "--key: "},
    {"", {"--key", "s3cret:all"}, {NULL}, "--key: "},
    {"", {"--key="}, {NULL}, "--key: "},
    {"", {"--kee=s3cret"}, {NULL}, "there is no option --kee"},
    {"", {"--key=s3cret", "--key=s3cret:query"}, {NULL}, "key: the same key"},
    {"", {NULL}, {"BEACOND_KEY=good s3cret:x"}, "BEACOND_KEY: "},
    {"", {NULL}, {"BEACOND_KEYS=s3cret"}, "BEACOND_KEYS: there is no such option"},
    {"s3cret:x\n", {"--key-file=@/keys"}, {NULL}, "@/keys:1: "},
    {"# one\n\ngood\n s3cret word\n", {"--key-file=@/keys"}, {NULL}, "@/keys:4: "},
    {"s3cret\ns3cret\n", {"--key-file=@/keys"}, {NULL}, "key: the same key"},
    {"s3cret", {"--key-file=@/keys", "--key=s3cret"}, {NULL}, "key: the same key"},
    {"s3cret\n", {"--config=@/keys"}, {NULL}, "@/keys:1: expected name = value"},
    {"key = s3cret:x\n", {"--config=@/keys"}, {NULL}, "@/keys:1: key: "},
    {"key = s3cret\nkey = s3cret\n", {"--config=@/keys"}, {NULL}, "key: the same key"},
    {"", {"--key-file=@/none"}, {NULL}, "key-file: @/none: No such file or directory"},
    {"", {"--key-file=@"}, {NULL}, "key-file: @: Is a directory"},
};

START_TEST(bad_keys_are_refused_and_never_quoted)
{
    struct reading r;
    reading_init(&r);
    write_file(&r, "keys", bad_keys[_i].text, strlen(bad_keys[_i].text));
    reading_do(&r, bad_keys[_i].flags, bad_keys[_i].variables);
    ck_assert_msg(r.status != OPTIONS_OK, "case %d", _i);
    ck_assert_ptr_null(strstr(r.err.text, "s3cret"));
    char *expected = expand(&r, bad_keys[_i].error);
    ck_assert_msg(strncmp(r.err.text, expected, strlen(expected)) == 0, "case %d: %s", _i,
                  r.err.text);
    free(expected);
    reading_clear(&r);
}
END_TEST

START_TEST(key_file_adds_its_keys)
{
    static const char text[] = "# keys of the shop\r\n"
                               "\n"
                               "  one:ingest  \n"
                               "two#2\t# the dashboard\n"
                               "   # three\n"
                               "four";
    struct reading r;
    reading_init(&r);
    write_file(&r, "keys", text, sizeof(text) - 1);
    reading_do(&r, LIST("--key-file=@/keys", "--key=zero:query"), NULL);
    ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
    assert_list(&r.options.key, LIST("zero:query", "one:ingest", "two#2", "four"));
    reading_clear(&r);
}
END_TEST

START_TEST(open_key_file_is_warned_about)
{
    char path[512];
    char line[1024] = "";
    int pipes[2];
    struct reading r;

    reading_init(&r);
    write_file(&r, "keys", "s3cret\n", 7);
    path_in(&r, "keys", path, sizeof(path));
    /* 0440 is what a credential of systemd's looks like. */
    static const mode_t modes[] = {0600, 0440, 0640, 0604, 0660, 0610};
    ck_assert_int_eq(chmod(path, modes[_i]), 0);
    ck_assert_int_eq(pipe2(pipes, O_NONBLOCK), 0);
    int old = dup(STDERR_FILENO);
    dup2(pipes[1], STDERR_FILENO);
    reading_do(&r, LIST("--key-file=@/keys", "--log-format=json"), NULL);
    dup2(old, STDERR_FILENO);
    close(old);
    ssize_t len = read(pipes[0], line, sizeof(line) - 1);
    close(pipes[0]);
    close(pipes[1]);
    ck_assert_int_eq(r.status, OPTIONS_OK);
    if (_i < 3) {
        ck_assert_int_lt((int)len, 0);
    } else {
        ck_assert_msg(line[0] == '{', "not in the form asked for: %s", line);
        ck_assert_ptr_nonnull(strstr(line, "warn"));
        ck_assert_ptr_nonnull(strstr(line, path));
        ck_assert_ptr_null(strstr(line, "s3cret"));
    }
    reading_clear(&r);
}
END_TEST

static const struct {
    const char *file, *flag;
    mode_t mode;
    bool warned;
} secrets[] = {
    {"database = postgresql://me:s3cret@db/x\n", NULL, 0644, true},
    {"database = postgresql://me:s3cret@db/x\n", NULL, 0604, true},
    {"database = postgresql://db/x?password=s3cret\n", NULL, 0644, true},
    {"database = postgresql://me:s3cret@db/x\n", NULL, 0640, false},
    {"database = postgresql://me:s3cret@db/x\n", NULL, 0600, false},
    {"database = postgresql://me@d:5432/x\n", NULL, 0644, false},
    {"database = postgresql://[::1]:5432/x?passfile=y\n", NULL, 0644, false},
    {"database = x:y@z.db\n", NULL, 0644, false},
    /* what counts stands elsewhere */
    {"max-depth = 7\n", "--database=postgresql://me:s3cret@db/x", 0644, false},
};

START_TEST(a_password_in_an_open_file_is_warned_about)
{
    char path[512], line[1024] = "";
    int pipes[2];
    struct reading r;

    reading_init(&r);
    write_file(&r, "conf", secrets[_i].file, strlen(secrets[_i].file));
    path_in(&r, "conf", path, sizeof(path));
    ck_assert_int_eq(chmod(path, secrets[_i].mode), 0);
    ck_assert_int_eq(pipe2(pipes, O_NONBLOCK), 0);
    int old = dup(STDERR_FILENO);
    dup2(pipes[1], STDERR_FILENO);
    reading_do(&r, LIST("--config=@/conf", "--log-format=json", secrets[_i].flag), NULL);
    dup2(old, STDERR_FILENO);
    close(old);
    ssize_t len = read(pipes[0], line, sizeof(line) - 1);
    close(pipes[0]);
    close(pipes[1]);
    ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
    if (secrets[_i].warned) {
        ck_assert_msg(line[0] == '{', "not in the form asked for: %s", line);
        ck_assert_ptr_nonnull(strstr(line, "open to others"));
        ck_assert_ptr_nonnull(strstr(line, path));
        ck_assert_ptr_null(strstr(line, "s3cret"));
    } else {
        ck_assert_msg(len < 0, "%s", line);
    }
    reading_clear(&r);
}
END_TEST

/* ---- who may be reached ---- */

static const struct {
    const char *flags[4];
    bool allowed;
} reaches[] = {
    {{"--listen=0.0.0.0:0"}, false},
    {{"--listen=[::]:0"}, false},
    {{"--listen=192.168.1.1:0"}, false},
    {{"--listen=[::2]:0"}, false},
    {{"--listen=[::ffff:10.0.0.1]:0"}, false},
    {{"--listen=126.0.0.1:0"}, false},
    {{"--listen=127.0.0.1:0", "--listen=0.0.0.0:0"}, false},
    {{"--listen=unix:/x", "--listen=10.0.0.1:0"}, false},
    {{"--listen=0.0.0.0:0", "--key=k"}, true},
    {{"--listen=0.0.0.0:0", "--key-file=@/keys"}, true},
    {{"--listen=0.0.0.0:0", "--allow-keyless"}, true},
    {{"--listen=127.0.0.1:0", "--listen=[::1]:0", "--listen=unix:/x"}, true},
};

START_TEST(without_keys_only_this_machine_is_served)
{
    struct reading r;
    reading_init(&r);
    write_file(&r, "keys", "k\n", 2);
    reading_do(&r, reaches[_i].flags, NULL);
    ck_assert_msg((r.status == OPTIONS_OK) == reaches[_i].allowed, "%s: %s", reaches[_i].flags[0],
                  r.err.text);
    if (!reaches[_i].allowed) {
        ck_assert_int_eq(r.status, OPTIONS_CONFIG);
        ck_assert_ptr_nonnull(strstr(r.err.text, "key-file"));
        ck_assert_ptr_nonnull(strstr(r.err.text, "allow-keyless"));
    }
    reading_clear(&r);
}
END_TEST

START_TEST(empty_key_file_is_no_key)
{
    struct reading r;
    reading_init(&r);
    write_file(&r, "keys", "# none yet\n", 11);
    reading_do(&r, LIST("--key-file=@/keys", "--listen=0.0.0.0:0"), NULL);
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    reading_clear(&r);
}
END_TEST

/* ---- flags ---- */

static const struct {
    const char *flags[4];
    const char *error;
} bad_flags[] = {
    {{"--nonsense"}, "there is no option --nonsense"},
    {{"--nonsense=1"}, "there is no option --nonsense"},
    {{"-x"}, "there is no option -x"},
    {{"-max-body", "8M"}, "there is no option -max-body"},
    {{"--max-body"}, "--max-body needs a value"},
    {{"--max-depth", "7", "--max-body"}, "--max-body needs a value"},
    {{"--allow-keyless=yes"}, "--allow-keyless takes no value"},
    {{"--allow-keyless", "yes"}, "\"yes\" is not expected here"},
    /* beginnings of names: what is unique now need not stay so */
    {{"--max-b=8M"}, "there is no option --max-b"},
    {{"--max-b", "8M"}, "there is no option --max-b"},
    {{"--max", "8M"}, "there is no option --max"},
    {{"--allow-k"}, "there is no option --allow-k"},
    {{"--MAX-BODY=8M"}, "there is no option --MAX-BODY"},
    {{"--max_body=8M"}, "there is no option --max_body"},
    {{"serve"}, "\"serve\" is not expected here"},
    {{"--max-depth=7", "stray"}, "\"stray\" is not expected here"},
    {{"-"}, "\"-\" is not expected here"},
    {{"--", "--max-depth=7"}, "\"--max-depth=7\" is not expected here"},
    {{""}, "\"\" is not expected here"},
};

START_TEST(bad_flags_are_usage_errors)
{
    struct reading r;
    reading_init(&r);
    reading_do(&r, bad_flags[_i].flags, NULL);
    ck_assert_msg(r.status == OPTIONS_USAGE, "%s: %s", bad_flags[_i].flags[0], r.err.text);
    ck_assert_str_eq(r.err.text, bad_flags[_i].error);
    reading_clear(&r);
}
END_TEST

START_TEST(flags_take_their_value_either_way)
{
    struct reading r;
    reading_init(&r);
    reading_do(&r,
               LIST("--max-depth", "7", "--max-body=2M", "--allow-keyless", "--app-id", "--x",
                    "--prefix=/a", "--prefix", "/b", "--"),
               NULL);
    ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
    ck_assert_int_eq(r.options.max_depth, 7);
    ck_assert_int_eq(r.options.max_body, 2 << 20);
    ck_assert(r.options.allow_keyless);
    ck_assert_str_eq(r.options.app_id, "--x");
    assert_list(&r.options.prefix, LIST("/a", "/b"));
    reading_clear(&r);
}
END_TEST

START_TEST(last_of_equal_flags_counts)
{
    struct reading r;
    reading_init(&r);
    reading_do(&r, LIST("--max-depth=7", "--database=a", "--max-depth=8", "--database=b"), NULL);
    ck_assert_int_eq(r.status, OPTIONS_OK);
    ck_assert_int_eq(r.options.max_depth, 8);
    ck_assert_str_eq(r.options.database, "b");
    reading_clear(&r);
}
END_TEST

START_TEST(reading_twice_starts_anew)
{
    struct reading r;
    reading_init(&r);
    for (int i = 0; i < 3; i++) {
        reading_do(&r, LIST("--max-depth=7", "--prefix=/a"), NULL);
        ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
        assert_list(&r.options.prefix, LIST("/a"));
        reading_drop(&r);
        reading_do(&r, LIST("--max-depth=7", "stray"), NULL);
        ck_assert_int_eq(r.status, OPTIONS_USAGE);
        reading_drop(&r);
    }
    reading_clear(&r);
}
END_TEST

START_TEST(prefixes_must_differ)
{
    struct reading r;
    reading_init(&r);
    reading_do(&r, LIST("--prefix=/a", "--prefix=/b", "--prefix=/a"), NULL);
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    ck_assert_str_eq(r.err.text, "prefix: /a is given twice");
    reading_clear(&r);
}
END_TEST

/* ---- config file ---- */

static const struct {
    const char *text;
    const char *error; /* behind "DIRECTORY/conf"; NULL: fine */
} files[] = {
    {"", NULL},
    {"\n\n# nothing\n   # here\n", NULL},
    {"max-depth = 7", NULL},
    {"max-depth=7\n", NULL},
    {"  max-depth\t=\t7  \r\n", NULL},
    {"max-depth = 7 # levels\n", NULL},
    {"allow-keyless = yes\n", NULL},
    {"allow-keyless = no\n", NULL},
    {"app-id =\n", NULL},
    {"listen = 127.0.0.1:0\nlisten = [::1]:0\n", NULL},
    {"max-depth 7\n", ":1: expected name = value"},
    {"[server]\n", ":1: expected name = value"},
    {"# one\n\nmax-depth\n", ":3: expected name = value"},
    {"= 7\n", ":1: there is no option \"\""},
    {"max-dept = 7\n", ":1: there is no option \"max-dept\""},
    {"max_depth = 7\n", ":1: there is no option \"max_depth\""},
    {"--max-depth = 7\n", ":1: there is no option \"--max-depth\""},
    {"config = other.conf\n", ":1: config can't stand in a config file"},
    {"\nmax-body = x\n", ":2: max-body: expected a size such as 8M, got \"x\""},
    {"max-body =\n", ":1: max-body: expected a size such as 8M, got \"\""},
    {"max-body = 8M, please\n", ":1: max-body: expected a size such as 8M, got \"8M, please\""},
    {"max-depth = 7=8\n", ":1: max-depth: expected a whole number, got \"7=8\""},
    {"max-depth = 7\nmax-depth = 8\n", ":2: max-depth: is set a second time"},
    {"max-depth = 7\nmax-depth = 7\n", ":2: max-depth: is set a second time"},
    {"allow-keyless\n", ":1: expected name = value"},
    {"allow-keyless =\n", ":1: allow-keyless: expected yes or no, got \"\""},
    {"allow-keyless = true\n", ":1: allow-keyless: expected yes or no, got \"true\""},
    {"prefix = /a /b\n",
     ":1: prefix: expected a path such as /_tracker: it begins with /, does not end with one, and "
     "holds no escapes; got \"/a /b\""},
};

START_TEST(config_files_are_read_line_by_line)
{
    struct reading r;
    reading_init(&r);
    write_file(&r, "conf", files[_i].text, strlen(files[_i].text));
    reading_do(&r, LIST("--config=@/conf"), NULL);
    if (files[_i].error == NULL) {
        ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
        if (strstr(files[_i].text, "max-depth") != NULL)
            ck_assert_int_eq(r.options.max_depth, 7);
        ck_assert(r.options.allow_keyless == (strstr(files[_i].text, "yes") != NULL));
    } else {
        char expected[1024];
        path_in(&r, "conf", expected, sizeof(expected));
        strncat(expected, files[_i].error, sizeof(expected) - strlen(expected) - 1);
        ck_assert_int_eq(r.status, OPTIONS_CONFIG);
        ck_assert_str_eq(r.err.text, expected);
    }
    reading_clear(&r);
}
END_TEST

START_TEST(files_that_cannot_be_read_are_errors)
{
    struct reading r;
    reading_init(&r);
    reading_do(&r, LIST("--config=@/none"), NULL);
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    ck_assert_int_eq(strncmp(r.err.text, "config: /", 9), 0);
    ck_assert_ptr_nonnull(strstr(r.err.text, "/none: No such file or directory"));
    reading_drop(&r);
    reading_do(&r, LIST("--config=@"), NULL);
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    ck_assert_ptr_nonnull(strstr(r.err.text, ": Is a directory"));
    reading_drop(&r);
    write_file(&r, "conf", "max-depth = 7\nmax-\0body = 8M\n", 29);
    reading_do(&r, LIST("--config=@/conf"), NULL);
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    ck_assert_ptr_nonnull(strstr(r.err.text, "/conf:2: a NUL byte"));
    reading_clear(&r);
}
END_TEST

START_TEST(long_lines_are_read_whole)
{
    static char text[200000];
    struct reading r;
    reading_init(&r);
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "database = ", 11);
    write_file(&r, "conf", text, strlen(text));
    reading_do(&r, LIST("--config=@/conf"), NULL);
    ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
    ck_assert_uint_eq(strlen(r.options.database), strlen(text) - 11);
    reading_clear(&r);
}
END_TEST

/* A password in a URI may hold what begins a comment elsewhere, and an equals sign. */
START_TEST(a_database_is_a_path_or_a_uri)
{
    static const char *const values[] = {"some where.db",
                                         "./mysql://x",
                                         "://x",
                                         "dir/postgresql://x",
                                         "file:x.db",
                                         "c:x.db",
                                         "postgresql://",
                                         "postgres://%2Frun%2Fpostgresql/beacond",
                                         "postgresql://me:p#=w@[::1]/x"};
    for (size_t i = 0; i < COUNT(values); i++) {
        char text[128];
        struct reading r;
        reading_init(&r);
        snprintf(text, sizeof(text), "database = %s\n", values[i]);
        write_file(&r, "conf", text, strlen(text));
        reading_do(&r, LIST("--config=@/conf"), NULL);
        ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
        ck_assert_str_eq(r.options.database, values[i]);
        reading_clear(&r);
    }
}
END_TEST

/* ---- which source counts ---- */

START_TEST(flag_beats_environment_beats_file)
{
    static const char file[] = "max-depth = 1\nmax-body = 1M\nmax-events = 1\n"
                               "database = file\nallow-keyless = yes\n";
    struct reading r;
    reading_init(&r);
    write_file(&r, "conf", file, sizeof(file) - 1);
    reading_do(&r, LIST("--max-depth=3", "--config", "@/conf"),
               LIST("BEACOND_MAX_DEPTH=2", "BEACOND_MAX_BODY=2M", "BEACOND_ALLOW_KEYLESS=no",
                    "HOME=/nowhere", "BEACOND=./src/beacond"));
    ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
    ck_assert_int_eq(r.options.max_depth, 3);
    ck_assert_int_eq(r.options.max_body, 2 << 20);
    ck_assert_int_eq(r.options.max_events, 1);
    ck_assert_str_eq(r.options.database, "file");
    ck_assert(!r.options.allow_keyless);
    ck_assert_int_eq(r.options.max_event, 1 << 20);
    reading_clear(&r);
}
END_TEST

START_TEST(strongest_source_replaces_a_list_altogether)
{
    static const char file[] = "prefix = /f1\nprefix = /f2\nkey = kf\n"
                               "listen = 127.0.0.1:1\nlisten = 127.0.0.1:2\n";
    struct reading r;
    reading_init(&r);
    write_file(&r, "conf", file, sizeof(file) - 1);
    reading_do(&r, LIST("--prefix=/a1", "--prefix=/a2"),
               LIST("BEACOND_CONFIG=@/conf", "BEACOND_PREFIX=/e1 /e2",
                    "BEACOND_KEY= \tke1:ingest\n ke2:ingest,query "));
    ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
    assert_list(&r.options.prefix, LIST("/a1", "/a2"));
    assert_list(&r.options.key, LIST("ke1:ingest", "ke2:ingest,query"));
    assert_list(&r.options.listen, LIST("127.0.0.1:1", "127.0.0.1:2"));
    reading_clear(&r);
}
END_TEST

START_TEST(empty_variables_count_as_given)
{
    static const char file[] = "key = kf\napp-id = file\nkey-file = /none\n";
    struct reading r;
    reading_init(&r);
    write_file(&r, "conf", file, sizeof(file) - 1);
    reading_do(&r, LIST("--config=@/conf"),
               LIST("BEACOND_KEY=", "BEACOND_APP_ID=", "BEACOND_KEY_FILE="));
    ck_assert_msg(r.status == OPTIONS_OK, "%s", r.err.text);
    ck_assert_uint_eq(r.options.key.count, 0);
    ck_assert_str_eq(r.options.app_id, "");
    ck_assert_ptr_null(r.options.key_file);
    reading_drop(&r);
    reading_do(&r, NULL, LIST("BEACOND_LISTEN= "));
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    ck_assert_str_eq(r.err.text, "listen: expected at least one address");
    reading_drop(&r);
    reading_do(&r, NULL, LIST("BEACOND_PREFIX="));
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    ck_assert_str_eq(r.err.text, "prefix: expected at least one path");
    reading_drop(&r);
    reading_do(&r, NULL, LIST("BEACOND_MAX_BODY="));
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    ck_assert_str_eq(r.err.text, "BEACOND_MAX_BODY: expected a size such as 8M, got \"\"");
    reading_clear(&r);
}
END_TEST

START_TEST(overridden_values_must_be_legal_all_the_same)
{
    struct reading r;
    reading_init(&r);
    write_file(&r, "conf", "max-depth = x\n", 14);
    reading_do(&r, LIST("--max-depth=3", "--config=@/conf"), NULL);
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    reading_drop(&r);
    reading_do(&r, LIST("--max-depth=3"), LIST("BEACOND_MAX_DEPTH=x"));
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    reading_clear(&r);
}
END_TEST

static const char *const unknown_variables[] = {
    "BEACOND_=1",
    "BEACOND_MAX=1",
    "BEACOND_MAX_BODYS=1",
    "BEACOND_max_body=8M",
    "BEACOND_MAX-BODY=8M",
    "BEACOND__LISTEN=1",
    "BEACOND_SERVICE_HOST=10.0.0.1",
};

START_TEST(unknown_variables_are_errors_by_name)
{
    struct reading r;
    reading_init(&r);
    reading_do(&r, NULL, LIST(unknown_variables[_i]));
    ck_assert_int_eq(r.status, OPTIONS_CONFIG);
    size_t name = strcspn(unknown_variables[_i], "=");
    ck_assert_int_eq(strncmp(r.err.text, unknown_variables[_i], name), 0);
    ck_assert_str_eq(r.err.text + name, ": there is no such option");
    reading_clear(&r);
}
END_TEST

/* ---- the table ---- */

START_TEST(help_names_every_option_once)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    ck_assert_ptr_nonnull(out);
    options_help(out, &everything);
    fclose(out);
    size_t n = 0;
    for (; options_name(n) != NULL; n++) {
        char flag[64];
        snprintf(flag, sizeof(flag), "\n  --%s", options_name(n));
        const char *first = n == 0 ? text : strstr(text, flag);
        ck_assert_msg(first != NULL, "%s", options_name(n));
        for (size_t other = 0; other < n; other++)
            ck_assert_str_ne(options_name(n), options_name(other));
    }
    ck_assert_uint_gt(n, 20);
    ck_assert_ptr_null(options_name(n + 1));
    /* but for a path that whoever built it chose */
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        ck_assert_msg(strlen(line) <= 100 ||
                          (*options_file() != '\0' && strstr(line, options_file()) != NULL),
                      "%s", line);
    free(text);
}
END_TEST

START_TEST(every_option_but_config_stands_in_file_and_environment)
{
    struct reading r;
    reading_init(&r);
    for (size_t n = 0; options_name(n) != NULL; n++) {
        char line[128];
        char variable[128];
        snprintf(variable, sizeof(variable), "BEACOND_%s=\x01", options_name(n));
        for (char *c = variable; *c != '='; c++)
            *c = *c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
        reading_do(&r, NULL, LIST(variable));
        ck_assert_msg(strstr(r.err.text, "no such option") == NULL, "%s", variable);
        reading_drop(&r);
        if (strcmp(options_name(n), "config") == 0)
            continue;
        snprintf(line, sizeof(line), "%s = \x01\n", options_name(n));
        write_file(&r, "conf", line, strlen(line));
        reading_do(&r, LIST("--config=@/conf"), NULL);
        ck_assert_msg(strstr(r.err.text, "there is no option") == NULL, "%s", line);
        reading_drop(&r);
    }
    reading_clear(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *values = tcase_create("values");
    TCase *keys = tcase_create("keys");
    TCase *sources = tcase_create("sources");

    tcase_add_test(values, defaults_are_those_of_the_header);
    tcase_add_test(values, options_that_contradict_each_other_are_refused);
    tcase_add_loop_test(values, numbers_and_choices_are_read, 0, COUNT(good_numbers));
    tcase_add_loop_test(values, bad_values_say_what_was_expected, 0, COUNT(bad_values));
    tcase_add_loop_test(values, good_forms_are_taken, 0, COUNT(good_forms));
    tcase_add_loop_test(values, bad_forms_are_refused, 0, COUNT(bad_forms));
    tcase_add_test(values, prefixes_must_differ);
    tcase_add_loop_test(keys, bad_keys_are_refused_and_never_quoted, 0, COUNT(bad_keys));
    tcase_add_test(keys, key_file_adds_its_keys);
    tcase_add_loop_test(keys, open_key_file_is_warned_about, 0, 6);
    tcase_add_loop_test(keys, a_password_in_an_open_file_is_warned_about, 0, COUNT(secrets));
    tcase_add_loop_test(keys, without_keys_only_this_machine_is_served, 0, COUNT(reaches));
    tcase_add_test(keys, empty_key_file_is_no_key);
    tcase_add_loop_test(sources, bad_flags_are_usage_errors, 0, COUNT(bad_flags));
    tcase_add_test(sources, flags_take_their_value_either_way);
    tcase_add_test(sources, last_of_equal_flags_counts);
    tcase_add_test(sources, reading_twice_starts_anew);
    tcase_add_loop_test(sources, config_files_are_read_line_by_line, 0, COUNT(files));
    tcase_add_test(sources, files_that_cannot_be_read_are_errors);
    tcase_add_test(sources, long_lines_are_read_whole);
    tcase_add_test(sources, a_database_is_a_path_or_a_uri);
    tcase_add_test(sources, flag_beats_environment_beats_file);
    tcase_add_test(sources, strongest_source_replaces_a_list_altogether);
    tcase_add_test(sources, empty_variables_count_as_given);
    tcase_add_test(sources, overridden_values_must_be_legal_all_the_same);
    tcase_add_loop_test(sources, unknown_variables_are_errors_by_name, 0, COUNT(unknown_variables));
    tcase_add_test(sources, help_names_every_option_once);
    tcase_add_test(sources, every_option_but_config_stands_in_file_and_environment);
    suite_add_tcase(suite, values);
    suite_add_tcase(suite, keys);
    suite_add_tcase(suite, sources);
    return unit_main(suite);
}
