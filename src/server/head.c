#include "server/head.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* No registered method is longer; beyond, it is noise rather than a method. */
#define HEAD_METHOD_BYTES 20

/* Facts about the framing, gathered line by line. */
struct head_facts {
    bool body_allowed; /* POST, PUT, PATCH */
    bool http_1_0;
    bool has_length, has_coding;
    unsigned hosts, origins, keys, encodings, types;
};

size_t head_end(const char *text, size_t len, size_t *seen)
{
    const char *at = text + *seen, *end = text + len;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        const char *next = at + 1;
        if (next < end && *next == '\r')
            next++;
        if (next == end)
            break;
        if (*next == '\n')
            return (size_t)(next + 1 - text);
        at++;
    }
    /* Go on at the line end that could not be judged yet, or behind everything. */
    *seen = at != NULL ? (size_t)(at - text) : len;
    return 0;
}

static void head_refuse(struct head *head, int status, const char *why)
{
    if (head->refuse == 0) {
        head->refuse = status;
        head->why = why;
    }
}

/* tchar of RFC 9110. */
static bool head_is_token(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool head_is(struct head_slice name, const char *text)
{
    return name.len == strlen(text) && strncasecmp(name.at, text, name.len) == 0;
}

/* Methods that evhttp has a number for; whether the route takes them is decided there. */
static void head_method(struct head *head, struct head_facts *facts, struct head_slice method)
{
    static const char *const known[] = {"GET",    "HEAD",    "POST",  "PUT",
                                        "DELETE", "OPTIONS", "PATCH", NULL};
    for (size_t i = 0; known[i] != NULL; i++) {
        if (method.len == strlen(known[i]) && memcmp(method.at, known[i], method.len) == 0) {
            facts->body_allowed = known[i][0] == 'P';
            head->method = method;
            return;
        }
    }
    for (size_t i = 0; i < method.len; i++)
        if (i >= HEAD_METHOD_BYTES || !head_is_token((unsigned char)method.at[i]))
            head_refuse(head, 400, "malformed request line");
    head_refuse(head, method.len == 0 ? 400 : 405, "method not allowed");
}

static void head_target(struct head *head, struct head_slice target)
{
    /* A second slash would make evhttp look for a host in what follows. */
    bool fit = target.len > 0 && target.at[0] == '/' && (target.len == 1 || target.at[1] != '/');
    for (size_t i = 0; i < target.len && fit; i++)
        fit = target.at[i] > ' ' && target.at[i] < 0x7f && target.at[i] != '#';
    if (fit)
        head->target = target;
    else
        head_refuse(head, 400, "the request target must be a path");
}

static void head_request_line(struct head *head, struct head_facts *facts, const char *line,
                              size_t len)
{
    const char *first = memchr(line, ' ', len);
    const char *second =
        first == NULL ? NULL : memchr(first + 1, ' ', len - (size_t)(first + 1 - line));
    if (second == NULL) {
        head_refuse(head, 400, "malformed request line");
        return;
    }
    head_target(head, (struct head_slice){first + 1, (size_t)(second - first - 1)});
    struct head_slice version = {second + 1, len - (size_t)(second + 1 - line)};
    if (version.len != 8 || memcmp(version.at, "HTTP/", 5) != 0)
        head_refuse(head, 400, "malformed request line");
    else if (memcmp(version.at, "HTTP/1.", 7) != 0 ||
             (version.at[7] != '0' && version.at[7] != '1'))
        head_refuse(head, 505, "HTTP version not supported");
    else
        facts->http_1_0 = version.at[7] == '0';
    head_method(head, facts, (struct head_slice){line, (size_t)(first - line)});
}

static void head_content_length(struct head *head, struct head_facts *facts,
                                struct head_slice value)
{
    bool fit = !facts->has_length && value.len > 0 && value.len <= 18;
    uint64_t length = 0;
    for (size_t i = 0; i < value.len && fit; i++) {
        fit = value.at[i] >= '0' && value.at[i] <= '9';
        length = length * 10 + (uint64_t)(value.at[i] - '0');
    }
    facts->has_length = true;
    if (fit)
        head->content_length = length;
    else
        head_refuse(head, 400, "malformed or repeated Content-Length");
}

/* Parameters may follow. */
static bool head_is_lines(struct head_slice value)
{
    const char *end = memchr(value.at, ';', value.len);
    if (end != NULL)
        value.len = (size_t)(end - value.at);
    while (value.len > 0 && (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
        value.len--;
    return head_is(value, "application/x-ndjson");
}

static void head_field(struct head *head, struct head_facts *facts, struct head_slice name,
                       struct head_slice value)
{
    if (head_is(name, "content-length")) {
        head_content_length(head, facts, value);
    } else if (head_is(name, "transfer-encoding")) {
        if (facts->has_coding || !head_is(value, "chunked"))
            head_refuse(head, 400, "Transfer-Encoding may be chunked, once");
        facts->has_coding = true;
    } else if (head_is(name, "expect")) {
        if (!head_is(value, "100-continue"))
            head_refuse(head, 417, "expectation not supported");
        head->expects = true;
    } else if (head_is(name, "host")) {
        facts->hosts++;
        head->host = value;
    } else if (head_is(name, "origin")) {
        facts->origins++;
        head->origin = value;
    } else if (head_is(name, "x-tracker-key")) {
        facts->keys++;
        head->key = value;
    } else if (head_is(name, "content-encoding")) {
        facts->encodings++;
    } else if (head_is(name, "content-type")) {
        facts->types++;
        head->lines = head_is_lines(value);
    }
}

static void head_line(struct head *head, struct head_facts *facts, const char *line, size_t len)
{
    size_t name = 0;
    while (name < len && head_is_token((unsigned char)line[name]))
        name++;
    /* Covers "Name :", folded lines, and NULs. */
    if (name == 0 || name == len || line[name] != ':') {
        head_refuse(head, 400, "malformed header line");
        return;
    }
    const char *value = line + name + 1, *end = line + len;
    while (value < end && *value == ' ')
        value++;
    if (value < end && *value == '\t') {
        /* Legal, but evhttp would keep it as part of the value. */
        head_refuse(head, 400, "tab in front of a header's value");
        return;
    }
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    for (const char *p = value; p < end; p++) {
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f) {
            head_refuse(head, 400, "control character in a header");
            return;
        }
    }
    head_field(head, facts, (struct head_slice){line, name},
               (struct head_slice){value, (size_t)(end - value)});
}

/* What only shows when all lines are known. */
static void head_together(struct head *head, const struct head_facts *facts, uint64_t max_body)
{
    if (facts->hosts > 1 || (facts->hosts == 0 && !facts->http_1_0))
        head_refuse(head, 400, "one Host header is needed");
    if (facts->origins > 1 || facts->keys > 1 || facts->encodings > 1)
        head_refuse(head, 400, "a header that may stand once is repeated");
    if (facts->has_length && facts->has_coding)
        head_refuse(head, 400, "Content-Length beside Transfer-Encoding");
    if (facts->has_coding && facts->http_1_0)
        head_refuse(head, 400, "Transfer-Encoding in HTTP/1.0");
    if (!facts->body_allowed && (head->content_length > 0 || facts->has_coding))
        head_refuse(head, 400, "this method takes no body");
    if (facts->body_allowed && !facts->has_length && !facts->has_coding)
        head_refuse(head, 400, "no body: neither Content-Length nor Transfer-Encoding");
    head->lines = head->lines && facts->types == 1;
    if (head->content_length > max_body && !head->lines)
        head_refuse(head, 413, "body over the limit");
    head->chunked = facts->has_coding;
    head->http_1_0 = facts->http_1_0;
    if (facts->keys != 1)
        head->key = (struct head_slice){NULL, 0};
    if (facts->origins != 1)
        head->origin = (struct head_slice){NULL, 0};
    if (facts->hosts != 1)
        head->host = (struct head_slice){NULL, 0};
}

void head_check(const char *text, size_t len, uint64_t max_body, struct head *head)
{
    struct head_facts facts = {0};
    const char *line = text, *end = text + len;
    *head = (struct head){0};
    for (bool first = true; line < end; first = false) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)(lf - line);
        /* A lone LF ends lines for some servers and not for others. */
        if (length == 0 || lf[-1] != '\r')
            head_refuse(head, 400, "a line must end with CR LF");
        else
            length--;
        if (first)
            head_request_line(head, &facts, line, length);
        else if (length > 0)
            head_line(head, &facts, line, length);
        line = lf + 1;
    }
    head_together(head, &facts, max_body);
}

int head_with_length(const char *text, size_t len, size_t body_len, struct bytes *out)
{
    const char *line = text, *end = text + len - 2; /* without the empty line */
    while (line < end) {
        const char *next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
        const char *colon = memchr(line, ':', (size_t)(next - line));
        struct head_slice name = {line, colon != NULL ? (size_t)(colon - line) : 0};
        if (!head_is(name, "transfer-encoding") && !head_is(name, "content-length") &&
            !head_is(name, "expect") && bytes_append(out, line, (size_t)(next - line)) != 0)
            return -1;
        line = next;
    }
    return bytes_append_format(out, "Content-Length: %zu\r\n\r\n", body_len);
}
