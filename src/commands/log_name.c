#include "commands/log_name.h"

#include <stddef.h>
#include <string.h>

static bool log_name_ends(const char *name, size_t *len, const char *ending)
{
    size_t ending_len = strlen(ending);
    if (*len <= ending_len || memcmp(name + *len - ending_len, ending, ending_len) != 0)
        return false;
    *len -= ending_len;
    return true;
}

/* Does text look like the pattern, in which a 0 stands for any digit? */
static bool log_name_like(const char *text, const char *pattern)
{
    for (; *pattern != '\0'; pattern++, text++) {
        if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
            return false;
    }
    return true;
}

bool log_name_parse(struct log_name *out, const char *name)
{
    static const char *const stamps[] = {"-0000_00_00_00_00_00", "-0000_00_00"};
    size_t len = strlen(name);
    *out = (struct log_name){.archive = false};
    if (*name == '.')
        return false;
    (void)log_name_ends(name, &len, ".gz");
    if (!log_name_ends(name, &len, ".log") && !log_name_ends(name, &len, ".jsonl"))
        return false;
    for (size_t i = 0; i < sizeof stamps / sizeof *stamps && !out->archive; i++) {
        size_t stamp_len = strlen(stamps[i]);
        if (len <= stamp_len || !log_name_like(name + len - stamp_len, stamps[i]))
            continue;
        out->archive = true;
        memcpy(out->stamp, name + len - stamp_len + 1, stamp_len - 1);
    }
    return true;
}

int log_name_compare(const char *a, const char *b)
{
    struct log_name left, right;
    (void)log_name_parse(&left, a);
    (void)log_name_parse(&right, b);
    if (left.archive != right.archive)
        return left.archive ? -1 : 1;
    int order = strcmp(left.stamp, right.stamp);
    return order != 0 ? order : strcmp(a, b);
}
