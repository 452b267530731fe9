/* The door: accepts connections, learns from the kernel who came, and hands each on by the first byte of its first
 * packet: clients to attach.h, tools to control.h. */
#ifndef TRIPD_DOOR_H
#define TRIPD_DOOR_H

#include "attach.h"
#include "control.h"
#include "loop.h"

#define DOOR_WAITING_PER_USER 64 /* connections that have not said anything yet */

struct door;

struct door_options {
    struct loop *loop;
    int listener; /* stays the caller's */
    struct attach *attach;
    struct control *control;
};

int door_new(const struct door_options *options, struct door **ret_door);
struct door *door_free(struct door *door);

#endif
