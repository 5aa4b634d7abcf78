#include "store/postgres/postgres_signal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define SIGNAL_BEAT_MS 1000
/* A word of our own that has not come back by then does not come. */
#define SIGNAL_ECHO_MS 3000
/* How long an answer is waited for: behind that there may be another server in its place. */
#define SIGNAL_PATIENCE_MS 20000
/* How long the end may take. */
#define SIGNAL_END_MS 1000

#define SIGNAL_NAME 256

struct postgres_signal {
    pthread_t thread;
    int wake; /* an eventfd: something was committed, or stopping */
    atomic_bool committed;
    atomic_bool stopping;
    _Atomic int64_t give_up_ms; /* once stopping: no statement is waited for any longer */

    pthread_mutex_t mutex; /* guards down to pooled */
    void (*fn)(void *arg); /* called with it */
    void *arg;
    struct postgres_node node;
    bool pooled; /* the session is none of our own; written by the thread, which reads it without */

    /* The thread's own; before it runs, and when it has ended, the owner's. */
    struct pg pg;
    char name[SIGNAL_NAME];
    uint64_t made;       /* pg.made of the session that is set up; 0: none was */
    int64_t since_ms;    /* when it was */
    int64_t until_ms;    /* so long its answers are waited for */
    bool holds;          /* it has the node's lock */
    bool deaf;           /* no words come */
    bool told;           /* of being deaf, in the log */
    int64_t listened_ms; /* when a word was sent that has not come back; 0: none is awaited */
    int64_t beat_ms;     /* when the next beat is due, */
    int64_t notify_ms;   /* and not before when the next word goes out, */
    int64_t poll_ms;     /* and when there may be news, where words do not come */
};

