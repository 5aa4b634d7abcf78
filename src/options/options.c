#include "options/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options/table.h"

static const char *const options_synchronous_words[] = {"full", "normal", "off", NULL};
static const char *const options_proxy_words[] = {"none", "x-forwarded-for", "forwarded", NULL};
static const char *const options_dashboard_words[] = {"basic", "none", NULL};
static const char *const options_level_words[] = {"error", "warn", "info", "debug", NULL};
static const char *const options_format_words[] = {"auto", "text", "json", "journal", NULL};

_Static_assert(sizeof(enum options_synchronous) == sizeof(unsigned), "choices are stored as such");
_Static_assert(sizeof(enum options_proxy_header) == sizeof(unsigned), "choices are stored as such");
_Static_assert(sizeof(enum options_dashboard_auth) == sizeof(unsigned),
               "choices are stored as such");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "choices are stored as such");
_Static_assert(sizeof(enum log_format) == sizeof(unsigned), "choices are stored as such");

#define KI 1024LL
#define MI (1024 * KI)
#define GI (1024 * MI)
#define SECOND 1000LL
#define HOUR (3600 * SECOND)
/* What is held in memory as a whole: a size_t, with room to reckon. */
#define MOST_MEMORY (SIZE_MAX > UINT32_MAX ? 64 * GI : GI)
#define AT(member) offsetof(struct options, member)

