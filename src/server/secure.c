#include "server/secure.h"

#ifdef HAVE_OPENSSL

#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

bool secure_gone(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    char c;
    ERR_clear_error();
    int n = SSL_peek(ssl, &c, 1);
    int error = n > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, n);
    ERR_clear_error();
    secure_wake(bev);
    return error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
}

bool secure_holds(struct bufferevent *bev)
{
    const SSL *ssl = bufferevent_openssl_get_ssl(bev);
    return SSL_pending(ssl) > 0 || (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void secure_wake(struct bufferevent *bev)
{
    if (secure_holds(bev))
        event_active(&bev->ev_read, EV_READ, 0);
}

bool secure_half(struct bufferevent *bev)
{
    const SSL *ssl = bufferevent_openssl_get_ssl(bev);
    return !SSL_is_init_finished(ssl) || SSL_has_pending(ssl);
}

uint64_t secure_written(struct bufferevent *bev)
{
    return BIO_number_written(SSL_get_wbio(bufferevent_openssl_get_ssl(bev)));
}

void secure_make_room(struct bufferevent *bev)
{
    int left = SSL_pending(bufferevent_openssl_get_ssl(bev));
    /* Without memory the rest is read in small pieces. */
    if (left > 0)
        (void)evbuffer_expand(bufferevent_get_input(bev), (size_t)left);
}

void secure_send(struct bufferevent *bev, const void *data, size_t len)
{
    ERR_clear_error();
    if (SSL_write(bufferevent_openssl_get_ssl(bev), data, (int)len) != (int)len)
        (void)shutdown(bufferevent_getfd(bev), SHUT_RDWR);
    ERR_clear_error();
}

void secure_bye(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    /* A second call would wait for the client's. */
    if (!SSL_is_init_finished(ssl) || (SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN) != 0 ||
        evbuffer_get_length(bufferevent_get_output(bev)) > 0)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(ssl);
    ERR_clear_error();
}

const char *secure_failure(struct bufferevent *bev)
{
    const char *reason = NULL;
    if (SSL_is_init_finished(bufferevent_openssl_get_ssl(bev)))
        return "";
    unsigned long code = bufferevent_get_openssl_error(bev);
    if (code != 0)
        reason = ERR_reason_error_string(code);
    return reason != NULL ? reason : "the client did not finish it";
}

#else

uint64_t secure_written(struct bufferevent *bev)
{
    (void)bev;
    return 0;
}

bool secure_gone(struct bufferevent *bev)
{
    (void)bev;
    return false;
}

bool secure_holds(struct bufferevent *bev)
{
    (void)bev;
    return false;
}

void secure_wake(struct bufferevent *bev)
{
    (void)bev;
}

bool secure_half(struct bufferevent *bev)
{
    (void)bev;
    return false;
}

void secure_make_room(struct bufferevent *bev)
{
    (void)bev;
}

void secure_send(struct bufferevent *bev, const void *data, size_t len)
{
    (void)bev;
    (void)data;
    (void)len;
}

void secure_bye(struct bufferevent *bev)
{
    (void)bev;
}

const char *secure_failure(struct bufferevent *bev)
{
    (void)bev;
    return "";
}

#endif
