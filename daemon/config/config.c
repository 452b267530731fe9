#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/access.h"
#include "config/check.h"
#include "config/files.h"
#include "config/keys.h"
#include "config/levels.h"
#include "config/problems.h"
#include "config/yaml.h"

#define ROOM_FIRST 8 /* entries */

_Static_assert(CONFIG_LIMIT_KEYS == CONFIG_LIMIT_COUNT, "a limit without its origin");

struct config *config_free(struct config *config)
{
    if (!config)
        return NULL;
    for (unsigned role = 0; role < CONFIG_ROLE_COUNT; role++)
        free(config->access[role].who);
    for (size_t i = 0; i < config->file_count; i++)
        free(config->files[i]);
    free(config->files);
    free(config->breakers);
    free(config->origins);
    free(config->fallbacks);
    free(config->said);
    free(config->features);
    free(config->file);
    free(config->notes);
    free(config);
    return NULL;
}

static struct config *config_new(void)
{
    struct config *config = calloc(1, sizeof(*config));
    if (!config)
        return NULL;
#define LIMIT_DEFAULT(field, kind, initial, ...) config->limits.field = (initial);
    CONFIG_LIMITS(LIMIT_DEFAULT)
#undef LIMIT_DEFAULT
    config->correlation = correlation_defaults();
    config->levels = levels_defaults();
    return config_access_defaults(config) < 0 ? config_free(config) : config;
}

/* Makes room for one more entry. The room doubles each time, and is full whenever the count is a power of two. */
static bool has_room(struct config *config)
{
    const size_t count = config->breaker_count, room = count ? 2 * count : ROOM_FIRST;
    if (count && (count < ROOM_FIRST || (count & (count - 1))))
        return true;
    struct breaker_settings *breakers = reallocarray(config->breakers, room, sizeof(*breakers));
    if (!breakers)
        return false;
    config->breakers = breakers;
    struct config_origin *origins = reallocarray(config->origins, room, sizeof(*origins));
    if (!origins)
        return false;
    config->origins = origins;
    return true;
}

int config_append(struct config *config, const struct breaker_settings *settings, struct config_origin origin)
{
    if (!has_room(config))
        return -ENOMEM;
    config->breakers[config->breaker_count] = *settings;
    config->origins[config->breaker_count++] = origin;
    return 0;
}

/* Appends an entry for all names that no other entry matches: the default settings. */
static int append_rest(struct config *config)
{
    if (config->breaker_count && config_pattern_covers(config->breakers[config->breaker_count - 1].match, "*"))
        return 0;
    struct breaker_settings defaults;
    breaker_settings_defaults(&defaults);
    return config_append(config, &defaults, (struct config_origin){0});
}

/* ---------------------------------------------------------------------------------------------- made of its files */

static int keep_files(struct config *config, const struct config_texts *texts)
{
    config->files = calloc(texts->count ? texts->count : 1, sizeof(*config->files));
    for (size_t i = 0; config->files && i < texts->count; i++) {
        config->files[i] = strdup(texts->texts[i].path);
        if (!config->files[i])
            return -ENOMEM;
        config->file_count++;
    }
    return config->files ? 0 : -ENOMEM;
}

static const char *file_of(const struct config *config, struct config_origin origin)
{
    return config->files[origin.file - 1];
}

/* Finds the entry of another file, among the first `count` ones, whose pattern matches all names that this entry's
 * pattern matches. -1: none does. An entry hidden by one of its own file was refused when the file was read. */
static ptrdiff_t replaced_by(const struct config *config, size_t count, size_t entry)
{
    for (size_t i = 0; i < count; i++)
        if (config->origins[i].file != config->origins[entry].file &&
            config_pattern_covers(config->breakers[i].match, config->breakers[entry].match))
            return (ptrdiff_t)i;
    return -1;
}

/* Leaves out entries that an earlier file's entry hides, and notes each. What `config show` then prints is a config
 * that tripd would accept. */
static void leave_out_replaced(struct config *config, struct config_problems *notes)
{
    size_t kept = 0;
    for (size_t i = 0; i < config->breaker_count; i++) {
        const struct config_origin origin = config->origins[i];
        const ptrdiff_t by = replaced_by(config, kept, i);
        notes->file = file_of(config, origin);
        if (by >= 0) {
            config_problem(notes, origin.line, "match: \"%s\" is replaced by \"%s\" of %s:%u, which stands before it",
                           config->breakers[i].match, config->breakers[by].match, file_of(config, config->origins[by]),
                           config->origins[by].line);
            continue;
        }
        config->breakers[kept] = config->breakers[i];
        config->origins[kept++] = origin;
    }
    config->breaker_count = kept;
}

/* Moves the first `count` elements behind the others. */
static int rotate(void *base, size_t size, size_t all, size_t count)
{
    char *first = malloc(count * size + 1);
    if (!first)
        return -ENOMEM;
    memcpy(first, base, count * size);
    memmove(base, (char *)base + count * size, (all - count) * size);
    memcpy((char *)base + (all - count) * size, first, count * size);
    free(first);
    return 0;
}

/* Moves the drop-ins' entries before those of the file itself, which was read first. main_count: entries of the file
 * itself. */
static int drop_ins_first(struct config *config, size_t main_count)
{
    if (main_count == 0 || main_count == config->breaker_count)
        return 0;
    const size_t all = config->breaker_count;
    const int error = rotate(config->breakers, sizeof(*config->breakers), all, main_count);
    return error < 0 ? error : rotate(config->origins, sizeof(*config->origins), all, main_count);
}

