#include "segment/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/levels.h"
#include "internal/enum_names.h"
#include "internal/levels.h"
#include "internal/policy.h"
#include "internal/state_word.h"
#include "internal/ticks.h"
#include "internal/totals.h"
#include "internal/words.h"
#include "owner.h"
#include "protocol/packed.h"
#include "protocol/report_errors.h"
#include "segment/saved_incidents.h"
#include "segment/saved_levels.h"

#define VALUE_MAX 65536 /* bytes of one map */
#define ANOTHERS \
    "it or its folder is another user's: give both to the user that tripd runs as (chown), if you trust them"
#define UTF8_BYTES_MAX 4 /* of a character */
#define TRIES          5

/* --------------------------------------------------------------------------------------------------------- writing */

struct times {
    uint64_t now_ms, now_unix_ms;
};

static uint64_t to_unix(const struct times *times, uint64_t at_ms)
{
    return at_ms >= times->now_ms ? times->now_unix_ms + (at_ms - times->now_ms)
                                  : times->now_unix_ms - (times->now_ms - at_ms);
}

static json_t *number(uint64_t value)
{
    return json_integer(value <= INT64_MAX ? (json_int_t)value : INT64_MAX);
}

/* Makes JSON of a text. An operator's reason may have been cut within a character: the rest is dropped. A text that is
 * no UTF-8 at all becomes empty. */
static json_t *text(const char *from, size_t size)
{
    const size_t length = strnlen(from, size);
    for (size_t cut = 0; cut < UTF8_BYTES_MAX && cut <= length; cut++) {
        json_t *json = json_stringn(from, length - cut);
        if (json)
            return json;
    }
    return json_string("");
}

static json_t *pack_mode(trip_mode mode, uint64_t until_unix_ms, uint32_t uid, const char *reason)
{
    return json_pack("{s:s, s:o, s:I, s:o}", "mode", mode_names[mode], "until_unix_ms", number(until_unix_ms), "uid",
                     (json_int_t)uid, "reason", text(reason, DETAIL_TEXT_MAX));
}

static json_t *pack_modes(const struct segment *segment, uint32_t slot, const struct times *times)
{
    json_t *modes = json_object();
    for (unsigned owner = 0; owner < MODE_OWNER_CONFIG; owner++) {
        const uint64_t word = segment->policies[slot].modes[owner], until_ms = word >> 4 & POLICY_MS_MASK;
        if (!(word & 8) || (until_ms && until_ms <= times->now_ms) || (word & 7) >= TRIP_MODE_COUNT)
            continue;
        json_object_set_new(modes, owner_names[owner],
                            pack_mode((trip_mode)(word & 7), until_ms ? to_unix(times, until_ms) : 0,
                                      segment->details[slot].modes[owner].uid,
                                      segment->details[slot].modes[owner].reason));
    }
    return modes;
}

/* When the opening ends, as wall time. A half-open breaker counts as open until now: after the reboot it tries again.
 */
static uint64_t open_until_unix_ms(const struct segment *segment, uint32_t slot, const struct times *times)
{
    const uint64_t word = segment->mirror[slot];
    switch (word_state(word)) {
    case WORD_OPEN:
        return to_unix(times, word_deadline_ms(word));
    case WORD_HALF_OPEN:
    case WORD_PROBING:
        return times->now_unix_ms;
    default:
        return 0;
    }
}

/* Copies the sums of one commit: tripd may go on counting while its child writes. */
static struct core_head head_of(const struct segment *segment, uint32_t slot)
{
    const struct core_slot *const core = &segment->cores[slot];
    struct core_head head;
    for (unsigned tries = 0; tries < TRIES; tries++) {
        /* Acquire: pairs with the release of segment_commit; the image of before is whole until the next commit. */
        const uint64_t commits = __atomic_load_n(&core->commits, __ATOMIC_ACQUIRE);
        head = core->images[commits & 1].head;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&core->commits, __ATOMIC_RELAXED) == commits)
            break;
    }
    return head;
}

