/*
 * faulty.h: what the parts of beacond-faulty share.
 *
 * beacond-faulty is beacond, linked from the very same objects, with faults put in from outside: by
 * the linker's --wrap, which sends calls from one object to another through ours (Makefile.am:
 * faulty_wraps), and by SQLite's hooks for files and memory. Nothing below src knows of it, and
 * nothing of it is installed. What is to fail is said in the environment, one variable a part; a
 * part whose variable is not set leaves everything as it is. Each part begins in a constructor,
 * before main.
 */
#ifndef BEACOND_TESTS_FAULTY_H
#define BEACOND_TESTS_FAULTY_H

/* The value of the environment's variable FAULTY_<name>; NULL when it is not set or empty. */
const char *faulty_setting(const char *name);

/* Ends the process as kill -9 does: at once, nothing flushed, no handler called. */
_Noreturn void faulty_kill(void);

#endif
