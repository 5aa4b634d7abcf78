/* Log files in chunks, their names, and gzip. */
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "commands/log_list.h"
#include "commands/log_name.h"
#include "commands/log_reader.h"
#include "folder.h"

static struct folder folder;
static struct bytes file; /* what is written */
static struct bytes got;  /* what is read */

static void reader_setup(void)
{
    folder_make(&folder);
    bytes_init(&file);
    bytes_init(&got);
}

static void reader_teardown(void)
{
    folder_remove(&folder);
    bytes_clear(&file);
    bytes_clear(&got);
}

static const char *written(const char *name, const void *data, size_t len)
{
    static char path[PATH_MAX];
    FILE *out = fopen(folder_file(&folder, path, name), "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(data, 1, len, out), len);
    fclose(out);
    return path;
}

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    char line[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    ck_assert_int_eq(bytes_append_text(&file, line), 0);
}

/* Reads it all: the chunks' texts one behind the other, with the number in front of each line; long
 * lines as "N:…". Returns how it ended. */
static enum log_reader_status read_all(const char *path, size_t line_bytes, bool *turned)
{
    struct log_reader reader;
    struct log_reader_item item;
    struct error err = {""};
    enum log_reader_status status;
    got.len = 0;
    ck_assert_int_eq(log_reader_open(&reader, path, line_bytes, &err), 0);
    while ((status = log_reader_next(&reader, &item, &err)) <= LOG_READER_LONG_LINE) {
        if (status == LOG_READER_LONG_LINE) {
            ck_assert_int_eq(bytes_append_format(&got, "%d:...\n", (int)item.line), 0);
            continue;
        }
        int64_t line = item.chunk.first;
        const char *at = item.chunk.text, *end = at + item.chunk.len;
        ck_assert_uint_gt(item.chunk.len, 0);
        for (; at < end; line += item.chunk.step) {
            const char *feed = memchr(at, '\n', (size_t)(end - at));
            const char *next = feed != NULL ? feed + 1 : end;
            ck_assert_int_eq(bytes_append_format(&got, "%d:", (int)line), 0);
            ck_assert_int_eq(bytes_append(&got, at, (size_t)(next - at)), 0);
            at = next;
        }
    }
    ck_assert_int_eq(status == LOG_READER_FAILED, err.text[0] != '\0');
    if (turned != NULL)
        *turned = log_reader_turned(&reader);
    log_reader_close(&reader);
    return status;
}

static void check_got(const char *expected)
{
    ck_assert_msg(got.len == strlen(expected) && memcmp(got.data, expected, got.len) == 0, "%.*s",
                  (int)(got.len < 2000 ? got.len : 2000), got.data);
}

START_TEST(lines_come_as_they_are)
{
    bool turned;
    const char *path = written("a.log", "one\n\nthree\r\nfour", 16);
    ck_assert_int_eq(read_all(path, 1000, &turned), LOG_READER_END);
    check_got("1:one\n2:\n3:three\r\n4:four");
    ck_assert(!turned);
    ck_assert_int_eq(read_all(written("empty.log", "", 0), 1000, NULL), LOG_READER_END);
    check_got("");
}
END_TEST

/* A file of some chunks, some of whose lines are long, ascending or descending in time. expected:
 * what read_all makes of it. */
static void make_large(bool descends, size_t line_bytes, struct bytes *expected)
{
    const int lines = unit_slow() ? 10000 : 30000;
    static char pad[70000];
    memset(pad, 'x', sizeof pad);
    bytes_init(expected);
    size_t *places = calloc((size_t)lines + 1, sizeof *places);
    for (int i = 0; i < lines; i++) {
        int second = descends ? lines - i : i;
        places[i] = file.len;
        put("{\"timestamp\":\"2024-01-01T%02d:%02d:%02dZ\",\"p\":\"", second / 3600,
            second / 60 % 60, second % 60);
        ck_assert_int_eq(bytes_append(&file, pad, i % 1000 == 999 ? sizeof pad : 50), 0);
        put("\"}%s", i == lines - 1 ? "" : "\n");
    }
    places[lines] = file.len;
    for (int k = 0; k < lines; k++) {
        int i = descends ? lines - 1 - k : k;
        size_t len = places[i + 1] - places[i];
        ck_assert_int_eq(bytes_append_format(expected, "%d:", i + 1), 0);
        if (len > line_bytes + 1)
            ck_assert_int_eq(bytes_append_text(expected, "...\n"), 0);
        else
            ck_assert_int_eq(bytes_append(expected, file.data + places[i], len), 0);
    }
    free(places);
}

static void check_large(const struct bytes *expected)
{
    ck_assert_uint_eq(got.len, expected->len);
    ck_assert_int_eq(memcmp(got.data, expected->data, got.len), 0);
}

START_TEST(a_large_file_comes_in_chunks_in_the_order_of_its_time)
{
    struct bytes expected;
    bool turned;
    make_large(_i == 1, 1 << 20, &expected);
    ck_assert_int_eq(read_all(written("a.log", file.data, file.len), 1 << 20, &turned),
                     LOG_READER_END);
    check_large(&expected);
    ck_assert(!turned);
    bytes_clear(&expected);
}
END_TEST

/* Of lines that are too long nothing is kept but their number. They must be longer than a chunk for
 * that: shorter ones are left to who reads the chunk. */
START_TEST(lines_that_are_too_long_are_passed_over)
{
    static char pad[3 << 20];
    memset(pad, 'x', sizeof pad);
    for (int i = 0; i < 4; i++) {
        put("{\"timestamp\":\"2024-01-01T00:00:0%dZ\"}\n", _i == 1 ? 9 - i : i);
        ck_assert_int_eq(bytes_append(&file, pad, sizeof pad), 0);
        if (i < 3) /* the last one ends with the file */
            put("\n");
    }
    /* Last, where the ends are looked at for timestamps. */
    put("\n{\"timestamp\":\"2024-01-01T00:00:05Z\"}\n");
    ck_assert_int_eq(read_all(written("a.log", file.data, file.len), 1 << 20, NULL),
                     LOG_READER_END);
    if (_i == 0)
        check_got("1:{\"timestamp\":\"2024-01-01T00:00:00Z\"}\n2:...\n"
                  "3:{\"timestamp\":\"2024-01-01T00:00:01Z\"}\n4:...\n"
                  "5:{\"timestamp\":\"2024-01-01T00:00:02Z\"}\n6:...\n"
                  "7:{\"timestamp\":\"2024-01-01T00:00:03Z\"}\n8:...\n"
                  "9:{\"timestamp\":\"2024-01-01T00:00:05Z\"}\n");
    else
        check_got("9:{\"timestamp\":\"2024-01-01T00:00:05Z\"}\n8:...\n"
                  "7:{\"timestamp\":\"2024-01-01T00:00:06Z\"}\n6:...\n"
                  "5:{\"timestamp\":\"2024-01-01T00:00:07Z\"}\n4:...\n"
                  "3:{\"timestamp\":\"2024-01-01T00:00:08Z\"}\n2:...\n"
                  "1:{\"timestamp\":\"2024-01-01T00:00:09Z\"}\n");
}
END_TEST

START_TEST(half_a_line_at_the_end_of_a_file_read_backwards_comes_alone)
{
    struct log_reader reader;
    struct log_reader_item item;
    put("{\"timestamp\":\"2024-01-01T00:00:02Z\"}\n{\"timestamp\":\"2024-01-01T00:00:01Z\"}\n{"
        "\"ti");
    ck_assert_int_eq(log_reader_open(&reader, written("a.log", file.data, file.len), 1000, NULL),
                     0);
    ck_assert_int_eq(log_reader_next(&reader, &item, NULL), LOG_READER_CHUNK_READ);
    ck_assert_uint_eq(item.chunk.len, 4);
    ck_assert_int_eq(item.chunk.first, 3);
    ck_assert_int_eq(log_reader_next(&reader, &item, NULL), LOG_READER_CHUNK_READ);
    ck_assert_int_eq(item.chunk.first, 2);
    ck_assert_ptr_nonnull(strstr(item.chunk.text, ":01Z"));
    ck_assert_int_eq(log_reader_next(&reader, &item, NULL), LOG_READER_END);
    log_reader_close(&reader);
}
END_TEST

/* A gzip member of data behind out. */
static void zip(struct bytes *out, const void *data, size_t len)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(bytes_reserve(out, len + 1000), 0);
    stream.next_in = (unsigned char *)data;
    stream.avail_in = (uInt)len;
    stream.next_out = (unsigned char *)out->data + out->len;
    stream.avail_out = (uInt)(len + 1000);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out->len += stream.total_out;
    deflateEnd(&stream);
}

