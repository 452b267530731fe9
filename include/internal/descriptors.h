/* Descriptors that travel with a packet over a Unix socket (SCM_RIGHTS). */
#ifndef TRIP_INTERNAL_DESCRIPTORS_H
#define TRIP_INTERNAL_DESCRIPTORS_H

#include <string.h>
#include <sys/socket.h>

/* Puts descriptors into a message. control: CMSG_SPACE(count * sizeof(int)) bytes at least, aligned as a cmsghdr, all
 * zeros. */
static inline void descriptors_put(struct msghdr *message, void *control, const int *fds, size_t count)
{
    if (count == 0)
        return;
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *const header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
}

/* Takes the descriptors out of a message that was received; `fds` has room for `most`. Returns how many came. */
static inline size_t descriptors_take(struct msghdr *message, int *fds, size_t most)
{
    size_t count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t more = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < more && count < most; i++)
            memcpy(&fds[count++], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
    }
    return count;
}

#endif