static json_t *pack_trips(const struct breaker_totals *totals)
{
    json_t *trips = json_object();
    for (unsigned reason = TRIP_REASON_NONE + 1; reason < TRIP_REASON_COUNT; reason++)
        if (totals->trips[reason])
            json_object_set_new(trips, reason_names[reason], number(totals->trips[reason]));
    return trips;
}

static json_t *pack_denied(const uint64_t denied[DENIALS])
{
    json_t *map = json_object();
    for (unsigned denial = 0; denial < DENIALS; denial++)
        if (denied[denial])
            json_object_set_new(map, verdict_names[TRIP_DENY_OPEN + denial], number(denied[denial]));
    return map;
}

static json_t *pack_states(const struct breaker_totals *totals)
{
    json_t *map = json_object();
    for (unsigned state = 0; state < TRIP_STATE_COUNT; state++)
        json_object_set_new(map, state_names[state], number(totals->state_ns[state]));
    return map;
}

static json_t *pack_totals(const struct breaker_totals *totals)
{
    json_t *map = json_object();
#define PACK_TOTAL(field) json_object_set_new(map, #field, number(totals->field));
    BREAKER_SUMS(PACK_TOTAL)
    json_object_set_new(map, "denied_by", pack_denied(totals->denied));
    json_object_set_new(map, "errors", report_errors_by_type(totals->errors));
    json_object_set_new(map, "trips", pack_trips(totals));
    json_object_set_new(map, "state_ns", pack_states(totals));
    return map;
}

/* The latencies as a list: a bucket, its calls, the next bucket, ...; only buckets with calls. */
static json_t *pack_latency(const struct segment *segment, uint32_t slot)
{
    uint64_t counts[LATENCY_BUCKETS];
    json_t *list = json_array();
    segment_latency_read(segment, slot, counts);
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        if (counts[bucket] == 0)
            continue;
        json_array_append_new(list, json_integer(bucket));
        json_array_append_new(list, number(counts[bucket]));
    }
    return list;
}

static json_t *pack_breaker(const struct segment *segment, uint32_t slot, const struct times *times)
{
    const struct core_head head = head_of(segment, slot);
    const struct breaker_totals totals = totals_now(&head, times->now_ms * 1000000);
    const uint8_t reason = segment->details[slot].reason;
    return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "breaker", segment_name(segment, slot), "reason",
                     reason_names[reason < TRIP_REASON_COUNT ? reason : TRIP_REASON_NONE], "made_by",
                     (json_int_t)segment->details[slot].made_by, "open_until_unix_ms",
                     number(open_until_unix_ms(segment, slot, times)), "totals", pack_totals(&totals), "modes",
                     pack_modes(segment, slot, times), "latency", pack_latency(segment, slot));
}

static json_t *pack_pattern(const struct pattern_slot *pattern, const struct times *times)
{
    json_t *map = pack_mode((trip_mode)pattern->mode, pattern->until_ms ? to_unix(times, pattern->until_ms) : 0,
                            pattern->uid, pattern->reason);
    json_object_set_new(map, "pattern", text(pattern->pattern, sizeof(pattern->pattern)));
    return map;
}

static bool pattern_holds(const struct pattern_slot *pattern, const struct times *times)
{
    return pattern->serial != 0 && pattern->mode < TRIP_MODE_COUNT &&
           (!pattern->until_ms || pattern->until_ms > times->now_ms);
}

/* Writes a value, and takes it. */
static int put(FILE *file, json_t *value)
{
    static uint8_t packed[VALUE_MAX];
    size_t size;
    int error = value ? packed_write(packed, sizeof(packed), value, &size) : -ENOMEM;
    if (error == 0 && fwrite(packed, 1, size, file) != size)
        error = -EIO;
    json_decref(value);
    return error;
}

/* Finds the pattern that was set next after `serial`. Their order matters: of the patterns that match a name the latest
 * binds it. */
