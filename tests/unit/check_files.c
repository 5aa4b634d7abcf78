#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "server/files_load.h"
#include "unit.h"

static void add(struct files *files, const char *name, const char *text, size_t len)
{
    struct bytes data;
    bytes_init(&data);
    ck_assert_int_eq(bytes_append(&data, text, len), 0);
    ck_assert_int_eq(files_add_take(files, name, &data), 0);
    ck_assert_ptr_null(data.data);
}

START_TEST(files_are_found_by_their_whole_name)
{
    static const char *const names[] = {"index.html", "assets/b.js", "assets/a.js", "assets", "z"};
    struct files *files = files_new();
    ck_assert_ptr_nonnull(files);
    for (size_t i = 0; i < 5; i++)
        add(files, names[i], names[i], strlen(names[i]));
    files_end(files);
    for (size_t i = 0; i < 5; i++) {
        const struct file *file = files_find(files, names[i]);
        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(file->plain.len, strlen(names[i]));
        ck_assert_mem_eq(file->plain.data, names[i], file->plain.len);
    }
    ck_assert_ptr_null(files_find(files, "Index.html"));
    ck_assert_ptr_null(files_find(files, "index"));
    ck_assert_ptr_null(files_find(files, "/index.html"));
    ck_assert_ptr_null(files_find(files, ""));
    ck_assert_uint_eq(files_count(files), 5);
    ck_assert_uint_eq(files_bytes(files), 10 + 11 + 11 + 6 + 1);
    files_drop(files_hold(files));
    ck_assert_ptr_nonnull(files_find(files, "z"));
    files_drop(files);
    files_drop(NULL);
}
END_TEST

START_TEST(files_of_none_hold_none)
{
    struct files *files = files_new();
    files_end(files);
    ck_assert_ptr_null(files_find(files, "index.html"));
    files_drop(files);
}
END_TEST

static const struct {
    const char *name, *seed; /* the content is seed over and over */
    size_t len;
    bool packed;
} packs[] = {
    {"a.js", "const x = 1;\n", 10000, true},
    {"a.js", "const x = 1;\n", 40, false},
    {"a.js", "", 0, false},
    {"a.png", "const x = 1;\n", 10000, false},
    {"unknown", "const x = 1;\n", 10000, true},
    {"a.txt", NULL, 5000, false},
};

START_TEST(files_are_compressed_where_that_helps)
{
    char *content = malloc(packs[_i].len + 1), *plain = malloc(packs[_i].len + 1);
    unsigned random = 1;
    for (size_t i = 0; i < packs[_i].len; i++) {
        random = random * 1103515245 + 12345;
        content[i] = packs[_i].seed != NULL ? packs[_i].seed[i % strlen(packs[_i].seed)]
                                            : (char)(random >> 16);
    }
    struct files *files = files_new();
    add(files, packs[_i].name, content, packs[_i].len);
    files_end(files);
    const struct file *file = files_find(files, packs[_i].name);
    ck_assert_uint_eq(strlen(file->plain.etag), FILES_ETAG_SIZE - 1);
    ck_assert_int_eq(file->gzip.data != NULL, packs[_i].packed);
    if (packs[_i].packed) {
        z_stream stream = {.next_in = (Bytef *)file->gzip.data,
                           .avail_in = (uInt)file->gzip.len,
                           .next_out = (Bytef *)plain,
                           .avail_out = (uInt)packs[_i].len + 1};
        ck_assert_int_eq(inflateInit2(&stream, 15 + 16), Z_OK);
        ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
        ck_assert_uint_eq(stream.total_out, packs[_i].len);
        ck_assert_mem_eq(plain, content, packs[_i].len);
        ck_assert_uint_lt(file->gzip.len, packs[_i].len);
        ck_assert_str_ne(file->gzip.etag, file->plain.etag);
        inflateEnd(&stream);
    }
    files_drop(files);
    free(content);
    free(plain);
}
END_TEST

static char dir[] = "/tmp/beacond-files-XXXXXX";

