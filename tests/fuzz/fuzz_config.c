/*
 * fuzz_config.c: a config file. What is taken is printed, and read again as the same; what is not
 * is refused with words that quote no key.
 *
 * The input is the file. Keys in it are the texts behind "key =" that begin with SECRET.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "options/table.h"

static const struct arguments_usage fuzz_usage = {.serves = true};

/* Reads a file of that content. */
static int fuzz_gather(struct options *options, const void *data, size_t len, struct error *err)
{
    char path[32], *argv[] = {"beacond", "--config", path, NULL}, *environment[] = {NULL};
    struct arguments arguments = {.usage = &fuzz_usage};
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_need(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, len, 0) == (ssize_t)len,
              "no file to write");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return options_gather(options, &arguments, 3, argv, environment, err);
}

static const void *fuzz_place(const struct options *options, const struct options_row *row)
{
    return (const char *)options + row->offset;
}

static void fuzz_line(struct bytes *out, const struct options_row *row, const char *value)
{
    fuzz_need(bytes_append_format(out, "%s=%s\n", row->name, value) == 0, "out of memory");
}

static void fuzz_print_row(struct bytes *out, const struct options *options,
                           const struct options_row *row)
{
    const struct options_list *list = fuzz_place(options, row);
    char number[32], *text;
    unsigned choice;
    bool flag;
    int64_t value;
    switch (row->kind) {
    case OPTIONS_TEXT:
        memcpy(&text, fuzz_place(options, row), sizeof text);
        if (text != NULL && strcmp(row->name, "config") != 0)
            fuzz_line(out, row, text);
        break;
    case OPTIONS_LIST:
        for (size_t i = 0; i < list->count; i++)
            fuzz_line(out, row, list->items[i]);
        break;
    case OPTIONS_FLAG:
        memcpy(&flag, fuzz_place(options, row), sizeof flag);
        fuzz_line(out, row, flag ? "yes" : "no");
        break;
    case OPTIONS_CHOICE:
        memcpy(&choice, fuzz_place(options, row), sizeof choice);
        fuzz_line(out, row, row->choices[choice]);
        break;
    default:
        memcpy(&value, fuzz_place(options, row), sizeof value);
        fuzz_need(value >= row->least && value <= row->most, "a value outside of its bounds");
        snprintf(number, sizeof number, "%lld%s", (long long)value,
                 row->kind == OPTIONS_DURATION ? "ms" : "");
        fuzz_line(out, row, number);
    }
}

static void fuzz_again(const struct options *options)
{
    struct options again;
    struct error err = {""};
    struct bytes out;
    const struct options_row *row;
    bytes_init(&out);
    for (size_t i = 0; (row = options_row(i)) != NULL; i++)
        fuzz_print_row(&out, options, row);
    fuzz_need(fuzz_gather(&again, out.data, out.len, &err) == OPTIONS_OK,
              "what was taken and printed is refused");
    for (size_t i = 0; (row = options_row(i)) != NULL; i++)
        fuzz_need(options_value_same(options, &again, row), "it is read again as another");
    struct error first = {""}, second = {""};
    /* The file alone: key-file names another. */
    int status = options_check_all(options, true, &first);
    fuzz_need(options_check_all(&again, true, &second) == status &&
                  strcmp(first.text, second.text) == 0,
              "one contradicts itself, the other does not");
    fuzz_need((status != 0) == (first.text[0] != '\0'), "refused without a word");
    options_clear(&again);
    bytes_clear(&out);
}

/* Whether a line is a key's, and has a secret; *others: whether one that is not has. */
static bool fuzz_secret(const char *text, bool *others)
{
    bool found = false;
    *others = false;
    for (const char *at = text; (at = strstr(at, "SECRET")) != NULL; at++) {
        const char *line = at;
        while (line > text && line[-1] != '\n')
            line--;
        line += strspn(line, " \t\r\v\f");
        const char *equals = line + strcspn(line, "=\n");
        const char *end = equals;
        while (end > line && strchr(" \t\r\v\f", end[-1]) != NULL)
            end--;
        bool key = *equals == '=' && equals < at && fuzz_same(line, (size_t)(end - line), "key", 3);
        found = found || key;
        *others = *others || !key;
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct options options;
    struct error err = {""};
    bool others;
    char *text = fuzz_string(data, size);
    int status = fuzz_gather(&options, data, size, &err);
    if (status == OPTIONS_OK)
        fuzz_again(&options);
    else
        fuzz_need(err.text[0] != '\0' && strchr(err.text, '\n') == NULL,
                  "refused, and not told why");
    if (fuzz_secret(text, &others) && !others)
        fuzz_need(strstr(err.text, "SECRET") == NULL, "a key is quoted");
    options_clear(&options);
    free(text);
    return 0;
}
