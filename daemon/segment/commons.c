#include "segment/commons.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "segment/pages.h"

#define COMMONS_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* The id stands in the memfd's name: everyone can write the memory, nobody can change the name. */
#define COMMONS_NAME      "tripd-commons-"
#define COMMONS_NAME_SIZE (sizeof(COMMONS_NAME) + 16)

static int fill(int fd)
{
    struct section sections[COMMONS_SECTION_COUNT];
    if (ftruncate(fd, (off_t)commons_plan(sections)) < 0)
        return -errno;
    const int error = pages_reserve(fd, 0, sizeof(struct commons_header));
    if (error < 0)
        return error;
    return fcntl(fd, F_ADD_SEALS, COMMONS_SEALS) < 0 ? -errno : 0;
}

int commons_make(int *ret_fd)
{
    uint64_t commons_id = 0;
    if (getrandom(&commons_id, sizeof(commons_id), 0) != sizeof(commons_id))
        return -EIO;
    commons_id |= 1; /* 0 stands for none */

    char name[COMMONS_NAME_SIZE];
    snprintf(name, sizeof(name), COMMONS_NAME "%016llx", (unsigned long long)commons_id);
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    const int error = fill(fd);
    if (error < 0) {
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

static int id_of(int fd, uint64_t *ret_id)
{
    char proc[32], target[64];
    unsigned long long id;
    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(proc, target, sizeof(target) - 1);
    if (length < 0)
        return -errno;
    target[length] = '\0';
    if (sscanf(target, "/memfd:" COMMONS_NAME "%16llx", &id) != 1)
        return -EINVAL;
    *ret_id = id;
    return 0;
}

static int check(int fd, uint64_t size)
{
    struct stat status;
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return -errno;
    if ((seals & COMMONS_SEALS) != COMMONS_SEALS || fstat(fd, &status) < 0 || (uint64_t)status.st_size != size)
        return -EINVAL;
    return 0;
}

int commons_map(int fd, struct commons **ret_commons)
{
    struct section sections[COMMONS_SECTION_COUNT];
    const uint64_t size = commons_plan(sections);
    uint64_t commons_id = 0;
    int error = check(fd, size);
    if (error == 0)
        error = id_of(fd, &commons_id);
    if (error < 0)
        return error;

    struct commons *commons = calloc(1, sizeof(*commons));
    if (!commons)
        return -ENOMEM;
    uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        error = -errno;
        free(commons);
        return error;
    }
    *commons = (struct commons){
        .header = (struct commons_header *)map,
        .words = map + sections[COMMONS_WORDS].offset,
        .permits = map + sections[COMMONS_PERMITS].offset,
        .limits = map + sections[COMMONS_LIMITS].offset,
        .tickets = map + sections[COMMONS_TICKETS].offset,
        .commons_id = commons_id,
        .size = size,
        .fd = fd,
    };
    *ret_commons = commons;
    return 0;
}

int commons_reserve(struct commons *commons, uint32_t slots)
{
    static const enum commons_section each_breakers[] = {COMMONS_WORDS, COMMONS_PERMITS, COMMONS_LIMITS};
    struct section sections[COMMONS_SECTION_COUNT];
    commons_plan(sections);
    if (slots <= commons->slots)
        return 0;
    int error = 0;
    for (unsigned i = 0; error == 0 && i < sizeof(each_breakers) / sizeof(each_breakers[0]); i++)
        error = pages_reserve_entries(commons->fd, &sections[each_breakers[i]], commons->slots, slots);
    if (error == 0)
        commons->slots = slots;
    return error;
}

int commons_reserve_tickets(const struct commons *commons, uint32_t slot)
{
    struct section sections[COMMONS_SECTION_COUNT];
    commons_plan(sections);
    return pages_reserve_entries(commons->fd, &sections[COMMONS_TICKETS], slot, slot + 1);
}

struct commons *commons_unmap(struct commons *commons)
{
    if (!commons)
        return NULL;
    munmap(commons->header, commons->size);
    free(commons);
    return NULL;
}
