/* recorded FILE: prints a line of JSON for each look of a recording, and at the end {"cut": bytes that are left out}.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recording.h"

/* Returns the states of all breakers, by name. */
static json_t *states(const struct snapshot *snapshot)
{
    struct snapshot_breaker breaker;
    json_t *const all = json_object();
    for (uint32_t slot = 0; slot < snapshot_slots(snapshot); slot++) {
        if (!snapshot_breaker(snapshot, slot, &breaker))
            continue;
        json_t *const line = report_line(&breaker.report);
        json_object_set(all, breaker.detail.name, json_object_get(line, "state"));
        json_decref(line);
    }
    return all;
}

/* Returns the message of the newest error; null: there is none. */
static json_t *newest_error(const struct snapshot *snapshot)
{
    struct error_record record = {0};
    while (snapshot_error(snapshot, record.sequence, &record))
        ;
    return record.sequence > 0 ? json_string(record.message) : json_null();
}

static void print(const struct recording *recording, uint32_t frame)
{
    const struct recording_look look = recording_at(recording, frame);
    const struct snapshot *const snapshot = recording_snapshot(recording);
    json_t *const line =
        json_pack("{s:i, s:I, s:I, s:s, s:I, s:o, s:o}", "frame", (int)frame, "unix_ms", (json_int_t)look.unix_ms,
                  "now_ms", (json_int_t)snapshot_now_ms(snapshot), "daemon", report_daemon_name(look.daemon), "segment",
                  (json_int_t)(snapshot_header(snapshot).segment_id >> 1), "breakers", states(snapshot), "error",
                  newest_error(snapshot));
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

int main(int argc, char **argv)
{
    struct recording *recording;
    char *why;
    const int error = argc == 2 ? recording_open(argv[1], &recording, &why) : -1;
    if (error < 0) {
        fprintf(stderr, "recorded: %s\n", argc == 2 && why ? why : "FILE cannot be read");
        return 1;
    }
    for (uint32_t frame = 0; frame < recording_frames(recording); frame++) {
        if (recording_go(recording, frame) < 0) {
            fprintf(stderr, "recorded: frame %u is damaged\n", frame);
            return 1;
        }
        print(recording, frame);
    }
    printf("{\"cut\":%llu}\n", (unsigned long long)recording_cut(recording));
    recording_close(recording);
    return 0;
}
