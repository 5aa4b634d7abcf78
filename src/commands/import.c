#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "commands/commands.h"
#include "commands/import_sink.h"
#include "commands/interrupt.h"
#include "commands/log_list.h"
#include "commands/log_reader.h"
#include "commands/work.h"
#include "contract/line.h"

/* Malformed lines that are listed for each file. */
#define IMPORT_LISTED 20

struct import {
    struct meter meter;
    struct work work;
    struct import_sink sink;
    struct progress progress;
    struct importer_counts total;
    int64_t begun_ms;
    bool failed;  /* something could not be read */
    bool waiting; /* it has been said that the database can't be written */

    /* The file under way. */
    char name[256]; /* as it is shown */
    int64_t malformed, listed;
};

/* A name as it can be shown: what would move a terminal's cursor is not. */
static void import_show(char *out, size_t size, const char *path)
{
    struct bytes shown;
    bytes_init(&shown);
    if (strcmp(path, "-") == 0)
        path = "standard input";
    int status = line_append_plain(&shown, path, strlen(path), size);
    snprintf(out, size, "%.*s", status == 0 ? (int)shown.len : 0, shown.data);
    bytes_clear(&shown);
}

static int import_step(void *arg, const char *what, int64_t done, int64_t total)
{
    struct import *import = arg;
    (void)done;
    (void)total;
    if (what != NULL && !import->waiting) {
        import->waiting = true;
        meter_say(&import->meter, "beacond: %s", what);
    }
    return interrupted() ? -1 : 0;
}

static void import_list(struct import *import, int64_t line, const char *why)
{
    if (import->listed >= IMPORT_LISTED)
        return;
    import->listed++;
    meter_say(&import->meter, "%s:%" PRId64 ": %s", import->name, line, why);
}

static void import_fault(void *arg, int64_t malformed, const struct lines_fault *faults,
                         size_t count)
{
    struct import *import = arg;
    import->malformed += malformed;
    import->waiting = false; /* something was taken: the next wait is another */
    for (size_t i = 0; i < count; i++)
        import_list(import, faults[i].line, faults[i].why);
}

static void import_print(const char *name, const struct importer_counts *counts, int64_t ms)
{
    double rate = (double)(counts->stored + counts->duplicate) * 1000 / (double)(ms > 0 ? ms : 1);
    printf("%s: %" PRId64 " lines, %" PRId64 " stored, %" PRId64 " already there, %" PRId64
           " malformed, %" PRId64 " skipped",
           name, counts->lines, counts->stored, counts->duplicate, counts->malformed,
           counts->skipped);
    if (counts->refused > 0)
        printf(", %" PRId64 " refused by the database", counts->refused);
    printf(" (%.0f events/s)\n", rate);
    fflush(stdout);
}

/* What can't be read is told and left; whether the database can be written is another matter. */
static void import_unreadable(struct import *import, const struct error *err)
{
    import->failed = true;
    meter_say(&import->meter, "beacond: %s: %s", import->name, err->text);
}

static int import_chunks(struct import *import, struct log_reader *reader,
                         struct importer_counts *extra, struct error *err)
{
    struct log_reader_item item;
    struct error why = {""};
    int status = STORE_OK;
    while (status == STORE_OK && !interrupted()) {
        switch (log_reader_next(reader, &item, &why)) {
        case LOG_READER_CHUNK_READ:
            status = import_sink_take(&import->sink, &item.chunk, err);
            meter_step(&import->meter, import->name, log_reader_done(reader), reader->file.size,
                       "bytes");
            break;
        case LOG_READER_LONG_LINE:
            extra->lines++;
            extra->malformed++;
            import_list(import, item.line, batch_reason_text(BATCH_TOO_LARGE));
            break;
        case LOG_READER_FAILED:
            import_unreadable(import, &why);
            return STORE_OK;
        default:
            return STORE_OK;
        }
    }
    return status;
}

