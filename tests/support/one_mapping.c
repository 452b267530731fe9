/* Linked with --wrap=mmap,--wrap=munmap: a file that is mapped whole and shared a second time in this process is there
 * at the first one's address. So a test that runs libtrip and tripd's core as threads has one mapping of segment,
 * commons and lanes, and ThreadSanitizer, which knows addresses and not files, sees both readers of each word. */
#include "one_mapping.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAPPINGS_MAX 64

void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t size);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *address, size_t size);

static struct mapping {
    void *address;
    size_t size;
    dev_t dev;
    ino_t ino;
    unsigned users; /* 0: the place is free */
} mappings[MAPPINGS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct mapping *of_file(const struct stat *file, size_t size)
{
    for (unsigned i = 0; i < MAPPINGS_MAX; i++)
        if (mappings[i].users && mappings[i].dev == file->st_dev && mappings[i].ino == file->st_ino &&
            mappings[i].size == size)
            return &mappings[i];
    return NULL;
}

static struct mapping *at_address(const void *address)
{
    for (unsigned i = 0; i < MAPPINGS_MAX; i++)
        if (mappings[i].users && mappings[i].address == address)
            return &mappings[i];
    return NULL;
}

static void remember(void *address, size_t size, const struct stat *file)
{
    for (unsigned i = 0; address != MAP_FAILED && i < MAPPINGS_MAX; i++)
        if (!mappings[i].users) {
            mappings[i] = (struct mapping){address, size, file->st_dev, file->st_ino, 1};
            return;
        }
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    struct stat file;
    if (address || offset || !(flags & MAP_SHARED) || fd < 0 || fstat(fd, &file) < 0)
        return __real_mmap(address, size, protection, flags, fd, offset);
    pthread_mutex_lock(&lock);
    struct mapping *const mapping = of_file(&file, size);
    if (mapping) { /* whoever made the memory mapped it first, and for writing */
        mapping->users++;
        address = mapping->address;
    } else {
        address = __real_mmap(NULL, size, protection, flags, fd, offset);
        remember(address, size, &file);
    }
    pthread_mutex_unlock(&lock);
    return address;
}

int __wrap_munmap(void *address, size_t size)
{
    pthread_mutex_lock(&lock);
    struct mapping *const mapping = at_address(address);
    const bool used = mapping && --mapping->users > 0;
    pthread_mutex_unlock(&lock);
    return used ? 0 : __real_munmap(address, size);
}

unsigned one_mapping_users(const void *address)
{
    pthread_mutex_lock(&lock);
    const struct mapping *const mapping = at_address(address);
    const unsigned users = mapping ? mapping->users : 0;
    pthread_mutex_unlock(&lock);
    return users;
}