static const struct pattern_slot *pattern_after(const struct segment *segment, uint64_t serial,
                                                const struct times *times)
{
    const struct pattern_slot *next = NULL;
    for (unsigned i = 0; i < PATTERNS_MAX; i++) {
        const struct pattern_slot *const pattern = &segment->patterns[i];
        if (pattern_holds(pattern, times) && pattern->serial > serial && (!next || pattern->serial < next->serial))
            next = pattern;
    }
    return next;
}

static int put_patterns(FILE *file, const struct segment *segment, const struct times *times)
{
    const struct pattern_slot *pattern = pattern_after(segment, 0, times);
    int error = 0;
    for (; pattern && error == 0; pattern = pattern_after(segment, pattern->serial, times))
        error = put(file, pack_pattern(pattern, times));
    return error;
}

/* Is the breaker worth saving? A name without calls comes back with its first call, and someone may have filled the
 * table with names that have none. */
static bool worth_saving(const struct segment *segment, uint32_t slot, uint64_t now_ms)
{
    const struct policy_slot *const policy = &segment->policies[slot];
    bool mode = segment_pattern_for(segment, segment_name(segment, slot), now_ms) != NULL; /* or one of its own */
    for (unsigned owner = 0; owner < MODE_OWNER_CONFIG; owner++)
        mode = mode || policy->modes[owner] != 0;
    return mode || !segment_never_called(segment, slot) || word_state(segment->mirror[slot]) != WORD_CLOSED;
}

/* Moves when totals go from a breaker to its group. */
static uint64_t taken_over(const struct segment *segment)
{
    uint64_t commits = 0;
    for (uint32_t at = 0; at < segment->header->groups; at++)
        commits += __atomic_load_n(&segment->groups[at].commits, __ATOMIC_ACQUIRE);
    return commits;
}

/* Do a breaker and its group have the same totals now? */
static bool is_moving(const struct segment *segment)
{
    for (uint32_t at = 0; at < segment->header->groups; at++)
        if (__atomic_load_n(&segment_group(segment, at)->from, __ATOMIC_ACQUIRE))
            return true;
    return false;
}

static int put_groups(FILE *file, const struct segment *segment)
{
    const struct breaker_totals none = {0};
    int error = 0;
    for (uint32_t at = 0; at < segment->header->groups && error == 0; at++) {
        const struct breaker_totals totals = segment_group(segment, at)->totals;
        if (memcmp(&totals, &none, sizeof(none)) != 0)
            error =
                put(file, json_pack("{s:s, s:o}", "group", segment->groups[at].name, "totals", pack_totals(&totals)));
    }
    return error;
}

static int put_incidents(FILE *file, const struct segment *segment)
{
    int error = 0;
    for (unsigned place = 0; place < INCIDENTS_KEPT && error == 0; place++) {
        struct incident incident;
        if (words_take(&incident, &segment->incidents[place], sizeof(incident)) != 0)
            error = put(file, saved_incident_pack(&incident));
    }
    return error;
}

static int put_levels(FILE *file, const struct segment *segment, const struct times *times)
{
    static struct levels_image image;
    int error = levels_copy(segment->levels, &image) ? 0 : -EAGAIN;
    for (size_t i = 0; i < 1 + LEVEL_GROUPS && error == 0; i++) {
        const struct level_state *const level = &image.levels[i];
        if (level_in_use(level))
            error = put(file, saved_level_pack(level, level->until_ms ? to_unix(times, level->until_ms) : 0));
    }
    for (size_t i = 0; i < FEATURE_PLACES && error == 0; i++) {
        const struct feature_state *const feature = &image.features[i];
        if (feature->set)
            error = put(file, saved_feature_pack(feature, feature->until_ms ? to_unix(times, feature->until_ms) : 0));
    }
    return error;
}

