#include "options/again.h"

#include <string.h>
#include <sys/stat.h>

#include "options/table.h"

bool options_reloads(const char *name)
{
    const struct options_row *row = options_find(name);
    return row != NULL && row->reloads;
}

static void again_name(char *names, size_t size, const char *name)
{
    size_t used = strlen(names);
    snprintf(names + used, size - used, "%s%s", used > 0 ? ", " : "", name);
}

/* To open a pipe waits for somebody to write to it, and meanwhile the daemon could not even be told
 * to end. */
static int again_no_pipe(const char *option, const char *path, struct error *err)
{
    struct stat about;
    if (path == NULL || stat(path, &about) != 0 || !S_ISFIFO(about.st_mode))
        return 0;
    error_set(err, "%s: %s: a pipe can be read once only", option, path);
    return -1;
}

/* The file that nobody named and that was read all the same is gone: as if everything in it had
 * been taken back, keys too. One that is named can't be read then, which is an error of its own. */
static int again_file_is_there(const struct options *options, const struct options *running,
                               struct error *err)
{
    if (running->config == NULL || options->config != NULL)
        return 0;
    error_set(err, "config: %s was read before and is gone", running->config);
    return -1;
}

/* Puts back what can't change, and takes down what does. */
static int again_compare(struct options *options, const struct options *running,
                         struct options_changes *changes, struct error *err)
{
    const struct options_row *row;
    for (size_t i = 0; (row = options_row(i)) != NULL; i++) {
        if (options_value_same(options, running, row))
            continue;
        if (row->reloads) {
            again_name(changes->changed, sizeof changes->changed, row->name);
            continue;
        }
        again_name(changes->restart, sizeof changes->restart, row->name);
        if (options_value_copy(options, running, row) != 0) {
            error_set(err, "out of memory");
            return -1;
        }
    }
    return 0;
}

int options_read_again(struct options *options, const struct options *running,
                       const struct arguments *arguments, struct options_changes *changes,
                       struct error *err)
{
    struct arguments scratch = {.usage = arguments->usage};
    struct error why = {""};

    *options = (struct options){0};
    *changes = (struct options_changes){"", ""};
    if (again_no_pipe("config", running->config, err) != 0 ||
        options_gather(options, &scratch, arguments->argc, arguments->argv, arguments->environment,
                       err) != OPTIONS_OK ||
        again_file_is_there(options, running, err) != 0 ||
        again_no_pipe("key-file", options->key_file, err) != 0 ||
        options_settle(options, arguments->usage->serves, err) != 0 ||
        again_compare(options, running, changes, err) != 0)
        return -1;
    /* What is asked for may be in order by itself and not beside what stays: no key and an address
     * that others can't reach, while the one they can is still being listened on. */
    if (*changes->restart == '\0' ||
        options_check_all(options, arguments->usage->serves, &why) == 0)
        return 0;
    error_set(err, "%s; what needs a restart counts as it is", why.text);
    return -1;
}
