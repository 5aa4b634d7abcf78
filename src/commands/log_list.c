#include "commands/log_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands/log_name.h"

void log_list_init(struct log_list *list)
{
    *list = (struct log_list){0};
}

void log_list_clear(struct log_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    log_list_init(list);
}

/* Takes path over. */
static int log_list_append(struct log_list *list, char *path, struct error *err)
{
    if (list->count == list->room && path != NULL) {
        size_t room = list->room == 0 ? 16 : list->room * 2;
        char **paths = realloc(list->paths, room * sizeof *paths);
        if (paths != NULL) {
            list->paths = paths;
            list->room = room;
        }
    }
    if (list->count == list->room || path == NULL) {
        free(path);
        error_set(err, "out of memory");
        return -1;
    }
    list->paths[list->count++] = path;
    return 0;
}

static char *log_list_join(const char *directory, const char *name)
{
    size_t len = strlen(directory);
    char *path = malloc(len + strlen(name) + 2);
    if (path != NULL)
        sprintf(path, "%s%s%s", directory, len > 0 && directory[len - 1] == '/' ? "" : "/", name);
    return path;
}

static int log_list_order(const void *a, const void *b)
{
    const char *left = strrchr(*(char *const *)a, '/'), *right = strrchr(*(char *const *)b, '/');
    return log_name_compare(left + 1, right + 1);
}

static int log_list_directory(struct log_list *list, const char *operand, struct error *err)
{
    DIR *directory = opendir(operand);
    size_t first = list->count;
    int status = 0;
    if (directory == NULL) {
        error_set(err, "%s", strerror(errno));
        return -1;
    }
    for (struct dirent *entry; status == 0 && (entry = readdir(directory)) != NULL;) {
        struct log_name name;
        struct stat found;
        if (!log_name_parse(&name, entry->d_name))
            continue;
        char *path = log_list_join(operand, entry->d_name);
        /* One that vanishes in this moment is not there. */
        if (path != NULL && (stat(path, &found) != 0 || !S_ISREG(found.st_mode)))
            free(path);
        else
            status = log_list_append(list, path, err);
    }
    closedir(directory);
    if (list->count > first)
        qsort(list->paths + first, list->count - first, sizeof *list->paths, log_list_order);
    else if (status == 0)
        error_set(err, "a directory without logs (name.log, name-YYYY_MM_DD.log, .jsonl, .gz)");
    return list->count > first ? status : -1;
}

int log_list_add(struct log_list *list, const char *operand, struct error *err)
{
    struct stat found;
    if (strcmp(operand, "-") == 0)
        return log_list_append(list, strdup(operand), err);
    if (stat(operand, &found) != 0) {
        error_set(err, "%s", strerror(errno));
        return -1;
    }
    if (S_ISDIR(found.st_mode))
        return log_list_directory(list, operand, err);
    return log_list_append(list, strdup(operand), err);
}
