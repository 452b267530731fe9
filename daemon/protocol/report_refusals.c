#include "protocol/report_parts.h"

json_t *report_refusals(const struct refusals *refusals)
{
    const struct refusal *latest[REFUSALS_SHOWN];
    const size_t count = refusals_latest(refusals, latest);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o, s:o, s:o}", "uid", number(latest[i]->uid), "pid",
                                        number((uint64_t)latest[i]->pid), "why",
                                        report_text(latest[i]->why, sizeof(latest[i]->why)), "count",
                                        number(latest[i]->count), "last_unix_ms", number(latest[i]->last_unix_ms)));
    return list;
}
