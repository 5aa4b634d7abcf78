/*
 * memory.c: allocations fail (faulty.h).
 *
 * FAULTY_MEMORY names a file of struct memory, mapped shared: the test writes what is to fail and
 * reads what was counted, while the daemon runs (tests/faults/allocations.py is the other end). An
 * allocation belongs to the side whose code asks for it. Calls of our own objects come through the
 * linker, those of libraries through the hooks that these have; what libc allocates inside of a
 * call of ours (a stream, a directory, an address, a thread) fails as that call.
 */
#include "faulty.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>
#include <sqlite3.h>
#include <zlib.h>

#ifdef HAVE_OPENSSL
#include <openssl/crypto.h>
#endif
#ifdef __GLIBC__
#include <execinfo.h>
#endif

enum memory_side {
    MEMORY_OURS,
    MEMORY_SQLITE,
    MEMORY_JANSSON,
    MEMORY_LIBEVENT,
    MEMORY_ZLIB,
    MEMORY_OPENSSL,
    MEMORY_THREADS,
    MEMORY_SIDES
};

/* As allocations.py has it. Zeros let everything succeed. */
struct memory {
    _Atomic uint64_t sides; /* bits: which sides are counted in seen, and fail */
    _Atomic uint64_t first; /* the allocation that fails, from 1; 0: none does */
    _Atomic uint64_t run;   /* how many fail from there on; 0: all of them */
    _Atomic uint64_t trace; /* 1: where one fails is printed to standard error */
    _Atomic uint64_t seen;
    _Atomic uint64_t failed;
    _Atomic uint64_t counts[MEMORY_SIDES]; /* each side, whatever fails */
};

static struct memory *memory; /* NULL: nothing ever fails */

static void memory_show(enum memory_side side)
{
#ifdef __GLIBC__
    void *frames[24];
    dprintf(STDERR_FILENO, "faulty: an allocation of side %d fails\n", (int)side);
    backtrace_symbols_fd(frames, backtrace(frames, 24), STDERR_FILENO);
#else
    dprintf(STDERR_FILENO, "faulty: an allocation of side %d fails\n", (int)side);
#endif
}

/* While libevent asks our own code for memory (server/reserve.h) that is libevent's. */
static _Thread_local int memory_for_libevent;

/* Whether this allocation is one that fails; then errno is ENOMEM. */
static int memory_fails(enum memory_side side)
{
    if (memory == NULL)
        return 0;
    if (memory_for_libevent)
        side = MEMORY_LIBEVENT;
    atomic_fetch_add(&memory->counts[side], 1);
    if ((atomic_load(&memory->sides) >> side & 1) == 0)
        return 0;
    uint64_t first = atomic_load(&memory->first), run = atomic_load(&memory->run);
    uint64_t number = atomic_fetch_add(&memory->seen, 1) + 1;
    if (first == 0 || number < first || (run != 0 && number - first >= run))
        return 0;
    atomic_fetch_add(&memory->failed, 1);
    if (atomic_load(&memory->trace) != 0)
        memory_show(side);
    errno = ENOMEM;
    return 1;
}

/* --- our own calls, by the linker's --wrap ---------------------------------------------------- */

#define WRAP(type, name, arguments, side, otherwise, call)            \
    type __real_##name arguments;                                     \
    type __wrap_##name arguments;                                     \
    type __wrap_##name arguments                                      \
    {                                                                 \
        return memory_fails(side) ? (otherwise) : __real_##name call; \
    }

WRAP(void *, malloc, (size_t size), MEMORY_OURS, NULL, (size))
WRAP(void *, calloc, (size_t count, size_t size), MEMORY_OURS, NULL, (count, size))
WRAP(void *, realloc, (void *old, size_t size), MEMORY_OURS, NULL, (old, size))
WRAP(void *, reallocarray, (void *old, size_t count, size_t size), MEMORY_OURS, NULL,
     (old, count, size))
WRAP(char *, strdup, (const char *text), MEMORY_OURS, NULL, (text))
WRAP(char *, strndup, (const char *text, size_t size), MEMORY_OURS, NULL, (text, size))
WRAP(FILE *, fopen, (const char *path, const char *mode), MEMORY_OURS, NULL, (path, mode))
WRAP(DIR *, opendir, (const char *path), MEMORY_OURS, NULL, (path))
WRAP(DIR *, fdopendir, (int fd), MEMORY_OURS, NULL, (fd))
WRAP(ssize_t, getline, (char **line, size_t *size, FILE *file), MEMORY_OURS, -1, (line, size, file))
WRAP(ssize_t, __getdelim, (char **line, size_t *size, int end, FILE *file), MEMORY_OURS, -1,
     (line, size, end, file))
