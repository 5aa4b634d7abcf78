#include "control/control_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/siphash.h"

static int control_path_beside(struct control_path *path, const char *database, struct error *err)
{
    char real[PATH_MAX];
    if (realpath(database, real) == NULL) {
        error_set(err, "%s: %s", database, strerror(errno));
        return -1;
    }
    if ((size_t)snprintf(path->beside, sizeof path->beside, "%s.control", real) <
        sizeof path->beside)
        return 0;
    error_set(err, "%s: too long a path", database);
    return -1;
}

static int control_path_take(struct control_path *path, const char *name, struct error *err)
{
    path->socket = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(name) < sizeof path->socket.sun_path) {
        strcpy(path->socket.sun_path, name);
        return 0;
    }
    error_set(err, "%s: too long a path for a socket", name);
    return -1;
}

int control_path_make(struct control_path *path, const char *database, struct error *err)
{
    static const unsigned char key[SIPHASH_KEY_BYTES] = "beacond control";
    char name[PATH_MAX];
    path->linked = false;
    if (control_path_beside(path, database, err) != 0)
        return -1;
    if (control_path_take(path, path->beside, err) == 0)
        return 0;
    const char *folder = getenv("RUNTIME_DIRECTORY");
    if (folder == NULL || folder[0] != '/')
        folder = getenv("XDG_RUNTIME_DIR");
    if (folder == NULL || folder[0] != '/') {
        error_set(err, "%s: too long a path for a socket, and there is no RUNTIME_DIRECTORY",
                  path->beside);
        return -1;
    }
    path->linked = true;
    (void)snprintf(name, sizeof name, "%.*s/beacond-%016llx.control", (int)strcspn(folder, ":"),
                   folder, (unsigned long long)siphash(key, path->beside, strlen(path->beside)));
    return control_path_take(path, name, err);
}

int control_path_find(struct control_path *path, const char *database, struct error *err)
{
    char name[PATH_MAX];
    if (control_path_beside(path, database, err) != 0)
        return -1;
    ssize_t len = readlink(path->beside, name, sizeof name - 1);
    path->linked = len >= 0;
    if (len < 0)
        return control_path_take(path, path->beside, err);
    name[len] = '\0';
    return control_path_take(path, name, err);
}
