#include "commands/commands.h"

#include <stdio.h>

#include "commands/interrupt.h"
#include "commands/meter.h"
#include "commands/stats_print.h"
#include "store/store.h"

/* Events read at a time: no read transaction lasts longer. */
#define STATS_PAGE 20000

struct stats_walk {
    struct stats *stats;
    int64_t seq;  /* of the last one */
    int64_t left; /* of the page */
    bool failed;
};

static int stats_row(void *arg, const struct store_row *row)
{
    struct stats_walk *walk = arg;
    struct stats *stats = walk->stats;
    walk->seq = row->place.seq;
    stats->walked++;
    stats->bytes += (int64_t)row->len;
    walk->failed = census_add_event(stats->members, row->text, row->len) != 0;
    return --walk->left == 0 || walk->failed;
}

static int stats_walk(struct stats *stats, struct store_reader *reader, struct meter *meter,
                      struct error *err)
{
    struct stats_walk walk = {.stats = stats};
    bool more = true;
    while (more) {
        walk.left = STATS_PAGE;
        int status =
            store_page_seq(reader, walk.seq, stats->facts.last_seq, stats_row, &walk, &more, err);
        if (status != STORE_OK)
            return status;
        if (walk.failed || interrupted()) {
            error_set(err, walk.failed ? "out of memory" : "stopped");
            return STORE_BUSY;
        }
        meter_step(meter, "reading events", stats->walked, stats->facts.events, "events");
    }
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        census_sort(&stats->members[i]);
    return STORE_OK;
}

static int stats_gather(struct stats *stats, struct meter *meter, struct error *err)
{
    struct store_reader *reader = NULL;
    int status = store_reader_open_file(stats->database, &reader, err);
    if (status != STORE_OK)
        return status;
    status = store_facts(reader, &stats->facts, err);
    if (status == STORE_OK)
        status = store_days(reader, stats_add_day, stats, err);
    if (status == STORE_OK && stats->failed) {
        error_set(err, "out of memory");
        status = STORE_BUSY;
    }
    for (int i = 0; i < CENSUS_MEMBERS && status == STORE_OK && stats->whole; i++) {
        stats->names[i] = census_names[i].text;
        if (census_init(&stats->members[i]) == 0)
            continue;
        error_set(err, "out of memory");
        status = STORE_BUSY;
    }
    if (status == STORE_OK && stats->whole)
        status = stats_walk(stats, reader, meter, err);
    store_reader_close(reader);
    return status;
}

static int stats_run(const struct options *options, const struct arguments *arguments)
{
    struct stats stats = {.database = options->database,
                          .whole = arguments_value(arguments, "quick") == NULL};
    struct error err = {""};
    struct meter meter;
    int code = COMMAND_FAILED;
    meter_init(&meter);
    interrupt_watch();
    int status = stats_gather(&stats, &meter, &err);
    meter_clear(&meter);
    if (status == STORE_OK && arguments_value(arguments, "json") == NULL) {
        stats_print_text(&stats);
        code = COMMAND_OK;
    } else if (status == STORE_OK && stats_print_json(&stats) == 0) {
        code = COMMAND_OK;
    } else {
        fprintf(stderr, "beacond: %s\n", err.text[0] != '\0' ? err.text : "out of memory");
        code = interrupted()           ? COMMAND_STOPPED
               : status == STORE_UNFIT ? COMMAND_CONFIG
                                       : COMMAND_FAILED;
    }
    stats_clear(&stats);
    return code;
}

static const struct arguments_flag stats_flags[] = {
    {.name = "json", .help = "one JSON object instead of text"},
    {.name = "quick", .help = "only what is known without going through the events"},
    {.name = NULL},
};

static const char *const stats_options[] = {
    "config", "database", "log-level", "log-format", NULL,
};

const struct command command_stats = {
    .name = "stats",
    .help = "tell what the database holds and how large it is",
    .usage = {.flags = stats_flags, .options = stats_options},
    .run = stats_run,
};