START_TEST(gzip_is_told_by_its_content_and_may_have_members)
{
    struct bytes expected, zipped;
    bool turned;
    bytes_init(&zipped);
    make_large(false, 1 << 20, &expected);
    /* Cut anywhere, with an empty member between. */
    zip(&zipped, file.data, 1000001);
    zip(&zipped, "", 0);
    zip(&zipped, file.data + 1000001, file.len - 1000001);
    ck_assert_int_eq(read_all(written("a.log", zipped.data, zipped.len), 1 << 20, &turned),
                     LOG_READER_END);
    check_large(&expected);
    ck_assert(!turned);
    bytes_clear(&expected);
    bytes_clear(&zipped);
}
END_TEST

START_TEST(gzip_that_is_cut_or_damaged_gives_what_comes_before)
{
    struct bytes zipped;
    bytes_init(&zipped);
    zip(&zipped, "one\ntwo\n", 8);
    size_t whole = zipped.len;
    zip(&zipped, "three\n", 6);
    switch (_i) {
    case 0: /* cut */
        zipped.len -= 4;
        break;
    case 1: /* its checksum is wrong */
        zipped.data[zipped.len - 6] ^= 1;
        break;
    default: /* something stands behind the first member */
        memset(zipped.data + whole, 0, zipped.len - whole);
    }
    ck_assert_int_eq(read_all(written("a.gz", zipped.data, zipped.len), 1000, NULL),
                     LOG_READER_FAILED);
    check_got(_i == 2 ? "1:one\n2:two\n" : "1:one\n2:two\n3:three\n");
    bytes_clear(&zipped);
}
END_TEST