static const char *below(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", dir, name);
    return out;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(below(name), "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void directory(const char *name)
{
    ck_assert_int_eq(mkdir(below(name), 0700), 0);
}

static void setup(void)
{
    strcpy(dir, "/tmp/beacond-files-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    directory("site");
    put("site/index.html", "<!doctype html>");
    put("secret", "of the neighbour");
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void refuses(const char *words)
{
    struct error err;
    ck_assert_ptr_null(files_load(below("site"), &err));
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "/site") != NULL, "%s", err.text);
}

START_TEST(files_load_reads_all_but_what_is_hidden)
{
    struct error err;
    directory("site/assets");
    directory("site/assets/deep");
    directory("site/.git");
    put("site/.git/config", "x");
    put("site/.env", "x");
    put("site/assets/a.js", "a");
    put("site/assets/deep/b.js", "bb");
    put("site/empty.txt", "");
    ck_assert_int_eq(symlink("assets/a.js", below("site/same.js")), 0);
    ck_assert_int_eq(symlink("site", below("current")), 0);
    struct files *files = files_load(below("current"), &err);
    ck_assert_msg(files != NULL, "%s", err.text);
    ck_assert_uint_eq(files_count(files), 5);
    ck_assert_ptr_nonnull(files_find(files, "assets/deep/b.js"));
    ck_assert_ptr_nonnull(files_find(files, "same.js"));
    ck_assert_ptr_nonnull(files_find(files, "empty.txt"));
    ck_assert_ptr_null(files_find(files, ".env"));
    ck_assert_ptr_null(files_find(files, ".git/config"));
    ck_assert_uint_eq(files_bytes(files), 15 + 1 + 2 + 1);
    files_drop(files);
}
END_TEST

START_TEST(files_load_refuses_links_that_lead_out)
{
    ck_assert_int_eq(symlink("../secret", below("site/secret.txt")), 0);
    refuses("site/secret.txt: is a symbolic link that leads out");
    ck_assert_int_eq(unlink(below("site/secret.txt")), 0);
    /* A neighbour whose name begins alike. */
    directory("site2");
    ck_assert_int_eq(symlink("../site2", below("site/other")), 0);
    refuses("site/other: is a symbolic link that leads out");
    ck_assert_int_eq(unlink(below("site/other")), 0);
    ck_assert_int_eq(symlink("..", below("site/up")), 0);
    refuses("site/up: is a symbolic link that leads out");
    ck_assert_int_eq(unlink(below("site/up")), 0);
    ck_assert_int_eq(symlink("nowhere", below("site/dangling")), 0);
    refuses("site/dangling: No such file");
}
END_TEST

START_TEST(files_load_refuses_what_is_no_site)
{
    struct error err;
    ck_assert_ptr_null(files_load(below("nothing"), &err));
    ck_assert_msg(strstr(err.text, "nothing: No such file") != NULL, "%s", err.text);
    ck_assert_ptr_null(files_load(below("secret"), &err));
    ck_assert_msg(strstr(err.text, "secret: Not a directory") != NULL, "%s", err.text);
    ck_assert_int_eq(mkfifo(below("site/pipe"), 0600), 0);
    refuses("site/pipe: is neither a file nor a directory");
    ck_assert_int_eq(unlink(below("site/pipe")), 0);
    put("site/a\\b", "");
    refuses("can't stand in a URL");
    ck_assert_int_eq(unlink(below("site/a\\b")), 0);
    directory("site/sub");
    ck_assert_int_eq(symlink("..", below("site/sub/loop")), 0);
    refuses("is more than 16 directories deep");
    ck_assert_int_eq(unlink(below("site/sub/loop")), 0);
    ck_assert_int_eq(unlink(below("site/index.html")), 0);
    refuses("site/index.html: is missing");
}
END_TEST

START_TEST(files_load_has_bounds)
{
    put("site/large.bin", "");
    ck_assert_int_eq(truncate(below("site/large.bin"), (off_t)FILES_LOAD_BYTES + 1), 0);
    refuses("take more than 64 MiB");
    ck_assert_int_eq(unlink(below("site/large.bin")), 0);
    directory("site/many");
    for (int i = 0; i < FILES_LOAD_COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "site/many/%d", i);
        put(name, "");
    }
    refuses("there are more than 4096 files");
    ck_assert_int_eq(unlink(below("site/many/7")), 0);
    struct error err;
    struct files *files = files_load(below("site"), &err);
    ck_assert_msg(files != NULL, "%s", err.text);
    ck_assert_uint_eq(files_count(files), FILES_LOAD_COUNT);
    files_drop(files);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files");
    TCase *tcase = tcase_create("files");
    tcase_add_test(tcase, files_are_found_by_their_whole_name);
    tcase_add_test(tcase, files_of_none_hold_none);
    tcase_add_loop_test(tcase, files_are_compressed_where_that_helps, 0,
                        (int)(sizeof packs / sizeof *packs));
    suite_add_tcase(suite, tcase);
    TCase *load = tcase_create("files_load");
    tcase_add_checked_fixture(load, setup, teardown);
    tcase_add_test(load, files_load_reads_all_but_what_is_hidden);
    tcase_add_test(load, files_load_refuses_links_that_lead_out);
    tcase_add_test(load, files_load_refuses_what_is_no_site);
    tcase_add_test(load, files_load_has_bounds);
    tcase_set_timeout(load, 60);
    suite_add_tcase(suite, load);
    return unit_main(suite);
}
