#include "commands/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "commands/flags.h"
#include "commands/interrupt.h"
#include "commands/query_print.h"
#include "contract/timestamp.h"

#define QUERY_WIDTH 120       /* of a table that goes elsewhere than to a terminal */
#define QUERY_READS (1 << 20) /* bytes of SQL from standard input at most */
#define QUERY_PARAMETERS 32

struct query {
    const char *name; /* of the question; "-" for standard input */
    struct bytes sql;
    struct store_parameter parameters[QUERY_PARAMETERS + 3];
    size_t count;
    char times[2][TIMESTAMP_SIZE];
    bool since_given;
    struct output output;
    struct query_print print;
};

/* ---- parameters ---- */

/* A time as every command reads it, or how long ago: 7d. 0, or -1 with err. */
static int query_time(const char *name, const char *text, char out[TIMESTAMP_SIZE],
                      struct error *err)
{
    struct error unused;
    int64_t ms = 0;
    if (timestamp_parse(text, strlen(text), &ms) != 0) {
        if (options_duration(text, &ms, &unused) != 0) {
            error_set(err,
                      "%s: expected a time such as 2026-03-15 or 2026-03-15T10:00:00Z, or how "
                      "long ago, such as 36h or 7d, got \"%s\"",
                      name, text);
            return -1;
        }
        ms = clock_wall_ms() - ms;
    }
    timestamp_format(out, ms);
    return 0;
}

/* COMMAND_OK, or the exit code with err. What is given last counts. */
static int query_take(struct query *query, const char *name, const char *text, struct error *err)
{
    struct store_parameter *parameter = &query->parameters[query->count];
    bool since = strcmp(name, "since") == 0;
    int64_t number;
    *parameter = (struct store_parameter){name, text};
    if (since || strcmp(name, "until") == 0) {
        if (query_time(name, text, query->times[since], err) != 0)
            return COMMAND_CONFIG;
        parameter->text = query->times[since];
        query->since_given = query->since_given || since;
    } else if (strcmp(name, "limit") == 0 && flags_read_number(text, &number) != 0) {
        error_set(err, "limit: expected a whole number, got \"%s\"", text);
        return COMMAND_CONFIG;
    }
    query->count++;
    return COMMAND_OK;
}

/* "NAME=VALUE", which is cut in two where it stands. */
static int query_take_operand(struct query *query, char *operand, struct error *err)
{
    size_t len = strcspn(operand, "=");
    if (len == 0 || operand[len] == '\0') {
        error_set(err, "expected PARAMETER=VALUE, got \"%s\"", operand);
        return COMMAND_USAGE;
    }
    operand[len] = '\0';
    return query_take(query, operand, operand + len + 1, err);
}

static int query_take_all(struct query *query, const struct arguments *arguments, struct error *err)
{
    static const char *const flags[] = {"since", "until", "limit"};
    int code = COMMAND_OK;
    for (size_t i = 0; i < sizeof flags / sizeof *flags && code == COMMAND_OK; i++)
        if (arguments_value(arguments, flags[i]) != NULL)
            code = query_take(query, flags[i], arguments_value(arguments, flags[i]), err);
    for (size_t i = 1; i < arguments->operand_count && code == COMMAND_OK; i++)
        code = query_take_operand(query, arguments->operands[i], err);
    return code;
}

/* ---- the question ---- */

static bool query_find(const char *database, const char *name, struct store_query *out)
{
    for (size_t i = 0; store_query_at(database, i, out); i++)
        if (strcmp(out->name, name) == 0)
            return true;
    return false;
}

static int query_read(struct bytes *sql, struct error *err)
{
    size_t n = 1;
    while (n > 0 && sql->len <= QUERY_READS) {
        if (bytes_reserve(sql, 65536) != 0) {
            error_set(err, "out of memory");
            return COMMAND_FAILED;
        }
        n = fread(sql->data + sql->len, 1, 65536, stdin);
        sql->len += n;
    }
    if (sql->len <= QUERY_READS && !ferror(stdin) && !interrupted() &&
        memchr(sql->data, '\0', sql->len) == NULL)
        return COMMAND_OK;
    error_set(err, interrupted() ? "stopped" : "standard input: that is no SQL that can be read");
    return interrupted() ? COMMAND_STOPPED : COMMAND_FAILED;
}

/* Into query->sql, ended by a NUL. */
static int query_text(struct query *query, const char *database, struct error *err)
{
    struct store_query ready;
    int code = COMMAND_OK;
    if (strcmp(query->name, "-") == 0) {
        code = query_read(&query->sql, err);
    } else if (!query_find(database, query->name, &ready)) {
        error_set(err, "there is no query %s; `beacond query` lists them", query->name);
        return COMMAND_USAGE;
    } else if (bytes_append_text(&query->sql, ready.text) != 0) {
        code = COMMAND_FAILED;
    }
    if (code == COMMAND_OK && bytes_append(&query->sql, "", 1) != 0)
        code = COMMAND_FAILED;
    if (code == COMMAND_FAILED && err->text[0] == '\0')
        error_set(err, "out of memory");
    return code;
}

static int query_list(const char *database)
{
    struct store_query one;
    for (size_t i = 0; store_query_at(database, i, &one); i++)
        printf("%-16s  %s", one.name, one.help);
    printf("\n`beacond query --show NAME` tells the parameters of one.\n");
    return COMMAND_OK;
}

static int query_show(const char *database, const char *name)
{
    struct store_query one;
    bool views = strcmp(name, "views") == 0;
    if (!views && !query_find(database, name, &one)) {
        fprintf(stderr, "beacond: there is no query %s; `beacond query` lists them\n", name);
        return COMMAND_USAGE;
    }
    fputs(views ? store_views(database) : one.text, stdout);
    return COMMAND_OK;
}