START_TEST(gzip_with_the_newest_first_says_so)
{
    struct bytes zipped;
    bool turned = false;
    bytes_init(&zipped);
    put("{\"timestamp\":\"2024-01-01T00:00:02Z\"}\n{\"timestamp\":\"2024-01-01T00:00:01Z\"}\n");
    zip(&zipped, file.data, file.len);
    ck_assert_int_eq(read_all(written("a.gz", zipped.data, zipped.len), 1000, &turned),
                     LOG_READER_END);
    ck_assert(turned);
    bytes_clear(&zipped);
}
END_TEST

static const struct {
    const char *name;
    const char *stamp; /* NULL: no log; "": the current one */
} names[] = {
    {"shop.log", ""},
    {"shop.jsonl", ""},
    {"shop.log.gz", ""},
    {"shop-2026_11_20.log", "2026_11_20"},
    {"shop-2026_11_20.jsonl.gz", "2026_11_20"},
    {"shop-2026_11_20_09_08_07.log", "2026_11_20_09_08_07"},
    {"a-b-2026_11_20.log", "2026_11_20"},
    {"shop-2026-11-20.log", ""},
    {"-2026_11_20.log", ""}, /* a name of its own */
    {"shop-2026_11_2.log", ""},
    {"shop.txt", NULL},
    {"shop.log.1", NULL},
    {"shop.gz", NULL},
    {".log", NULL},
    {".shop.log", NULL},
    {"log", NULL},
};

START_TEST(names_tell_archives_from_the_current_log)
{
    struct log_name name;
    bool is = log_name_parse(&name, names[_i].name);
    ck_assert_int_eq(is, names[_i].stamp != NULL);
    if (is) {
        ck_assert_int_eq(name.archive, *names[_i].stamp != '\0');
        ck_assert_str_eq(name.stamp, names[_i].stamp);
    }
}
END_TEST

START_TEST(a_directory_is_its_logs_in_the_order_of_time)
{
    static const char *const ordered[] = {
        "z-2025_12_31.log",
        "a-2026_01_01.log",
        "a-2026_01_01_10_00_00.log.gz",
        "b-2026_01_01_11_00_00.log",
        "a.log",
        "b.jsonl",
    };
    static const char *const others[] = {"notes.txt", ".a.log", "a.log.1"};
    struct log_list list;
    struct error err;
    char path[PATH_MAX];
    enum { ORDERED = sizeof ordered / sizeof *ordered };
    for (size_t i = ORDERED; i-- > 0;)
        written(ordered[i], "", 0);
    for (size_t i = 0; i < 3; i++)
        written(others[i], "", 0);
    ck_assert_int_eq(mkfifo(folder_file(&folder, path, "pipe.log"), 0600), 0);
    log_list_init(&list);
    ck_assert_int_eq(log_list_add(&list, "-", &err), 0);
    ck_assert_int_eq(log_list_add(&list, folder.path, &err), 0);
    ck_assert_uint_eq(list.count, ORDERED + 1);
    for (size_t i = 0; i < ORDERED; i++)
        ck_assert_str_eq(list.paths[i + 1], folder_file(&folder, path, ordered[i]));
    /* Named itself, anything is taken. */
    ck_assert_int_eq(log_list_add(&list, folder_file(&folder, path, "pipe.log"), &err), 0);
    ck_assert_int_eq(log_list_add(&list, folder_file(&folder, path, "not-there"), &err), -1);
    log_list_clear(&list);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log_reader");
    TCase *tcase = tcase_create("log_reader");
    tcase_add_checked_fixture(tcase, reader_setup, reader_teardown);
    tcase_add_test(tcase, lines_come_as_they_are);
    tcase_add_loop_test(tcase, a_large_file_comes_in_chunks_in_the_order_of_its_time, 0, 2);
    tcase_add_loop_test(tcase, lines_that_are_too_long_are_passed_over, 0, 2);
    tcase_add_test(tcase, half_a_line_at_the_end_of_a_file_read_backwards_comes_alone);
    tcase_add_test(tcase, gzip_is_told_by_its_content_and_may_have_members);
    tcase_add_loop_test(tcase, gzip_that_is_cut_or_damaged_gives_what_comes_before, 0, 3);
    tcase_add_test(tcase, gzip_with_the_newest_first_says_so);
    tcase_add_loop_test(tcase, names_tell_archives_from_the_current_log, 0,
                        (int)(sizeof names / sizeof *names));
    tcase_add_test(tcase, a_directory_is_its_logs_in_the_order_of_time);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
