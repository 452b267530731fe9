#include "refusals.h"

#include <stddef.h>

/* Its place, or that of whoever was told longest ago. */
static struct refusal *find(struct refusals *refusals, uid_t uid, int error)
{
    struct refusal *oldest = &refusals->places[0];
    for (size_t i = 0; i < REFUSALS_REMEMBERED; i++) {
        struct refusal *const each = &refusals->places[i];
        if (each->error == error && each->uid == uid)
            return each;
        if (oldest->error != 0 && (each->error == 0 || each->told_ns < oldest->told_ns))
            oldest = each;
    }
    return oldest;
}

bool refusals_tell(struct refusals *refusals, uid_t uid, int error, uint64_t now_ns)
{
    struct refusal *const refusal = find(refusals, uid, error);
    if (refusal->error != 0 && now_ns - refusal->told_ns < REFUSALS_PAUSE_NS)
        return false;
    *refusal = (struct refusal){.uid = uid, .error = error, .told_ns = now_ns};
    return true;
}
