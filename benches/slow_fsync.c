/*
 * Makes every fsync and fdatasync take 5 ms longer. Loaded before libc (LD_PRELOAD) by the benchmark, to stand for a
 * disk that really writes before it answers. The real call is made as well: what is durable stays durable.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <time.h>

typedef int (*sync_call)(int);

static int slowly(const char *name, int file)
{
    struct timespec left = {.tv_sec = 0, .tv_nsec = 5000000};
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
    return ((sync_call)dlsym(RTLD_NEXT, name))(file);
}

int fsync(int file) { return slowly("fsync", file); }

int fdatasync(int file) { return slowly("fdatasync", file); }
