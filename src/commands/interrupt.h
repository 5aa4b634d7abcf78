/*
 * interrupt.h: SIGINT and SIGTERM as a flag, for commands that end by themselves.
 */
#ifndef BEACOND_COMMANDS_INTERRUPT_H
#define BEACOND_COMMANDS_INTERRUPT_H

#include <stdbool.h>

/* From here on the two signals set the flag, once; a second one ends the process at once. SIGPIPE
 * is ignored, and SIGXFSZ: a limit on files is an error like a full disk. The main thread, before
 * the first other. */
void interrupt_watch(void);

bool interrupted(void); /* any thread */

#endif