/* clang-format off */
static const struct options_row options_table[] = {
    {.name = "config", .kind = OPTIONS_TEXT, .offset = AT(config), .takes = "FILE",
     .reloads = true, /* one that no source names may come to be there */
     .help = "read options from this file; '': from none"},

    {.name = "listen", .group = "WHERE AND WHAT",
     .kind = OPTIONS_LIST, .offset = AT(listen), .takes = "ADDRESS",
     .fallback = "127.0.0.1:4242", .check = options_check_listen,
     .help = "IPv4:PORT, [IPv6]:PORT or unix:PATH to serve on; repeatable"},
    {.name = "admin-listen", .kind = OPTIONS_LIST, .offset = AT(admin_listen), .takes = "ADDRESS",
     .check = options_check_listen,
     .example = "127.0.0.1:9142",
     .help = "where /metrics and the probes are served to whoever can reach it; repeatable"},
    {.name = "tls-cert", .kind = OPTIONS_TEXT, .offset = AT(tls_cert), .takes = "FILE",
     .reloads = true,
     .example = "/etc/beacond/cert.pem",
     .help = "a chain of certificates (PEM): every TCP address of listen speaks TLS"},
    {.name = "tls-key", .kind = OPTIONS_TEXT, .offset = AT(tls_key), .takes = "FILE",
     .reloads = true,
     .example = "/etc/beacond/key.pem",
     .help = "the key of the certificate (PEM, without a password)"},
    {.name = "admin-host", .kind = OPTIONS_LIST, .offset = AT(admin_host), .takes = "NAME",
     .check = options_check_admin_host, .reloads = true,
     .example = "metrics.example.org",
     .help = "a host name by which admin-listen may be asked; repeatable"},
    {.name = "prefix", .kind = OPTIONS_LIST, .offset = AT(prefix), .takes = "PATH",
     .fallback = "/_tracker", .check = options_check_prefix,
     .help = "what the paths of all routes begin with; repeatable"},
    {.name = "database", .kind = OPTIONS_TEXT, .offset = AT(database), .takes = "FILE",
     .fallback = "beacond.db", .check = options_check_database,
     .packaged = "/var/lib/beacond/beacond.db",
     .help = "an SQLite file, which serve and import make, or postgresql://HOST/NAME"},
    {.name = "node", .kind = OPTIONS_TEXT, .offset = AT(node), .takes = "NAME",
     .check = options_check_node,
     .example = "shop-1",
     .help = "what this daemon is called among those that share a PostgreSQL database"},
    {.name = "app-id", .kind = OPTIONS_TEXT, .offset = AT(app_id), .takes = "TEXT",
     .fallback = "", .check = options_check_app_id, .reloads = true,
     .example = "shop",
     .help = "appId that ping answers with"},

    {.name = "dashboard", .kind = OPTIONS_TEXT, .offset = AT(dashboard), .takes = "DIR",
     .reloads = true,
     .example = "/var/www/shop/_dashboard",
     .help = "serve the plugin's dashboard, the _dashboard folder of a build"},
    {.name = "dashboard-route", .kind = OPTIONS_TEXT, .offset = AT(dashboard_route),
     .takes = "PATH", .fallback = "/_dashboard", .check = options_check_path, .reloads = true,
     .help = "where it is served"},
    {.name = "dashboard-auth", .kind = OPTIONS_CHOICE, .offset = AT(dashboard_auth),
     .takes = "HOW", .fallback = "basic", .choices = options_dashboard_words, .reloads = true,
     .help = "basic: its files need a key with the query scope as password; none: they don't"},

    {.name = "key", .group = "WHO",
     .kind = OPTIONS_LIST, .offset = AT(key), .takes = "KEY[:SCOPES]",
     .check = options_check_key, .reloads = true,
     .example = ":ingest", /* without the key it is refused: nobody has the key of an example */
     .help = "a key and its scopes, ingest or query; shows in ps: prefer key-file; repeatable"},
    {.name = "key-file", .kind = OPTIONS_TEXT, .offset = AT(key_file), .takes = "FILE", .reloads = true,
     .example = "/etc/beacond/keys",
     .help = "more keys from this file, one a line"},
    {.name = "allow-origin", .kind = OPTIONS_LIST, .offset = AT(allow_origin), .takes = "ORIGIN",
     .check = options_check_origin, .reloads = true,
     .example = "https://shop.example.org",
     .help = "an origin, or *.example.org, whose pages may use the daemon; repeatable"},
    {.name = "beacon-origin", .kind = OPTIONS_LIST, .offset = AT(beacon_origin), .takes = "ORIGIN",
     .check = options_check_origin, .reloads = true,
     .example = "https://shop.example.org",
     .help = "an origin whose pages may send events without a key; repeatable"},
    {.name = "allow-keyless", .kind = OPTIONS_FLAG, .offset = AT(allow_keyless), .reloads = true,
     .help = "serve other machines although there is no key"},
    {.name = "trusted-proxy", .kind = OPTIONS_LIST, .offset = AT(trusted_proxy), .takes = "ADDRESS",
     .check = options_check_proxy, .reloads = true,
     .example = "127.0.0.1",
     .help = "an address, network or unix whose proxy-header is believed; repeatable"},
    {.name = "proxy-header", .kind = OPTIONS_CHOICE, .offset = AT(proxy_header), .takes = "NAME",
     .fallback = "none", .choices = options_proxy_words, .reloads = true,
     .help = "x-forwarded-for or forwarded: where trusted proxies tell the client's address"},
    {.name = "limit-events", .kind = OPTIONS_COUNT, .offset = AT(limit_events), .takes = "NUMBER",
     .fallback = "0", .least = 0, .most = 1000000000, .reloads = true,
     .help = "events a second from one client address; 0: no limit"},
    {.name = "limit-bytes", .kind = OPTIONS_SIZE, .offset = AT(limit_bytes), .takes = "SIZE",
     .fallback = "0", .least = 0, .most = 64 * GI, .reloads = true,
     .help = "bytes a second from one client address; 0: no limit"},

    {.name = "max-header", .group = "LIMITS",
     .kind = OPTIONS_SIZE, .offset = AT(max_header), .takes = "SIZE",
     .fallback = "16K", .least = KI, .most = MI, .reloads = true,
     .help = "request line and headers"},
    {.name = "max-body", .kind = OPTIONS_SIZE, .offset = AT(max_body), .takes = "SIZE",
     .fallback = "8M", .least = KI, .most = GI, .reloads = true,
     .help = "a body as it is sent"},
    {.name = "max-inflated", .kind = OPTIONS_SIZE, .offset = AT(max_inflated), .takes = "SIZE",
     .fallback = "32M", .least = KI, .most = GI, .reloads = true,
     .help = "a compressed body once inflated"},
    {.name = "max-message", .kind = OPTIONS_SIZE, .offset = AT(max_message), .takes = "SIZE",
     .fallback = "16M", .least = KI, .most = GI, .reloads = true,
     .help = "a WebSocket message once inflated"},
    {.name = "max-event", .kind = OPTIONS_SIZE, .offset = AT(max_event), .takes = "SIZE",
     .fallback = "1M", .least = KI, .most = 512 * MI, .reloads = true,
     .help = "one event"},
    {.name = "max-depth", .kind = OPTIONS_COUNT, .offset = AT(max_depth), .takes = "NUMBER",
     .fallback = "512", .least = 1, .most = 1000, .reloads = true,
     .help = "levels of nesting in an event"},
    {.name = "max-events", .kind = OPTIONS_COUNT, .offset = AT(max_events), .takes = "NUMBER",
     .fallback = "500000", .least = 1, .most = 1000000000, .reloads = true,
     .help = "events in one answer"},
    {.name = "max-rejects", .kind = OPTIONS_COUNT, .offset = AT(max_rejects), .takes = "NUMBER",
     .fallback = "10000", .least = 0, .most = 1000000000, .reloads = true,
     .help = "events that could not be stored, kept for inspection"},
    {.name = "max-rejects-size", .kind = OPTIONS_SIZE, .offset = AT(max_rejects_size),
     .takes = "SIZE", .fallback = "64M", .least = 0, .most = 1024 * GI, .reloads = true,
     .help = "bytes of those"},

    {.name = "max-receiving", .kind = OPTIONS_SIZE, .offset = AT(max_receiving), .takes = "SIZE",
     .fallback = "256M", .least = MI, .most = MOST_MEMORY, .reloads = true,
     .help = "requests that are not whole yet, all together"},
    {.name = "max-connections", .kind = OPTIONS_COUNT, .offset = AT(max_connections),
     .takes = "NUMBER", .fallback = "16384", .least = 1, .most = 1000000, .reloads = true,
     .help = "connections at once"},
    {.name = "max-reads", .kind = OPTIONS_COUNT, .offset = AT(max_reads), .takes = "NUMBER",
     .fallback = "256", .least = 1, .most = 1000000, .reloads = true,
     .help = "answers under way at once"},

    {.name = "max-push", .kind = OPTIONS_SIZE, .offset = AT(max_push), .takes = "SIZE",
     .fallback = "4M", .least = KI, .most = GI, .reloads = true,
     .help = "pushes that wait for one WebSocket"},

    {.name = "cache-events", .group = "THREADS AND QUEUES",
     .kind = OPTIONS_COUNT, .offset = AT(cache_events), .takes = "NUMBER",
     .fallback = "500000", .least = 0, .most = 100000000,
     .help = "newest events that are kept in memory; 0: none"},
    {.name = "cache-bytes", .kind = OPTIONS_SIZE, .offset = AT(cache_bytes), .takes = "SIZE",
     .fallback = "256M", .least = 0, .most = MOST_MEMORY,
     .help = "memory for them; 0: none"},

    {.name = "threads", .kind = OPTIONS_COUNT, .offset = AT(threads), .takes = "NUMBER",
     .fallback = "0", .least = 0, .most = 64,
     .help = "network threads; 0: one per processor, at most 8"},
    {.name = "readers", .kind = OPTIONS_COUNT, .offset = AT(readers), .takes = "NUMBER",
     .fallback = "2", .least = 1, .most = 64,
     .help = "threads that read the database"},
    {.name = "queue-size", .kind = OPTIONS_SIZE, .offset = AT(queue_size), .takes = "SIZE",
     .fallback = "64M", .least = KI, .most = MOST_MEMORY, .reloads = true,
     .help = "batches waiting to be committed"},
    {.name = "receipts-size", .kind = OPTIONS_SIZE, .offset = AT(receipts_size), .takes = "SIZE",
     .fallback = "64M", .least = KI, .most = MOST_MEMORY,
     .help = "receipts, by which batches sent again are recognised"},
    {.name = "hold", .kind = OPTIONS_DURATION, .offset = AT(hold_ms), .takes = "DURATION",
     .fallback = "2s", .least = 0, .most = HOUR, .reloads = true,
     .help = "how long a request waits for a full queue or a failing disk before 503"},
    {.name = "drain", .kind = OPTIONS_DURATION, .offset = AT(drain_ms), .takes = "DURATION",
     .fallback = "10s", .least = 0, .most = HOUR, .reloads = true,
     .help = "how long a shutdown waits for requests in flight"},
    {.name = "timeout", .kind = OPTIONS_DURATION, .offset = AT(timeout_ms), .takes = "DURATION",
     .fallback = "60s", .least = 100, .most = 24 * HOUR, .reloads = true,
     .help = "silence after which a connection is closed"},
    {.name = "head-timeout", .kind = OPTIONS_DURATION, .offset = AT(head_timeout_ms),
     .takes = "DURATION", .fallback = "10s", .least = 100, .most = HOUR, .reloads = true,
     .help = "how long the head of a request may take"},
    {.name = "body-timeout", .kind = OPTIONS_DURATION, .offset = AT(body_timeout_ms),
     .takes = "DURATION", .fallback = "2m", .least = 100, .most = 24 * HOUR, .reloads = true,
     .help = "how long the body of a request may take"},
    {.name = "ping-interval", .kind = OPTIONS_DURATION, .offset = AT(ping_interval_ms),
     .takes = "DURATION", .fallback = "30s", .least = 0, .most = HOUR, .reloads = true,
     .help = "silence after which a WebSocket is pinged; 0s: never"},
    {.name = "retain", .group = "RETENTION",
     .kind = OPTIONS_DURATION, .offset = AT(retain_ms), .takes = "DURATION",
     .fallback = "0s", .least = 0, .most = OPTIONS_LONGEST_MS, .reloads = true,
     .help = "events dated longer ago are erased; 0s: none is"},
    {.name = "retain-size", .kind = OPTIONS_SIZE, .offset = AT(retain_size), .takes = "SIZE",
     .fallback = "0", .least = 0, .most = 1024 * 1024 * GI, .reloads = true,
     .help = "the oldest events are erased while the database uses more; 0: never"},
    {.name = "min-free-disk", .kind = OPTIONS_SIZE, .offset = AT(min_free_disk), .takes = "SIZE",
     .fallback = "0", .least = 0, .most = 1024 * 1024 * GI, .reloads = true,
     .help = "the oldest events are erased while its disk has less room; 0: never"},
    {.name = "synchronous", .group = "DURABILITY",
     .kind = OPTIONS_CHOICE, .offset = AT(synchronous), .takes = "MODE",
     .fallback = "full", .choices = options_synchronous_words,
     .help = "full, normal or off: what of the data is on the disk when 200 is sent"},

    {.name = "log-level", .group = "LOG",
     .kind = OPTIONS_CHOICE, .offset = AT(log_level), .takes = "LEVEL",
     .fallback = "info", .choices = options_level_words, .reloads = true,
     .help = "error, warn, info or debug"},
    {.name = "log-format", .kind = OPTIONS_CHOICE, .offset = AT(log_format), .takes = "FORMAT",
     .fallback = "auto", .choices = options_format_words,
     .help = "auto, text, json or journal"},
};
/* clang-format on */

