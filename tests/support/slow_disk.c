/* A disk that does not answer, for LD_PRELOAD: fsync returns only once the file that SLOW_DISK names is gone. No
 * parent's death ends a process that waits in it, as no signal ends one that waits for a disk in the kernel. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

__attribute__((visibility("default"))) int fsync(int fd)
{
    int (*next)(int);
    const char *file = getenv("SLOW_DISK");
    *(void **)&next = dlsym(RTLD_NEXT, "fsync");
    while (file && access(file, F_OK) == 0) {
        prctl(PR_SET_PDEATHSIG, 0);
        usleep(10000);
    }
    return next(fd);
}
