/*
 * log_list.h: the files that a command line names.
 */
#ifndef BEACOND_COMMANDS_LOG_LIST_H
#define BEACOND_COMMANDS_LOG_LIST_H

#include <stddef.h>

#include "base/error.h"

struct log_list {
    char **paths;
    size_t count, room;
};

void log_list_init(struct log_list *list);
void log_list_clear(struct log_list *list);

/* Adds what the operand names: a file of any kind, "-", or the logs in a directory (log_name.h) in
 * the order of time, regular files alone, none of its subdirectories. 0, or -1 with err: it is not
 * there, can't be read, or is a directory without logs. */
int log_list_add(struct log_list *list, const char *operand, struct error *err) MUST_CHECK;

#endif