enum { OPTIONS_ROWS = sizeof(options_table) / sizeof(options_table[0]) };

struct options_reader {
    struct options *options;
    enum options_source sources[OPTIONS_ROWS];
};

const struct options_row *options_row(size_t n)
{
    return n < OPTIONS_ROWS ? &options_table[n] : NULL;
}

const char *options_name(size_t n)
{
    return n < OPTIONS_ROWS ? options_table[n].name : NULL;
}

bool options_about(size_t n, struct options_about *about)
{
    if (n >= OPTIONS_ROWS)
        return false;
    const struct options_row *row = &options_table[n];
    *about = (struct options_about){
        .name = row->name,
        .help = row->help,
        .takes = row->takes,
        .fallback = row->fallback,
        .choices = row->choices,
        .repeats = row->kind == OPTIONS_LIST,
        .reloads = row->reloads,
        .example = row->example,
        .packaged = row->packaged,
        .group = row->group,
    };
    return true;
}

const struct options_row *options_find(const char *name)
{
    for (size_t i = 0; i < OPTIONS_ROWS; i++) {
        if (strcmp(options_table[i].name, name) == 0)
            return &options_table[i];
    }
    return NULL;
}

int options_take(struct options_reader *reader, const struct options_row *row,
                 enum options_source source, const char *where, const char *value,
                 struct error *err)
{
    enum options_source *held = &reader->sources[row - options_table];
    struct error why;
    int64_t number;

