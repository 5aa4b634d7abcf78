/*
 * address.h: who is at the other end. Pure.
 */
#ifndef BEACOND_CONTRACT_ADDRESS_H
#define BEACOND_CONTRACT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum address_family { ADDRESS_NONE, ADDRESS_UNIX, ADDRESS_IPV4, ADDRESS_IPV6 };

struct address {
    enum address_family family;
    unsigned char bytes[16]; /* the first 4 for IPv4; all zero otherwise */
};

/* Reads a numeric address, "[v6]" too; an IPv4 address mapped into IPv6 becomes IPv4. 0, or -1. */
int address_parse(struct address *address, const char *text, size_t len) MUST_CHECK;

/* From the raw bytes of an IPv6 address, mapped IPv4 ones included. */
struct address address_from_ipv6(const unsigned char bytes[16]);

/* What a limit counts as one client: IPv6 by its /64, which is what one customer gets. */
struct address address_client(struct address address);

/* A trusted proxy: an address, a network (10.0.0.0/8), or "unix" for whoever comes by a Unix
 * socket. */
struct address_net {
    struct address address;
    unsigned bits; /* of the address that must agree */
};

int address_net_parse(struct address_net *net, const char *text, struct error *err) MUST_CHECK;
bool address_in(struct address address, const struct address_net *nets, size_t count);

enum address_header { ADDRESS_HEADER_NONE, ADDRESS_X_FORWARDED_FOR, ADDRESS_FORWARDED };

/* The client behind trusted proxies. value: all occurrences of the header, joined with commas, NULL
 * for none. It is read from the right, as each proxy appends whom it saw: the first that is no
 * trusted proxy is the client; what stands further left anybody can have written. What can't be
 * read ends it at the last address that could. */
struct address address_behind(struct address peer, enum address_header header, const char *value,
                              const struct address_net *trusted, size_t count);

#endif
