/*
 * folder.h: a folder of a test's own for real files, removed when the test is over.
 */
#ifndef BEACOND_TESTS_FOLDER_H
#define BEACOND_TESTS_FOLDER_H

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

struct folder {
    char path[256];
};

static inline void folder_make(struct folder *folder)
{
    const char *where = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/beacond-check-XXXXXX",
             where != NULL ? where : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder->path));
}

/* The path of a file in it. */
static inline const char *folder_file(const struct folder *folder, char out[PATH_MAX],
                                      const char *name)
{
    snprintf(out, PATH_MAX, "%s/%s", folder->path, name);
    return out;
}

static inline void folder_remove(struct folder *folder)
{
    char path[PATH_MAX];
    DIR *dir = opendir(folder->path);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlink(folder_file(folder, path, entry->d_name));
    closedir(dir);
    ck_assert_int_eq(rmdir(folder->path), 0);
}

#endif
