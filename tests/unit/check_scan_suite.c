/*
 * The JSON test suite, each file as an event's payload and as a body. What begins with y_ must be
 * taken and with n_ refused; the verdicts on i_ are written down in tests/data/json-i-verdicts.txt.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "contract/batch.h"
#include "slurp.h"
#include "unit.h"

#define SUITE_HEAD "{\"events\":[{\"timestamp\":\"2024-03-15T10:23:45.123Z\",\"payload\":"
#define SUITE_TAIL "}]}"
#define SUITE_FILES 318

static const struct batch_limits suite_limits = {.event_bytes = 1 << 20, .depth = 512};

/* What becomes of a body, in the words of json-i-verdicts.txt. *kept: the text of its one event. */
static const char *suite_verdict(const struct bytes *body, struct bytes *kept)
{
    struct uuid_source uuids;
    struct batch *batch;
    struct error err;
    uuid_source_init(&uuids);
    const char *verdict = "ok";
    switch (batch_read(body->data, body->len, &suite_limits, &uuids, NULL, 0, &batch, &err)) {
    case BATCH_OK:
        ck_assert_uint_eq(batch->event_count + batch->reject_count, 1);
        if (batch->reject_count == 1)
            verdict = batch_reason_text(batch->rejects[0].reason);
        else
            ck_assert_int_eq(bytes_append(kept, batch->events[0].text, batch->events[0].text_len),
                             0);
        break;
    case BATCH_NO_JSON:
        verdict = "no JSON";
        break;
    case BATCH_NO_EVENTS:
        verdict = "no events";
        break;
    default:
        ck_abort_msg("%s", err.text);
    }
    batch_free(batch);
    return verdict;
}

static bool suite_file(struct bytes *file, const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    if (dot == NULL || strcmp(dot, ".json") != 0)
        return false;
    char name[400];
    snprintf(name, sizeof name, "json-test-suite/%s", entry->d_name);
    file->len = 0;
    slurp(file, name);
    return true;
}

static const char *suite_as_payload(const struct bytes *file, struct bytes *kept)
{
    struct bytes body;
    bytes_init(&body);
    int failed = bytes_append_text(&body, SUITE_HEAD);
    failed |= bytes_append(&body, file->data, file->len);
    failed |= bytes_append_text(&body, SUITE_TAIL);
    ck_assert_int_eq(failed, 0);
    kept->len = 0;
    const char *verdict = suite_verdict(&body, kept);
    bytes_clear(&body);
    return verdict;
}

/* The event must hold the file's bytes as they are, in front of its closing brace. */
static void suite_check_verbatim(const char *name, const struct bytes *file,
                                 const struct bytes *kept)
{
    ck_assert_uint_gt(kept->len, file->len);
    ck_assert_msg(memcmp(kept->data + kept->len - 1 - file->len, file->data, file->len) == 0,
                  "%s does not come back byte for byte", name);
}

START_TEST(scan_agrees_with_the_json_test_suite)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/data/json-test-suite", unit_srcdir());
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    struct bytes file, kept;
    bytes_init(&file);
    bytes_init(&kept);
    int files = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (!suite_file(&file, entry))
            continue;
        files++;
        const char *name = entry->d_name;
        if (*name == 'i')
            continue;
        const char *payload = suite_as_payload(&file, &kept);
        const char *body = suite_verdict(&file, &kept);
        ck_assert_msg(strcmp(payload, *name == 'y' ? "ok" : "no JSON") == 0, "%s in an event: %s",
                      name, payload);
        ck_assert_msg(strcmp(body, *name == 'y' ? "no events" : "no JSON") == 0, "%s as a body: %s",
                      name, body);
        if (*name == 'y')
            suite_check_verbatim(name, &file, &kept);
    }
    closedir(dir);
    bytes_clear(&file);
    bytes_clear(&kept);
    ck_assert_int_eq(files, SUITE_FILES);
}
END_TEST

/* A field of a line up to a bar, without the spaces around it. */
static char *suite_field(char **line)
{
    char *field = strsep(line, "|");
    ck_assert_ptr_nonnull(field);
    field += strspn(field, " ");
    for (size_t len = strlen(field); len > 0 && field[len - 1] == ' '; len--)
        field[len - 1] = '\0';
    return field;
}

START_TEST(scan_decides_on_the_rest_as_written_down)
{
    struct bytes verdicts, file, kept;
    bytes_init(&verdicts);
    bytes_init(&file);
    bytes_init(&kept);
    slurp(&verdicts, "json-i-verdicts.txt");
    ck_assert_int_eq(bytes_append(&verdicts, "", 1), 0);
    int files = 0;
    char *rest = verdicts.data;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (*line == '#' || *line == '\0')
            continue;
        char *name = suite_field(&line);
        char *payload_wanted = suite_field(&line);
        char *body_wanted = suite_field(&line);
        ck_assert_msg(line != NULL && *suite_field(&line) != '\0', "%s: no reason is given", name);
        char path[400];
        snprintf(path, sizeof path, "json-test-suite/%s", name);
        file.len = 0;
        slurp(&file, path);
        const char *payload = suite_as_payload(&file, &kept);
        ck_assert_msg(strcmp(payload, payload_wanted) == 0, "%s in an event: %s", name, payload);
        if (strcmp(payload, "ok") == 0)
            suite_check_verbatim(name, &file, &kept);
        const char *body = suite_verdict(&file, &kept);
        ck_assert_msg(strcmp(body, body_wanted) == 0, "%s as a body: %s", name, body);
        files++;
    }
    bytes_clear(&verdicts);
    bytes_clear(&file);
    bytes_clear(&kept);
    ck_assert_int_eq(files, 35);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan_suite");
    TCase *tests = tcase_create("scan_suite");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, scan_agrees_with_the_json_test_suite);
    tcase_add_test(tests, scan_decides_on_the_rest_as_written_down);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
