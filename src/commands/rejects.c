#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "commands/flags.h"
#include "commands/interrupt.h"
#include "commands/output.h"
#include "commands/work.h"
#include "contract/document.h"
#include "contract/line.h"
#include "contract/timestamp.h"
#include "contract/utf8.h"
#include "store/store.h"

#define REJECTS_SHOWN 100  /* characters of a reject in the list */
#define REJECTS_MOST 10000 /* numbers on one command line: what the control socket takes */

/* ---- list ---- */

struct rejects_list {
    bool json;
    int64_t left; /* how many may still be listed */
    int64_t after;
    struct output output;
    bool starved;
};

static int rejects_base64(struct bytes *out, const char *text, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)text;
    if (bytes_reserve(out, (len + 2) / 3 * 4) != 0)
        return -1;
    char *to = out->data + out->len;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t three = (uint32_t)at[i] << 16;
        if (i + 1 < len)
            three |= (uint32_t)at[i + 1] << 8;
        if (i + 2 < len)
            three |= at[i + 2];
        *to++ = digits[three >> 18];
        *to++ = digits[three >> 12 & 63];
        *to++ = i + 1 < len ? digits[three >> 6 & 63] : '=';
        *to++ = i + 2 < len ? digits[three & 63] : '=';
    }
    out->len += (len + 2) / 3 * 4;
    return 0;
}

static bool rejects_is_utf8(const char *text, size_t len)
{
    struct utf8 utf8 = {0};
    return utf8_add(&utf8, text, len) && utf8_whole(&utf8);
}

/* flags: jansson's. */
static int rejects_append_object(struct bytes *out, const struct store_reject *reject, size_t flags)
{
    char when[TIMESTAMP_SIZE];
    bool text = rejects_is_utf8(reject->text, reject->len);
    size_t reason = strlen(reject->reason);
    struct bytes coded;
    bytes_init(&coded);
    timestamp_format(when, reject->received);
    if (!text && rejects_base64(&coded, reject->text, reject->len) != 0) {
        bytes_clear(&coded);
        return -1;
    }
    json_t *line =
        json_pack("{sI ss ss sI ss%}", "n", (json_int_t)reject->n, "received", when, "reason",
                  rejects_is_utf8(reject->reason, reason) ? reject->reason : "?", "bytes",
                  (json_int_t)reject->len, text ? "event" : "base64",
                  text ? reject->text : coded.data, text ? reject->len : coded.len);
    int status = document_dump_as(out, line, flags);
    bytes_clear(&coded);
    return status;
}

/* visible: for a terminal, to which even DEL, which JSON leaves as it is, must not get through. */
static int rejects_append_json(struct bytes *out, const struct store_reject *reject, bool visible)
{
    struct bytes line;
    bytes_init(&line);
    int status =
        rejects_append_object(&line, reject, JSON_COMPACT | (visible ? JSON_ENSURE_ASCII : 0));
    if (status == 0)
        status = visible ? line_append_visible(out, line.data, line.len)
                         : bytes_append(out, line.data, line.len);
    bytes_clear(&line);
    return status == 0 ? bytes_append(out, "\n", 1) : -1;
}

static int rejects_append_text(struct bytes *out, const struct store_reject *reject)
{
    char when[TIMESTAMP_SIZE];
    timestamp_format(when, reject->received);
    int status = bytes_append_format(out, "%-5" PRId64 " %s  ", reject->n, when);
    if (status == 0)
        status = line_append_plain(out, reject->reason, strlen(reject->reason), REJECTS_SHOWN);
    if (status == 0)
        status = bytes_append_format(out, "  %zu bytes  ", reject->len);
    if (status == 0)
        status = line_append_plain(out, reject->text, reject->len, REJECTS_SHOWN);
    return status == 0 ? bytes_append(out, "\n", 1) : -1;
}

static int rejects_row(void *arg, const struct store_reject *reject)
{
    struct rejects_list *list = arg;
    struct bytes *out = &list->output.bytes;
    if (list->left == 0)
        return -1;
    list->left--;
    list->after = reject->n;
    list->starved = (list->json ? rejects_append_json(out, reject, list->output.terminal)
                                : rejects_append_text(out, reject)) != 0;
    return list->starved || out->len >= OUTPUT_CHUNK;
}

static int rejects_write(struct rejects_list *list, struct store_reader *reader, struct error *err)
{
    bool more = true;
    int status = OUTPUT_OK;
    while (more && list->left > 0 && status == OUTPUT_OK) {
        if (store_page_rejects(reader, list->after, rejects_row, list, &more, err) != STORE_OK)
            return OUTPUT_FAILED;
        if (list->starved) {
            error_set(err, "out of memory");
            return OUTPUT_FAILED;
        }
        status = interrupted() ? OUTPUT_STOPPED : output_flush(&list->output, err);
    }
    return status;
}

static int rejects_list(const struct options *options, bool json, int64_t limit,
                        struct meter *meter)
{
    struct rejects_list list = {.json = json, .left = limit, .after = INT64_MIN};
    struct store_reader *reader = NULL;
    struct error err = {""};
    interrupt_watch();
    int status = store_reader_open_file(options->database, &reader, &err);
    int code = status == STORE_UNFIT ? COMMAND_CONFIG : COMMAND_FAILED;
    if (status == STORE_OK) {
        status = output_open(&list.output, NULL, false, &err);
        if (status == OUTPUT_OK)
            status = rejects_write(&list, reader, &err);
        if (status == OUTPUT_OK || status == OUTPUT_CLOSED)
            code = COMMAND_OK;
        else if (status == OUTPUT_STOPPED)
            code = COMMAND_STOPPED;
        output_close(&list.output);
    }
    if (err.text[0] != '\0')
        meter_say(meter, "beacond: %s", err.text);
    store_reader_close(reader);
    return code;
}

