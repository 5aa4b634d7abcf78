#include "contract/media.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define MEDIA_HASH 8

/* Text is UTF-8: Vite writes nothing else, and a browser would guess. */
static const struct {
    const char *extension;
    struct media media;
} media_table[] = {
    {"html", {"text/html; charset=utf-8", true}},
    {"htm", {"text/html; charset=utf-8", true}},
    {"js", {"text/javascript; charset=utf-8", true}},
    {"mjs", {"text/javascript; charset=utf-8", true}},
    {"css", {"text/css; charset=utf-8", true}},
    {"json", {"application/json", true}},
    {"map", {"application/json", true}},
    {"webmanifest", {"application/manifest+json", true}},
    {"wasm", {"application/wasm", true}},
    {"svg", {"image/svg+xml", true}},
    {"txt", {"text/plain; charset=utf-8", true}},
    {"md", {"text/markdown; charset=utf-8", true}},
    {"xml", {"application/xml", true}},
    {"csv", {"text/csv; charset=utf-8", true}},
    {"pdf", {"application/pdf", false}},
    {"ico", {"image/vnd.microsoft.icon", true}},
    {"bmp", {"image/bmp", true}},
    {"png", {"image/png", false}},
    {"apng", {"image/apng", false}},
    {"jpg", {"image/jpeg", false}},
    {"jpeg", {"image/jpeg", false}},
    {"gif", {"image/gif", false}},
    {"webp", {"image/webp", false}},
    {"avif", {"image/avif", false}},
    {"woff", {"font/woff", false}},
    {"woff2", {"font/woff2", false}},
    {"ttf", {"font/ttf", true}},
    {"otf", {"font/otf", true}},
    {"eot", {"application/vnd.ms-fontobject", true}},
    {"mp3", {"audio/mpeg", false}},
    {"ogg", {"audio/ogg", false}},
    {"wav", {"audio/wav", true}},
    {"mp4", {"video/mp4", false}},
    {"webm", {"video/webm", false}},
};

static const char *media_last_segment(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* The last dot, when something stands in front of it; or NULL. */
static const char *media_dot(const char *path)
{
    const char *name = media_last_segment(path), *dot = strrchr(name, '.');
    return dot != NULL && dot > name ? dot : NULL;
}

struct media media_of(const char *path)
{
    const char *dot = media_dot(path);
    for (size_t i = 0; dot != NULL && i < sizeof media_table / sizeof media_table[0]; i++)
        if (strcasecmp(dot + 1, media_table[i].extension) == 0)
            return media_table[i].media;
    return (struct media){"application/octet-stream", true};
}

bool media_has_extension(const char *path)
{
    return media_dot(path) != NULL;
}

static bool media_is_hash(const char *text)
{
    bool digit = false, small = false, capital = false, hexadecimal = true;
    for (size_t i = 0; i < MEDIA_HASH; i++) {
        char c = text[i];
        bool is_digit = c >= '0' && c <= '9', is_small = c >= 'a' && c <= 'z';
        bool is_capital = c >= 'A' && c <= 'Z';
        if (!is_digit && !is_small && !is_capital && c != '-' && c != '_')
            return false;
        digit |= is_digit;
        small |= is_small;
        capital |= is_capital;
        hexadecimal &= is_digit || (is_small && c <= 'f');
    }
    return digit && (capital || (hexadecimal && small));
}

bool media_hashed(const char *path)
{
    const char *name = media_last_segment(path);
    if (strncmp(path, "assets/", 7) != 0 && strstr(path, "/assets/") == NULL)
        return false;
    /* Maps have a second extension behind the first. */
    for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        if (dot - name <= MEDIA_HASH)
            continue;
        const char *mark = dot - MEDIA_HASH - 1;
        if ((*mark == '-' || *mark == '.') && media_is_hash(mark + 1))
            return true;
    }
    return false;
}

static const char *media_skip(const char *at)
{
    return at + strspn(at, " \t");
}

/* Whether the parameters in at[0..end) give the weight 0. */
static bool media_zero(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at != ';')
            continue;
        const char *q = media_skip(at + 1);
        if ((*q != 'q' && *q != 'Q') || q[1] != '=')
            continue;
        const char *rest = q + 2 + strspn(q + 2, "0.");
        return rest > q + 2 && (rest >= end || strchr(" \t;", *rest) != NULL);
    }
    return false;
}

bool media_accepts_html(const char *accept)
{
    static const char wanted[] = "text/html";
    for (const char *at = accept; at != NULL && *at != '\0';) {
        at = media_skip(at);
        size_t name = strcspn(at, " \t;,");
        const char *end = at + strcspn(at, ",");
        if (name == sizeof wanted - 1 && strncasecmp(at, wanted, name) == 0)
            return !media_zero(at + name, end);
        at = *end == ',' ? end + 1 : end;
    }
    return false;
}
