/*
 * admin_host.h: by which names admin-listen may be asked. Pure.
 *
 * No key is asked for there. A page can have a name of its own point at any address, 127.0.0.1 for
 * one, and its scripts may then read what is served there; but it has to use that name, and the
 * browser puts it into Host. So only what can't be such a name is taken: a numeric address,
 * localhost, and the names that the operator gives.
 */
#ifndef BEACOND_CONTRACT_ADMIN_HOST_H
#define BEACOND_CONTRACT_ADMIN_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Whether name can be given: 1 to 253 letters, digits, '-', '_' and '.', no port, no address. 0, or
 * -1 with err. */
int admin_host_check(const char *name, struct error *err) MUST_CHECK;

/* Whether a request with that Host (port included) may be served: localhost, *.localhost, a numeric
 * address, one of names[0..count), upper and lower case being the same; and NULL, since every
 * browser sends a Host. */
bool admin_host_allowed(const char *host, char *const *names, size_t count);

#endif
