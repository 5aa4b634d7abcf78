#include "commands/commands.h"

#include <inttypes.h>
#include <string.h>

#include "commands/flags.h"
#include "commands/interrupt.h"
#include "commands/meter.h"
#include "commands/output.h"
#include "contract/csv.h"
#include "contract/line.h"
#include "engine/backup_place.h"
#include "store/store.h"

struct export
{
    bool csv, newest;
    int64_t since, until; /* inclusive */
    struct store_reader *reader;
    const char *name; /* of the output, for the summary */
    struct output output;
    struct meter meter;
    struct store_survey survey; /* what is there at the start: nothing later is exported */
    struct range_place place;   /* of the last one */
    int64_t count;
    bool starved; /* out of memory within a page */
};

/* As it can be shown on a terminal: each control character escaped. */
static int export_csv_visible(struct bytes *out, const struct store_row *row)
{
    struct bytes line;
    bytes_init(&line);
    int status =
        csv_append_event(&line, row->place.seq, row->received, row->place.ts, row->text, row->len);
    if (status == 0)
        status = line_append_visible(out, line.data, line.len - 2); /* without CR LF */
    bytes_clear(&line);
    return status == 0 ? bytes_append(out, "\n", 1) : -1;
}

static int export_row(void *arg, const struct store_row *row)
{
    struct export *export = arg;
    struct bytes *out = &export->output.bytes;
    int status;
    if (export->csv && export->output.terminal) {
        status = export_csv_visible(out, row);
    } else if (export->csv) {
        status = csv_append_event(out, row->place.seq, row->received, row->place.ts, row->text,
                                  row->len);
    } else {
        status = export->output.terminal ? line_append_visible(out, row->text, row->len)
                                         : line_append(out, row->text, row->len);
        if (status == 0)
            status = bytes_append(out, "\n", 1);
    }
    export->starved = status != 0;
    export->place = row->place;
    export->count++;
    return export->starved || out->len >= OUTPUT_CHUNK;
}

/* The next page, and out with it: no statement is open while standard output is slow. */
static int export_page(struct export *export, bool *more, struct error *err)
{
    int status = export->newest
                     ? store_page_down(export->reader, export->since, export->survey.max_seq,
                                       export->place, export_row, export, more, err)
                     : store_page_up(export->reader, export->until, export->survey.max_seq,
                                     export->place, export_row, export, more, err);
    if (status != STORE_OK)
        return OUTPUT_FAILED;
    if (export->starved) {
        error_set(err, "out of memory");
        return OUTPUT_FAILED;
    }
    meter_step(&export->meter, "export", export->count, export->survey.total, "events");
    return output_flush(&export->output, err);
}

static int export_all(struct export *export, struct error *err)
{
    bool more = true;
    int status = OUTPUT_OK;
    if (store_survey(export->reader, export->since, export->until, 0, &export->survey, err) !=
        STORE_OK)
        return OUTPUT_FAILED;
    export->place = export->newest ? (struct range_place){export->until, INT64_MAX}
                                   : (struct range_place){export->since, INT64_MIN};
    if (export->csv && csv_append_header(&export->output.bytes) != 0) {
        error_set(err, "out of memory");
        return OUTPUT_FAILED;
    }
    while (more && status == OUTPUT_OK)
        status = interrupted() ? OUTPUT_STOPPED : export_page(export, &more, err);
    return status == OUTPUT_OK ? output_finish(&export->output, err) : status;
}

static int export_code(struct export *export, int status, const struct error *err)
{
    meter_clear(&export->meter);
    switch (status) {
    case OUTPUT_OK:
        meter_say(&export->meter, "%s: %" PRId64 " events, %" PRId64 " bytes", export->name,
                  export->count, export->output.written);
        return COMMAND_OK;
    case OUTPUT_CLOSED: /* who reads has enough */
        return COMMAND_OK;
    case OUTPUT_STOPPED:
        meter_say(&export->meter, "beacond: stopped after %" PRId64 " events%s", export->count,
                  export->output.path[0] != '\0' ? "; no file was made" : "");
        return COMMAND_STOPPED;
    default:
        meter_say(&export->meter, "beacond: %s", err->text);
        return COMMAND_FAILED;
    }
}

static int export_run(const struct options *options, const struct arguments *arguments)
{
    struct error err = {""};
    struct export export = {.since = INT64_MIN, .until = INT64_MAX};
    meter_init(&export.meter);
    if (flags_time(arguments, "since", &export.since, &err) != 0 ||
        flags_time(arguments, "until", &export.until, &err) != 0 ||
        flags_word(arguments, "format", "ndjson", "csv", &export.csv, &err) != 0 ||
        flags_word(arguments, "order", "oldest", "newest", &export.newest, &err) != 0) {
        meter_say(&export.meter, "beacond: %s", err.text);
        return COMMAND_CONFIG;
    }
    interrupt_watch();
    const char *file = arguments_value(arguments, "output");
    export.name = file != NULL && strcmp(file, "-") != 0 ? file : "standard output";
    if (file != NULL && backup_place_is_own(file, options->database)) {
        meter_say(&export.meter, "beacond: %s: is the database itself, or belongs to it", file);
        return COMMAND_FAILED;
    }
    int status = store_reader_open_file(options->database, &export.reader, &err);
    if (status != STORE_OK) {
        meter_say(&export.meter, "beacond: %s", err.text);
        return status == STORE_UNFIT ? COMMAND_CONFIG : COMMAND_FAILED;
    }
    status = output_open(&export.output, file, arguments_value(arguments, "force") != NULL, &err);
    /* A bar would stand in the middle of the events. */
    export.meter.shown = export.meter.shown && !export.output.terminal;
    if (status == OUTPUT_OK)
        status = export_all(&export, &err);
    int code = export_code(&export, status, &err);
    output_close(&export.output);
    store_reader_close(export.reader);
    return code;
}

static const struct arguments_flag export_flags[] = {
    {"since", "TIME", "events from this time on; default: the oldest"},
    {"until", "TIME", "up to and including this time; default: the newest"},
    {"format", "ndjson|csv", "an event a line as it was sent, or a table; default ndjson"},
    {"order", "oldest|newest", "which comes first; default oldest"},
    {"output", "FILE",
     "write to this file, which appears when it is whole; default: standard output"},
    {"force", NULL, "replace the file if there is one"},
    {0},
};

static const char *const export_options[] = {"config", "database", "log-level", "log-format", NULL};

const struct command command_export = {
    .name = "export",
    .help = "write events out, with or without a running daemon",
    .usage = {.flags = export_flags, .options = export_options},
    .run = export_run,
};
