#include "config/yaml_parts.h"

#include <stdlib.h>
#include <string.h>

#include "config/access.h"
#include "config/check.h"
#include "config/keys.h"
#include "config/levels.h"
#include "config/value.h"
#include "trip.h"

#define DEPTH_MAX 16 /* the deepest key stands at level 9; `default` of a fallback may hold more */

static struct config_origin origin_of(const struct reader *reader, size_t line)
{
    return (struct config_origin){.file = reader->reading->file, .line = (uint32_t)line};
}

/* ------------------------------------------------------------------------------------------------------ mappings */

static bool is_section(const char *text)
{
    for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++)
        if (strcmp(text, config_section_name(config_sections[i])) == 0)
            return true;
    return false;
}

/* Lists the sections that have a key of this name, as "open: or retry:". False: none has. */
static bool find_places(const char *text, char places[CONFIG_WHY_MAX])
{
    size_t length = 0;
    for (size_t i = 0; i < CONFIG_KEY_COUNT && length < CONFIG_WHY_MAX; i++)
        if (config_keys[i].section[0] && strcmp(text, config_key_name(&config_keys[i])) == 0)
            length += (size_t)snprintf(places + length, CONFIG_WHY_MAX - length, "%s%s:", length ? " or " : "",
                                       config_keys[i].section);
    return length > 0;
}

static bool is_of_host(const char *where)
{
    bool is = strcmp(where, "access") == 0 || strcmp(where, "levels") == 0 || strcmp(where, "features") == 0;
    for (size_t i = 0; i < CONFIG_FLAT_COUNT; i++)
        is |= strcmp(where, config_flats[i].name) == 0;
    return is;
}

/* Complains about an unknown key: says where it belongs, or which key it is a letter away from, or else which keys
 * there are. */
static void unknown_key(struct reader *reader, const struct level *level, const yaml_node_t *key)
{
    char room[CONFIG_QUOTE_MAX], known[CONFIG_WHY_MAX] = "", places[CONFIG_WHY_MAX];
    const char *text = scalar(key), *const quoted = quote(key, room);
    const char *in = level->where[0] ? " in " : "";
    const char *nearest = text ? config_value_nearest(text, level->names, level->count) : NULL;
    /* the top has few names, so that `limit` there means limits, not the limit of a rate */
    const bool in_entry = level->where[0] && !is_of_host(level->where);
    const bool misplaced = text && (in_entry || (!level->where[0] && !nearest)) && !is_section(text);
    if (misplaced && find_places(text, places)) {
        config_problem(reader->problems, line_of(key), "unknown key %s%s%s; it belongs in %s of a breakers entry",
                       quoted, in, level->where, places);
        return;
    }
    size_t length = 0;
    for (size_t i = 0; i < level->count && length < sizeof(known); i++)
        length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s", i ? ", " : "", level->names[i]);
    config_problem(reader->problems, line_of(key), "unknown key %s%s%s; %s %s",
                   key->type == YAML_SCALAR_NODE ? quoted : "that is no word", in, level->where,
                   nearest ? "write" : "known here:",
                   nearest        ? nearest
                   : level->known ? level->known
                                  : known);
}

void config_read_mapping(struct reader *reader, const struct level *level, void *context, const yaml_node_t *node)
{
    char quoted[CONFIG_QUOTE_MAX];
    if (is_empty(node))
        return;
    if (node->type != YAML_MAPPING_NODE) {
        config_problem(reader->problems, line_of(node), "%s%sis %s; write keys and values, as %s: ...", level->where,
                       level->where[0] ? " " : "the file ", quote(node, quoted), level->names[0]);
        return;
    }
    size_t seen[NAMES_MAX] = {0};
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&reader->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(&reader->document, pair->value);
        const char *text = scalar(key);
        size_t name = 0;
        while (name < level->count && (!text || strcmp(text, level->names[name]) != 0))
            name++;
        if (name == level->count) {
            unknown_key(reader, level, key);
        } else if (seen[name]) {
            config_problem(reader->problems, line_of(key), "%s stands here and in line %zu; remove one of the two",
                           level->names[name], seen[name]);
        } else {
            seen[name] = line_of(key);
            level->read(reader, context, name, key, value);
        }
    }
}

