/* Descriptors that are ours only as long as the host program leaves them alone. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define OURS_FROM 3 /* the host reads from and prints to 0 to 2, even if it has closed them */

int descriptor_raise(int fd)
{
    if (fd < 0 || fd >= OURS_FROM)
        return fd;
    const int raised = fcntl(fd, F_DUPFD_CLOEXEC, OURS_FROM), error = errno;
    close(fd);
    errno = error;
    return raised;
}

int descriptor_copy(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, OURS_FROM);
}

struct descriptor descriptor_own(int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return (struct descriptor){.fd = -1};
    return (struct descriptor){.fd = fd, .dev = status.st_dev, .ino = status.st_ino};
}

/* Is the descriptor still the one that libtrip opened? Each socket and memfd has an inode of its own. */
bool descriptor_valid(const struct descriptor *descriptor)
{
    struct stat status;
    return descriptor->fd >= 0 && fstat(descriptor->fd, &status) == 0 && status.st_dev == descriptor->dev &&
           status.st_ino == descriptor->ino;
}

void descriptor_close(struct descriptor *descriptor)
{
    if (descriptor_valid(descriptor))
        close(descriptor->fd);
    descriptor->fd = -1;
}
