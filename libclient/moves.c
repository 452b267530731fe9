#include "moves.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct moves moves_none(void)
{
    return (struct moves){.poll = {.fd = -1}, .told = {.fd = -1}};
}

int moves_poll(struct moves *moves)
{
    if (descriptor_valid(&moves->poll))
        return 0;
    const int fd = descriptor_raise(epoll_create1(EPOLL_CLOEXEC));
    if (fd < 0)
        return -errno;
    moves->poll = descriptor_own(fd);
    moves_end(moves); /* what tripd sent before is in no epoll instance that we know: it is asked again */
    return 0;
}

void moves_take(struct moves *moves, int fd)
{
    struct epoll_event readable = {.events = EPOLLIN};
    descriptor_close(&moves->told);
    const int own = descriptor_copy(fd);
    if (own >= 0)
        moves->told = descriptor_own(own);
    if (own < 0 || !descriptor_valid(&moves->poll) || epoll_ctl(moves->poll.fd, EPOLL_CTL_ADD, own, &readable) < 0)
        moves_end(moves); /* the next step asks again */
}

void moves_read(struct moves *moves)
{
    char bytes[64];
    if (!descriptor_valid(&moves->told))
        return;
    while (recv(moves->told.fd, bytes, sizeof(bytes), MSG_DONTWAIT) == sizeof(bytes))
        ;
}

void moves_end(struct moves *moves)
{
    descriptor_close(&moves->told);
    moves->asked = false;
}

void moves_close(struct moves *moves)
{
    moves_end(moves);
    descriptor_close(&moves->poll);
}
