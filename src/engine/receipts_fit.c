#include "engine/receipts_fit.h"

#include <stdint.h>

#define RECEIPTS_FIT_VERSION 2 /* and those before it */
#define RECEIPTS_FIT_BURST (UINT32_C(1) << 31)
#define RECEIPTS_FIT_HEAD 4
#define RECEIPTS_FIT_MARK 8

bool receipts_fit(const void *data, size_t len)
{
    const unsigned char *at = data;
    if (len < 1 || *at < 1 || *at > RECEIPTS_FIT_VERSION)
        return false;
    at++;
    len--;
    while (len >= RECEIPTS_FIT_HEAD) {
        uint32_t count =
            at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        count &= ~RECEIPTS_FIT_BURST;
        at += RECEIPTS_FIT_HEAD;
        len -= RECEIPTS_FIT_HEAD;
        if (count == 0 || count > len / RECEIPTS_FIT_MARK)
            return false;
        at += (size_t)count * RECEIPTS_FIT_MARK;
        len -= (size_t)count * RECEIPTS_FIT_MARK;
    }
    return len == 0;
}
