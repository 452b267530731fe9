/* Why a client is not `shared`, in words for people. */
#include "client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* As snprintf: counts on where there is no room. */
struct text {
    char *at;
    size_t size, length;
};

static void say(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *text, const char *format, ...)
{
    const bool room = text->length < text->size;
    va_list arguments;
    va_start(arguments, format);
    const int more =
        vsnprintf(room ? text->at + text->length : NULL, room ? text->size - text->length : 0, format, arguments);
    va_end(arguments);
    text->length += more > 0 ? (size_t)more : 0;
}

/* What stands between two reasons. */
static const char *gap(const struct text *text)
{
    return text->length > 0 ? "; " : "";
}

/* ---------------------------------------------------------------------------------------------------- connecting */

static void say_unconnected(struct text *text, const char *path, int error)
{
    switch (error) {
    case -ENOENT:
    case -ECONNREFUSED:
        say(text, "%snobody listens at %s", gap(text), path);
        return;
    case -EACCES:
        say(text, "%sthis process's user may not connect to %s", gap(text), path);
        return;
    case -EPERM:
        say(text, "%swho listens at %s is neither root nor this process's user, and is not believed", gap(text), path);
        return;
    case -EAGAIN:
        say(text, "%smore processes connect to %s at once than tripd has accepted yet", gap(text), path);
        return;
    case -EMFILE:
        say(text, "%sthis process has no descriptor left for %s: raise its RLIMIT_NOFILE", gap(text), path);
        return;
    default:
        say(text, "%s%s cannot be connected to: %s", gap(text), path, strerror(-error));
    }
}

static void say_nobody_listens(struct text *text, const struct trip_client *client)
{
    const size_t before = text->length;
    for (size_t i = 0; i < PATHS_PLACES; i++)
        if (client->sockets[i][0])
            say_unconnected(text, client->sockets[i], client->attach.connects[i]);
    if (text->length == before)
        say(text, "%sthe path of tripd's socket is too long: set TRIP_RUNTIME_DIR to a shorter folder", gap(text));
}

/* ------------------------------------------------------------------------------------------------ the conversation */

static void say_broken_off(struct text *text, const char *path, int error)
{
    switch (error) {
    case -EPROTO:
        say(text,
            "%slayout differs: what answers at %s does not speak as libtrip %s does: install the same version of both",
            gap(text), path, trip_version());
        return;
    case -EMFILE:
        say(text, "%sthis process has no descriptor left for the memory of tripd at %s: raise its RLIMIT_NOFILE",
            gap(text), path);
        return;
    case -ECONNRESET:
    case -EPIPE:
        say(text, "%stripd at %s hung up, and is tried again", gap(text), path);
        return;
    case -EINVAL:
        say(text, "%sthe memory that tripd at %s offers is not to be trusted: it is damaged, or another user's",
            gap(text), path);
        return;
    case -EAGAIN:
        say(text, "%stripd at %s is too busy to answer at once, and is tried again", gap(text), path);
        return;
    default:
        say(text, "%stripd at %s cannot be attached to: %s", gap(text), path, strerror(-error));
    }
}

static void say_no_lane(struct text *text, int error)
{
    if (error == -EFBIG)
        say(text, "%sthis process may make no file as large as a lane: raise its RLIMIT_FSIZE", gap(text));
    else
        say(text, "%sthis process cannot make a lane: %s", gap(text), strerror(-error));
}

static void say_unfinished(struct text *text, const struct attach *attach, const char *path)
{
    if (attach->state == ATTACH_IDLE)
        say(text, "%sthis process is still attaching", gap(text));
    else
        say(text, "%sthis process is still attaching: tripd at %s has not answered yet", gap(text), path);
}

static void say_trouble(struct text *text, const struct trip_client *client)
{
    const struct attach *const attach = &client->attach;
    const char *const path = client->sockets[attach->connected];
    switch (attach->trouble.kind) {
    case TROUBLE_CONNECT:
        say_nobody_listens(text, client);
        return;
    case TROUBLE_REFUSED:
        say(text, "%stripd refuses this process: %s", gap(text), attach->refusal);
        return;
    case TROUBLE_TALK:
        say_broken_off(text, path, attach->trouble.error);
        return;
    case TROUBLE_LANE:
        say_no_lane(text, attach->trouble.error);
        return;
    case TROUBLE_NONE:
        say_unfinished(text, attach, path);
    }
}

/* ------------------------------------------------------------------------------------------------------- the daemon */

static void say_away(struct text *text, const struct view *view)
{
    const uint64_t heartbeat_ns = __atomic_load_n(&view->segment->heartbeat_mono_ns, __ATOMIC_RELAXED);
    const uint64_t now_ns = monotonic_ns() + view->clock_offset_ns;
    if (__atomic_load_n(&view->segment->daemon_state, __ATOMIC_RELAXED) == DAEMON_STOPPED)
        say(text, "tripd was stopped");
    else
        say(text, "tripd is dead or stalled: it has given no sign of life for %llu s",
            now_ns > heartbeat_ns ? (unsigned long long)((now_ns - heartbeat_ns) / 1000000000) : 0);
}

int trip_client_why(trip_client *client, char *buffer, size_t size)
{
    struct text text = {.at = buffer, .size = size};
    const trip_client_state state = trip_client_status(client);
    if (size > 0)
        buffer[0] = '\0';
    if (state == TRIP_CLIENT_SHARED)
        return 0;
    if (state == TRIP_CLIENT_DAEMON_AWAY)
        say_away(&text, client->view);
    if (client_lock_until(client, monotonic_ns() + OPEN_WAIT_NS)) {
        const bool connected = client->attach.state == ATTACH_DONE && state == TRIP_CLIENT_DAEMON_AWAY;
        if (!connected) /* a stalled tripd that has taken the lane: there is no more to say */
            say_trouble(&text, client);
        client_unlock(client);
    } else {
        say(&text, "%sthis process is still attaching", gap(&text));
    }
    return (int)text.length;
}
