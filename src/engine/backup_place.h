/*
 * backup_place.h: where a backup goes, and under which name until it is whole. Files alone; any
 * thread.
 */
#ifndef BEACOND_ENGINE_BACKUP_PLACE_H
#define BEACOND_ENGINE_BACKUP_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct backup_place {
    char folder[PATH_MAX];
    char file[PATH_MAX];    /* its name in the end */
    char partial[PATH_MAX]; /* and before; beside it */
    bool replace;
    int fd; /* of partial; -1 before it is made */
};

/* Whether file, a path of any form, is the database, one of the files that belong to it, or another
 * name of one of them. */
bool backup_place_is_own(const char *file, const char *database) MUST_CHECK;

/* Whether a copy of the database may be made as file, and makes it, empty, for its owner alone. 0,
 * or -1 with err. backup_place_clear it in any case. */
int backup_place_make(struct backup_place *place, const char *database, const char *file,
                      bool replace, struct error *err) MUST_CHECK;

/* Whether there is room for so many bytes more; where the database is on the same disk some are
 * left to it. 0, or -1 with err. */
int backup_place_room(const struct backup_place *place, const char *database, int64_t bytes,
                      struct error *err) MUST_CHECK;

/* Gives it its name. Without replace nothing that is there is replaced, however late it came. 0, or
 * -1 with err. */
int backup_place_keep(struct backup_place *place, struct error *err) MUST_CHECK;

/* Removes what was not kept. */
void backup_place_clear(struct backup_place *place);

#endif
