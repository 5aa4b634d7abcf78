#define LATER_OWN
#include "later.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faulty.h"

#define LATER_MOST 16

static int later_known = SQL_MIGRATION_COUNT;
const char *later_migrations[LATER_MOST];

int later_count(void)
{
    return later_known;
}

static char *later_read(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL || getdelim(&text, &len, '\0', file) < 0) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return text;
}

__attribute__((constructor)) static void later_begin(void)
{
    const char *setting = faulty_setting("LATER");
    for (int i = 0; i < SQL_MIGRATION_COUNT; i++)
        later_migrations[i] = sql_migrations[i];
    char *paths = setting != NULL ? strdup(setting) : NULL;
    for (char *path = paths != NULL ? strtok(paths, ":") : NULL;
         path != NULL && later_known < LATER_MOST; path = strtok(NULL, ":"))
        later_migrations[later_known++] = later_read(path);
    free(paths);
}

/* The texts last as long as the process; nobody is to take them for lost. */
__attribute__((destructor)) static void later_end(void)
{
    while (later_known > SQL_MIGRATION_COUNT) {
        free((void *)(uintptr_t)later_migrations[--later_known]);
        later_migrations[later_known] = NULL;
    }
}
