/* The door: accepts connections, learns from the kernel which user came, closes those of users who have as many as they
 * may have (callers.h), and hands each on by the first byte of its first packet: clients to attach.h, tools to
 * control.h. */
#ifndef TRIPD_DOOR_H
#define TRIPD_DOOR_H

#include "config/config.h"
#include "loop/loop.h"
#include "net/attach.h"
#include "net/control.h"

struct door;

struct door_options {
    struct loop *loop;
    int listener; /* stays the caller's */
    struct attach *attach;
    struct control *control;
    const struct config *config; /* borrowed until door_reconfigure or door_free */
};

int door_new(const struct door_options *options, struct door **ret_door);
void door_reconfigure(struct door *door, const struct config *config);
struct door *door_free(struct door *door);

#endif
