/* Counts the calls by which a process changes files or sends, and lets one of them fail, or the process die at it.

   Preloaded, it does nothing until it is armed. One counter for all threads, unlike strace's, which counts each apart. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { COUNT, DIE_BEFORE, DIE_AFTER, DIE_HALFWAY, FAIL };

static atomic_int calls;
static int armed, strike_at, action, failure, last, told = -1;

void torture_arm(int at, int what, int error, int times, int log) {
    strike_at = at; action = what; failure = error; last = at + times - 1; told = log;
    atomic_store(&calls, 0);
    armed = 1;
}

static void die(void) { syscall(SYS_kill, syscall(SYS_getpid), SIGKILL); }

/* Whether this call is the one: 0 no, or the action. */
static int strikes(const char *name) {
    if (!armed) return COUNT;
    int number = atomic_fetch_add(&calls, 1) + 1;
    char line[40];
    size_t size = strlen(name);
    memcpy(line, name, size);
    line[size] = '\n';
    syscall(SYS_write, told, line, size + 1);
    if (number < strike_at || number > last) return COUNT;
    if (action == DIE_BEFORE) die();
    return action;
}

static int is_file(int descriptor) {
    struct stat64 found;
    return descriptor > 2 && descriptor != told && fstat64(descriptor, &found) == 0 && S_ISREG(found.st_mode);
}

static int is_internet(int descriptor) {
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    return getsockname(descriptor, (struct sockaddr *)&name, &size) == 0 && name.ss_family == AF_INET;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define AROUND_REAL(name, ...) \
    int strike = strikes(#name); \
    if (strike == FAIL) { errno = failure; return -1; } \
    __typeof__(real(__VA_ARGS__)) result = real(__VA_ARGS__); \
    if (strike > DIE_BEFORE) die(); \
    return result

#define AROUND(name, ...) \
    REAL(name); \
    AROUND_REAL(name, __VA_ARGS__)

#define WRITING(name, descriptor, data, size, ...) \
    REAL(name); \
    if (!armed || !is_file(descriptor)) return real(descriptor, data, size, ##__VA_ARGS__); \
    int strike = strikes(#name); \
    if (strike == FAIL) { errno = failure; return -1; } \
    ssize_t written = real(descriptor, data, strike == DIE_HALFWAY ? size / 2 : size, ##__VA_ARGS__); \
    if (strike > DIE_BEFORE) die(); \
    return written

#define SENDING(name, descriptor, ...) \
    REAL(name); \
    if (!armed || !is_internet(descriptor)) return real(descriptor, ##__VA_ARGS__); \
    int strike = strikes(#name); \
    if (strike == FAIL) { errno = ECONNRESET; return -1; } \
    ssize_t sent = real(descriptor, ##__VA_ARGS__); \
    if (strike > DIE_BEFORE) die(); \
    return sent

ssize_t write(int fd, const void *data, size_t size) { WRITING(write, fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { WRITING(pwrite, fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { WRITING(pwrite64, fd, data, size, at); }
ssize_t send(int fd, const void *data, size_t size, int flags) { SENDING(send, fd, data, size, flags); }
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { SENDING(sendmsg, fd, message, flags); }
int fsync(int fd) { AROUND(fsync, fd); }
int fdatasync(int fd) { AROUND(fdatasync, fd); }
int syncfs(int fd) { AROUND(syncfs, fd); }
int ftruncate(int fd, off_t size) { AROUND(ftruncate, fd, size); }
int ftruncate64(int fd, off64_t size) { AROUND(ftruncate64, fd, size); }
int rename(const char *from, const char *to) { AROUND(rename, from, to); }
int renameat(int at, const char *from, int there, const char *to) { AROUND(renameat, at, from, there, to); }
int link(const char *from, const char *to) { AROUND(link, from, to); }
int linkat(int at, const char *from, int there, const char *to, int flags) { AROUND(linkat, at, from, there, to, flags); }
int unlink(const char *name) { AROUND(unlink, name); }
int unlinkat(int at, const char *name, int flags) { AROUND(unlinkat, at, name, flags); }
int rmdir(const char *name) { AROUND(rmdir, name); }
/* What is there already is told before the disk is asked. */
#define MAKING(name, there, ...) \
    REAL(name); \
    if (armed && there == 0) return real(__VA_ARGS__); \
    AROUND_REAL(name, __VA_ARGS__)

int mkdir(const char *name, mode_t mode) { MAKING(mkdir, access(name, F_OK), name, mode); }
int mkdirat(int at, const char *name, mode_t mode) { MAKING(mkdirat, faccessat(at, name, F_OK, 0), at, name, mode); }
