#include "commands/serve_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/files_load.h"
#include "store/store.h"

/* Loops beyond this only fight for the one writer. */
#define SERVE_MOST_THREADS 8

static struct access *serve_access(const struct options *options, struct error *err)
{
    struct access *access = access_new();
    if (access == NULL) {
        error_set(err, "out of memory");
        return NULL;
    }
    int status = 0;
    for (size_t i = 0; i < options->key.count && status == 0; i++)
        status = access_add_key(access, options->key.items[i], err);
    for (size_t i = 0; i < options->allow_origin.count && status == 0; i++)
        status = access_add_origin(access, options->allow_origin.items[i], err);
    for (size_t i = 0; i < options->beacon_origin.count && status == 0; i++)
        status = access_add_beacon_origin(access, options->beacon_origin.items[i], err);
    if (options->allow_keyless)
        access_allow_keyless(access);
    if (status == 0)
        return access;
    access_free(access);
    return NULL;
}

static unsigned serve_threads(const struct options *options)
{
    if (options->threads > 0)
        return (unsigned)options->threads;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus < 1 ? 1 : cpus > SERVE_MOST_THREADS ? SERVE_MOST_THREADS : (unsigned)cpus;
}

/* The networks of trusted-proxy, to be freed. NULL when there is none, or no memory (err is set).
 */
static struct address_net *serve_proxies(const struct options *options, struct error *err)
{
    size_t count = options->trusted_proxy.count;
    struct address_net *nets = count == 0 ? NULL : calloc(count, sizeof *nets);
    if (count > 0 && nets == NULL)
        error_set(err, "out of memory");
    for (size_t i = 0; nets != NULL && i < count; i++) {
        if (address_net_parse(&nets[i], options->trusted_proxy.items[i], err) == 0)
            continue;
        free(nets);
        nets = NULL;
    }
    return nets;
}

/* Where the dashboard would be served, and its files. 0, or -1 with err. */
static int serve_dashboard(struct serve_setup *setup, const struct options *options,
                           struct error *err)
{
    struct error why;
    if (options->dashboard == NULL)
        return 0;
    setup->server.routes.dashboard = options->dashboard_route;
    setup->server.dashboard_open = options->dashboard_auth == OPTIONS_DASHBOARD_NONE;
    if (route_collides(&setup->server.routes)) {
        error_set(err, "dashboard-route: %s is a path of the daemon's own",
                  options->dashboard_route);
        return -1;
    }
    setup->dashboard = setup->server.dashboard = files_load(options->dashboard, &why);
    if (setup->dashboard == NULL) {
        error_set(err, "dashboard: %s", why.text);
        return -1;
    }
    log_info("dashboard: %zu files, %zu bytes, from %s at %s/", files_count(setup->dashboard),
             files_bytes(setup->dashboard), options->dashboard, options->dashboard_route);
    return 0;
}

static struct server_options serve_server(const struct options *options,
                                          const struct address_net *proxies, struct tls *tls)
{
    static const enum address_header headers[] = {
        [OPTIONS_PROXY_NONE] = ADDRESS_HEADER_NONE,
        [OPTIONS_PROXY_X_FORWARDED_FOR] = ADDRESS_X_FORWARDED_FOR,
        [OPTIONS_PROXY_FORWARDED] = ADDRESS_FORWARDED,
    };
    return (struct server_options){
        .listen = options->listen.items,
        .listen_count = options->listen.count,
        .admin_listen = options->admin_listen.items,
        .admin_listen_count = options->admin_listen.count,
        .tls = tls,
        .admin_host = options->admin_host.items,
        .admin_host_count = options->admin_host.count,
        .routes = {.prefixes = options->prefix.items, .prefix_count = options->prefix.count},
        .app_id = options->app_id,
        .version = PACKAGE_VERSION,
        .max_header = (size_t)options->max_header,
        .max_body = (size_t)options->max_body,
        .max_inflated = (size_t)options->max_inflated,
        .limits = {.event_bytes = (size_t)options->max_event,
                   .depth = (unsigned)options->max_depth},
        .max_events = options->max_events,
        .threads = serve_threads(options),
        .hold_ms = options->hold_ms,
        .drain_ms = options->drain_ms,
        .timeout_ms = options->timeout_ms,
        .head_timeout_ms = options->head_timeout_ms,
        .body_timeout_ms = options->body_timeout_ms,
        .max_message = options->max_message,
        .ping_interval_ms = options->ping_interval_ms,
        .max_push = options->max_push,
        .max_connections = (size_t)options->max_connections,
        .max_receiving = options->max_receiving,
        .max_reads = (size_t)options->max_reads,
        .limit_events = options->limit_events,
        .limit_bytes = options->limit_bytes,
        .proxy_header = headers[options->proxy_header],
        .proxies = proxies,
        .proxy_count = options->trusted_proxy.count,
    };
}

int serve_setup_make(struct serve_setup *setup, const struct options *options, struct error *err)
{
    err->text[0] = '\0';
    *setup = (struct serve_setup){0};
    if (store_check(options->database, err) != STORE_OK)
        goto failed;
    if (options->min_free_disk > 0 && !store_is_file(options->database))
        log_warn("min-free-disk does nothing: the database is no file of this machine");
    setup->proxies = serve_proxies(options, err);
    if (err->text[0] != '\0')
        goto failed;
    setup->access = serve_access(options, err);
    if (setup->access == NULL)
        goto failed;
    if (options->tls_cert != NULL) {
        setup->tls = tls_load(options->tls_cert, options->tls_key, err);
        if (setup->tls == NULL)
            goto failed;
    }
    setup->server = serve_server(options, setup->proxies, setup->tls);
    if (serve_dashboard(setup, options, err) == 0)
        return 0;
failed:
    serve_setup_clear(setup);
    return -1;
}

const char *serve_setup_node(const struct options *options, char *out, size_t size)
{
    char host[128] = "";
    const char *address = options->listen.items[0];
    size_t len = strlen(address);
    if (options->node != NULL)
        return options->node;
    if (gethostname(host, sizeof host - 1) != 0 ||
        (len > 2 && strcmp(address + len - 2, ":0") == 0))
        return NULL;
    (void)snprintf(out, size, "%s %s", host, address);
    return out;
}

void serve_setup_clear(struct serve_setup *setup)
{
    access_free(setup->access);
    files_drop(setup->dashboard);
    tls_free(setup->tls);
    free(setup->proxies);
    *setup = (struct serve_setup){0};
}
