#include "commands/commands.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "commands/flags.h"
#include "commands/interrupt.h"
#include "commands/meter.h"
#include "commands/output.h"
#include "commands/watch.h"
#include "contract/brief.h"
#include "contract/line.h"
#include "control/dial.h"
#include "store/store.h"

/*
 * Each look asks for what is behind seq in the order of commits: whatever wakes it, and however
 * often in vain, nothing is missed or told twice.
 */
struct tail {
    const char *database;
    bool is_file; /* it is one */
    bool text;
    struct store_reader *reader;
    struct stat file; /* which the reader has open */
    int64_t seq;      /* of the last event read, */
    int64_t told;     /* and written: what was stopped half way comes again */
    struct output output;
    struct watch watch;
    struct meter meter;
    bool starved;         /* out of memory within a page */
    bool alone;           /* no daemon runs, and that was said */
    struct error trouble; /* the last that was told */
};

/* Tells a trouble once, until it is over. */
static void tail_tell(struct tail *tail, const struct error *err)
{
    if (strcmp(tail->trouble.text, err->text) != 0)
        meter_say(&tail->meter, "beacond: %s", err->text);
    tail->trouble = *err;
}

static int tail_row(void *arg, const struct store_row *row)
{
    struct tail *tail = arg;
    struct bytes *out = &tail->output.bytes;
    int status;
    if (tail->text)
        status = brief_append(out, row->place.ts, row->text, row->len);
    else if (tail->output.terminal)
        status = line_append_visible(out, row->text, row->len);
    else
        status = line_append(out, row->text, row->len);
    tail->starved = status != 0 || bytes_append(out, "\n", 1) != 0;
    if (tail->starved)
        return -1;
    tail->seq = row->place.seq;
    return out->len >= OUTPUT_CHUNK;
}

/* Writes all that is new. An output_status; what the database can't give now is told. */
static int tail_look(struct tail *tail)
{
    struct error err = {""};
    struct store_newest newest;
    bool more = true;
    int status = OUTPUT_OK;
    /* Where several write, lower numbers than those that are there already may be yet to come:
     * none is up to the newest of one moment. */
    if (store_newest(tail->reader, &newest, &err) != STORE_OK) {
        tail_tell(tail, &err);
        more = false;
    }
    while (more && status == OUTPUT_OK && !interrupted()) {
        if (store_page_seq(tail->reader, tail->seq, newest.max_seq, tail_row, tail, &more, &err) !=
            STORE_OK) {
            tail_tell(tail, &err);
            more = false;
        } else {
            tail->trouble.text[0] = '\0';
        }
        if (tail->output.bytes.len > 0)
            watch_found(&tail->watch);
        status = tail->starved ? OUTPUT_FAILED : output_flush(&tail->output, &err);
        if (tail->starved)
            error_set(&err, "out of memory");
        if (status == OUTPUT_OK)
            tail->told = tail->seq;
        if (status == OUTPUT_FAILED)
            tail_tell(tail, &err);
    }
    return interrupted() ? OUTPUT_STOPPED : status;
}

static int tail_open(struct tail *tail, struct error *err)
{
    int status = store_reader_open_file(tail->database, &tail->reader, err);
    /* Behind it: an exchange between the two is noticed as one more. */
    if (status == STORE_OK && (!tail->is_file || stat(tail->database, &tail->file) != 0))
        tail->file = (struct stat){0};
    return status;
}

/* A backup may have been put in the place of the database. */
static void tail_look_file(struct tail *tail)
{
    struct stat now;
    struct error err = {""};
    struct store_newest newest;
    if (!tail->is_file || stat(tail->database, &now) != 0 ||
        (now.st_dev == tail->file.st_dev && now.st_ino == tail->file.st_ino))
        return;
    struct store_reader *before = tail->reader;
    if (tail_open(tail, &err) != STORE_OK) {
        tail->reader = before;
        tail_tell(tail, &err);
        return;
    }
    store_reader_close(before);
    meter_say(&tail->meter, "beacond: %s is another file now", tail->database);
    if (store_newest(tail->reader, &newest, &err) == STORE_OK && newest.max_seq < tail->seq)
        tail->seq = newest.max_seq;
}