static void signal_ring(struct postgres_signal *signal)
{
    uint64_t one = 1;
    while (write(signal->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void signal_hush(struct postgres_signal *signal)
{
    uint64_t count;
    while (read(signal->wake, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

/* While a statement is waited for. */
static bool signal_waits(void *arg)
{
    struct postgres_signal *signal = arg;
    int64_t now_ms = clock_mono_ms();
    return atomic_load(&signal->stopping) ? now_ms < atomic_load(&signal->give_up_ms)
                                          : now_ms < signal->until_ms;
}

static void signal_news(struct postgres_signal *signal)
{
    pthread_mutex_lock(&signal->mutex);
    if (signal->fn != NULL)
        signal->fn(signal->arg);
    pthread_mutex_unlock(&signal->mutex);
}

/* --- a session -------------------------------------------------------------------------------- */

static void signal_go_deaf(struct postgres_signal *signal, const char *why)
{
    signal->deaf = true;
    signal->poll_ms = clock_mono_ms();
    if (!signal->told)
        log_info("%s: the database is asked for news each %d ms instead", why,
                 POSTGRES_SIGNAL_POLL_MS);
    signal->told = true;
}

/* A session that a pooler hands out, as far as that can be seen: the server's process is another
 * one than the client was told. */
static int signal_look_at_session(struct postgres_signal *signal, struct error *err)
{
    PGresult *result;
    int status = pg_ask(&signal->pg, SQL_SESSION_PID, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    pthread_mutex_lock(&signal->mutex);
    signal->pooled = pg_int(result, 0, 0) != PQbackendPID(signal->pg.connection);
    pthread_mutex_unlock(&signal->mutex);
    PQclear(result);
    return STORE_OK;
}

static int signal_notify(struct postgres_signal *signal, struct error *err)
{
    int status = pg_run(&signal->pg, SQL_NOTIFY, err);
    signal->notify_ms = clock_mono_ms() + POSTGRES_SIGNAL_PAUSE_MS;
    if (status != STORE_OK && signal->pg.connection != NULL) {
        log_debug("PostgreSQL does not notify: %s", err->text);
        signal->notify_ms += SIGNAL_BEAT_MS;
        return STORE_OK;
    }
    if (signal->listened_ms == 0 && !signal->deaf)
        signal->listened_ms = clock_mono_ms();
    return status;
}

static int signal_listen(struct postgres_signal *signal, struct error *err)
{
    signal->listened_ms = 0;
    signal->deaf = false;
    if (signal->pooled) {
        signal_go_deaf(signal, "a pooler stands before PostgreSQL, which can't pass notifications");
        return STORE_OK;
    }
    int status = pg_run(&signal->pg, SQL_LISTEN, err);
    if (status != STORE_OK && signal->pg.connection != NULL) {
        signal_go_deaf(signal, "the server knows no LISTEN");
        return STORE_OK;
    }
    /* Its echo tells whether words come. */
    return status == STORE_OK ? signal_notify(signal, err) : status;
}

/* Connects if need be. A session that is new is looked at, and listens. */
static int signal_connect(struct postgres_signal *signal, struct error *err)
{
    int status = pg_connect(&signal->pg, err);
    if (status != STORE_OK || signal->made == signal->pg.made)
        return status;
    signal->holds = false;
    status = signal_look_at_session(signal, err);
    if (status == STORE_OK)
        status = signal_listen(signal, err);
    if (status != STORE_OK) {
        pg_close(&signal->pg);
        return status;
    }
    signal->made = signal->pg.made;
    signal->since_ms = clock_mono_ms();
    signal->beat_ms = signal->since_ms;
    return STORE_OK;
}

/* --- the node --------------------------------------------------------------------------------- */

static int signal_register(struct postgres_signal *signal, bool replaces, struct error *err)
{
    struct postgres_node node;
    int status =
        postgres_node_register(&signal->pg, signal->name, replaces, !signal->pooled, &node, err);
    if (status != STORE_OK)
        return status;
    pthread_mutex_lock(&signal->mutex);
    signal->node = node;
    pthread_mutex_unlock(&signal->mutex);
    signal->holds = true;
    return STORE_OK;
}

/* It was taken for dead. The session may have that one's lock, which is of no use any more. */
static int signal_register_anew(struct postgres_signal *signal, struct error *err)
{
    int64_t ended = signal->node.instance;
    int status = signal_register(signal, false, err);
    if (status != STORE_OK)
        return status;
    log_warn(
        "this node (\"%s\") was not heard of for so long that others took it for dead; it goes "
        "on as a new one",
        signal->name);
    return postgres_node_let_go(&signal->pg, ended, err);
}

static int signal_beat(struct postgres_signal *signal, struct error *err)
{
    bool lives;
    if (!signal->holds && !signal->pooled) {
        struct error why;
        signal->holds = postgres_node_hold(&signal->pg, signal->node.instance, &why) == STORE_OK;
    }
    int status = postgres_node_beat(&signal->pg, signal->node.instance, &lives, err);
    if (status == STORE_OK && !lives)
        status = signal_register_anew(signal, err);
    if (status == STORE_OK && clock_mono_ms() - signal->since_ms > POSTGRES_NODE_SILENT_MS)
        status = postgres_nodes_tend(&signal->pg, signal->node.instance, err);
    signal->beat_ms = clock_mono_ms() + SIGNAL_BEAT_MS;
    return status;
}

/* --- words ------------------------------------------------------------------------------------ */

/* Takes what has come. */
static int signal_hear(struct postgres_signal *signal, struct error *err)
{
    bool news = false;
    PGnotify *word;
    if (PQconsumeInput(signal->pg.connection) != 1)
        return pg_failure(&signal->pg, NULL, err);
    while ((word = PQnotifies(signal->pg.connection)) != NULL) {
        if (word->be_pid == PQbackendPID(signal->pg.connection))
            signal->listened_ms = 0;
        else
            news = true;
        PQfreemem(word);
    }
    if (news)
        signal_news(signal);
    if (signal->listened_ms != 0 && clock_mono_ms() - signal->listened_ms > SIGNAL_ECHO_MS) {
        signal->listened_ms = 0;
        signal_go_deaf(signal, "PostgreSQL's notifications do not come");
    }
    return STORE_OK;
}

static int signal_speak(struct postgres_signal *signal, struct error *err)
{
    if (clock_mono_ms() < signal->notify_ms || !atomic_exchange(&signal->committed, false))
        return STORE_OK;
    /* Where the session breaks with it, the next one begins with a word. */
    return signal_notify(signal, err);
}

/* All that is due now. */
static int signal_turn(struct postgres_signal *signal, struct error *err)
{
    bool had = signal->pg.connection != NULL;
    signal->until_ms = clock_mono_ms() + SIGNAL_PATIENCE_MS;
    int status = signal_connect(signal, err);
    if (status == STORE_OK && !had) /* words may have been lost meanwhile */
        signal_news(signal);
    if (status == STORE_OK)
        status = signal_speak(signal, err);
    if (status == STORE_OK && clock_mono_ms() >= signal->beat_ms)
        status = signal_beat(signal, err);
    if (status == STORE_OK)
        status = signal_hear(signal, err);
    if (status == STORE_OK && signal->deaf && clock_mono_ms() >= signal->poll_ms) {
        signal_news(signal);
        signal->poll_ms = clock_mono_ms() + POSTGRES_SIGNAL_POLL_MS;
    }
    return status;
}

/* How long nothing is due. */
static int signal_idle_ms(struct postgres_signal *signal)
{
    int64_t next_ms = signal->beat_ms;
    if (signal->deaf && signal->poll_ms < next_ms)
        next_ms = signal->poll_ms;
    if (atomic_load(&signal->committed) && signal->notify_ms < next_ms)
        next_ms = signal->notify_ms;
    next_ms -= clock_mono_ms();
    return next_ms < 0 ? 0 : (int)next_ms;
}

static void signal_sleep(struct postgres_signal *signal, int status)
{
    bool well = status == STORE_OK && signal->pg.connection != NULL;
    struct pollfd fds[] = {{.fd = signal->wake, .events = POLLIN},
                           {.fd = well ? PQsocket(signal->pg.connection) : -1, .events = POLLIN}};
    (void)poll(fds, 2, well ? signal_idle_ms(signal) : PG_AGAIN_MS);
    signal_hush(signal);
}

static void *signal_main(void *arg)
{
    struct postgres_signal *signal = arg;
    while (!atomic_load(&signal->stopping)) {
        struct error err = {""};
        int status = signal_turn(signal, &err);
        if (status != STORE_OK)
            log_debug("the node's session: %s", err.text);
        signal_sleep(signal, status);
    }
    return NULL;
}

/* --- its life --------------------------------------------------------------------------------- */

static void signal_free(struct postgres_signal *signal)
{
    pg_close(&signal->pg);
    if (signal->wake >= 0)
        close(signal->wake);
    pthread_mutex_destroy(&signal->mutex);
    free(signal);
}

static void signal_take_name(struct postgres_signal *signal, const char *name)
{
    char host[SIGNAL_NAME - 32] = "";
    if (name != NULL) {
        (void)snprintf(signal->name, sizeof signal->name, "%s", name);
        return;
    }
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    (void)snprintf(signal->name, sizeof signal->name, "%s process %ld", host, (long)getpid());
}

static int signal_begin(struct postgres_signal *signal, struct error *err)
{
    signal->until_ms = clock_mono_ms() + SIGNAL_PATIENCE_MS;
    int status = signal_connect(signal, err);
    if (status == STORE_OK)
        status = signal_register(signal, true, err);
    if (status != STORE_OK)
        return status;
    int code = pthread_create(&signal->thread, NULL, signal_main, signal);
    if (code == 0)
        return STORE_OK;
    error_set(err, "can't start the thread that hears of other nodes: %s", strerror(code));
    return STORE_BUSY;
}

int postgres_signal_start(struct postgres_signal **out, const char *database, const char *name,
                          struct error *err)
{
    struct postgres_signal *signal = calloc(1, sizeof *signal);
    if (signal == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    pthread_mutex_init(&signal->mutex, NULL);
    pg_init(&signal->pg, database, false);
    signal->pg.waits = signal_waits;
    signal->pg.waits_arg = signal;
    signal_take_name(signal, name);
    int status = STORE_BUSY;
    signal->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (signal->wake >= 0)
        status = signal_begin(signal, err);
    else
        error_set(err, "eventfd: %s", strerror(errno));
    if (status == STORE_OK)
        *out = signal;
    else
        signal_free(signal);
    return status;
}

void postgres_signal_stop(struct postgres_signal *signal)
{
    struct error err = {""};
    if (signal == NULL)
        return;
    atomic_store(&signal->give_up_ms, clock_mono_ms() + SIGNAL_END_MS);
    atomic_store(&signal->stopping, true);
    signal_ring(signal);
    pthread_join(signal->thread, NULL);
    signal->notify_ms = 0;
    error_set(&err, "there is no session");
    if (signal->pg.connection == NULL || signal_speak(signal, &err) != STORE_OK ||
        postgres_node_end(&signal->pg, signal->node.instance, &err) != STORE_OK)
        log_debug("the node's end was not noted: %s", err.text);
    signal_free(signal);
}

struct postgres_node postgres_signal_node(struct postgres_signal *signal)
{
    pthread_mutex_lock(&signal->mutex);
    struct postgres_node node = signal->node;
    pthread_mutex_unlock(&signal->mutex);
    return node;
}

bool postgres_signal_pooled(struct postgres_signal *signal)
{
    pthread_mutex_lock(&signal->mutex);
    bool pooled = signal->pooled;
    pthread_mutex_unlock(&signal->mutex);
    return pooled;
}

void postgres_signal_committed(struct postgres_signal *signal)
{
    if (!atomic_exchange(&signal->committed, true))
        signal_ring(signal);
}

void postgres_signal_on_news(struct postgres_signal *signal, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&signal->mutex);
    signal->fn = fn;
    signal->arg = arg;
    pthread_mutex_unlock(&signal->mutex);
}
