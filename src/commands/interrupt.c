#include "commands/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_bool interrupt_seen;

static void interrupt_handle(int number)
{
    (void)number;
    atomic_store(&interrupt_seen, true);
}

void interrupt_watch(void)
{
    /* SA_RESETHAND: the second one finds the default. No SA_RESTART: reads and waits are to end. */
    struct sigaction action = {.sa_handler = interrupt_handle, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

bool interrupted(void)
{
    return atomic_load(&interrupt_seen);
}
