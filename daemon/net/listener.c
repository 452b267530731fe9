#include "net/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "owner.h"

#define BACKLOG \
    4096 /* connections that wait while the worker starts again; the kernel takes somaxconn if that is less */

int listener_make_folder(const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    const size_t length = (size_t)(slash - path);
    if (length >= sizeof(folder))
        return -ENAMETOOLONG;
    memcpy(folder, path, length);
    folder[length] = '\0';
    if (mkdir(folder, 0755) == 0)
        return 0;
    struct stat there;
    if (errno != EEXIST || stat(folder, &there) < 0)
        return -errno;
    return owner_is_ours(&there) ? 0 : -EPERM;
}

static int remove_old(const char *path)
{
    struct stat old;
    if (lstat(path, &old) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(old.st_mode))
        return -EEXIST;
    return unlink(path) < 0 ? -errno : 0;
}

static int address_of(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path))
        return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

int listener_make(const char *path, int *ret_fd)
{
    struct sockaddr_un address;
    int error = address_of(path, &address);
    if (error == 0)
        error = remove_old(path);
    if (error < 0)
        return error;
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* The mode is set before listening, so that the umask's mode refuses nobody for a moment. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0666) < 0 ||
        listen(fd, BACKLOG) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

static bool option_is(int fd, int option, int value)
{
    int found;
    socklen_t size = sizeof(found);
    return getsockopt(fd, SOL_SOCKET, option, &found, &size) == 0 && found == value;
}

bool listener_is(int fd)
{
    return option_is(fd, SO_DOMAIN, AF_UNIX) && option_is(fd, SO_TYPE, SOCK_SEQPACKET) &&
           option_is(fd, SO_ACCEPTCONN, 1);
}

bool listener_usable(int fd, const char *path)
{
    struct sockaddr_un address = {0};
    socklen_t size = sizeof(address);
    struct stat at;
    return listener_is(fd) && getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
           strncmp(address.sun_path, path, sizeof(address.sun_path)) == 0 && lstat(path, &at) == 0 &&
           S_ISSOCK(at.st_mode);
}
