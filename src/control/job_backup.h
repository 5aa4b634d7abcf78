/*
 * job_backup.h: the job "backup": {"file":"/absolute/path","force":true}, gives {"events","bytes"}.
 */
#ifndef BEACOND_CONTROL_JOB_BACKUP_H
#define BEACOND_CONTROL_JOB_BACKUP_H

#include "control/job.h"

/* As job_run. */
int job_backup(struct job *job, struct error *err) MUST_CHECK;

#endif
