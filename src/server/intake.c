#include "server/intake.h"

#include "base/clock.h"

/* A burst of equal events looks the same when it is sent again as when it happens again; what tells
 * is whether the connection of the first has broken. The loop that owns that one must have had the
 * time to see so, if only in its next tick: a burst waits this long before it goes to the writer.
 */
#define INTAKE_SETTLE_MS (LOOP_TICK_MS * 3 / 2)

/* How often a loop looks whether it is its turn to hand a burst over. */
#define INTAKE_TURN_MS 2

/* A body of many small events becomes several times as large in memory, from few bytes of gzip:
 * those beyond this size (inflated) are taken one at a time. */
#define INTAKE_LARGE_BYTES (4 << 20)

static void intake_on_answer(struct mail *mail)
{
    struct submission *submission = LIST_OF(mail, struct submission, mail);
    struct intake *intake = LIST_OF(submission, struct intake, submission);
    list_remove(&intake->node);
    if (!intake->abandoned)
        intake->loop->busy--;
    intake->done(intake);
}

bool intake_may_read(struct intake *intake, size_t len)
{
    intake->needs_large = intake->needs_large || len > INTAKE_LARGE_BYTES;
    if (intake->needs_large && !intake->has_large)
        intake->has_large = !atomic_exchange(&intake->loop->shared->large, true);
    return !intake->needs_large || intake->has_large;
}

void intake_clear(struct intake *intake)
{
    batch_free(intake->submission.batch);
    intake->submission.batch = NULL;
    if (intake->has_large)
        atomic_store(&intake->loop->shared->large, false);
    intake->has_large = false;
}

bool intake_is_burst(const struct intake *intake)
{
    return intake->submission.batch->marks.burst_from != 0;
}

void intake_abandon(struct intake *intake)
{
    intake->abandoned = true;
    intake->loop->busy--;
    if (intake_is_burst(intake))
        engine_gone(intake->loop->engine, &intake->submission);
}

/* Tells the engine when the client of a burst has gone before the answer. */
static void intake_notice(struct intake *intake)
{
    if (intake_is_burst(intake) && intake->gone(intake))
        engine_gone(intake->loop->engine, &intake->submission);
}

static void intake_hand_over(struct intake *intake)
{
    list_append(&intake->loop->pending, &intake->node);
    intake_notice(intake);
    engine_submit(intake->loop->engine, &intake->submission);
}

void intake_submit(struct intake *intake)
{
    struct loop *loop = intake->loop;
    intake->submission.mail.open = intake_on_answer;
    intake->submission.reply_to = loop->mailbox;
    loop->busy++;
    if (!intake_is_burst(intake)) {
        intake_hand_over(intake);
        return;
    }
    pthread_mutex_lock(&loop->shared->settling_mutex);
    intake->settled_ms = clock_mono_ms() + INTAKE_SETTLE_MS;
    list_append(&loop->shared->settling, &intake->node);
    pthread_mutex_unlock(&loop->shared->settling_mutex);
    loop->settling++;
}

bool intake_withdraw(struct intake *intake)
{
    if (!engine_withdraw(intake->loop->engine, &intake->submission))
        return false;
    list_remove(&intake->node);
    intake->loop->busy--;
    return true;
}

void intake_settle(struct loop *loop)
{
    struct shared *shared = loop->shared;
    for (struct list *node = loop->pending.next; node != &loop->pending; node = node->next)
        intake_notice(LIST_OF(node, struct intake, node));
    if (loop->settling == 0)
        return;
    /* What was answered before that could be heard: conn_watch looks. */
    (void)mailbox_open_all(loop->mailbox);
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&shared->settling_mutex);
    while (!list_empty(&shared->settling)) {
        struct intake *intake = LIST_OF(shared->settling.next, struct intake, node);
        if (intake->settled_ms > now || intake->loop != loop)
            break;
        list_remove(&intake->node);
        loop->settling--;
        intake_hand_over(intake);
    }
    pthread_mutex_unlock(&shared->settling_mutex);
}

int intake_settles_in(const struct loop *loop)
{
    struct shared *shared = loop->shared;
    pthread_mutex_lock(&shared->settling_mutex);
    const struct intake *first = LIST_OF(shared->settling.next, struct intake, node);
    int64_t left = first->settled_ms - clock_mono_ms();
    /* Another loop's: it will be quick. */
    if (first->loop != loop && left < INTAKE_TURN_MS)
        left = INTAKE_TURN_MS;
    pthread_mutex_unlock(&shared->settling_mutex);
    return left > 0 ? (int)left : 0;
}