/* Says once that nobody commits anything; of another's machine that can't be told. */
static void tail_look_daemon(struct tail *tail)
{
    struct link link;
    struct error err = {""};
    if (!tail->is_file)
        return;
    int dialled = dial_open(&link, tail->database, NULL, &err);
    if (dialled == DIAL_OK)
        link_clear(&link);
    if (dialled == DIAL_NOBODY && !tail->alone)
        meter_say(&tail->meter, "beacond: no daemon is running on %s; waiting for one",
                  tail->database);
    if (dialled == DIAL_OK && tail->alone)
        meter_say(&tail->meter, "beacond: a daemon is running again");
    tail->alone = dialled == DIAL_NOBODY;
}

static int tail_follow(struct tail *tail)
{
    int status = tail_look(tail);
    bool idle;
    if (status == OUTPUT_OK)
        tail_look_daemon(tail);
    while (status == OUTPUT_OK) {
        if (!watch_wait(&tail->watch, tail->output.fd, &idle))
            return OUTPUT_CLOSED;
        if (idle) {
            tail_look_file(tail);
            tail_look_daemon(tail);
        }
        status = tail_look(tail);
    }
    return status;
}

/* Where to begin. A store_status. */
static int tail_begin(struct tail *tail, bool since, bool last, int64_t number, struct error *err)
{
    struct store_newest newest = {0};
    if (since)
        tail->seq = number;
    else if (last)
        return store_seq_back(tail->reader, number, &tail->seq, err);
    int status = since ? STORE_OK : store_newest(tail->reader, &newest, err);
    if (!since && status == STORE_OK)
        tail->seq = newest.max_seq;
    return status;
}

static int tail_end(struct tail *tail, int status)
{
    if (status == OUTPUT_STOPPED) {
        meter_say(&tail->meter, "beacond: stopped; --since-seq %" PRId64 " goes on from here",
                  tail->told);
        return COMMAND_STOPPED;
    }
    return status == OUTPUT_CLOSED ? COMMAND_OK : COMMAND_FAILED;
}

static int tail_run(const struct options *options, const struct arguments *arguments)
{
    struct tail tail = {.database = options->database, .is_file = store_is_file(options->database)};
    struct error err = {""};
    int64_t number = 0;
    meter_init(&tail.meter);
    int last = flags_number(arguments, "last", &number, &err);
    int since = last != 0 ? 0 : flags_number(arguments, "since-seq", &number, &err);
    if (last != 0 && arguments_value(arguments, "since-seq") != NULL) {
        meter_say(&tail.meter, "beacond: --last and --since-seq exclude each other\n"
                               "Try: beacond tail --help");
        return COMMAND_USAGE;
    }
    if (last < 0 || since < 0 ||
        flags_word(arguments, "format", "ndjson", "text", &tail.text, &err) != 0) {
        tail_tell(&tail, &err);
        return COMMAND_CONFIG;
    }
    interrupt_watch();
    /* Before the first look: what comes behind it wakes. */
    watch_open(&tail.watch, options->database);
    int status = tail_open(&tail, &err);
    int code = status == STORE_UNFIT ? COMMAND_CONFIG : COMMAND_FAILED;
    if (status == STORE_OK)
        status = tail_begin(&tail, since > 0, last > 0, number, &err);
    tail.told = tail.seq;
    if (status == STORE_OK && output_open(&tail.output, NULL, false, &err) == OUTPUT_OK)
        code = tail_end(&tail, tail_follow(&tail));
    else
        tail_tell(&tail, &err);
    output_close(&tail.output);
    store_reader_close(tail.reader);
    watch_close(&tail.watch);
    return code;
}

static const struct arguments_flag tail_flags[] = {
    {"since-seq", "NUMBER", "begin behind the event with this number"},
    {"last", "NUMBER",
     "begin with the newest so many events; default: with what comes from now on"},
    {"format", "ndjson|text", "an event a line as it was sent, or a short text; default ndjson"},
    {0},
};

static const char *const tail_options[] = {"config", "database", "log-level", "log-format", NULL};

const struct command command_tail = {
    .name = "tail",
    .help = "write each event as it is stored",
    .usage = {.flags = tail_flags, .options = tail_options},
    .run = tail_run,
};
