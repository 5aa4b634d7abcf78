/*
 * serve_setup.h: what the daemon's options come to, in the terms of the rooms below.
 */
#ifndef BEACOND_COMMANDS_SERVE_SETUP_H
#define BEACOND_COMMANDS_SERVE_SETUP_H

#include "base/error.h"
#include "contract/access.h"
#include "contract/address.h"
#include "options/options.h"
#include "server/server.h"

struct serve_setup {
    struct access *access;
    struct address_net *proxies; /* server's */
    struct files *dashboard;     /* likewise; NULL for none */
    struct tls *tls;             /* likewise */
    struct server_options server;
};

/* The setup looks into options, which must outlive it. Reads the files of the dashboard and of
 * tls-cert and tls-key: blocks. 0, or -1 with err and nothing to be cleared.
 */
int serve_setup_make(struct serve_setup *setup, const struct options *options,
                     struct error *err) MUST_CHECK;
/* What the daemon is called among others: the option, else its host and the first address that it
 * serves on, which is the same after each start; NULL where that address may be another each time.
 * Written to out as far as need be. */
const char *serve_setup_node(const struct options *options, char *out, size_t size);

void serve_setup_clear(struct serve_setup *setup);

#endif
