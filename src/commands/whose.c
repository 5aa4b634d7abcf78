#include "commands/whose.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

static bool whose_is_denied(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) != 0 && errno == EACCES;
}

/* The first on the way to path, itself included, that keeps this user out. False: none does, or
 * there is no such file. */
static bool whose_find(const char *path, char *found, size_t size)
{
    if ((size_t)snprintf(found, size, "%s", path) >= size)
        return false;
    for (char *slash = strchr(found + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (whose_is_denied(found, X_OK))
            return true;
        *slash = '/';
    }
    return whose_is_denied(found, R_OK);
}

void whose_advise(const char *command, const char *path)
{
    char found[PATH_MAX];
    struct stat about;
    const struct passwd *user;

    if (path[0] == '\0' || !store_is_file(path) || !whose_find(path, found, sizeof found) ||
        stat(found, &about) != 0)
        return;
    if (about.st_uid == 0) {
        fprintf(stderr, "beacond: %s belongs to root: sudo beacond %s\n", found, command);
        return;
    }
    user = getpwuid(about.st_uid); /* one thread is left, this */
    if (user != NULL)
        fprintf(stderr, "beacond: %s belongs to %s: sudo -u %s beacond %s\n", found, user->pw_name,
                user->pw_name, command);
    else
        fprintf(stderr, "beacond: %s belongs to user %ld: run this as that user\n", found,
                (long)about.st_uid);
}