int saved_put(FILE *file, const struct segment *segment, uint64_t now_ms, uint64_t now_unix_ms)
{
    const struct times times = {.now_ms = now_ms, .now_unix_ms = now_unix_ms};
    int error =
        put(file, json_pack("{s:i, s:o}", "tripd_snapshot", SAVED_VERSION, "written_unix_ms", number(now_unix_ms)));
    if (error == 0)
        error = put_patterns(file, segment, &times);
    const uint64_t before = taken_over(segment);
    const bool moving = is_moving(segment);
    for (uint32_t slot = 0; slot < segment->slots && error == 0; slot++)
        if (segment_used(segment, slot) && worth_saving(segment, slot, now_ms))
            error = put(file, pack_breaker(segment, slot, &times));
    if (error == 0)
        error = put_groups(file, segment);
    if (error == 0)
        error = put_incidents(file, segment);
    if (error == 0)
        error = put_levels(file, segment, &times);
    if (error == 0)
        error = put(file, json_pack("{s:b}", "end", 1));
    return error == 0 && (moving || taken_over(segment) != before) ? -EAGAIN : error;
}

static int sync_folder(const char *folder)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int error = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

/* Checks the folder's owner and mode: the owner of a folder can replace any file in it. */
static int folder_check(const char *folder)
{
    struct stat status;
    if (stat(folder, &status) < 0)
        return -errno;
    return owner_is_ours(&status) ? 0 : -EPERM;
}

/* tripd goes on while its child writes. Where it forgets breakers all the time the last try stands. */
static int put_whole(FILE *file, const struct segment *segment, uint64_t now_ms)
{
    int error = -EAGAIN;
    for (unsigned tries = 0; tries < TRIES && error == -EAGAIN; tries++) {
        rewind(file);
        error = ftruncate(fileno(file), 0) < 0 ? -errno : saved_put(file, segment, now_ms, realtime_ms());
    }
    return error == -EAGAIN ? 0 : error;
}

int saved_write(const char *folder, const struct segment *segment, uint64_t now_ms)
{
    char path[512], unfinished[520];
    const int ours = folder_check(folder);
    if (ours < 0)
        return ours;
    if ((size_t)snprintf(path, sizeof(path), "%s/snapshot", folder) >= sizeof(path))
        return -ENAMETOOLONG;
    snprintf(unfinished, sizeof(unfinished), "%s.new", path);
    const int fd = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        const int error = -errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    int error = put_whole(file, segment, now_ms);
    if (error == 0 && (fflush(file) != 0 || fsync(fd) < 0))
        error = -errno;
    if (fclose(file) != 0 && error == 0)
        error = -errno;
    if (error == 0 && rename(unfinished, path) < 0)
        error = -errno;
    if (error < 0)
        unlink(unfinished);
    return error < 0 ? error : sync_folder(folder);
}

/* --------------------------------------------------------------------------------------------------------- reading */

static int bad(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EBADMSG;
}

static uint64_t number_of(const json_t *map, const char *key)
{
    const json_int_t value = json_integer_value(json_object_get(map, key));
    return value > 0 ? (uint64_t)value : 0;
}

/* Copies a text, cut to `size`. False: it is missing, empty, or was cut. */
static bool text_of(const json_t *map, const char *key, char *ret_text, size_t size)
{
    const char *value = json_string_value(json_object_get(map, key));
    snprintf(ret_text, size, "%s", value ? value : "");
    return value && *value && strlen(value) < size;
}

