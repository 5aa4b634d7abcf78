/*
 * whose.h: what to do about a file that another user has.
 */
#ifndef BEACOND_COMMANDS_WHOSE_H
#define BEACOND_COMMANDS_WHOSE_H

/* After a command has failed: when this user may not enter a folder on the way to path, or not read
 * the file, says on standard error whose it is and how to run the command as that user. Else
 * nothing. path:
 * "" for none, nor one that is no file. Blocks for the disk and for the database of users; for a
 * process with one thread. */
void whose_advise(const char *command, const char *path);

#endif