    if (options_value_read(row, value, &number, &why) != 0) {
        error_set(err, "%s: %s", where, why.text);
        return -1;
    }
    /* A file is read at leisure, and of two lines that disagree one is a mistake. On a command line
     * the last word counts, as everywhere. */
    if (row->kind != OPTIONS_LIST && source == OPTIONS_FROM_FILE && *held == source) {
        error_set(err, "%s: is set a second time", where);
        return -1;
    }
    if (*held > source)
        return 0;
    *held = source;
    if (options_value_store(reader->options, row, value, number) != 0) {
        error_set(err, "out of memory");
        return -1;
    }
    return 0;
}

/* ---- environment ---- */

#define OPTIONS_PREFIX "BEACOND_"

static char options_upper(char c)
{
    if (c == '-')
        return '_';
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static const struct options_row *options_find_variable(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTIONS_ROWS; i++) {
        const char *candidate = options_table[i].name;
        size_t same = 0;
        while (same < len && options_upper(candidate[same]) == name[same])
            same++;
        if (same == len && candidate[same] == '\0')
            return &options_table[i];
    }
    return NULL;
}

/* The values of a repeatable option, separated by white space. None at all is a value too: it
 * replaces what the file says. */
static int options_take_words(struct options_reader *reader, const struct options_row *row,
                              const char *where, const char *words, struct error *err)
{
    char *copy = strdup(words);
    char *rest = NULL;
    int status = copy != NULL ? 0 : -1;

    if (status != 0)
        error_set(err, "out of memory");
    else if (reader->sources[row - options_table] < OPTIONS_FROM_ENVIRONMENT)
        reader->sources[row - options_table] = OPTIONS_FROM_ENVIRONMENT;
    for (char *word = status == 0 ? strtok_r(copy, " \t\r\n", &rest) : NULL;
         status == 0 && word != NULL; word = strtok_r(NULL, " \t\r\n", &rest))
        status = options_take(reader, row, OPTIONS_FROM_ENVIRONMENT, where, word, err);
    free(copy);
    return status;
}

