#include "server/tls.h"

#ifdef HAVE_OPENSSL

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/log.h"

struct tls {
    SSL_CTX *context;
};

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context); /* connections have their references */
    free(tls);
}

/* What OpenSSL says to the last failure. */
static const char *tls_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "unknown reason";
}

/* OpenSSL tells a file that can't be opened from one that is malformed in riddles. 0 or -1. */
static int tls_readable(const char *option, const char *path, struct stat *about, struct error *err)
{
    char byte;
    /* To open a pipe waits for somebody to write to it, on SIGHUP with all else waiting for us. */
    if (stat(path, about) == 0 && S_ISFIFO(about->st_mode)) {
        error_set(err, "%s: %s: a pipe can be read once only", option, path);
        return -1;
    }
    FILE *file = fopen(path, "re");
    bool fine = file != NULL && fstat(fileno(file), about) == 0 &&
                (fread(&byte, 1, 1, file) == 1 || !ferror(file));
    if (!fine)
        error_set(err, "%s: %s: %s", option, path, strerror(errno));
    if (file != NULL)
        fclose(file);
    return fine ? 0 : -1;
}

/* A key that is encrypted would have OpenSSL ask on the terminal. */
static int tls_no_password(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)arg = true;
    return -1;
}

/* HTTP/1.1 is all we speak; who offers protocols and not that one is told so (RFC 7301, 3.2). */
static int tls_select(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                      const unsigned char *in, unsigned int in_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found = NULL;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&found, out_len, ours, sizeof ours - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *tls_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    /* A connection that ends without a close_notify is as good as one with: requests and answers
     * have lengths of their own, so that what is cut off is noticed. */
    (void)SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Never SSL_MODE_ENABLE_PARTIAL_WRITE: libevent 2.1 takes every write for a whole one, and goes
     * on behind what was left out. */
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Sessions are resumed by tickets, which cost no memory here. */
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context, tls_select, NULL);
    return context;
}

static int tls_load_cert(SSL_CTX *context, const char *path, struct error *err)
{
    struct stat about;
    if (tls_readable("tls-cert", path, &about, err) != 0)
        return -1;
    if (SSL_CTX_use_certificate_chain_file(context, path) == 1)
        return 0;
    error_set(err, "tls-cert: %s: expected certificates in PEM form: %s", path, tls_reason());
    return -1;
}

static int tls_load_key(SSL_CTX *context, const char *cert, const char *path, struct error *err)
{
    struct stat about;
    bool asked = false;
    if (tls_readable("tls-key", path, &about, err) != 0)
        return -1;
    SSL_CTX_set_default_passwd_cb(context, tls_no_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, &asked);
    bool fine = SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    unsigned long code = ERR_peek_last_error();
    if (asked)
        error_set(err, "tls-key: %s: the key is encrypted; expected one that needs no password",
                  path);
    else if (!fine && ERR_GET_LIB(code) == ERR_LIB_X509)
        error_set(err, "tls-key: %s is not the key of the certificate in %s", path, cert);
    else if (!fine)
        error_set(err, "tls-key: %s: expected a private key in PEM form: %s", path, tls_reason());
    if (asked || !fine)
        return -1;
    if (S_ISREG(about.st_mode) && (about.st_mode & S_IRWXO) != 0)
        log_warn("tls-key: %s is open to every user of this machine: chmod o= it", path);
    return 0;
}

static void tls_date(const ASN1_TIME *time, char date[32])
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1 || strftime(date, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        strcpy(date, "a date that can't be read");
}

/* Browsers will refuse it, which is no reason to lose what everyone else sends. */
static void tls_check_dates(const SSL_CTX *context, const char *path)
{
    char date[32];
    const X509 *own = SSL_CTX_get0_certificate(context);
    const ASN1_TIME *from = X509_get0_notBefore(own), *until = X509_get0_notAfter(own);
    if (X509_cmp_current_time(from) > 0) {
        tls_date(from, date);
        log_warn("tls-cert: %s: the certificate is not valid before %s", path, date);
    }
    if (X509_cmp_current_time(until) < 0) {
        tls_date(until, date);
        log_warn("tls-cert: %s: the certificate has expired at %s", path, date);
    }
}

struct tls *tls_load(const char *cert, const char *key, struct error *err)
{
    struct tls *tls = NULL;
    ERR_clear_error();
    SSL_CTX *context = tls_context();
    if (context == NULL) {
        error_set(err, "tls-cert: OpenSSL can't be used: %s", tls_reason());
        goto out;
    }
    if (tls_load_cert(context, cert, err) != 0 || tls_load_key(context, cert, key, err) != 0)
        goto out;
    tls_check_dates(context, cert);
    tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        error_set(err, "out of memory");
        goto out;
    }
    tls->context = context;
    context = NULL;
out:
    SSL_CTX_free(context);
    ERR_clear_error();
    return tls;
}

struct bufferevent *tls_accept(struct tls *tls, struct event_base *base)
{
    SSL *ssl = SSL_new(tls->context);
    if (ssl == NULL) {
        ERR_clear_error();
        return NULL;
    }
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL)
        return NULL;
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    /* libevent reads into two stretches of the input at once, and tells of the first before it
     * reads the second, when the guard has moved both away; and it tells of the end that it finds
     * then before it tells of what was read. With this it always reads into one, all of that
     * (secure_make_room). */
    (void)bufferevent_set_max_single_read(bev, 1);
    return bev;
}

#else

#include <stddef.h>

struct tls *tls_load(const char *cert, const char *key, struct error *err)
{
    (void)cert;
    (void)key;
    error_set(err, "tls-cert: this beacond was built without OpenSSL and can't speak TLS; "
                   "a proxy in front of it can");
    return NULL;
}

void tls_free(struct tls *tls)
{
    (void)tls;
}

struct bufferevent *tls_accept(struct tls *tls, struct event_base *base)
{
    (void)tls;
    (void)base;
    return NULL;
}

#endif
