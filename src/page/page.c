#include "page/page.h"

#include <stdio.h>
#include <string.h>

#include <zlib.h>

#include "base/sha256.h"
#include "page/text.h"

#define PAGE_PARTS (sizeof page_parts / sizeof *page_parts)
#define PAGE_HASH_SIZE 45 /* 32 bytes in base64 and a NUL */

/* Everything that is not named is refused: no other origin, no frame around it, no form that is
 * sent, no text that becomes markup. The icon is a data: URL. */
#define PAGE_POLICY                                                                      \
    "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; img-src data:; " \
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "  \
    "require-trusted-types-for 'script'; trusted-types 'none'"

void page_init(struct page *page)
{
    memset(page, 0, sizeof *page);
    bytes_init(&page->html);
    bytes_init(&page->gzip);
}

void page_clear(struct page *page)
{
    bytes_clear(&page->html);
    bytes_clear(&page->gzip);
}

static int page_escape(struct bytes *out, const char *text)
{
    for (; *text != '\0'; text++) {
        int status = strchr("&\"'<>", *text) != NULL
                         ? bytes_append_format(out, "&#%d;", (unsigned char)*text)
                         : bytes_append(out, text, 1);
        if (status != 0)
            return -1;
    }
    return 0;
}

/* The hash of a text as a policy names it: SHA-256 in base64. */
static void page_hash(char out[PAGE_HASH_SIZE], const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char sum[SHA256_BYTES + 1];
    sha256(text, strlen(text), sum);
    sum[SHA256_BYTES] = 0; /* 32 bytes are eleven groups of three but for one byte */
    char *at = out;
    for (const unsigned char *group = sum; group < sum + SHA256_BYTES; group += 3) {
        *at++ = digits[group[0] >> 2];
        *at++ = digits[(group[0] & 0x03) << 4 | group[1] >> 4];
        *at++ = digits[(group[1] & 0x0f) << 2 | group[2] >> 6];
        *at++ = digits[group[2] & 0x3f];
    }
    at[-1] = '=';
    *at = '\0';
}

static int page_compress(struct page *page)
{
    z_stream z = {0};
    int status = -1;
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return -1;
    uLong most = deflateBound(&z, (uLong)page->html.len);
    if (bytes_reserve(&page->gzip, most) != 0)
        goto out;
    z.next_in = (Bytef *)page->html.data;
    z.avail_in = (uInt)page->html.len;
    z.next_out = (Bytef *)page->gzip.data;
    z.avail_out = (uInt)most;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        goto out;
    page->gzip.len = most - z.avail_out;
    status = 0;
out:
    deflateEnd(&z);
    return status;
}

int page_make(struct page *page, const char *prefix)
{
    char script[PAGE_HASH_SIZE] = "", style[PAGE_HASH_SIZE] = "";
    unsigned char sum[SHA256_BYTES];
    for (size_t i = 0; i < PAGE_PARTS; i++) {
        const struct page_part *part = &page_parts[i];
        if (part->kind == PAGE_SCRIPT)
            page_hash(script, part->text);
        else if (part->kind == PAGE_STYLE)
            page_hash(style, part->text);
        if ((part->kind == PAGE_PREFIX ? page_escape(&page->html, prefix)
                                       : bytes_append_text(&page->html, part->text)) != 0)
            return -1;
    }
    snprintf(page->policy, sizeof page->policy, PAGE_POLICY, script, style);
    sha256(page->html.data, page->html.len, sum);
    size_t at = (size_t)snprintf(page->etag, sizeof page->etag, "W/\"");
    for (size_t i = 0; i < 8; i++, at += 2)
        snprintf(page->etag + at, sizeof page->etag - at, "%02x", sum[i]);
    snprintf(page->etag + at, sizeof page->etag - at, "\"");
    return page_compress(page);
}