static int options_read_environment(struct options_reader *reader, char **environment,
                                    struct error *err)
{
    const size_t prefix = strlen(OPTIONS_PREFIX);

    for (char **entry = environment; entry != NULL && *entry != NULL; entry++) {
        size_t len = strcspn(*entry, "=");
        if (strncmp(*entry, OPTIONS_PREFIX, prefix) != 0 || (*entry)[len] != '=')
            continue;
        const struct options_row *row = options_find_variable(*entry + prefix, len - prefix);
        if (row == NULL) {
            error_set(err, "%.*s: there is no such option", (int)len, *entry);
            return -1;
        }
        char where[64];
        snprintf(where, sizeof(where), "%.*s", (int)len, *entry);
        const char *value = *entry + len + 1;
        int status = row->kind == OPTIONS_LIST
                         ? options_take_words(reader, row, where, value, err)
                         : options_take(reader, row, OPTIONS_FROM_ENVIRONMENT, where, value, err);
        if (status != 0)
            return -1;
    }
    return 0;
}

/* ---- all of it ---- */

static int options_read_defaults(struct options_reader *reader, struct error *err)
{
    for (size_t i = 0; i < OPTIONS_ROWS; i++) {
        const struct options_row *row = &options_table[i];
        if (row->fallback != NULL && reader->sources[i] == OPTIONS_FROM_NOWHERE &&
            options_take(reader, row, OPTIONS_FROM_DEFAULT, row->name, row->fallback, err) != 0)
            return -1;
    }
    return 0;
}

/* The file that is read when nothing names one. */
#ifdef SYSCONFDIR
#define OPTIONS_FILE SYSCONFDIR "/beacond/beacond.conf"
#else
#define OPTIONS_FILE "" /* compiled without configure: none */
#endif

const char *options_file(void)
{
    return OPTIONS_FILE;
}

