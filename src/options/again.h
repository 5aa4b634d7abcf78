/*
 * again.h: the options read anew while the daemon runs.
 *
 * The flags and the environment are those of the process and stay; the config file and the key file
 * are read as they are now. Some options can't change at run time (no .reloads in the table): those
 * are left as they are, and named. What comes of it is checked as a whole, as it will be in force.
 */
#ifndef BEACOND_OPTIONS_AGAIN_H
#define BEACOND_OPTIONS_AGAIN_H

#include "options/options.h"

/* Names of options, "key, max-body", without their values; "" for none. */
struct options_changes {
    char changed[2048]; /* differ from what is running */
    char restart[2048]; /* were told otherwise, and are left as they are */
};

/* arguments: as options_read has left them. options: what is to be in force from now on, to be
 * cleared by the caller in any case. 0, or -1 with err, which quotes no key. Warns of a key file
 * that others can read. Blocks for the disk. */
int options_read_again(struct options *options, const struct options *running,
                       const struct arguments *arguments, struct options_changes *changes,
                       struct error *err) MUST_CHECK;

/* Whether SIGHUP changes the option of that name (as in the table). For tests. */
bool options_reloads(const char *name);

#endif
