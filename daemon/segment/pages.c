#include "segment/pages.h"

#include <errno.h>
#include <fcntl.h>

int pages_reserve(int fd, uint64_t begin, uint64_t end)
{
    const uint64_t first = begin / LAYOUT_PAGE * LAYOUT_PAGE;
    int error;
    do
        error = posix_fallocate(fd, (off_t)first, (off_t)(end - first));
    while (error == EINTR);
    return -error;
}

int pages_reserve_entries(int fd, const struct section *section, uint32_t first, uint32_t end)
{
    return pages_reserve(fd, section->offset + (uint64_t)first * section->stride,
                         section->offset + (uint64_t)end * section->stride);
}