/* An empty name is one too, by which a flag or the environment asks for none. */
static int options_choose_file(struct options_reader *reader, struct error *err)
{
    const struct options_row *row = options_find("config");
    struct stat about;
    if (reader->sources[row - options_table] != OPTIONS_FROM_NOWHERE || *OPTIONS_FILE == '\0')
        return 0;
    /* Only one that is not there is passed over. What can't be looked at may be there, and the
     * daemon would run with other options than it is told. */
    if (access(OPTIONS_FILE, R_OK) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        error_set(err, "config: %s: %s; --config '' does without it", OPTIONS_FILE,
                  strerror(errno));
        return -1;
    }
    /* To open a pipe waits for whoever writes to it; nobody has asked for that here, and a daemon
     * that reloads could not even be told to end. */
    if (stat(OPTIONS_FILE, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) {
        error_set(err, "config: %s: is no regular file", OPTIONS_FILE);
        return -1;
    }
    return options_take(reader, row, OPTIONS_FROM_DEFAULT, row->name, OPTIONS_FILE, err);
}

/* Whether a URI holds a password, in front of its host or as a parameter. */
static bool options_has_password(const char *database)
{
    const char *place = strstr(database, "://");
    const char *at = place == NULL ? NULL : strchr(place, '@');
    return place != NULL &&
           (strstr(place, "password=") != NULL ||
            (at != NULL && memchr(place + 3, ':', (size_t)(at - place - 3)) != NULL));
}

int options_gather(struct options *options, struct arguments *arguments, int argc, char **argv,
                   char **environment, struct error *err)
{
    struct options_reader reader = {.options = options};

    *options = (struct options){0};
    int status = options_read_flags(&reader, arguments, argc, argv, err);
    if (status != OPTIONS_OK)
        return status;
    if (arguments->usage->bare)
        return options_read_defaults(&reader, err) == 0 ? OPTIONS_OK : OPTIONS_CONFIG;
    if (options_read_environment(&reader, environment, err) != 0)
        return OPTIONS_CONFIG;
    if (options_choose_file(&reader, err) != 0)
        return OPTIONS_CONFIG;
    if (options->config != NULL && options_read_file(&reader, options->config, err) != 0)
        return OPTIONS_CONFIG;
    if (options_read_defaults(&reader, err) != 0)
        return OPTIONS_CONFIG;
    options->secret_file =
        reader.sources[options_find("database") - options_table] == OPTIONS_FROM_FILE &&
        options_has_password(options->database);
    return OPTIONS_OK;
}

int options_settle(struct options *options, bool serves, struct error *err)
{
    /* Keys are the daemon's business: who looks at the data need not be able to read them. */
    if (serves && options->key_file != NULL &&
        options_read_keys(&options->key, options->key_file, err) != 0)
        return -1;
    if (options->secret_file)
        options_guard(options->config);
    return options_check_all(options, serves, err);
}

int options_read(struct options *options, struct arguments *arguments, int argc, char **argv,
                 char **environment, struct error *err)
{
    int status = options_gather(options, arguments, argc, argv, environment, err);
    if (status != OPTIONS_OK)
        return status;
    arguments->argc = argc;
    arguments->argv = argv;
    arguments->environment = environment;
    /* From here on warnings come out in the form that was asked for. */
    log_setup(options->log_level, options->log_format);
    return options_settle(options, arguments->usage->serves, err) == 0 ? OPTIONS_OK
                                                                       : OPTIONS_CONFIG;
}

void options_clear(struct options *options)
{
    for (size_t i = 0; i < OPTIONS_ROWS; i++)
        options_value_clear(options, &options_table[i]);
}

void options_help(FILE *out, const struct arguments_usage *usage)
{
    for (size_t i = 0; i < OPTIONS_ROWS; i++) {
        const struct options_row *row = &options_table[i];
        if (!arguments_takes(usage, row->name))
            continue;
        fprintf(out, "  --%s%s%s\n      %s", row->name, row->takes != NULL ? " " : "",
                row->takes != NULL ? row->takes : "", row->help);
        if (row->fallback != NULL && *row->fallback != '\0')
            fprintf(out, " (default %s)", row->fallback);
        else if (strcmp(row->name, "config") == 0 && *OPTIONS_FILE != '\0')
            fprintf(out, " (default %s)", OPTIONS_FILE);
        fputc('\n', out);
    }
}
