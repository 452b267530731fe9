/* LD_PRELOAD: while the file $NO_TSC exists, the kernel lists no clocks, as if it had given the TSC up. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

__attribute__((visibility("default"))) int open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    const char *const given_up = getenv("NO_TSC");
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "open");
    const char *const name = strrchr(path, '/');
    if (name && strcmp(name, "/available_clocksource") == 0 && given_up && access(given_up, F_OK) == 0)
        path = "/dev/null";
    return real(path, flags, mode);
}
