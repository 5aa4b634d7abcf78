/*
 * dashboard.h: the files of the plugin's dashboard, to browsers.
 *
 * They come from memory (server_options.dashboard, files.h) and go out uncopied. Who may is told by
 * HTTP Basic, since nothing else can be asked for when a page is opened: the password is a key with
 * the query scope. That counts here alone: on routes that give data a browser would send it along
 * with whatever another page makes it ask.
 */
#ifndef BEACOND_SERVER_DASHBOARD_H
#define BEACOND_SERVER_DASHBOARD_H

struct exchange;

/* Answers a GET or HEAD of something at or below the dashboard's route. */
void dashboard_begin(struct exchange *exchange);

#endif
