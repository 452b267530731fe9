#include "config/levels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal/feature_word.h"

const struct config_key config_back_after = {.section = "levels",
                                             .field = "back_after",
                                             .kind = CONFIG_DURATION,
                                             .lowest = 100 * TRIP_MS,
                                             .highest = 24 * 3600 * TRIP_S,
                                             .offset = offsetof(struct levels_settings, back_after),
                                             .width = sizeof(uint64_t)};
const struct config_key config_percent = {.section = "features",
                                          .field = "percent",
                                          .kind = CONFIG_RATE,
                                          .lowest = 0,
                                          .highest = FEATURE_ON,
                                          .offset = offsetof(struct feature_settings, percent),
                                          .width = sizeof(uint64_t)};

bool config_level_name_valid(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123456789";
    const size_t length = strlen(text);
    return length >= 1 && length <= LEVEL_NAME_MAX && strspn(text, letters) == length &&
           !strchr("0123456789_-", text[0]) && strcmp(text, CONFIG_NEVER) != 0;
}

struct config_feature *config_feature_find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->feature_count; i++)
        if (strcmp(config->said[i].settings.name, name) == 0)
            return &config->said[i];
    return NULL;
}

struct config_feature *config_feature_add(struct config *config, const char *name)
{
    if (!config->said)
        config->said = calloc(FEATURES_MAX, sizeof(*config->said));
    if (!config->said)
        return NULL;
    struct config_feature *const feature = &config->said[config->feature_count++];
    strcpy(feature->settings.name, name);
    return feature;
}

/* -------------------------------------------------------------------------------------------------------- finishing */

static bool level_by_name(const struct levels_settings *levels, const char *text, uint8_t *ret_level)
{
    for (uint8_t level = 0; level < levels->count; level++)
        if (strcmp(levels->names[level], text) == 0) {
            *ret_level = level;
            return true;
        }
    return false;
}

static bool level_by_number(const struct levels_settings *levels, const char *text, uint8_t *ret_level)
{
    uint32_t level;
    if (!config_value_id(text, &level) || level >= levels->count)
        return false;
    *ret_level = (uint8_t)level;
    return true;
}

static const char *known_levels(const struct levels_settings *levels, char known[CONFIG_WHY_MAX])
{
    size_t length = 0;
    for (uint8_t level = 1; level < levels->count && length < CONFIG_WHY_MAX; level++)
        length += (size_t)snprintf(known + length, CONFIG_WHY_MAX - length, "%s%s", level > 1 ? ", " : "",
                                   levels->names[level]);
    return known;
}

/* Sets off_from, which may name a level of a file that was read later. */
static void resolve(const struct config *config, struct config_feature *feature, struct config_problems *problems)
{
    const struct levels_settings *const levels = &config->levels;
    char known[CONFIG_WHY_MAX], quoted[CONFIG_QUOTE_MAX];
    uint8_t *const off_from = &feature->settings.off_from;
    *off_from = LEVEL_NEVER;
    if (!feature->off_from[0] || strcmp(feature->off_from, CONFIG_NEVER) == 0 || levels->count < 2)
        return;
    problems->file = config->files[feature->off_from_at.file - 1];
    if (!level_by_name(levels, feature->off_from, off_from) && !level_by_number(levels, feature->off_from, off_from))
        config_problem(problems, feature->off_from_at.line,
                       "features.off_from: %s is no level; write one of %s, a number from 1 to %u, or %s",
                       config_quote(feature->off_from, strlen(feature->off_from), quoted), known_levels(levels, known),
                       levels->count - 1u, CONFIG_NEVER);
    else if (*off_from == 0)
        config_problem(problems, feature->off_from_at.line,
                       "features.off_from: %s would switch the feature off for good; write percent: 0%% if that is "
                       "meant, else one of %s",
                       levels->names[0], known_levels(levels, known));
}

static void check_mark(const struct config *config, size_t feature, struct config_problems *problems)
{
    const struct config_feature *const said = config->said;
    for (size_t i = 0; i < feature; i++) {
        if (feature_mark(said[i].settings.name) != feature_mark(said[feature].settings.name))
            continue;
        problems->file = config->files[said[feature].origin.file - 1];
        config_problem(problems, said[feature].origin.line,
                       "features: %s and %s cannot be told apart, as their names have the same hash; rename one",
                       said[i].settings.name, said[feature].settings.name);
    }
}

int config_levels_finish(struct config *config, struct config_problems *problems)
{
    config->features = calloc(config->feature_count + 1, sizeof(*config->features));
    if (!config->features)
        return -ENOMEM;
    for (size_t i = 0; i < config->feature_count; i++) {
        resolve(config, &config->said[i], problems);
        check_mark(config, i, problems);
        config->features[i] = config->said[i].settings;
    }
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------- showing
 */

static const char *off_from(const struct config *config, size_t feature)
{
    const uint8_t level = config->features[feature].off_from;
    return level == LEVEL_NEVER ? CONFIG_NEVER : config->levels.names[level];
}

void config_levels_write(const struct config *config, FILE *file)
{
    char text[CONFIG_TEXT_MAX];
    for (uint8_t i = 0; i < config->levels.count; i++)
        fprintf(file, "%s%s", i ? ", " : "levels: {names: [", config->levels.names[i]);
    fprintf(file, "], back_after: %s}\n", config_value_format(CONFIG_DURATION, config->levels.back_after, text));
}

void config_feature_write(const struct config *config, FILE *file, size_t feature)
{
    char text[CONFIG_TEXT_MAX];
    const struct feature_settings *const settings = &config->features[feature];
    fprintf(file, "  \"%s\": {off_from: %s, percent: %s}\n", settings->name, off_from(config, feature),
            config_value_format(CONFIG_RATE, settings->percent, text));
}

void config_levels_visit(const struct config *config, const struct config_visitor *visitor)
{
    visitor->map_begin(visitor->context, "levels", 2);
    visitor->list_begin(visitor->context, "names", config->levels.count);
    for (uint8_t i = 0; i < config->levels.count; i++)
        visitor->text(visitor->context, NULL, config->levels.names[i]);
    visitor->end(visitor->context);
    config_visit_key(visitor, &config_back_after, &config->levels);
    visitor->end(visitor->context);
}

void config_feature_visit(const struct config *config, const struct config_visitor *visitor, size_t feature)
{
    visitor->text(visitor->context, "feature", config->features[feature].name);
    visitor->text(visitor->context, "off_from", off_from(config, feature));
    config_visit_key(visitor, &config_percent, &config->features[feature]);
}
