#include "control/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "control/control_path.h"
#include "control/job.h"

/* How often a client hears how far its job is. */
#define CONTROL_TELL_MS 200
/* While there are no descriptors. */
#define CONTROL_PAUSE_MS 100
/* How long a client may take to say what it wants, and to take what it is told. */
#define CONTROL_PATIENCE_S 10

struct control {
    pthread_t thread;
    struct engine *engine;
    const char *database;
    struct batch_limits limits;
    struct control_path path;
    int listening;
    int wake; /* an eventfd: stopping, or a session has ended */
    atomic_bool stopping;
    _Atomic(const char *) unready;

    pthread_mutex_t mutex; /* guards the lists, and limits */
    struct list sessions;  /* under way */
    struct list ended;     /* their threads are to be joined */
    size_t count;          /* of sessions */
};

struct session {
    struct list node;
    pthread_t thread;
    struct control *control;
    struct link link;
    int64_t told_ms;
};

static void control_wake(struct control *control)
{
    uint64_t one = 1;
    if (write(control->wake, &one, sizeof one) < 0)
        log_debug("control socket: %s", strerror(errno));
}

/* ---- a session, on its own thread ---- */

static int session_step(void *arg, const char *what, int64_t done, int64_t total)
{
    struct session *session = arg;
    int64_t now_ms = clock_mono_ms();
    if (atomic_load(&session->control->stopping) || link_ended(&session->link))
        return -1;
    if (now_ms - session->told_ms < CONTROL_TELL_MS)
        return 0;
    session->told_ms = now_ms;
    json_t *message =
        json_pack("{sssIsI}", "step", what, "done", (json_int_t)done, "total", (json_int_t)total);
    /* Without memory for it, it goes on untold. */
    int status = message == NULL ? 0 : link_send(&session->link, message, NULL, 0);
    json_decref(message);
    return status;
}

/* JSON is UTF-8; a name of a file need not be, and a long sentence may have been cut within a
 * character. */
static json_t *session_words(const struct error *err)
{
    struct error plain = *err;
    json_t *words = json_string(plain.text);
    if (words != NULL)
        return words;
    for (char *at = plain.text; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    return json_string(plain.text);
}

static void session_answer(struct session *session, int status, json_t *result,
                           const struct error *err)
{
    json_t *message = status == STORE_OK
                          ? json_pack("{sO}", "result", result)
                          : json_pack("{sosi}", "error", session_words(err), "status", status);
    /* Who has gone does not want to know. */
    if (message == NULL || link_send(&session->link, message, NULL, 0) != 0)
        log_debug("control socket: an answer did not arrive");
    json_decref(message);
}

static void session_patience(struct session *session, int which, long seconds)
{
    struct timeval time = {.tv_sec = seconds};
    (void)setsockopt(session->link.fd, SOL_SOCKET, which, &time, sizeof time);
}

static struct batch_limits session_limits(struct session *session)
{
    pthread_mutex_lock(&session->control->mutex);
    struct batch_limits limits = session->control->limits;
    pthread_mutex_unlock(&session->control->mutex);
    return limits;
}

static void session_serve(struct session *session)
{
    struct error err = {""};
    json_t *request = NULL;
    session_patience(session, SO_SNDTIMEO, CONTROL_PATIENCE_S);
    session_patience(session, SO_RCVTIMEO, CONTROL_PATIENCE_S);
    if (link_receive(&session->link, &request, NULL, &err) != 0)
        return;
    session_patience(session, SO_RCVTIMEO, 0);
    struct job job = {
        .engine = session->control->engine,
        .database = session->control->database,
        .limits = session_limits(session),
        .unready = atomic_load(&session->control->unready),
        .request = request,
        .link = &session->link,
        .progress = {.step = session_step, .arg = session},
    };
    int status = job_run(&job, &err);
    session_answer(session, status, job.result, &err);
    json_decref(job.result);
    json_decref(request);
}

static void *session_main(void *arg)
{
    struct session *session = arg;
    struct control *control = session->control;
    session_serve(session);
    pthread_mutex_lock(&control->mutex);
    list_remove(&session->node);
    list_append(&control->ended, &session->node);
    pthread_mutex_unlock(&control->mutex);
    control_wake(control);
    return NULL;
}

/* ---- the thread that listens ---- */

/* The daemon's user and root: the database can be read and written by nobody else either. */
static bool control_trusts(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    log_warn("control socket: user %ld was turned away", (long)peer.uid);
    return false;
}

/* Joins the threads that have ended. */
static void control_collect(struct control *control)
{
    pthread_mutex_lock(&control->mutex);
    while (!list_empty(&control->ended)) {
        struct session *session = LIST_OF(control->ended.next, struct session, node);
        list_remove(&session->node);
        control->count--;
        pthread_mutex_unlock(&control->mutex);
        pthread_join(session->thread, NULL);
        link_clear(&session->link);
        free(session);
        pthread_mutex_lock(&control->mutex);
    }
    pthread_mutex_unlock(&control->mutex);
}

static void control_begin(struct control *control, int fd)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        close(fd);
        return;
    }
    session->control = control;
    link_init(&session->link, fd);
    /* In the list before it can leave it. */
    pthread_mutex_lock(&control->mutex);
    bool room = control->count < CONTROL_MOST_SESSIONS;
    int code = room ? pthread_create(&session->thread, NULL, session_main, session) : EAGAIN;
    if (code == 0) {
        list_append(&control->sessions, &session->node);
        control->count++;
    }
    pthread_mutex_unlock(&control->mutex);
    if (code == 0)
        return;
    struct error err;
    error_set(&err, room ? "out of threads" : "too many commands at once; try again later");
    session_answer(session, STORE_BUSY, NULL, &err);
    link_clear(&session->link);
    free(session);
}