WRAP(char *, realpath, (const char *path, char *out), MEMORY_OURS, NULL, (path, out))
WRAP(int, getaddrinfo,
     (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out),
     MEMORY_OURS, EAI_MEMORY, (node, service, hints, out))
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *context),
     MEMORY_THREADS, EAGAIN, (thread, attributes, start, context))

static void *memory_zalloc(void *context, unsigned int count, unsigned int size)
{
    (void)context;
    return memory_fails(MEMORY_ZLIB) ? NULL : __real_calloc(count, size);
}

static void memory_zfree(void *context, void *block)
{
    (void)context;
    free(block);
}

static void memory_hook_zlib(z_stream *stream)
{
    if (memory != NULL && stream->zalloc == NULL) {
        stream->zalloc = memory_zalloc;
        stream->zfree = memory_zfree;
    }
}

int __real_deflateInit2_(z_stream *stream, int level, int method, int bits, int memory_level,
                         int strategy, const char *version, int size);
int __wrap_deflateInit2_(z_stream *stream, int level, int method, int bits, int memory_level,
                         int strategy, const char *version, int size);
int __wrap_deflateInit2_(z_stream *stream, int level, int method, int bits, int memory_level,
                         int strategy, const char *version, int size)
{
    memory_hook_zlib(stream);
    return __real_deflateInit2_(stream, level, method, bits, memory_level, strategy, version, size);
}

int __real_inflateInit2_(z_stream *stream, int bits, const char *version, int size);
int __wrap_inflateInit2_(z_stream *stream, int bits, const char *version, int size);
int __wrap_inflateInit2_(z_stream *stream, int bits, const char *version, int size)
{
    memory_hook_zlib(stream);
    return __real_inflateInit2_(stream, bits, version, size);
}

static void *(*memory_event_malloc)(size_t size);
static void *(*memory_event_realloc)(void *old, size_t size);

static void *memory_libevent_malloc(size_t size)
{
    memory_for_libevent++;
    void *block = memory_event_malloc(size);
    memory_for_libevent--;
    return block;
}

static void *memory_libevent_realloc(void *old, size_t size)
{
    memory_for_libevent++;
    void *block = memory_event_realloc(old, size);
    memory_for_libevent--;
    return block;
}

void __real_event_set_mem_functions(void *(*malloc_fn)(size_t size),
                                    void *(*realloc_fn)(void *old, size_t size),
                                    void (*free_fn)(void *block));
void __wrap_event_set_mem_functions(void *(*malloc_fn)(size_t size),
                                    void *(*realloc_fn)(void *old, size_t size),
                                    void (*free_fn)(void *block));
void __wrap_event_set_mem_functions(void *(*malloc_fn)(size_t size),
                                    void *(*realloc_fn)(void *old, size_t size),
                                    void (*free_fn)(void *block))
{
    memory_event_malloc = malloc_fn;
    memory_event_realloc = realloc_fn;
    __real_event_set_mem_functions(memory_libevent_malloc, memory_libevent_realloc, free_fn);
}

/* --- libraries, by their hooks ---------------------------------------------------------------- */

static sqlite3_mem_methods memory_sqlite; /* SQLite's own, behind ours */

static void *memory_sqlite_malloc(int size)
{
    return memory_fails(MEMORY_SQLITE) ? NULL : memory_sqlite.xMalloc(size);
}

static void *memory_sqlite_realloc(void *old, int size)
{
    return memory_fails(MEMORY_SQLITE) ? NULL : memory_sqlite.xRealloc(old, size);
}

static void *memory_jansson_malloc(size_t size)
{
    return memory_fails(MEMORY_JANSSON) ? NULL : __real_malloc(size);
}

#ifdef HAVE_OPENSSL
static void *memory_openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size == 0 || memory_fails(MEMORY_OPENSSL) ? NULL : __real_malloc(size);
}

static void *memory_openssl_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size == 0) {
        free(old);
        return NULL;
    }
    return memory_fails(MEMORY_OPENSSL) ? NULL : __real_realloc(old, size);
}

static void memory_openssl_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}
#endif

static void memory_hook_libraries(void)
{
    sqlite3_mem_methods methods;
    (void)sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory_sqlite);
    methods = memory_sqlite;
    methods.xMalloc = memory_sqlite_malloc;
    methods.xRealloc = memory_sqlite_realloc;
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    json_set_alloc_funcs(memory_jansson_malloc, free);
#ifdef HAVE_OPENSSL
    (void)CRYPTO_set_mem_functions(memory_openssl_malloc, memory_openssl_realloc,
                                   memory_openssl_free);
#endif
}

__attribute__((constructor)) static void memory_begin(void)
{
    const char *path = faulty_setting("MEMORY");
    if (path == NULL)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof *memory) == 0)
        map = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        perror("faulty: FAULTY_MEMORY");
        _exit(99);
    }
    (void)close(fd);
    memory = map;
    memory_hook_libraries();
}
