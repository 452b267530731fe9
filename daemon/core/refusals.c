#include "core/refusals.h"

#include <string.h>

static bool said_lately(const struct refusal *refusal, uint64_t now_ns)
{
    return refusal->error != 0 && now_ns - refusal->told_ns < REFUSALS_PAUSE_NS;
}

/* Returns the place of this user and reason, or gives it one. NULL: all places were logged within the last minute. */
static struct refusal *place_of(struct refusals *refusals, uid_t uid, int error, uint64_t now_ns)
{
    struct refusal *oldest = NULL;
    for (size_t i = 0; i < REFUSALS_REMEMBERED; i++) {
        struct refusal *const each = &refusals->places[i];
        if (each->error == error && each->uid == uid)
            return each;
        if (!said_lately(each, now_ns) && (!oldest || each->last_ns < oldest->last_ns))
            oldest = each;
    }
    if (oldest)
        *oldest = (struct refusal){.uid = uid};
    return oldest;
}

bool refusals_add(struct refusals *refusals, const struct refusal *refusal, uint64_t now_ns, uint64_t unix_ms)
{
    struct refusal *const place = place_of(refusals, refusal->uid, refusal->error, now_ns);
    if (!place)
        return false;
    const bool tell = !said_lately(place, now_ns);
    place->error = refusal->error;
    place->pid = refusal->pid;
    memcpy(place->why, refusal->why, sizeof(place->why));
    place->count++;
    place->last_ns = now_ns;
    place->last_unix_ms = unix_ms;
    if (tell)
        place->told_ns = now_ns;
    return tell;
}

bool refusals_tell(struct refusals *refusals, uid_t uid, int error, uint64_t now_ns)
{
    return refusals_add(refusals, &(struct refusal){.uid = uid, .error = error}, now_ns, 0);
}

size_t refusals_latest(const struct refusals *refusals, const struct refusal *ret_latest[REFUSALS_SHOWN])
{
    size_t count = 0;
    for (size_t i = 0; i < REFUSALS_REMEMBERED; i++) {
        const struct refusal *const each = &refusals->places[i];
        size_t at = count;
        while (at > 0 && ret_latest[at - 1]->last_ns < each->last_ns)
            at--;
        if (each->error == 0 || at == REFUSALS_SHOWN)
            continue;
        count += count < REFUSALS_SHOWN;
        memmove(&ret_latest[at + 1], &ret_latest[at], (count - at - 1) * sizeof(*ret_latest));
        ret_latest[at] = each;
    }
    return count;
}
