/*
 * options.h: one table of options, read from config file, environment and flags.
 *
 * Each option is one row of the table in options.c: name, kind, default, place in struct options,
 * what it takes, a line of help. Flags (--max-body 8M), environment (BEACOND_MAX_BODY) and config
 * file lines (max-body = 8M) all come from it, so does --help, and a test compares it with the
 * manual. file < environment < flag; for a repeatable option the strongest source that names it
 * replaces the weaker ones' values altogether. In the environment the values of a repeatable option
 * are separated by white space. When neither names a file, options_file() is read if it is there.
 *
 * Read by the main thread, constant afterwards: any thread may look. again.h reads them anew while
 * the daemon runs.
 */
#ifndef BEACOND_OPTIONS_OPTIONS_H
#define BEACOND_OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "options/arguments.h"

struct options_list {
    char **items; /* NUL-terminated texts */
    size_t count;
};

enum options_synchronous { OPTIONS_SYNC_FULL, OPTIONS_SYNC_NORMAL, OPTIONS_SYNC_OFF };

enum options_proxy_header {
    OPTIONS_PROXY_NONE,
    OPTIONS_PROXY_X_FORWARDED_FOR,
    OPTIONS_PROXY_FORWARDED,
};

enum options_dashboard_auth { OPTIONS_DASHBOARD_BASIC, OPTIONS_DASHBOARD_NONE };

struct options {
    char *config;     /* path of the file that was read, NULL for none */
    bool secret_file; /* it holds the password of the database */

    struct options_list listen; /* "HOST:PORT", "[v6]:PORT", "unix:PATH"; default 127.0.0.1:4242 */
    struct options_list admin_listen; /* likewise, for probes and metrics without a key */
    char *tls_cert;                   /* path of a PEM chain; NULL: no TLS */
    char *tls_key;                    /* path of its key; NULL as tls_cert is */
    struct options_list admin_host;   /* names it is known by, see contract/admin_host.h */
    struct options_list prefix;       /* "/_tracker": begins with '/', does not end with one */
    char *database;                   /* path or postgresql:// URI, default beacond.db */
    char *node;                       /* what it is called among others, NULL: see serve.c */
    char *app_id;                     /* told by ping, default "" */

    char *dashboard;                            /* directory of a built dashboard, NULL for none */
    char *dashboard_route;                      /* "/_dashboard", of the form of a prefix */
    enum options_dashboard_auth dashboard_auth; /* who may see its files; default basic */

    struct options_list key;           /* KEY[:SCOPES], those of key-file included */
    char *key_file;                    /* path, NULL for none */
    struct options_list allow_origin;  /* see contract/access.h */
    struct options_list beacon_origin; /* may ingest without a key; likewise */
    bool allow_keyless;
    struct options_list trusted_proxy;      /* see contract/address.h */
    enum options_proxy_header proxy_header; /* that tells the client's address; default none */

    int64_t max_header;       /* bytes of request line and headers; default 16K */
    int64_t max_body;         /* bytes of a body on the wire; default 8M */
    int64_t max_inflated;     /* bytes of a body once inflated; default 32M */
    int64_t max_message;      /* bytes of a WebSocket message once inflated; default 16M */
    int64_t max_event;        /* bytes of one event; default 1M */
    int64_t max_depth;        /* nesting of one event; default 512, at most 1000 */
    int64_t max_events;       /* events in one answer; default 500000 */
    int64_t max_rejects;      /* rows kept in the table of rejects; default 10000 */
    int64_t max_rejects_size; /* bytes kept there; default 64M */

    int64_t cache_events; /* newest events kept in memory; 0: none; default 500000 */
    int64_t cache_bytes;  /* bytes of memory for them; 0: none; default 256M */

    int64_t threads;       /* loop threads; 0 (default): one per processor, at most 8 */
    int64_t readers;       /* reader threads; default 2 */
    int64_t queue_size;    /* bytes of batches waiting for the writer; default 64M */
    int64_t receipts_size; /* bytes of receipts, by which retries are recognised; default 64M */
    int64_t hold_ms;    /* how long a request waits for a full queue or a sick disk; default 2s */
    int64_t drain_ms;   /* how long a shutdown waits for clients; default 10s */
    int64_t timeout_ms; /* silence after which a connection is closed; default 60s */
    int64_t head_timeout_ms;  /* from a request's first byte to the end of its head; default 10s */
    int64_t body_timeout_ms;  /* from there to the end of its body; default 2m */
    int64_t ping_interval_ms; /* silence after which a WebSocket is pinged; 0: never; default 30s */
    int64_t max_push;         /* bytes of pushes that wait for one WebSocket; default 4M */
    int64_t max_connections;  /* at once; default 16384 */
    int64_t
        max_receiving;    /* bytes of requests that are not whole yet, all together; default 256M */
    int64_t max_reads;    /* answers under way at once; default 256 */
    int64_t limit_events; /* events a second of one client address; 0 (default): no limit */
    int64_t limit_bytes;  /* bytes a second of one client address; 0 (default): no limit */
    int64_t retain_ms;    /* events dated longer ago are erased; 0 (default): none is */
    int64_t retain_size;  /* bytes of the database in use above which the oldest are; 0: never */
    int64_t min_free_disk; /* bytes free on its disk below which the oldest are; 0: never */
    enum options_synchronous synchronous; /* full, normal, off; default full */

    enum log_level log_level;   /* error, warn, info, debug; default info */
    enum log_format log_format; /* default auto: see base/log.h */
};

/* Fills in the defaults, then file, environment, flags. argv: the flags alone, argv[0] is skipped.
 * Also checks what can be checked without touching the world: forms of addresses, prefixes, keys
 * and origins, contradictions. 0; OPTIONS_USAGE for a bad flag, OPTIONS_CONFIG for a bad value or
 * file, with err ("beacond.conf:3: max-body: expected a size such as 8M, got "x""), never quoting a
 * key. On error options is still to be cleared. */
enum options_status { OPTIONS_OK = 0, OPTIONS_USAGE = -1, OPTIONS_CONFIG = -2 };
int options_read(struct options *options, struct arguments *arguments, int argc, char **argv,
                 char **environment, struct error *err) MUST_CHECK;
void options_clear(struct options *options);

/* The options part of --help, a line or two each, of those that the command takes. */
void options_help(FILE *out, const struct arguments_usage *usage);

/* A duration such as 10s, as options take it; for the flags of commands. 0, or -1 with err. */
int options_duration(const char *text, int64_t *ms, struct error *err) MUST_CHECK;

/* The config file that is read when neither flag nor environment names one, if it is there:
 * beacond/beacond.conf below configure's sysconfdir. "" in a program that was built without. */
const char *options_file(void);

/* The table itself, for tests and generators: the n-th name, NULL past the end. */
const char *options_name(size_t n);

/* What else it says of the n-th; texts are the program's own. False past the end. */
struct options_about {
    const char *name, *help;
    const char *takes;          /* FILE and DIR are paths; NULL: no value (in a file: yes or no) */
    const char *fallback;       /* the default; NULL for none, "" for an empty one */
    const char *const *choices; /* all that it may be, ended by NULL; NULL: anything */
    bool repeats, reloads;      /* SIGHUP changes it */
    const char *example;        /* of one without a default */
    const char *packaged; /* what it is in a package, where that is not the default; or NULL */
    const char *group;    /* title of the group that begins here, NULL: it belongs to the last */
};
bool options_about(size_t n, struct options_about *about);

#endif
