#include "commands/watch.h"

#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"

#define WATCH_LEAST_MS 10 /* also between two looks, however much is written */
#define WATCH_MOST_MS 1000

void watch_open(struct watch *watch, const char *database)
{
    char path[PATH_MAX], copy[PATH_MAX];
    *watch = (struct watch){.fd = -1, .wait_ms = WATCH_LEAST_MS, .quiet_ms = clock_mono_ms()};
    if (realpath(database, path) == NULL)
        return;
    strcpy(copy, path);
    strncpy(watch->name, basename(copy), sizeof watch->name - 1);
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0)
        return;
    /* The folder: SQLite makes the WAL anew, and a restored database is another file. */
    if (inotify_add_watch(watch->fd, dirname(path), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        watch_close(watch);
}

void watch_close(struct watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

void watch_found(struct watch *watch)
{
    watch->wait_ms = WATCH_LEAST_MS;
    watch->quiet_ms = clock_mono_ms();
}

/* Takes what the kernel has told. Whether the database or its WAL was part of it; not the -shm,
 * which every reader writes to. */
static bool watch_take(struct watch *watch)
{
    char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool ours = false;
    ssize_t n;
    size_t len = strlen(watch->name);
    while ((n = read(watch->fd, buffer, sizeof buffer)) > 0) {
        const struct inotify_event *event;
        for (char *at = buffer; at < buffer + n; at += sizeof *event + event->len) {
            event = (const struct inotify_event *)(const void *)at;
            if ((event->mask & IN_Q_OVERFLOW) != 0)
                ours = true;
            if (event->len > 0 && strncmp(event->name, watch->name, len) == 0)
                ours = ours || event->name[len] == '\0' || strcmp(event->name + len, "-wal") == 0;
        }
    }
    return ours;
}

bool watch_wait(struct watch *watch, int out, bool *idle)
{
    struct pollfd ready[2] = {{.fd = out}, {.fd = watch->fd, .events = POLLIN}};
    int count = poll(ready, 2, watch->wait_ms);
    int64_t now_ms = clock_mono_ms();
    *idle = now_ms - watch->quiet_ms >= WATCH_MOST_MS;
    if (*idle)
        watch->quiet_ms = now_ms;
    if (count < 0)
        return true;
    if ((ready[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
        return false;
    if (count > 0) {
        if (watch_take(watch))
            watch->wait_ms = WATCH_LEAST_MS;
        clock_sleep_us(WATCH_LEAST_MS * 1000);
        return true;
    }
    watch->wait_ms = watch->wait_ms * 2 < WATCH_MOST_MS ? watch->wait_ms * 2 : WATCH_MOST_MS;
    return true;
}
