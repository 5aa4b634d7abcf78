/*
 * backup.h: a copy of the database under a name of its own, whole or not there at all.
 *
 * The writer's thread copies in small steps between its commits, as far apart as commits need it
 * (store/copy.h). The caller's thread does what takes long: it has the disk take the copy, looks
 * through all of it (store/audit.h), and gives it its name only then. Until then it is
 * FILE.partial-NUMBER, which is removed when anything fails; only a crash leaves one behind.
 */
#ifndef BEACOND_ENGINE_BACKUP_H
#define BEACOND_ENGINE_BACKUP_H

#include <stdbool.h>

#include "engine/engine.h"
#include "engine/progress.h"

struct backup {
    const char *database; /* its path */
    const char *file;     /* where the copy is to be, an absolute path */
    bool replace;         /* what is there */

    /* What became of it. */
    int64_t events; /* in it */
    int64_t bytes;  /* of the file */
};

/* Makes it; blocks for as long as that takes. Any thread but the engine's own. Progress is in
 * bytes. STORE_OK; STORE_REFUSED: not there, err says why; STORE_BUSY with err: stopped, no space,
 * or what was copied is not as it must be. */
int engine_backup(struct engine *engine, struct backup *backup, const struct progress *progress,
                  struct error *err) MUST_CHECK;

#endif