/* ---- retry, drop ---- */

static int rejects_compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The numbers on the command line, ascending, each once, into request. 0, or -1 with err. */
static int rejects_numbers(json_t *request, char *const *texts, size_t count, struct error *err)
{
    int64_t *numbers = calloc(count, sizeof *numbers);
    json_t *array = json_array();
    int status = numbers == NULL || array == NULL ? -1 : 0;
    if (status != 0)
        error_set(err, "out of memory");
    for (size_t i = 0; i < count && status == 0; i++) {
        if (flags_read_number(texts[i], &numbers[i]) == 0 && numbers[i] > 0)
            continue;
        error_set(err, "expected the number of a reject, or all, got \"%s\"", texts[i]);
        status = -1;
    }
    if (status == 0)
        qsort(numbers, count, sizeof *numbers, rejects_compare);
    for (size_t i = 0; i < count && status == 0; i++)
        if (i == 0 || numbers[i] != numbers[i - 1])
            status = json_array_append_new(array, json_integer((json_int_t)numbers[i]));
    free(numbers);
    if (status == 0)
        return json_object_set_new(request, "numbers", array);
    json_decref(array);
    return -1;
}

static int64_t rejects_count(const json_t *result, const char *name)
{
    return json_integer_value(json_object_get(result, name));
}

static int rejects_tell(struct meter *meter, const json_t *result, bool retry)
{
    int64_t missing = rejects_count(result, "missing");
    if (retry)
        printf("%" PRId64 " stored, %" PRId64 " already there, %" PRId64 " kept\n",
               rejects_count(result, "stored"), rejects_count(result, "duplicate"),
               rejects_count(result, "kept"));
    else
        printf("%" PRId64 " dropped\n", rejects_count(result, "dropped"));
    if (missing > 0)
        meter_say(meter, "beacond: %" PRId64 " of these numbers not found", missing);
    if (json_is_true(json_object_get(result, "stopped")) && interrupted()) {
        meter_say(meter, "beacond: stopped");
        return COMMAND_STOPPED;
    }
    return missing > 0 ? COMMAND_FAILED : COMMAND_OK;
}

static int rejects_change(const struct options *options, bool retry, char *const *texts,
                          size_t count, struct meter *meter)
{
    struct error err = {""};
    json_t *result = NULL;
    json_t *request = json_pack("{ss}", "job", retry ? "retry-rejects" : "drop-rejects");
    bool all = count == 1 && strcmp(texts[0], "all") == 0;
    if (request == NULL)
        return COMMAND_FAILED;
    if (!all && rejects_numbers(request, texts, count, &err) != 0) {
        meter_say(meter, "beacond: %s", err.text);
        json_decref(request);
        return COMMAND_USAGE;
    }
    int code = work_run(options, meter, request, &result);
    if (code == COMMAND_OK)
        code = rejects_tell(meter, result, retry);
    json_decref(result);
    return code;
}

/* ---- the command ---- */

static int rejects_usage(struct meter *meter, const char *text)
{
    meter_say(meter, "beacond: %s\nTry: beacond rejects --help", text);
    return COMMAND_USAGE;
}

static int rejects_run(const struct options *options, const struct arguments *arguments)
{
    struct meter meter;
    struct error err;
    bool json = arguments_value(arguments, "json") != NULL;
    const char *verb = arguments->operand_count > 0 ? arguments->operands[0] : "list";
    int64_t most = INT64_MAX;
    meter_init(&meter);
    if (strcmp(verb, "list") == 0) {
        if (arguments->operand_count > 1)
            return rejects_usage(&meter, "list takes no numbers");
        if (flags_number(arguments, "limit", &most, &err) < 0) {
            meter_say(&meter, "beacond: %s", err.text);
            return COMMAND_CONFIG;
        }
        return rejects_list(options, json, most, &meter);
    }
    if (strcmp(verb, "retry") != 0 && strcmp(verb, "drop") != 0)
        return rejects_usage(&meter, "expected list, retry or drop");
    if (arguments_value(arguments, "limit") != NULL || json)
        return rejects_usage(&meter, "--limit and --json belong to list");
    if (arguments->operand_count < 2)
        return rejects_usage(&meter, "which ones? numbers from the list, or all");
    return rejects_change(options, strcmp(verb, "retry") == 0, arguments->operands + 1,
                          arguments->operand_count - 1, &meter);
}

static const struct arguments_flag rejects_flags[] = {
    {"json", NULL, "list: a JSON object a line, with all that was sent"},
    {"limit", "NUMBER", "list: at most so many, the oldest; default: all"},
    {0},
};

static const char *const rejects_options[] = {
    "config",    "database",    "log-level",        "log-format",    "synchronous", "max-event",
    "max-depth", "max-rejects", "max-rejects-size", "receipts-size", NULL};

static const char *rejects_word(size_t n)
{
    static const char *const words[] = {"list", "retry all", "drop all", NULL};
    return n < sizeof words / sizeof words[0] ? words[n] : NULL;
}

const struct command command_rejects = {
    .name = "rejects",
    .help = "list what could not be stored, read it anew, or delete it",
    .usage = {.flags = rejects_flags,
              .options = rejects_options,
              .operands = "[list | retry NUMBER... | retry all | drop NUMBER... | drop all]",
              .word = rejects_word,
              .most = REJECTS_MOST},
    .run = rejects_run,
};
