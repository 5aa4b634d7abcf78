#include "commands/commands.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>

#include <jansson.h>

#include "control/dial.h"
#include "store/store.h"

/* The daemon's answer waits for nothing. */
#define READY_PATIENCE_MS 10000

/* COMMAND_OK, or another exit code with err. */
static int ready_ask(struct link *link, struct error *err)
{
    struct progress nobody = {0};
    struct pollfd answer = {.fd = link->fd, .events = POLLIN};
    json_t *request = json_pack("{ss}", "job", "ready"), *result = NULL;
    int code = COMMAND_FAILED;
    if (request == NULL || link_send(link, request, NULL, 0) != 0) {
        error_set(err, "the daemon can't be asked");
        goto out;
    }
    /* One that has been stopped, by a debugger for example, would be waited for without end. */
    if (poll(&answer, 1, READY_PATIENCE_MS) <= 0) {
        error_set(err, "the daemon does not answer");
        goto out;
    }
    if (dial_wait(link, &nobody, &result, err) != STORE_OK)
        goto out;
    const char *why = json_string_value(json_object_get(result, "why"));
    if (json_is_true(json_object_get(result, "ready")))
        code = COMMAND_OK;
    else
        error_set(err, "%s", why != NULL ? why : "the daemon's answer can't be read");
out:
    json_decref(result);
    json_decref(request);
    return code;
}

static int ready_run(const struct options *options, const struct arguments *arguments)
{
    struct link link;
    struct error err = {""};
    char database[PATH_MAX];
    bool file = store_is_file(options->database);
    int code = COMMAND_FAILED;
    (void)arguments;
    if (store_check(options->database, &err) != STORE_OK) {
        fprintf(stderr, "beacond: %s\n", err.text);
        return COMMAND_CONFIG;
    }
    store_name(options->database, database, sizeof database);
    json_object_seed(0);
    link_init(&link, -1);
    int dialled = dial_open(&link, options->database, options->listen.items[0], &err);
    if (dialled == DIAL_OK)
        code = ready_ask(&link, &err);
    else if (dialled == DIAL_NOBODY)
        error_set(&err, "no daemon has %s open%s%s", database, file ? "" : " and listens on ",
                  file ? "" : options->listen.items[0]);
    link_clear(&link);
    if (code == COMMAND_OK)
        printf("ready\n");
    else
        fprintf(stderr, "beacond: not ready: %s\n", err.text);
    return code;
}

static const char *const ready_options[] = {
    "config", "listen", "database", "log-level", "log-format", NULL,
};

const struct command command_ready = {
    .name = "ready",
    .help = "say whether the daemon takes events now",
    .usage = {.options = ready_options},
    .run = ready_run,
};
