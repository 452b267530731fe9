/* tripd: the daemon of circuit breakers that every process of a host shares. This process becomes the keeper, which
 * forks the worker: keeper.h, worker.h. */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper.h"
#include "log.h"
#include "options.h"
#include "startup.h"
#include "worker.h"

#define TABLE_SIZE (64 * 1024) /* from here on, what is allocated has pages of its own */

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Opens those of the descriptors 0 to 2 that are closed. Otherwise the first file that tripd opens would get such a
 * number, and the log would be written into it. */
static bool open_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= STDIN_FILENO && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    /* Without /dev/null tripd runs all the same if the log has its descriptor. */
    return fd >= 0 || fcntl(STDERR_FILENO, F_GETFD) >= 0;
}

int main(int argc, char **argv)
{
    struct options options;
    struct startup startup;
    if (!open_standard_descriptors())
        return EXIT_FAILED;
    switch (options_parse(argc, argv, &options)) {
    case OPTIONS_DONE:
        return EXIT_FINE;
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    /* calloc zeroes what it takes from the heap, and so touches it: the worker's tables have room for all breakers and
     * lanes, and few of their pages are ever used. Once told, malloc does not raise its threshold by itself. */
    mallopt(M_MMAP_THRESHOLD, TABLE_SIZE);
    log_open();
    signal(SIGXFSZ, SIG_IGN); /* a file larger than RLIMIT_FSIZE is then an error with a message */
    umask(022);               /* clients of any user read the segment */
    if (startup_open(&startup, &options) < 0)
        return EXIT_FAILED;
    const struct keeper_options keeper = {.notify = &startup.notify,
                                          .inherited = startup.inherited,
                                          .inherited_count = startup.inherited_count,
                                          .work = worker_run,
                                          .context = &startup,
                                          .look_ns = KEEPER_LOOK_NS};
    const int status = keeper_run(&keeper);
    startup_close(&startup);
    return status == 0 ? EXIT_FINE : EXIT_FAILED;
}
