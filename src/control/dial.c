#include "control/dial.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/control_path.h"
#include "store/store.h"

/* How often progress is asked whether to stop while nothing comes. */
#define DIAL_LOOK_MS 100

int dial_open(struct link *link, const char *database, const char *at, struct error *err)
{
    struct control_path path;
    struct error why;
    if (control_path_find(&path, database, at, &why) != 0) {
        if (at == NULL || store_is_file(database))
            return DIAL_NOBODY;
        *err = why;
        return DIAL_FAILED;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error_set(err, "control socket: %s", strerror(errno));
        return DIAL_FAILED;
    }
    if (connect(fd, (const struct sockaddr *)&path.socket, sizeof path.socket) == 0) {
        link_init(link, fd);
        return DIAL_OK;
    }
    int code = errno;
    close(fd);
    if (code == ENOENT || code == ECONNREFUSED || code == ENOTSOCK)
        return DIAL_NOBODY;
    error_set(err, "%s: %s", path.socket.sun_path, strerror(code));
    return DIAL_FAILED;
}

/* Waits until something can be read, asking progress now and then. */
static void dial_look(struct link *link, const struct progress *progress, bool *stopped)
{
    struct pollfd ready = {.fd = link->fd, .events = POLLIN};
    while (link->in.len == 0 && poll(&ready, 1, DIAL_LOOK_MS) <= 0) {
        if (*stopped || progress_step(progress, NULL, 0, 0) == 0)
            continue;
        link_end(link);
        *stopped = true;
    }
}

static int dial_failure(const json_t *message, struct error *err)
{
    const char *text = json_string_value(json_object_get(message, "error"));
    json_int_t status = json_integer_value(json_object_get(message, "status"));
    error_set(err, "%s", text != NULL ? text : "the daemon's answer can't be read");
    return status < STORE_OK && status >= STORE_HELD ? (int)status : STORE_REFUSED;
}

int dial_wait(struct link *link, const struct progress *progress, json_t **result,
              struct error *err)
{
    bool stopped = false;
    for (;;) {
        json_t *message = NULL;
        dial_look(link, progress, &stopped);
        if (link_receive(link, &message, NULL, err) != 0) {
            error_set(err, "the daemon has ended before the job had");
            return STORE_BUSY;
        }
        const char *step = json_string_value(json_object_get(message, "step"));
        *result = json_incref(json_object_get(message, "result"));
        int status = *result != NULL ? STORE_OK : 1;
        if (step != NULL) {
            if (progress_step(progress, step, json_integer_value(json_object_get(message, "done")),
                              json_integer_value(json_object_get(message, "total"))) != 0 &&
                !stopped) {
                link_end(link);
                stopped = true;
            }
        } else if (*result == NULL) {
            status = dial_failure(message, err);
        }
        json_decref(message);
        if (status <= STORE_OK)
            return status;
    }
}
