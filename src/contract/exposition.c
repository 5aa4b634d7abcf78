#include "contract/exposition.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void exposition_init(struct exposition *exposition, struct bytes *out)
{
    *exposition = (struct exposition){.out = out};
}

static void exposition_put(struct exposition *exposition, const char *text, size_t len)
{
    if (!exposition->failed && bytes_append(exposition->out, text, len) != 0)
        exposition->failed = true;
}

static void exposition_say(struct exposition *exposition, const char *text)
{
    exposition_put(exposition, text, strlen(text));
}

/* A backslash and a line feed are escaped everywhere, quotes in the values of labels alone. */
static void exposition_escape(struct exposition *exposition, const char *text, bool quoted)
{
    const char *special = quoted ? "\\\n\"" : "\\\n";
    while (*text != '\0') {
        size_t plain = strcspn(text, special);
        exposition_put(exposition, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        const char escaped[2] = {'\\', *text == '\n' ? 'n' : *text};
        exposition_put(exposition, escaped, 2);
        text++;
    }
}

void exposition_family(struct exposition *exposition, const char *name, enum exposition_kind kind,
                       const char *help)
{
    static const char *const kinds[] = {
        [EXPOSITION_COUNTER] = "counter",
        [EXPOSITION_GAUGE] = "gauge",
        [EXPOSITION_HISTOGRAM] = "histogram",
    };
    exposition->name = name;
    exposition_say(exposition, "# HELP ");
    exposition_say(exposition, name);
    exposition_say(exposition, " ");
    exposition_escape(exposition, help, false);
    exposition_say(exposition, "\n# TYPE ");
    exposition_say(exposition, name);
    exposition_say(exposition, " ");
    exposition_say(exposition, kinds[kind]);
    exposition_say(exposition, "\n");
}

/* Name, suffix and labels of a sample. */
static void exposition_series(struct exposition *exposition, const char *suffix,
                              const struct exposition_label *labels)
{
    exposition_say(exposition, exposition->name);
    exposition_say(exposition, suffix);
    if (labels == NULL || labels->name == NULL) {
        exposition_say(exposition, " ");
        return;
    }
    for (const char *before = "{"; labels->name != NULL; labels++, before = ",") {
        exposition_say(exposition, before);
        exposition_say(exposition, labels->name);
        exposition_say(exposition, "=\"");
        exposition_escape(exposition, labels->value, true);
        exposition_say(exposition, "\"");
    }
    exposition_say(exposition, "} ");
}

/* The shortest text that reads as the number again; floats that are none have words of their own.
 */
static void exposition_write(double value, char *out, size_t size)
{
    if (isnan(value) || isinf(value)) {
        snprintf(out, size, "%s", isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

static void exposition_end(struct exposition *exposition, double value)
{
    char text[40];
    exposition_write(value, text, sizeof text);
    exposition_say(exposition, text);
    exposition_say(exposition, "\n");
}

static void exposition_end_count(struct exposition *exposition, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64 "\n", value);
    exposition_say(exposition, text);
}

void exposition_count(struct exposition *exposition, const struct exposition_label *labels,
                      uint64_t value)
{
    exposition_series(exposition, "", labels);
    exposition_end_count(exposition, value);
}

void exposition_number(struct exposition *exposition, const struct exposition_label *labels,
                       double value)
{
    exposition_series(exposition, "", labels);
    exposition_end(exposition, value);
}

void exposition_histogram(struct exposition *exposition, const struct exposition_label *labels,
                          const struct histogram_form *form,
                          const struct histogram_figures *figures)
{
    struct exposition_label all[EXPOSITION_LABELS + 2];
    size_t count = 0;
    uint64_t below = 0;
    char bound[40];
    for (; labels != NULL && labels[count].name != NULL && count < EXPOSITION_LABELS; count++)
        all[count] = labels[count];
    all[count] = (struct exposition_label){"le", bound};
    all[count + 1] = (struct exposition_label){NULL, NULL};
    for (size_t i = 0; i <= form->count; i++) {
        below += figures->buckets[i];
        if (i < form->count)
            exposition_write((double)form->bounds[i] / form->per, bound, sizeof bound);
        else
            exposition_write(INFINITY, bound, sizeof bound);
        exposition_series(exposition, "_bucket", all);
        exposition_end_count(exposition, below);
    }
    exposition_series(exposition, "_sum", labels);
    exposition_end(exposition, (double)figures->sum / form->per);
    exposition_series(exposition, "_count", labels);
    exposition_end_count(exposition, below);
}

void exposition_counter(struct exposition *exposition, const char *name, const char *help,
                        uint64_t value)
{
    exposition_family(exposition, name, EXPOSITION_COUNTER, help);
    exposition_count(exposition, NULL, value);
}

void exposition_gauge(struct exposition *exposition, const char *name, const char *help,
                      double value)
{
    exposition_family(exposition, name, EXPOSITION_GAUGE, help);
    exposition_number(exposition, NULL, value);
}
