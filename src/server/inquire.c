#include "server/inquire.h"

#include "base/clock.h"
#include "engine/figures.h"
#include "engine/rejects_page.h"

static void inquire_on_answer(void *arg, enum inquiry_state state, struct bytes *document,
                              const char *why)
{
    struct exchange *exchange = arg;
    struct loop *loop = exchange->loop;
    exchange->inquiry = NULL;
    loop->busy--;
    atomic_fetch_sub(&loop->shared->reads, 1);
    if (state == INQUIRY_DONE)
        exchange_reply(exchange, 200, document, NULL);
    else if (state == INQUIRY_REFUSED)
        exchange_error(exchange, 400, why, NULL);
    else
        exchange_error(exchange, 503, "the database can't be read now", NULL);
}

/* Whether one more answer may be under way; else it has been refused. */
static bool inquire_may(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    if (atomic_fetch_add(&loop->shared->reads, 1) < loop->options->max_reads)
        return true;
    atomic_fetch_sub(&loop->shared->reads, 1);
    exchange_error(exchange, 503, "too many answers are under way; ask again", NULL);
    return false;
}

/* What inquire_may has counted is asked; NULL: there was no memory for it. */
static void inquire_wait(struct exchange *exchange, struct inquiry *inquiry)
{
    struct loop *loop = exchange->loop;
    if (inquiry == NULL) {
        atomic_fetch_sub(&loop->shared->reads, 1);
        exchange_error(exchange, 503, "out of memory", NULL);
        return;
    }
    exchange->inquiry = inquiry;
    loop->busy++;
}

void inquire_stats(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct figures_ask ask;
    struct error err = {""};
    const struct figures_host host = {
        .draining = loop->draining,
        .version = loop->options->version,
        .up_s = (clock_mono_ms() - loop->shared->began_ms) / 1000,
    };
    if (figures_read(&ask, exchange->query, &err) != 0)
        exchange_error(exchange, 400, err.text, NULL);
    else if (inquire_may(exchange))
        inquire_wait(exchange, figures_new(loop->engine, &ask, &host, loop->mailbox,
                                           inquire_on_answer, exchange));
}

void inquire_rejects(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct store_rejects_ask ask;
    struct error err = {""};
    if (rejects_page_read(&ask, exchange->query, &err) != 0)
        exchange_error(exchange, 400, err.text, NULL);
    else if (inquire_may(exchange))
        inquire_wait(exchange, rejects_page_new(loop->engine, &ask, loop->mailbox,
                                                inquire_on_answer, exchange));
}

void inquire_gone(struct exchange *exchange)
{
    inquiry_give_up(exchange->inquiry);
}
