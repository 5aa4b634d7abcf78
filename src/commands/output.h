/*
 * output.h: where a command writes much: standard output, or a file that is there whole or not at
 * all.
 *
 * A file is written under another name in the same folder, for its owner alone, and gets its name
 * once all of it is on the disk. What is there already is only replaced when that was asked for,
 * also when it comes meanwhile. One thread; blocks.
 */
#ifndef BEACOND_COMMANDS_OUTPUT_H
#define BEACOND_COMMANDS_OUTPUT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum output_status {
    OUTPUT_OK = 0,
    OUTPUT_FAILED = -1,  /* err says why */
    OUTPUT_CLOSED = -2,  /* nobody reads standard output any more */
    OUTPUT_STOPPED = -3, /* interrupted() */
};

#define OUTPUT_CHUNK (1 << 20) /* worth writing */

struct output {
    int fd;
    bool terminal;       /* standard output, and it is one */
    bool force;          /* replaces a file */
    char path[PATH_MAX]; /* of the file; "" for standard output */
    char part[PATH_MAX]; /* its name meanwhile; "" for none */
    struct bytes bytes;  /* to be written: the caller appends */
    int64_t written;     /* bytes, those still waiting not counted */
};

/* path NULL or "-": standard output. OUTPUT_OK or OUTPUT_FAILED, also when there is such
 * a file, or what is no file; output_close in any case. */
int output_open(struct output *output, const char *path, bool force, struct error *err) MUST_CHECK;

/* Writes what waits. OUTPUT_OK, _FAILED, _CLOSED or _STOPPED. */
int output_flush(struct output *output, struct error *err) MUST_CHECK;

/* Writes what waits, has a file put on the disk and gives it its name. */
int output_finish(struct output *output, struct error *err) MUST_CHECK;

/* Closes; a file that was not finished is gone. */
void output_close(struct output *output);

#endif
