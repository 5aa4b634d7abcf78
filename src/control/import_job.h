/*
 * import_job.h: the job "import": lines of log files, received over the control socket.
 *
 * Says {"ready":true,"max_event":N} first. Then receives {"first":N,"step":S} with lines behind it,
 * and answers each with {"taken":lines,"malformed":M,"faults":[[line,"why"],…]}; and {"end":true}
 * behind each file, answered with {"counts":{"lines":…,"stored":…,"duplicate":…,"malformed":…,
 * "skipped":…,"refused":…}}, or with a member "lost" saying why not all of it is stored. It ends
 * when the other end has nothing more to send.
 */
#ifndef BEACOND_CONTROL_IMPORT_JOB_H
#define BEACOND_CONTROL_IMPORT_JOB_H

#include "control/job.h"

int import_job_run(struct job *job, struct error *err) MUST_CHECK;

#endif
