/*
 * log_name.h: the names of the plugin's log files (CONTRACT.md 8). Pure.
 *
 * name.log is written to; name-YYYY_MM_DD.log and name-YYYY_MM_DD_HH_MM_SS.log were. .jsonl is the
 * same, and each may have been compressed: .gz.
 */
#ifndef BEACOND_COMMANDS_LOG_NAME_H
#define BEACOND_COMMANDS_LOG_NAME_H

#include <stdbool.h>

#define LOG_NAME_STAMP 20

struct log_name {
    bool archive;               /* else it is the current one */
    char stamp[LOG_NAME_STAMP]; /* of an archive: as in the name, ordered as text */
};

/* False: it is none of these. Hidden files are none. */
bool log_name_parse(struct log_name *out, const char *name);

/* Archives by time, then the current ones; names decide where times are equal. As strcmp. */
int log_name_compare(const char *a, const char *b);

#endif
