#include "base/rename_new.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* musl has no renameat2 (before 1.2.5), but the kernel has. */
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

int rename_new(const char *from, const char *to)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}