static void control_accept(struct control *control)
{
    int fd = accept4(control->listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && control_trusts(fd))
        control_begin(control, fd);
    else if (fd >= 0)
        close(fd);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
        (void)poll(NULL, 0, CONTROL_PAUSE_MS);
}

static void *control_main(void *arg)
{
    struct control *control = arg;
    struct pollfd ready[2] = {{.fd = control->listening, .events = POLLIN},
                              {.fd = control->wake, .events = POLLIN}};
    while (!atomic_load(&control->stopping)) {
        uint64_t count;
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            (void)poll(NULL, 0, CONTROL_PAUSE_MS);
        if ((ready[1].revents & POLLIN) != 0 && read(control->wake, &count, sizeof count) > 0)
            control_collect(control);
        if ((ready[0].revents & POLLIN) != 0)
            control_accept(control);
    }
    return NULL;
}

/* ---- the socket ---- */

/* No lock tells of a database that is no file: somebody may be listening there. */
static bool control_is_answered(const struct control_path *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answered =
        fd >= 0 && connect(fd, (const struct sockaddr *)&path->socket, sizeof path->socket) == 0;
    if (fd >= 0)
        close(fd);
    return answered;
}

static int control_listen(struct control *control, struct error *err)
{
    const struct control_path *path = &control->path;
    const char *name = path->socket.sun_path;
    if (path->beside[0] == '\0' && control_is_answered(path)) {
        error_set(err, "control socket %s: another daemon has it", name);
        return -1;
    }
    control->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The lock of a file is held: what is there is left over from a daemon that was killed. */
    if (path->beside[0] != '\0')
        (void)unlink(path->beside);
    (void)unlink(name);
    mode_t before = umask(077);
    int status =
        control->listening < 0
            ? -1
            : bind(control->listening, (const struct sockaddr *)&path->socket, sizeof path->socket);
    (void)umask(before);
    if (status == 0)
        status = listen(control->listening, CONTROL_MOST_SESSIONS);
    if (status == 0 && path->linked)
        status = symlink(name, path->beside);
    if (status == 0)
        return 0;
    error_set(err, "control socket %s: %s", name, strerror(errno));
    (void)unlink(name);
    return -1;
}

static void control_unlink(struct control *control)
{
    (void)unlink(control->path.socket.sun_path);
    if (control->path.linked)
        (void)unlink(control->path.beside);
}

static void control_free(struct control *control)
{
    if (control->listening >= 0)
        close(control->listening);
    if (control->wake >= 0)
        close(control->wake);
    pthread_mutex_destroy(&control->mutex);
    free(control);
}

int control_start(struct control **out, struct engine *engine, const char *database, const char *at,
                  const struct batch_limits *limits, struct error *err)
{
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        error_set(err, "out of memory");
        return -1;
    }
    control->engine = engine;
    control->database = database;
    control->limits = *limits;
    control->listening = -1;
    atomic_init(&control->unready, "starting");
    list_init(&control->sessions);
    list_init(&control->ended);
    pthread_mutex_init(&control->mutex, NULL);
    control->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int status = control->wake < 0 ? -1 : control_path_make(&control->path, database, at, err);
    if (control->wake < 0)
        error_set(err, "control socket: %s", strerror(errno));
    if (status == 0)
        status = control_listen(control, err);
    if (status == 0 && pthread_create(&control->thread, NULL, control_main, control) != 0) {
        error_set(err, "control socket: out of threads");
        control_unlink(control);
        status = -1;
    }
    if (status == 0)
        *out = control;
    else
        control_free(control);
    return status;
}

void control_reload(struct control *control, const struct batch_limits *limits)
{
    if (control == NULL)
        return;
    pthread_mutex_lock(&control->mutex);
    control->limits = *limits;
    pthread_mutex_unlock(&control->mutex);
}

void control_unready(struct control *control, const char *why)
{
    if (control != NULL)
        atomic_store(&control->unready, why);
}

void control_stop(struct control *control)
{
    if (control == NULL)
        return;
    control_unlink(control);
    atomic_store(&control->stopping, true);
    control_wake(control);
    pthread_join(control->thread, NULL);
    /* Who waits for a client is woken; who works sees that it is to stop. */
    for (;;) {
        pthread_mutex_lock(&control->mutex);
        for (struct list *node = control->sessions.next; node != &control->sessions;
             node = node->next)
            (void)shutdown(LIST_OF(node, struct session, node)->link.fd, SHUT_RD);
        bool left = !list_empty(&control->sessions) || !list_empty(&control->ended);
        pthread_mutex_unlock(&control->mutex);
        if (!left)
            break;
        struct pollfd ready = {.fd = control->wake, .events = POLLIN};
        uint64_t count;
        control_collect(control);
        pthread_mutex_lock(&control->mutex);
        bool wait = !list_empty(&control->sessions) && list_empty(&control->ended);
        pthread_mutex_unlock(&control->mutex);
        if (wait && poll(&ready, 1, -1) > 0 && read(control->wake, &count, sizeof count) < 0)
            log_debug("control socket: %s", strerror(errno));
    }
    control_free(control);
}