/* -------------------------------------------------------------------------------------------------------- values */

static const char *dot(const struct config_key *key)
{
    return key->section[0] ? "." : "";
}

static bool find_word(const struct config_key *key, const char *text, uint64_t *ret_place)
{
    for (size_t i = 0; text && i <= key->highest; i++) {
        if (strcmp(text, key->words[i]) != 0)
            continue;
        *ret_place = i;
        return true;
    }
    return false;
}

static bool read_word(struct reader *reader, const struct config_key *key, void *base, const yaml_node_t *value)
{
    char quoted[CONFIG_QUOTE_MAX], known[CONFIG_WHY_MAX] = "";
    uint64_t place;
    size_t length = 0;
    if (find_word(key, scalar(value), &place)) {
        config_key_set(key, base, place);
        return true;
    }
    for (size_t i = 0; i <= key->highest; i++)
        length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s",
                                   i == 0              ? ""
                                   : i == key->highest ? " or "
                                                       : ", ",
                                   key->words[i]);
    config_problem(reader->problems, line_of(value), "%s%s%s: %s is not one; write %s", key->section, dot(key),
                   config_key_name(key), quote(value, quoted), known);
    return false;
}

static bool read_quantity(struct reader *reader, const struct config_key *key, void *base, const yaml_node_t *value)
{
    char quoted[CONFIG_QUOTE_MAX], why[CONFIG_WHY_MAX];
    uint64_t quantity;
    const char *text = scalar(value);
    if (config_value_parse(key->kind, text ? text : "", key->lowest, key->highest, &quantity, why)) {
        config_key_set(key, base, quantity);
        return true;
    }
    config_problem(reader->problems, line_of(value), "%s%s%s: %s %s", key->section, dot(key), config_key_name(key),
                   quote(value, quoted), why);
    return false;
}

static void read_steps(struct reader *reader, struct breaker_settings *settings, const yaml_node_t *value)
{
    char quoted[CONFIG_QUOTE_MAX], why[CONFIG_WHY_MAX];
    const ptrdiff_t count = list_length(value);
    if (count < 1 || count > SETTINGS_RAMP_STEPS_MAX) {
        config_problem(reader->problems, line_of(value),
                       "ramp.steps: %s is no list of 1 to %d rates; write them as "
                       "[10%%, 25%%, 50%%, 100%%]",
                       quote(value, quoted), SETTINGS_RAMP_STEPS_MAX);
        return;
    }
    settings->ramp.step_count = (uint32_t)count;
    for (ptrdiff_t i = 0; i < count; i++) {
        const yaml_node_t *step = list_item(reader, value, i);
        const char *text = scalar(step);
        uint64_t permille;
        if (config_value_parse(CONFIG_RATE, text ? text : "", 1, 1000, &permille, why))
            settings->ramp.steps[i] = (uint16_t)permille;
        else
            config_problem(reader->problems, line_of(step), "ramp.steps: %s %s", quote(step, quoted), why);
    }
}

/* Reads the error types to retry. An empty list is valid: no type is worth another try. */
static void read_error_types(struct reader *reader, const struct config_key *key, struct breaker_settings *settings,
                             const yaml_node_t *value)
{
    static const char known[] = ERROR_TYPES_KNOWN "or user_0 to user_15";
    char quoted[CONFIG_QUOTE_MAX];
    uint64_t types = 0, type;
    const ptrdiff_t count = list_length(value);
    if (count < 0)
        config_problem(reader->problems, line_of(value),
                       "%s.%s: %s is no list of error types; write it as [network, timeout]", key->section,
                       config_key_name(key), quote(value, quoted));
    for (ptrdiff_t i = 0; i < count; i++) {
        const yaml_node_t *item = list_item(reader, value, i);
        if (find_word(key, scalar(item), &type))
            types |= UINT64_C(1) << type;
        else
            config_problem(reader->problems, line_of(item), "%s.%s: %s is no error type; write %s", key->section,
                           config_key_name(key), quote(item, quoted), known);
    }
    config_key_set(key, settings, types);
}

