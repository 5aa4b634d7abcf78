/*
 * erasing.h: the jobs that erase. See job.h.
 *
 * {"job":"prune","before":MS} erases all that is dated before; without before, what the retain
 * options of who has the database open say, which must be set. {"job":"forget","session":BOOL,
 * "id":"…"}. Both answer with what went:
 * {"events":N,"rejects":N,"receipts":N,"freed":BYTES,"stopped":BOOL,"at":MS}.
 */
#ifndef BEACOND_CONTROL_ERASING_H
#define BEACOND_CONTROL_ERASING_H

#include "control/job.h"

int erasing_prune(struct job *job, struct error *err) MUST_CHECK;
int erasing_forget(struct job *job, struct error *err) MUST_CHECK;

#endif