static void import_add(struct importer_counts *to, const struct importer_counts *from)
{
    to->lines += from->lines;
    to->skipped += from->skipped;
    to->malformed += from->malformed;
    to->stored += from->stored;
    to->duplicate += from->duplicate;
    to->refused += from->refused;
}

/* The lines of a file that is open. A store_status. */
static int import_lines(struct import *import, struct log_reader *reader, struct error *err)
{
    struct importer_counts counts = {0}, extra = {0};
    struct error late = {""};
    int64_t begun_ms = clock_mono_ms();
    int status = import_chunks(import, reader, &extra, err);
    int ended = import_sink_end_file(&import->sink, &counts, &late);
    if (status == STORE_OK && ended != STORE_OK) {
        *err = late;
        status = ended;
    }
    import_add(&counts, &extra);
    import_add(&import->total, &counts);
    meter_clear(&import->meter);
    if (counts.malformed > import->listed)
        meter_say(&import->meter, "%s: and %" PRId64 " more malformed lines", import->name,
                  counts.malformed - import->listed);
    if (log_reader_turned(reader))
        meter_say(&import->meter,
                  "%s: the newest event comes first, and it can't be read backwards: events of one "
                  "timestamp are stored in reverse order",
                  import->name);
    import_print(import->name, &counts, clock_mono_ms() - begun_ms);
    if (interrupted())
        meter_say(&import->meter,
                  "beacond: stopped at line %" PRId64 " of %s; run it again, what is "
                  "stored will be skipped",
                  reader->line, import->name);
    return status;
}

static int import_file(struct import *import, const char *path, struct error *err)
{
    struct log_reader reader;
    struct error why = {""};
    int status = STORE_OK;
    import_show(import->name, sizeof import->name, path);
    import->listed = import->malformed = 0;
    int opened = log_reader_open(&reader, path, import->sink.line_bytes, &why);
    if (opened == 0)
        status = import_lines(import, &reader, err);
    else if (opened != LOG_FILE_STOPPED)
        import_unreadable(import, &why);
    log_reader_close(&reader);
    return status;
}

static int import_files(struct import *import, const struct log_list *list)
{
    struct error err = {""};
    int status = import_sink_open(&import->sink, &err);
    for (size_t i = 0; i < list->count && status == STORE_OK && !interrupted(); i++)
        status = import_file(import, list->paths[i], &err);
    import_sink_close(&import->sink);
    meter_clear(&import->meter);
    if (status != STORE_OK)
        work_tell(&import->work, &err);
    import_print("total", &import->total, clock_mono_ms() - import->begun_ms);
    if (interrupted())
        return COMMAND_STOPPED;
    return status != STORE_OK || import->failed ? COMMAND_FAILED : COMMAND_OK;
}

static int import_run(const struct options *options, const struct arguments *arguments)
{
    struct import import = {.begun_ms = clock_mono_ms()};
    struct log_list list;
    struct error err;
    meter_init(&import.meter);
    log_list_init(&list);
    import.progress = (struct progress){.step = import_step, .arg = &import};
    import.sink = (struct import_sink){.work = &import.work,
                                       .progress = &import.progress,
                                       .fault = import_fault,
                                       .fault_arg = &import};
    for (size_t i = 0; i < arguments->operand_count; i++) {
        import_show(import.name, sizeof import.name, arguments->operands[i]);
        if (log_list_add(&list, arguments->operands[i], &err) != 0)
            import_unreadable(&import, &err);
    }
    int code = work_create(&import.work, options, &import.meter);
    if (code == COMMAND_OK)
        code = import_files(&import, &list);
    work_close(&import.work);
    log_list_clear(&list);
    return code;
}

static const char *const import_options[] = {
    "config",           "database",      "synchronous", "max-event",  "max-depth", "max-rejects",
    "max-rejects-size", "receipts-size", "log-level",   "log-format", NULL,
};

const struct command command_import = {
    .name = "import",
    .help = "store the events of log files",
    .usage = {.options = import_options, .operands = "FILE...", .least = 1, .most = SIZE_MAX},
    .run = import_run,
};