/* --------------------------------------------------------------------------------------------- sections of the host */

static void read_flat_key(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                          const yaml_node_t *value)
{
    const struct config_flat *const flat = context;
    if (read_quantity(reader, &flat->keys[name], config_flat_values(flat, reader->config), value))
        config_flat_origins(flat, reader->config)[name] = origin_of(reader, line_of(key));
}

static void read_role(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                      const yaml_node_t *value)
{
    (void)context;
    char quoted[CONFIG_QUOTE_MAX], why[CONFIG_WHY_MAX];
    const char *role = config_role_name((enum config_role)name);
    const ptrdiff_t count = list_length(value);
    if (count < 0 || count > CONFIG_PRINCIPALS_MAX) {
        config_problem(reader->problems, line_of(value),
                       "access.%s: %s is no list of at most %d names; write it as [\"user:root\", \"group:tripadm\"]",
                       role, quote(value, quoted), CONFIG_PRINCIPALS_MAX);
        return;
    }
    struct config_principal *who = calloc((size_t)count + 1, sizeof(*who));
    if (!who) {
        reader->problems->no_memory = true;
        return;
    }
    free(reader->config->access[name].who);
    reader->config->access[name].who = who;
    reader->config->access[name].count = (size_t)count;
    reader->config->access[name].origin = origin_of(reader, line_of(key));
    for (ptrdiff_t i = 0; i < count; i++) {
        const yaml_node_t *item = list_item(reader, value, i);
        const char *text = scalar(item);
        if (!config_principal_parse(text ? text : "", &who[i], why))
            config_problem(reader->problems, line_of(item), "access.%s: %s %s", role, quote(item, quoted), why);
        else if (!who[i].known)
            config_problem(reader->notes, line_of(item), "access.%s: this host has no %s, which lets nobody in", role,
                           quote(item, quoted));
    }
}

static void read_flat(struct reader *reader, const struct config_flat *flat, const yaml_node_t *node)
{
    struct config_flat of = *flat;
    struct level level = {.where = flat->name, .read = read_flat_key};
    for (; level.count < flat->count; level.count++)
        level.names[level.count] = config_key_name(&flat->keys[level.count]);
    config_read_mapping(reader, &level, &of, node);
}

static void read_limits(struct reader *reader, const yaml_node_t *node)
{
    read_flat(reader, &config_flats[FLAT_limits], node);
}

static void read_correlation(struct reader *reader, const yaml_node_t *node)
{
    read_flat(reader, &config_flats[FLAT_correlation], node);
}

static void read_access(struct reader *reader, const yaml_node_t *node)
{
    struct level level = {.where = "access", .read = read_role};
    for (; level.count < CONFIG_ROLE_COUNT; level.count++)
        level.names[level.count] = config_role_name((enum config_role)level.count);
    config_read_mapping(reader, &level, NULL, node);
}

/* ---------------------------------------------------------------------------------------------- levels and features */

static void read_level_names(struct reader *reader, const yaml_node_t *value)
{
    struct levels_settings *const levels = &reader->config->levels;
    char quoted[CONFIG_QUOTE_MAX];
    const ptrdiff_t count = list_length(value);
    if (count < 2 || count > LEVELS_MAX) {
        config_problem(reader->problems, line_of(value),
                       "levels.names: %s is no list of 2 to %d names; write them as [normal, degraded, minimal, "
                       "emergency], the mildest first",
                       quote(value, quoted), LEVELS_MAX);
        return;
    }
    levels->count = 0;
    memset(levels->names, 0, sizeof(levels->names));
    for (ptrdiff_t i = 0; i < count; i++) {
        const yaml_node_t *item = list_item(reader, value, i);
        const char *text = scalar(item);
        bool twice = false;
        for (uint8_t before = 0; text && before < levels->count; before++)
            twice |= strcmp(levels->names[before], text) == 0;
        if (twice)
            config_problem(reader->problems, line_of(item),
                           "levels.names: %s stands there twice; remove one of the two", quote(item, quoted));
        else if (!text || !config_level_name_valid(text))
            config_problem(reader->problems, line_of(item),
                           "levels.names: %s is no name of a level; write a letter, and then up to %d of letters, "
                           "digits, _ and -, but not %s",
                           quote(item, quoted), LEVEL_NAME_MAX - 1, CONFIG_NEVER);
        else
            strcpy(levels->names[levels->count++], text);
    }
}