static bool index_of(const json_t *map, const char *key, const char *const names[], unsigned count, unsigned *ret_index)
{
    const char *value = json_string_value(json_object_get(map, key));
    for (unsigned i = 0; value && i < count; i++) {
        if (strcmp(value, names[i]) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* Returns a user; root, where the snapshot names none. */
static uint32_t user_of(const json_t *map, const char *key)
{
    const uint64_t uid = number_of(map, key);
    return uid <= UINT32_MAX ? (uint32_t)uid : 0;
}

static bool mode_of(const json_t *map, struct saved_mode *ret_mode)
{
    unsigned mode;
    if (!index_of(map, "mode", mode_names, TRIP_MODE_COUNT, &mode))
        return false;
    *ret_mode = (struct saved_mode){.set = true,
                                    .mode = (trip_mode)mode,
                                    .uid = user_of(map, "uid"),
                                    .until_unix_ms = number_of(map, "until_unix_ms")};
    text_of(map, "reason", ret_mode->reason, sizeof(ret_mode->reason));
    return true;
}

/* Reads the latencies. Older snapshots have none. */
static int latency_of(const json_t *list, struct saved_breaker *breaker, const char **ret_why)
{
    const size_t count = json_array_size(list) / 2;
    if (count > LATENCY_BUCKETS)
        return bad(ret_why, "a breaker has more latencies than there are buckets");
    breaker->latency = count ? calloc(count, sizeof(*breaker->latency)) : NULL;
    if (count && !breaker->latency)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const json_int_t bucket = json_integer_value(json_array_get(list, 2 * i));
        const json_int_t calls = json_integer_value(json_array_get(list, 2 * i + 1));
        if (bucket < 0 || bucket >= LATENCY_BUCKETS || calls < 0)
            return bad(ret_why, "a breaker's latencies are in a bucket that there is not");
        breaker->latency[i] = (struct saved_latency){.bucket = (uint32_t)bucket, .calls = (uint64_t)calls};
    }
    breaker->latency_count = count;
    return 0;
}

/* Reads the denials of an older snapshot: it counts the breaker's own denials together, most often for being open, and
 * those of limits by the limit. */
static void denied_of_before(const json_t *totals, uint64_t ret_denied[DENIALS])
{
    ret_denied[denial_of(TRIP_DENY_OPEN)] = number_of(totals, "denied");
    ret_denied[denial_of(TRIP_DENY_CONCURRENCY)] = number_of(totals, "concurrency");
    ret_denied[denial_of(TRIP_DENY_RATE)] = number_of(totals, "rate");
    ret_denied[denial_of(TRIP_DENY_SHED)] = number_of(totals, "shed");
    ret_denied[denial_of(TRIP_DENY_DEADLINE)] = number_of(totals, "deadline");
}

static void denied_of(const json_t *totals, uint64_t ret_denied[DENIALS])
{
    const json_t *const by_verdict = json_object_get(totals, "denied_by");
    if (!by_verdict) {
        denied_of_before(totals, ret_denied);
        return;
    }
    for (unsigned denial = 0; denial < DENIALS; denial++)
        ret_denied[denial] = number_of(by_verdict, verdict_names[TRIP_DENY_OPEN + denial]);
}

static void openings_of(const json_t *map, const json_t *totals, struct breaker_totals *ret_totals)
{
    const json_t *const states = json_object_get(totals, "state_ns");
    /* A snapshot of before has them beside the totals, and of times in states that of being open alone. */
    const json_t *const trips = json_object_get(states ? totals : map, "trips");
    for (unsigned reason = TRIP_REASON_NONE + 1; reason < TRIP_REASON_COUNT; reason++)
        ret_totals->trips[reason] = number_of(trips, reason_names[reason]);
    for (unsigned state = 0; state < TRIP_STATE_COUNT; state++)
        ret_totals->state_ns[state] = number_of(states, state_names[state]);
    if (states)
        return;
    ret_totals->opens = number_of(map, "opens");
    ret_totals->state_ns[TRIP_STATE_OPEN] = at_most(number_of(map, "open_ms"), INT64_MAX / 1000000) * 1000000;
}

static void totals_of(const json_t *map, struct breaker_totals *ret_totals)
{
    const json_t *const totals = json_object_get(map, "totals"), *const errors = json_object_get(totals, "errors");
#define READ_TOTAL(field) ret_totals->field = number_of(totals, #field);
    BREAKER_SUMS(READ_TOTAL)
    denied_of(totals, ret_totals->denied);
    for (unsigned type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        ret_totals->errors[type] = number_of(errors, error_names[type]);
    openings_of(map, totals, ret_totals);
}

static int breaker_of(const json_t *map, struct saved_breaker *breaker, const char **ret_why)
{
    const json_t *const modes = json_object_get(map, "modes");
    unsigned reason;
    if (!text_of(map, "breaker", breaker->name, sizeof(breaker->name)) ||
        !settings_name_valid(breaker->name, strlen(breaker->name)))
        return bad(ret_why, "a breaker has no valid name");
    if (!index_of(map, "reason", reason_names, TRIP_REASON_COUNT, &reason))
        return bad(ret_why, "a breaker's reason is none of those known");
    breaker->reason = (trip_reason)reason;
    breaker->open_until_unix_ms = number_of(map, "open_until_unix_ms");
    breaker->made_by = user_of(map, "made_by");
    totals_of(map, &breaker->totals);
    for (unsigned owner = 0; owner < MODE_OWNER_CONFIG; owner++) {
        const json_t *mode = json_object_get(modes, owner_names[owner]);
        if (mode && !mode_of(mode, &breaker->modes[owner]))
            return bad(ret_why, "a breaker's mode is none of those known");
    }
    return latency_of(json_object_get(map, "latency"), breaker, ret_why);
}

static int pattern_of(const json_t *map, struct saved_pattern *pattern, const char **ret_why)
{
    if (!text_of(map, "pattern", pattern->pattern, sizeof(pattern->pattern)) || !mode_of(map, &pattern->mode))
        return bad(ret_why, "a pattern has no text or no mode");
    return 0;
}

static int group_of(const json_t *map, struct saved_group *group, const char **ret_why)
{
    const char *const name = json_string_value(json_object_get(map, "group"));
    if (!name || strlen(name) > TRIP_NAME_MAX || (*name && !settings_name_valid(name, strlen(name))))
        return bad(ret_why, "a group has no valid name");
    strcpy(group->name, name);
    totals_of(map, &group->totals);
    return 0;
}

/* Makes room for one more element of `size` bytes, zeroed. NULL: there is no memory. */
static void *one_more(void **array, size_t *count, size_t size)
{
    if ((*count & (*count - 1)) == 0) { /* the room is full at 0, 1, 2, 4, ... */
        void *grown = realloc(*array, (*count ? 2 * *count : 1) * size);
        if (!grown)
            return NULL;
        *array = grown;
    }
    return memset((uint8_t *)*array + (*count)++ * size, 0, size);
}

/* Leaves out an incident that a tripd of another version saved. */
static int take_incident(struct saved *saved, const json_t *map)
{
    struct incident read;
    if (!saved_incident_unpack(map, &read))
        return 0;
    struct incident *const incident =
        one_more((void **)&saved->incidents, &saved->incident_count, sizeof(*saved->incidents));
    if (!incident)
        return -ENOMEM;
    *incident = read;
    return 0;
}

/* Leaves out a level that is damaged. */
static int take_level(struct saved *saved, const json_t *map)
{
    struct saved_level read;
    if (!saved_level_unpack(map, &read))
        return 0;
    struct saved_level *const level = one_more((void **)&saved->levels, &saved->level_count, sizeof(*saved->levels));
    if (!level)
        return -ENOMEM;
    *level = read;
    return 0;
}

static int take_feature(struct saved *saved, const json_t *map)
{
    struct saved_feature read;
    if (!saved_feature_unpack(map, &read))
        return 0;
    struct saved_feature *const feature =
        one_more((void **)&saved->features, &saved->feature_count, sizeof(*saved->features));
    if (!feature)
        return -ENOMEM;
    *feature = read;
    return 0;
}

static int take(struct saved *saved, const json_t *map, const char **ret_why)
{
    if (json_object_get(map, "breaker")) {
        struct saved_breaker *breaker =
            one_more((void **)&saved->breakers, &saved->breaker_count, sizeof(*saved->breakers));
        return breaker ? breaker_of(map, breaker, ret_why) : -ENOMEM;
    }
    if (json_object_get(map, "pattern")) {
        struct saved_pattern *pattern =
            one_more((void **)&saved->patterns, &saved->pattern_count, sizeof(*saved->patterns));
        return pattern ? pattern_of(map, pattern, ret_why) : -ENOMEM;
    }
    if (json_object_get(map, "group")) {
        struct saved_group *group = one_more((void **)&saved->groups, &saved->group_count, sizeof(*saved->groups));
        return group ? group_of(map, group, ret_why) : -ENOMEM;
    }
    if (json_object_get(map, "incident"))
        return take_incident(saved, map);
    if (json_object_get(map, "level"))
        return take_level(saved, map);
    if (json_object_get(map, "feature"))
        return take_feature(saved, map);
    return bad(ret_why, "a map is neither a breaker, a pattern, a group, an incident, a level nor a feature");
}

static int take_head(struct saved *saved, const json_t *map, const char **ret_why)
{
    if (number_of(map, "tripd_snapshot") != SAVED_VERSION)
        return bad(ret_why, "it does not begin as a snapshot of this version does");
    saved->written_unix_ms = number_of(map, "written_unix_ms");
    return 0;
}

static int parse(const uint8_t *data, size_t size, struct saved *saved, const char **ret_why)
{
    bool ended = false, begun = false;
    while (size > 0 && !ended) {
        json_t *map = NULL;
        size_t used;
        int error = packed_read(data, size, PACKED_VALUES_MAX, &map, &used, ret_why);
        if (error < 0)
            return error;
        ended = json_is_true(json_object_get(map, "end"));
        if (!begun)
            error = take_head(saved, map, ret_why);
        else if (!ended)
            error = take(saved, map, ret_why);
        begun = true;
        json_decref(map);
        if (error < 0)
            return error;
        data += used;
        size -= used;
    }
    return ended ? 0 : bad(ret_why, "it is cut short");
}

int saved_parse(const uint8_t *data, size_t size, struct saved *ret_saved, const char **ret_why)
{
    struct saved saved = {0};
    const int error = parse(data, size, &saved, ret_why);
    if (error < 0)
        saved_clear(&saved);
    else
        *ret_saved = saved;
    return error;
}

static int read_whole(const char *path, uint8_t **ret_data, size_t *ret_size, const char **ret_why)
{
    struct stat status;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    int error = fstat(fileno(file), &status) < 0 ? -errno : 0;
    if (error == 0 && (!S_ISREG(status.st_mode) || status.st_size > SAVED_SIZE_MAX))
        error = bad(ret_why, "it is no regular file of 256 MiB at most");
    if (error == 0 && !owner_is_ours(&status))
        error = bad(ret_why, ANOTHERS);
    uint8_t *data = error == 0 ? malloc((size_t)status.st_size + 1) : NULL;
    if (error == 0 && !data)
        error = -ENOMEM;
    if (error == 0 && fread(data, 1, (size_t)status.st_size, file) != (size_t)status.st_size)
        error = bad(ret_why, "it cannot be read to its end");
    fclose(file);
    if (error < 0) {
        free(data);
        return error;
    }
    *ret_data = data;
    *ret_size = (size_t)status.st_size;
    return 0;
}

int saved_read(const char *folder, struct saved *ret_saved, const char **ret_why)
{
    char path[512];
    uint8_t *data = NULL;
    size_t size = 0;
    if ((size_t)snprintf(path, sizeof(path), "%s/snapshot", folder) >= sizeof(path))
        return -ENAMETOOLONG;
    int error = folder_check(folder);
    if (error == 0)
        error = read_whole(path, &data, &size, ret_why);
    if (error == -EPERM)
        *ret_why = ANOTHERS;
    if (error < 0)
        return error;
    error = saved_parse(data, size, ret_saved, ret_why);
    free(data);
    return error;
}

void saved_clear(struct saved *saved)
{
    for (size_t i = 0; i < saved->breaker_count; i++)
        free(saved->breakers[i].latency);
    free(saved->breakers);
    free(saved->patterns);
    free(saved->groups);
    free(saved->incidents);
    free(saved->levels);
    free(saved->features);
    *saved = (struct saved){0};
}
