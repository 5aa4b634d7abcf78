#include "control/control_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/siphash.h"
#include "store/store.h"

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

/* In the runtime directory, under a name made of that text. */
static int control_path_away(struct control_path *path, const char *text, struct error *err)
{
    static const unsigned char key[SIPHASH_KEY_BYTES] = "beacond control";
    char name[PATH_MAX];
    const char *folder = getenv("RUNTIME_DIRECTORY");
    if (folder == NULL || folder[0] != '/')
        folder = getenv("XDG_RUNTIME_DIR");
    if (folder == NULL || folder[0] != '/')
        return 1;
    (void)snprintf(name, sizeof name, "%.*s/beacond-%016llx.control", (int)strcspn(folder, ":"),
                   folder, (unsigned long long)siphash(key, text, strlen(text)));
    return control_path_take(path, name, err);
}

static int control_path_server(struct control_path *path, const char *database, const char *at,
                               struct error *err)
{
    char text[2 * STORE_NAME_SIZE];
    size_t len;
    path->beside[0] = '\0';
    path->linked = false;
    /* Without the password: it may be changed, and is given to commands in another way. */
    store_name(database, text, STORE_NAME_SIZE);
    len = strlen(text);
    (void)snprintf(text + len, sizeof text - len, " %s", at);
    int status = control_path_away(path, text, err);
    if (status > 0)
        error_set(err, "control socket: there is no RUNTIME_DIRECTORY for it");
    return status == 0 ? 0 : -1;
}

int control_path_make(struct control_path *path, const char *database, const char *at,
                      struct error *err)
{
    path->linked = false;
    if (!store_is_file(database))
        return control_path_server(path, database, at, err);
    if (control_path_beside(path, database, err) != 0)
        return -1;
    if (control_path_take(path, path->beside, err) == 0)
        return 0;
    path->linked = true;
    int status = control_path_away(path, path->beside, err);
    if (status > 0)
        error_set(err, "%s: too long a path for a socket, and there is no RUNTIME_DIRECTORY",
                  path->beside);
    return status == 0 ? 0 : -1;
}

int control_path_find(struct control_path *path, const char *database, const char *at,
                      struct error *err)
{
    char name[PATH_MAX];
    if (!store_is_file(database)) {
        if (at != NULL)
            return control_path_server(path, database, at, err);
        error_set(err, "the database is no file");
        return -1;
    }
    if (control_path_beside(path, database, err) != 0)
        return -1;
    ssize_t len = readlink(path->beside, name, sizeof name - 1);
    path->linked = len >= 0;
    if (len < 0)
        return control_path_take(path, path->beside, err);
    name[len] = '\0';
    return control_path_take(path, name, err);
}