static void read_levels_key(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                            const yaml_node_t *value)
{
    (void)context;
    reader->config->level_origins[name] = origin_of(reader, line_of(key));
    if (name == 0)
        read_level_names(reader, value);
    else
        read_quantity(reader, &config_back_after, &reader->config->levels, value);
}

static void read_levels(struct reader *reader, const yaml_node_t *node)
{
    static const struct level level = {
        .where = "levels", .names = {"names", "back_after"}, .count = CONFIG_LEVEL_KEYS, .read = read_levels_key};
    config_read_mapping(reader, &level, NULL, node);
}

static void read_feature_key(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                             const yaml_node_t *value)
{
    struct config_feature *const feature = context;
    char quoted[CONFIG_QUOTE_MAX];
    const char *const text = scalar(value);
    (void)key;
    if (name == 1) {
        read_quantity(reader, &config_percent, &feature->settings, value);
    } else if (!text || !*text || strlen(text) > LEVEL_NAME_MAX) {
        config_problem(reader->problems, line_of(value),
                       "features.off_from: %s is no level; write a level's name or number", quote(value, quoted));
    } else {
        memset(feature->off_from, 0, sizeof(feature->off_from));
        strcpy(feature->off_from, text);
        feature->off_from_at = origin_of(reader, line_of(value));
    }
}

/* Returns the place for a feature that stands in this line. A later file's entry replaces an earlier one's. NULL: it
 * was refused. */
static struct config_feature *place_for(struct reader *reader, const char *name, size_t line)
{
    struct config_feature *feature = config_feature_find(reader->config, name);
    if (feature && feature->origin.file == reader->reading->file) {
        config_problem(reader->problems, line, "features: %s stands here and in line %u; remove one of the two", name,
                       feature->origin.line);
        return NULL;
    }
    if (feature)
        return feature;
    if (reader->config->feature_count == FEATURES_MAX) {
        config_problem(reader->problems, line, "features: %s is one more than the %d that there may be; remove one",
                       name, FEATURES_MAX);
        return NULL;
    }
    feature = config_feature_add(reader->config, name);
    reader->problems->no_memory |= !feature;
    return feature;
}

static void read_feature(struct reader *reader, const yaml_node_t *key, const yaml_node_t *value)
{
    static const struct level level = {
        .where = "features", .names = {"off_from", "percent"}, .count = 2, .read = read_feature_key};
    char quoted[CONFIG_QUOTE_MAX];
    const char *const name = scalar(key);
    if (!name || !settings_name_valid(name, strlen(name))) {
        config_problem(reader->problems, line_of(key),
                       "features: %s is no name; write 1 to %d of letters, digits and . _ : / @ -",
                       key->type == YAML_SCALAR_NODE ? quote(key, quoted) : "what", TRIP_NAME_MAX);
        return;
    }
    struct config_feature *const feature = place_for(reader, name, line_of(key));
    if (!feature)
        return;
    *feature = (struct config_feature){.settings = {.percent = FEATURE_ON}, .origin = origin_of(reader, line_of(key))};
    strcpy(feature->settings.name, name);
    config_read_mapping(reader, &level, feature, value);
}