#define LANE_MEMORY_USUAL ((uint64_t)256 << 10) /* memory that a process's lane may take; few take as much */
#define LANE_MEMORY_LEAST ((uint64_t)1 << 20)

/* Sets lane_memory_per_user, unless the file sets it, so that one user alone could use all lanes. */
static void default_lane_memory(struct config *config)
{
    const uint64_t all = config->limits.max_lanes * LANE_MEMORY_USUAL;
    if (!config->limit_origins[LIMIT_lane_memory_per_user].file)
        config->limits.lane_memory_per_user = all > LANE_MEMORY_LEAST ? all : LANE_MEMORY_LEAST;
}

/* Reads every text, even after one with problems, so that the problems of all are reported together. */
static void read_texts(struct config_reading *reading, const struct config_texts *texts, size_t *ret_main_count)
{
    for (size_t i = 0; i < texts->count; i++) {
        reading->problems.file = reading->notes.file = reading->config->files[i];
        reading->file = (uint32_t)i + 1;
        config_yaml_read(reading, texts->texts[i].text, texts->texts[i].length);
        if (i == 0 && texts->has_main)
            *ret_main_count = reading->config->breaker_count;
    }
    default_lane_memory(reading->config);
}

static int assemble(struct config_reading *reading, const struct config_texts *texts)
{
    struct config *const config = reading->config;
    size_t main_count = 0;
    int error = keep_files(config, texts);
    if (error < 0)
        return error;
    read_texts(reading, texts, &main_count);
    error = config_levels_finish(config, &reading->problems);
    if (error < 0)
        return error;
    if (reading->problems.count)
        return -EINVAL;
    error = drop_ins_first(config, main_count);
    if (error < 0)
        return error;
    leave_out_replaced(config, &reading->notes);
    return append_rest(config);
}

/* Hands over the config, or the lines of its problems. r: the result of reading it. */
static int finish(struct config_reading *reading, int r, struct config **ret_config, char **ret_problems)
{
    char *lines = config_problems_take(&reading->problems);
    char *remarks = config_problems_take(&reading->notes);
    if (reading->problems.no_memory || reading->notes.no_memory)
        r = -ENOMEM;
    if (r == 0) {
        reading->config->notes = remarks;
        *ret_config = reading->config;
        return 0;
    }
    free(remarks);
    config_free(reading->config);
    if (r == -ENOMEM)
        free(lines);
    else
        *ret_problems = lines;
    return r;
}

static int read_text(struct config_reading *reading, const char *text, size_t length, const char *name)
{
    /* the text is only read, neither written to nor freed */
    struct config_text one = {.path = (char *)name, .text = (char *)text, .length = length};
    reading->config = config_new();
    return reading->config ? assemble(reading, &(struct config_texts){.texts = &one, .count = 1, .has_main = true})
                           : -ENOMEM;
}

static int read_file(struct config_reading *reading, const char *path, bool may_be_missing)
{
    struct config_texts texts;
    int r = config_files_read(path, may_be_missing, &texts, &reading->problems);
    if (r < 0)
        return r;
    reading->config = config_new();
    r = reading->config ? assemble(reading, &texts) : -ENOMEM;
    if (r == 0 && texts.has_main)
        reading->config->file = strdup(path); /* shown to people; without memory for it the file has no name */
    config_files_free(&texts);
    return r;
}

int config_parse(const char *text, size_t length, const char *name, struct config **ret_config, char **ret_problems)
{
    struct config_reading reading = {0};
    const int r = read_text(&reading, text, length, name);
    return finish(&reading, r, ret_config, ret_problems);
}

int config_load(const char *path, struct config **ret_config, char **ret_problems)
{
    struct config_reading reading = {0};
    if (!path)
        return config_parse("", 0, "defaults", ret_config, ret_problems);
    const int r = read_file(&reading, path, false);
    return finish(&reading, r, ret_config, ret_problems);
}

int config_load_if_there(const char *path, struct config **ret_config, char **ret_problems)
{
    struct config_reading reading = {0};
    const int r = read_file(&reading, path, true);
    return finish(&reading, r, ret_config, ret_problems);
}

/* -------------------------------------------------------------------------------------------------------- examined */

static struct config_reading heard(const struct config_listener *listener)
{
    return (struct config_reading){.problems = {.told = listener->problem, .context = listener->context},
                                   .notes = {.told = listener->note, .context = listener->context}};
}

static int examined(struct config_reading *reading, int r)
{
    struct config *config = NULL;
    char *lines = NULL;
    r = finish(reading, r, &config, &lines);
    config_free(config);
    free(lines);
    return r;
}

int config_examine(const char *path, const struct config_listener *listener)
{
    struct config_reading reading = heard(listener);
    return examined(&reading, read_file(&reading, path, false));
}

int config_examine_text(const char *text, size_t length, const char *name, const struct config_listener *listener)
{
    struct config_reading reading = heard(listener);
    return examined(&reading, read_text(&reading, text, length, name));
}

/* ---------------------------------------------------------------------------------------------------- what it says */

const struct breaker_settings *config_settings_for(const struct config *config, const char *name)
{
    size_t i = 0;
    while (i + 1 < config->breaker_count && !settings_pattern_matches(config->breakers[i].match, name))
        i++;
    return &config->breakers[i];
}
