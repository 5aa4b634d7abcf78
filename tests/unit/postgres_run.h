/*
 * postgres_run.h: a PostgreSQL server of a test program's own, as an unprivileged user on a
 * temporary folder and a Unix socket there. It ends with the program.
 *
 * postgres_run_main takes the place of unit_main: it skips where there is no PostgreSQL, and with
 * BEACOND_TEST_BRIEF=1.
 */
#ifndef BEACOND_TESTS_POSTGRES_RUN_H
#define BEACOND_TESTS_POSTGRES_RUN_H

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { POSTGRES_NAME_SIZE = 32 };

static char postgres_folder[64];
static pid_t postgres_pid;

/* The program's path, the newest version's; false where there is none. */
static inline bool postgres_program(const char *name, char out[PATH_MAX])
{
    char pattern[PATH_MAX];
    glob_t found;
    snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/bin/%s", name);
    if (glob(pattern, 0, NULL, &found) == 0) {
        snprintf(out, PATH_MAX, "%s", found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
        return true;
    }
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");
        snprintf(out, PATH_MAX, "%.*s/%s", (int)len, path, name);
        if (access(out, X_OK) == 0)
            return true;
        path += len + (path[len] == ':');
    }
    return false;
}

/* PostgreSQL refuses root. */
static inline const struct passwd *postgres_person(void)
{
    const struct passwd *person = getpwnam("postgres");
    return person != NULL ? person : getpwnam("nobody");
}

static inline pid_t postgres_spawn(const char *name, const char *const *arguments)
{
    char path[PATH_MAX], log[PATH_MAX];
    if (!postgres_program(name, path))
        return -1;
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    const struct passwd *person = geteuid() == 0 ? postgres_person() : NULL;
    if (person != NULL &&
        (setgroups(0, NULL) != 0 || setgid(person->pw_gid) != 0 || setuid(person->pw_uid) != 0))
        _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    setpgid(0, 0);
    snprintf(log, sizeof log, "%s/log", postgres_folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || chdir("/") != 0)
        _exit(1);
    setenv("LC_ALL", "C", 1);
    execv(path, (char *const *)(const void *)arguments);
    _exit(1);
}

static inline void postgres_uri(char *out, size_t size, const char *database)
{
    snprintf(out, size, "postgresql:///%s?host=%s&user=postgres", database, postgres_folder);
}

static inline PGconn *postgres_connection(const char *database)
{
    char uri[256];
    postgres_uri(uri, sizeof uri, database);
    return PQconnectdb(uri);
}

static inline bool postgres_answers(void)
{
    PGconn *connection = postgres_connection("postgres");
    bool answers = PQstatus(connection) == CONNECTION_OK;
    PQfinish(connection);
    return answers;
}

/* Runs SQL as a person would, and returns the first value as a number, 0 where there is none. */
static inline int64_t postgres_shell(const char *database, const char *sql)
{
    PGconn *connection = postgres_connection(database);
    PGresult *result = PQexec(connection, sql);
    int status = PQresultStatus(result);
    int64_t number = 0;
    ck_assert_msg(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s: %s", sql,
                  PQerrorMessage(connection));
    if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0))
        number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(connection);
    return number;
}

/* Makes a database of a case's own, whose name nobody else gives. */
static inline void postgres_make(char name[POSTGRES_NAME_SIZE])
{
    static int number;
    char sql[64];
    snprintf(name, POSTGRES_NAME_SIZE, "t%d_%ld", ++number, (long)getpid());
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    (void)postgres_shell("postgres", sql);
}

static inline void postgres_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", postgres_folder);
    if (postgres_folder[0] != '\0' && system(command) != 0)
        fprintf(stderr, "%s is still there\n", postgres_folder);
}

/* A process that removes what a test program leaves behind that was killed: the server ends with
 * its parent by itself. */
static inline void postgres_keep_house(void)
{
    int ends[2], nowhere;
    char byte;
    if (pipe2(ends, O_CLOEXEC) != 0 || fork() != 0)
        return;
    setpgid(0, 0);
    close(ends[1]);
    /* Who reads the program's output does not wait for this. */
    nowhere = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2; fd++)
        (void)dup2(nowhere, fd);
    (void)!read(ends[0], &byte, 1);
    /* Again, where the server was still writing. */
    for (int i = 0; i < 100 && access(postgres_folder, F_OK) == 0; i++) {
        postgres_remove();
        (void)poll(NULL, 0, 50);
    }
    _exit(0);
}

static inline bool postgres_start(void)
{
    char data[PATH_MAX];
    int code;
    snprintf(postgres_folder, sizeof postgres_folder, "/tmp/beacond-pg-XXXXXX");
    if (mkdtemp(postgres_folder) == NULL)
        return false;
    postgres_keep_house();
    const struct passwd *person = geteuid() == 0 ? postgres_person() : NULL;
    if (geteuid() == 0 &&
        (person == NULL || chown(postgres_folder, person->pw_uid, person->pw_gid) != 0))
        return false;
    snprintf(data, sizeof data, "%s/data", postgres_folder);
    pid_t pid = postgres_spawn(
        "initdb", (const char *const[]){"initdb", "-D", data, "--auth=trust", "--username=postgres",
                                        "--encoding=UTF8", "--no-locale", "--no-sync", NULL});
    if (pid < 0 || waitpid(pid, &code, 0) != pid || code != 0)
        return false;
    postgres_pid = postgres_spawn(
        "postgres", (const char *const[]){"postgres", "-D", data, "-k", postgres_folder, "-c",
                                          "listen_addresses=", "-c", "fsync=off", "-c", "jit=off",
                                          "-c", "shared_buffers=32MB", NULL});
    while (!postgres_answers()) {
        if (waitpid(postgres_pid, &code, WNOHANG) != 0)
            return false;
        (void)poll(NULL, 0, 20);
    }
    return true;
}

static inline void postgres_stop(void)
{
    if (postgres_pid > 0) {
        kill(postgres_pid, SIGINT);
        waitpid(postgres_pid, NULL, 0);
    }
    postgres_remove();
}

static inline int postgres_run_main(Suite *suite)
{
    char path[PATH_MAX];
    const char *brief = getenv("BEACOND_TEST_BRIEF");
    if (brief != NULL && strcmp(brief, "1") == 0) {
        printf("1..0 # SKIP BEACOND_TEST_BRIEF=1: no server is started\n");
        return 0;
    }
    if (!postgres_program("initdb", path)) {
        printf("1..0 # SKIP PostgreSQL is not installed\n");
        return 0;
    }
    if (!postgres_start()) {
        char command[128];
        snprintf(command, sizeof command, "cat %s/log >&2", postgres_folder);
        fprintf(stderr, "PostgreSQL does not start:\n");
        (void)!system(command);
        return EXIT_FAILURE;
    }
    int code = unit_main(suite);
    postgres_stop();
    return code;
}

#endif