static void read_features(struct reader *reader, const yaml_node_t *node)
{
    char quoted[CONFIG_QUOTE_MAX];
    if (is_empty(node))
        return;
    if (node->type != YAML_MAPPING_NODE) {
        config_problem(reader->problems, line_of(node),
                       "features is %s; write names and settings, as recommendations: {off_from: 1}",
                       quote(node, quoted));
        return;
    }
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
        read_feature(reader, yaml_document_get_node(&reader->document, pair->key),
                     yaml_document_get_node(&reader->document, pair->value));
}

/* ------------------------------------------------------------------------------------------------------ breakers */

struct entry {
    struct breaker_settings settings;
    struct config_lines lines;
    enum config_key_id ids[NAMES_MAX]; /* the keys of the level that is being read */
    size_t key_count;
    const char *sections[NAMES_MAX]; /* the sections within it, listed behind the keys */
};

/* Can the pattern match a name? NULL is none. */
static bool pattern_valid(const char *text)
{
    char name[SETTINGS_PATTERN_MAX + 1];
    const size_t length = text ? strlen(text) : 0;
    if (length < 1 || length > SETTINGS_PATTERN_MAX)
        return false;
    strcpy(name, text);
    for (char *at = name; (at = strpbrk(at, "*?")); at++)
        *at = 'x';
    return settings_name_valid(name, length);
}

static void read_pattern(struct reader *reader, const char *key, const yaml_node_t *value,
                         char pattern[SETTINGS_PATTERN_MAX + 1])
{
    char quoted[CONFIG_QUOTE_MAX];
    if (pattern_valid(scalar(value)))
        strcpy(pattern, scalar(value));
    else
        config_problem(reader->problems, line_of(value),
                       "%s: %s can match no name; write 1 to %d of letters, "
                       "digits and . _ : / @ - with * for any run and ? for one, as \"payments/*\"",
                       key, quote(value, quoted), SETTINGS_PATTERN_MAX);
}

static void read_depends_on(struct reader *reader, struct breaker_settings *settings, const yaml_node_t *value)
{
    char quoted[CONFIG_QUOTE_MAX];
    const ptrdiff_t count = list_length(value);
    if (count < 0 || count > SETTINGS_DEPENDS_MAX) {
        config_problem(reader->problems, line_of(value),
                       "depends_on: %s is no list of up to %d patterns; write it as [\"payments/db\"]",
                       quote(value, quoted), SETTINGS_DEPENDS_MAX);
        return;
    }
    settings->depends_on.count = (uint8_t)count;
    for (ptrdiff_t i = 0; i < count; i++)
        read_pattern(reader, "depends_on", list_item(reader, value, i), settings->depends_on.patterns[i]);
}

static void read_key(struct reader *reader, struct entry *entry, enum config_key_id id, const yaml_node_t *key,
                     const yaml_node_t *value)
{
    const unsigned problems = reader->problems->count;
    entry->lines.keys[id] = line_of(key);
    switch (config_keys[id].kind) {
    case CONFIG_WORD:
    case CONFIG_FLAG:
        read_word(reader, &config_keys[id], &entry->settings, value);
        break;
    case CONFIG_STEPS:
        read_steps(reader, &entry->settings, value);
        break;
    case CONFIG_PATTERN:
        read_pattern(reader, "match", value, entry->settings.match);
        break;
    case CONFIG_PATTERNS:
        read_depends_on(reader, &entry->settings, value);
        break;
    case CONFIG_ERROR_TYPES:
        read_error_types(reader, &config_keys[id], &entry->settings, value);
        break;
    case CONFIG_FALLBACK:
        config_read_fallback(reader, &entry->settings, value);
        break;
    default:
        read_quantity(reader, &config_keys[id], &entry->settings, value);
    }
    entry->lines.broken[id] = reader->problems->count != problems;
}

