#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

void random_fill(void *out, size_t len)
{
    unsigned char *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            fprintf(stderr, "no randomness from the kernel: %s\n", strerror(errno));
            abort();
        }
        at += got;
        len -= (size_t)got;
    }
}