/* ---- the answer ---- */

static size_t query_width(bool terminal)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int64_t number = 0;
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    if (columns != NULL && flags_read_number(columns, &number) == 0 && number > 0 &&
        number <= INT32_MAX)
        return (size_t)number;
    return QUERY_WIDTH;
}

static int query_form(struct query *query, const struct arguments *arguments, struct error *err)
{
    const char *format = arguments_value(arguments, "format");
    int64_t width = 0;
    for (int i = 0; format != NULL && i < QUERY_FORMATS; i++)
        if (strcmp(format, query_formats[i]) == 0) {
            query->print.format = (enum query_format)i;
            format = NULL;
        }
    if (format != NULL) {
        error_set(err, "--format: expected table, lines, csv or json, got \"%s\"", format);
        return COMMAND_CONFIG;
    }
    switch (flags_number(arguments, "width", &width, err)) {
    case 0:
        query->print.width = query_width(query->output.terminal);
        return COMMAND_OK;
    case 1:
        query->print.width = (size_t)width;
        return COMMAND_OK;
    default:
        return COMMAND_CONFIG;
    }
}

static bool query_stop(void *arg)
{
    (void)arg;
    return interrupted();
}

/* The exit code of a question that was asked. */
static int query_code(const struct query *query, int status, struct error *err)
{
    if (query->print.starved)
        error_set(err, "out of memory");
    if (status == STORE_OK && !query->print.starved)
        switch (query->print.status) {
        case OUTPUT_OK:
        case OUTPUT_CLOSED: /* who reads has enough */
            return COMMAND_OK;
        case OUTPUT_STOPPED:
            error_set(err, "stopped");
            break;
        default:
            break;
        }
    if (interrupted())
        return COMMAND_STOPPED;
    return status == STORE_UNFIT     ? COMMAND_CONFIG
           : status == STORE_REFUSED ? COMMAND_USAGE
                                     : COMMAND_FAILED;
}

static int query_ask(struct query *query, const char *database, struct error *err)
{
    struct store_reader *reader = NULL;
    struct query_print *print = &query->print;
    const struct store_ask ask = {
        .sql = query->sql.data,
        .parameters = query->parameters,
        .parameter_count = query->count,
        .columns = query_print_columns,
        .row = query_print_row,
        .stop = query_stop,
        .arg = print,
    };
    int status = store_reader_open_file(database, &reader, err);
    if (status == STORE_OK)
        status = store_ask(reader, &ask, err);
    store_reader_close(reader); /* before a terminal may be slow */
    if (status == STORE_OK && !print->starved && print->status == OUTPUT_OK &&
        query_print_end(print) == 0)
        print->status = output_finish(&query->output, err);
    return query_code(query, status, err);
}

static void query_hint(const struct query *query)
{
    bool people = query->print.format == QUERY_TABLE || query->print.format == QUERY_LINES;
    if (people && query->print.rows == 0 && strcmp(query->name, "-") != 0)
        fprintf(stderr, "beacond: no rows%s\n",
                !query->since_given && strstr(query->sql.data, ":since") != NULL
                    ? "; without --since most queries look at the last day alone"
                    : "");
}

static int query_run_named(struct query *query, const struct options *options,
                           const struct arguments *arguments)
{
    struct error err = {""};
    query->print.output = &query->output;
    query->print.err = &err;
    bytes_init(&query->sql);
    interrupt_watch();
    int code =
        output_open(&query->output, NULL, false, &err) == OUTPUT_OK ? COMMAND_OK : COMMAND_FAILED;
    if (code == COMMAND_OK)
        code = query_form(query, arguments, &err);
    if (code == COMMAND_OK)
        code = query_take_all(query, arguments, &err);
    if (code == COMMAND_OK)
        code = query_text(query, options->database, &err);
    if (code == COMMAND_OK)
        code = query_ask(query, options->database, &err);
    if (code != COMMAND_OK)
        fprintf(stderr, "beacond: %s\n", err.text);
    else
        query_hint(query);
    query_print_clear(&query->print);
    output_close(&query->output);
    bytes_clear(&query->sql);
    return code;
}

static int query_run(const struct options *options, const struct arguments *arguments)
{
    const char *show = arguments_value(arguments, "show");
    struct query query = {0};
    if (show != NULL)
        return query_show(options->database, show);
    if (arguments->operand_count == 0)
        return query_list(options->database);
    query.name = arguments->operands[0];
    return query_run_named(&query, options, arguments);
}

static const struct arguments_flag query_flags[] = {
    {"since", "TIME", "events from this time on, or from so long ago: 36h, 7d; default: 1d"},
    {"until", "TIME", "up to and including this time; default: no end"},
    {"limit", "NUMBER", "rows at most, 0 for all; each query has its default"},
    {"format", "table|lines|csv|json",
     "a table that fits the terminal, a value a line, or whole for programs; default table"},
    {"width", "NUMBER", "columns of a table, 0 for any; default: those of the terminal, else 120"},
    {"show", "NAME",
     "print that query, which tells its parameters, or views, the tables it can use"},
    {0},
};

static const char *const query_options[] = {"config", "database", "log-level", "log-format", NULL};

static const char *query_word(size_t n)
{
    struct store_query query;
    return store_query_at("", n, &query) ? query.name : NULL;
}

const struct command command_query = {
    .name = "query",
    .help = "answer a ready question about the events, or list those there are",
    .usage = {.flags = query_flags,
              .options = query_options,
              .operands = "[NAME | - [PARAMETER=VALUE...]]",
              .word = query_word,
              .most = QUERY_PARAMETERS},
    .run = query_run,
};