/* Fills a level with the keys of a section and the sections within it. section "": the entry itself. */
static void level_of(struct level *level, struct entry *entry, const char *section)
{
    entry->key_count = 0;
    for (enum config_key_id id = 0; id < CONFIG_KEY_COUNT; id++) {
        if (strcmp(config_keys[id].section, section) != 0)
            continue;
        level->names[level->count++] = config_key_name(&config_keys[id]);
        entry->ids[entry->key_count++] = id;
    }
    size_t inner = 0;
    for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++) {
        if (!config_section_within(config_sections[i], section))
            continue;
        level->names[level->count++] = config_section_name(config_sections[i]);
        entry->sections[inner++] = config_sections[i];
    }
}

static void read_entry_key(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                           const yaml_node_t *value)
{
    struct entry *entry = context;
    if (name < entry->key_count) {
        read_key(reader, entry, entry->ids[name], key, value);
        return;
    }
    const char *section = entry->sections[name - entry->key_count];
    struct entry inner = *entry;
    struct level level = {.where = section, .read = read_entry_key};
    level_of(&level, &inner, section);
    config_read_mapping(reader, &level, &inner, value);
    if (strcmp(section, SECTION_hedge) == 0 && !is_empty(value))
        inner.settings.hedge.set = 1;
    entry->settings = inner.settings;
    entry->lines = inner.lines;
}

/* Refuses an entry that an earlier one hides: all names that match this pattern match the earlier pattern. */
static void check_reached(struct reader *reader, const struct entry *entry)
{
    for (size_t i = reader->first; i < reader->config->breaker_count; i++) {
        const char *earlier = reader->config->breakers[i].match;
        if (!config_pattern_covers(earlier, entry->settings.match))
            continue;
        config_problem(reader->problems, entry->lines.keys[KEY_match],
                       "match: \"%s\" is never reached, as \"%s\" stands before it and the first that matches wins; "
                       "write the narrower pattern first, or remove one",
                       entry->settings.match, earlier);
        return;
    }
}

static void read_entry(struct reader *reader, const yaml_node_t *node)
{
    struct entry entry = {.lines = {.entry = line_of(node)}};
    breaker_settings_defaults(&entry.settings);
    entry.settings.match[0] = '\0';
    struct level level = {.where = "breakers", .read = read_entry_key};
    level_of(&level, &entry, "");

    config_read_mapping(reader, &level, &entry, node);
    if (!entry.lines.keys[KEY_match] && (node->type == YAML_MAPPING_NODE || is_empty(node)))
        config_problem(reader->problems, entry.lines.entry,
                       "this breakers entry has no match; write which names it is for, as match: \"payments/*\"");
    if (!entry.settings.match[0])
        return;
    check_reached(reader, &entry);
    config_check_breaker(&entry.settings, &entry.lines, reader->problems, reader->notes);
    const size_t line = entry.lines.keys[KEY_match] ? entry.lines.keys[KEY_match] : entry.lines.entry;
    if (config_append(reader->config, &entry.settings, origin_of(reader, line)) < 0)
        reader->problems->no_memory = true;
}

static void read_breakers(struct reader *reader, const yaml_node_t *node)
{
    char quoted[CONFIG_QUOTE_MAX];
    if (is_empty(node))
        return;
    const ptrdiff_t count = list_length(node);
    const size_t before = reader->config->breaker_count;
    if (count < 0) {
        config_problem(reader->problems, line_of(node),
                       "breakers: %s is no list; write each entry as - match: \"payments/*\"", quote(node, quoted));
        return;
    }
    if ((size_t)count > CONFIG_BREAKERS_MAX - before) {
        config_problem(
            reader->problems, line_of(node),
            "breakers: with these %td entries there are %zu, and all files together may have %d; let patterns "
            "with * stand for many breakers",
            count, before + (size_t)count, CONFIG_BREAKERS_MAX);
        return;
    }
    for (ptrdiff_t i = 0; i < count && !reader->problems->no_memory; i++)
        read_entry(reader, list_item(reader, node, i));
}

/* ------------------------------------------------------------------------------------------------------ the file */

