#include "contract/admin_host.h"

#include <string.h>
#include <strings.h>

#include "contract/address.h"

#define ADMIN_HOST_BYTES 253 /* of a name in the DNS */

static const char admin_host_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

static bool admin_host_is_address(const char *text, size_t len)
{
    struct address address;
    return address_parse(&address, text, len) == 0;
}

int admin_host_check(const char *name, struct error *err)
{
    size_t len = strlen(name);
    if (len > 0 && len <= ADMIN_HOST_BYTES && strspn(name, admin_host_letters) == len &&
        !admin_host_is_address(name, len))
        return 0;
    error_set(err, "expected a host name such as metrics.example, without a port, got \"%s\"",
              name);
    return -1;
}

/* Whether ":PORT" or nothing stands there. */
static bool admin_host_is_port(const char *text)
{
    size_t digits = *text == ':' ? strspn(text + 1, "0123456789") : 0;
    return *text == '\0' || (digits >= 1 && digits <= 5 && text[1 + digits] == '\0');
}

static bool admin_host_is(const char *host, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(host, name, len) == 0;
}

bool admin_host_allowed(const char *host, char *const *names, size_t count)
{
    static const char local[] = "localhost", below[] = ".localhost";
    if (host == NULL)
        return true;
    size_t len = *host == '[' ? strcspn(host, "]") + 1 : strspn(host, admin_host_letters);
    if (len > strlen(host) || !admin_host_is_port(host + len))
        return false;
    if (admin_host_is_address(host, len) || admin_host_is(host, len, local))
        return true;
    size_t tail = sizeof below - 1;
    if (len > tail && admin_host_is(host + len - tail, tail, below))
        return true;
    for (size_t i = 0; i < count; i++)
        if (admin_host_is(host, len, names[i]))
            return true;
    return false;
}
