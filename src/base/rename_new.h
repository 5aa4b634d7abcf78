/*
 * rename_new.h: a name for a file that must not have been another's.
 */
#ifndef BEACOND_BASE_RENAME_NEW_H
#define BEACOND_BASE_RENAME_NEW_H

#include "base/error.h"

/* As rename(2), but refuses with EEXIST when there is something at to. 0, or -1 with errno: EINVAL
 * or ENOSYS where the file system or the kernel can't. Any thread; may block. */
int rename_new(const char *from, const char *to) MUST_CHECK;

#endif