static void read_top(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                     const yaml_node_t *value)
{
    (void)context;
    (void)key;
    void (*const sections[])(struct reader *, const yaml_node_t *) = {read_limits,   read_access, read_correlation,
                                                                      read_breakers, read_levels, read_features};
    sections[name](reader, value);
}

static void not_yaml(const yaml_parser_t *parser, const char *text, size_t length, struct config_problems *problems)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        problems->no_memory = true;
        return;
    }
    size_t line = parser->problem_mark.line + 1;
    const char *right = "check brackets, quotes and indentation";
    if (parser->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < length && i < parser->problem_offset; i++)
            line += text[i] == '\n';
        right = "save the file as plain UTF-8 text";
    } else if (parser->context && strstr(parser->context, "quoted scalar") &&
               strstr(parser->problem, "end of stream")) {
        line = parser->context_mark.line + 1;
        right = "close the quote that begins here";
    } else if (parser->context && strstr(parser->context, "alias")) {
        right = "a pattern that begins with * needs quotes, as match: \"*\"";
    } else if (parser->problem && strstr(parser->problem, "cannot start any token")) {
        right = "indent with spaces, not tabs, and quote what begins with a sign";
    }
    config_problem(problems, line, "not YAML: %s%s%s; %s", parser->context ? parser->context : "",
                   parser->context ? ": " : "", parser->problem ? parser->problem : "unknown error", right);
}

/* Says what an event has that a config file must not have. NULL: nothing. */
static const char *refused_in(const yaml_event_t *event, unsigned depth, unsigned documents)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        anchor = event->data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (anchor)
        return "anchors and aliases have no place here; write the settings out, and quotes around a pattern that "
               "begins with *";
    if (tag)
        return "tags (!) have no place here; write the value alone, in quotes if it begins with !";
    if (depth > DEPTH_MAX)
        return "nested too deep for any setting; close the brackets, or indent less";
    if (documents > 1)
        return "a second document begins here; remove the --- and all that follows";
    return NULL;
}

static bool begin(yaml_parser_t *parser, const char *text, size_t length, struct config_problems *problems)
{
    if (!yaml_parser_initialize(parser)) {
        problems->no_memory = true;
        return false;
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, length);
    return true;
}

/* Checks the text event by event before a document is built of it. Events need memory for one at a time, so no text can
 * make more of itself. */
static bool scan(const char *text, size_t length, struct config_problems *problems)
{
    yaml_parser_t parser;
    if (!begin(&parser, text, length, problems))
        return false;
    unsigned depth = 0, documents = 0;
    bool fine = true, more = true;
    while (fine && more) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            not_yaml(&parser, text, length, problems);
            fine = false;
            break;
        }
        depth += event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
        depth -= event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        documents += event.type == YAML_DOCUMENT_START_EVENT;
        const char *refused = refused_in(&event, depth, documents);
        if (refused)
            config_problem(problems, event.start_mark.line + 1, "%s", refused);
        fine = !refused;
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return fine;
}

static bool load(const char *text, size_t length, yaml_document_t *document, struct config_problems *problems)
{
    yaml_parser_t parser;
    if (!begin(&parser, text, length, problems))
        return false;
    const bool loaded = yaml_parser_load(&parser, document);
    if (!loaded)
        not_yaml(&parser, text, length, problems);
    yaml_parser_delete(&parser);
    return loaded;
}

void config_yaml_read(struct config_reading *reading, const char *text, size_t length)
{
    struct reader reader = {.reading = reading,
                            .config = reading->config,
                            .problems = &reading->problems,
                            .notes = &reading->notes,
                            .first = reading->config->breaker_count};
    static const struct level top = {.where = "",
                                     .names = {"limits", "access", "correlation", "breakers", "levels", "features"},
                                     .count = 6,
                                     .read = read_top};
    if (!scan(text, length, reader.problems) || !load(text, length, &reader.document, reader.problems))
        return;
    const yaml_node_t *root = yaml_document_get_root_node(&reader.document);
    if (root)
        config_read_mapping(&reader, &top, NULL, root);
    yaml_document_delete(&reader.document);
}
