/*
 * notify.h: what the service manager is told: sd_notify(3), by NOTIFY_SOCKET.
 *
 * Without that variable, or where beacond was built without libsystemd, all of it does nothing. A
 * message that can't be sent is lost: the daemon does not depend on who watches it. Any thread; a
 * message blocks only while the service manager's socket is full.
 */
#ifndef BEACOND_COMMANDS_NOTIFY_H
#define BEACOND_COMMANDS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Whether somebody listens. */
bool notify_wanted(void);

/* Within how many ms notify_alive must be called again and again (WATCHDOG_USEC); 0: nobody waits
 * for it. */
int64_t notify_watchdog_ms(void);

void notify_alive(void);

/* Serving; also the end of what notify_reloading began, whether that has changed anything or not.
 */
void notify_ready(void);
void notify_reloading(void);

/* The end has begun. It is given drain_ms and some time for the database. */
void notify_stopping(int64_t drain_ms);

/* More is being done than fits into the time that start or stop is given: so much from now on. */
void notify_extend(int64_t ms);

/* One line for `systemctl status`. */
void notify_status(const char *text);

#endif
