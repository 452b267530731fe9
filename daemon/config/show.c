#include "config/config.h"

#include <errno.h>
#include <string.h>

#include "config/fallbacks.h"
#include "config/keys.h"
#include "config/levels.h"

/* Is this key one of the section that is shown? Chains are shown by themselves, for they stand in the config's book. */
static bool shown(enum config_key_id id, const char *section, const struct breaker_settings *settings)
{
    enum config_key_id word;
    const char *instead;
    return strcmp(config_keys[id].section, section) == 0 && config_key_applies(id, settings, &word, &instead) &&
           id != KEY_fallback;
}

static bool section_shown(const char *section, const char *outer, const struct breaker_settings *settings)
{
    return config_section_within(section, outer) && config_section_applies(section, settings);
}

/* ---------------------------------------------------------------------------------------------------------- YAML */

static void write_quoted(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++)
        fprintf(file, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
    fputc('"', file);
}

static void write_error_types(FILE *file, const struct config_key *key, uint64_t types)
{
    const char *comma = "";
    fputc('[', file);
    for (size_t i = 0; i <= key->highest; i++) {
        if (!(types >> i & 1))
            continue;
        fprintf(file, "%s%s", comma, key->words[i]);
        comma = ", ";
    }
    fputc(']', file);
}

static void write_patterns(FILE *file, const struct breaker_settings *settings)
{
    fputc('[', file);
    for (unsigned i = 0; i < settings->depends_on.count; i++) {
        fputs(i ? ", " : "", file);
        write_quoted(file, settings->depends_on.patterns[i]);
    }
    fputc(']', file);
}

static void write_value(FILE *file, const struct config_key *key, const struct breaker_settings *settings)
{
    char text[CONFIG_TEXT_MAX];
    switch (key->kind) {
    case CONFIG_WORD:
    case CONFIG_FLAG:
        fputs(key->words[config_key_get(key, settings)], file);
        break;
    case CONFIG_PATTERN:
        write_quoted(file, settings->match);
        break;
    case CONFIG_PATTERNS:
        write_patterns(file, settings);
        break;
    case CONFIG_ERROR_TYPES:
        write_error_types(file, key, config_key_get(key, settings));
        break;
    case CONFIG_STEPS:
        for (uint32_t i = 0; i < settings->ramp.step_count; i++)
            fprintf(file, "%s%s", i ? ", " : "[", config_value_format(CONFIG_RATE, settings->ramp.steps[i], text));
        fputc(']', file);
        break;
    default:
        fputs(config_value_format(key->kind, config_key_get(key, settings), text), file);
    }
}

static void write_section(FILE *file, const char *section, const struct breaker_settings *settings)
{
    const char *comma = "{";
    for (enum config_key_id id = 0; id < CONFIG_KEY_COUNT; id++) {
        if (!shown(id, section, settings))
            continue;
        fprintf(file, "%s%s: ", comma, config_key_name(&config_keys[id]));
        write_value(file, &config_keys[id], settings);
        comma = ", ";
    }
    for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++) {
        if (!section_shown(config_sections[i], section, settings))
            continue;
        fprintf(file, "%s%s: ", comma, config_section_name(config_sections[i]));
        write_section(file, config_sections[i], settings);
        comma = ", ";
    }
    fputc('}', file);
}

static void write_breaker(const struct config *config, FILE *file, const struct breaker_settings *settings)
{
    const char *before = "  - ";
    for (enum config_key_id id = 0; id < KEY_forget_after; id++) {
        if (!shown(id, "", settings))
            continue;
        fprintf(file, "%s%s: ", before, config_key_name(&config_keys[id]));
        write_value(file, &config_keys[id], settings);
        before = "\n    ";
    }
    for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++) {
        if (!section_shown(config_sections[i], "", settings))
            continue;
        fprintf(file, "\n    %s: ", config_sections[i]);
        write_section(file, config_sections[i], settings);
    }
    fputc('\n', file);
    if (settings->fallback)
        config_fallback_write(config, settings->fallback, file);
    fputs("    forget_after: ", file);
    write_value(file, &config_keys[KEY_forget_after], settings);
    fputc('\n', file);
}

static const void *flat_values(const struct config_flat *flat, const struct config *config)
{
    return (const uint8_t *)config + flat->values;
}

static const struct config_origin *flat_origins(const struct config_flat *flat, const struct config *config)
{
    return (const struct config_origin *)(const void *)((const uint8_t *)config + flat->origins);
}

/* Writes a comment line that says where the key was said. Without a key it is about the entry that follows. */
static void write_origin(const struct config *config, FILE *file, const char *section, const char *key,
                         struct config_origin origin)
{
    fprintf(file, "# %s%s%s%s", section, *section ? "." : "", key, *key ? ": " : "");
    if (origin.file)
        fprintf(file, "%s:%u\n", config->files[origin.file - 1], origin.line);
    else
        fputs("default\n", file);
}

static const char *const level_keys[CONFIG_LEVEL_KEYS] = {"names", "back_after"};

static void write_origins(const struct config *config, FILE *file)
{
    for (size_t i = 0; i < CONFIG_FLAT_COUNT; i++) {
        const struct config_flat *const flat = &config_flats[i];
        for (size_t key = 0; key < flat->count; key++)
            write_origin(config, file, flat->keys[key].section, config_key_name(&flat->keys[key]),
                         flat_origins(flat, config)[key]);
    }
    for (unsigned role = 0; role < CONFIG_ROLE_COUNT; role++)
        write_origin(config, file, "access", config_role_name(role), config->access[role].origin);
    for (unsigned key = 0; key < CONFIG_LEVEL_KEYS; key++)
        write_origin(config, file, "levels", level_keys[key], config->level_origins[key]);
}

static void write_features(const struct config *config, FILE *file, bool origins)
{
    fputs(config->feature_count ? "features:\n" : "features: {}\n", file);
    for (size_t i = 0; i < config->feature_count; i++) {
        if (origins)
            write_origin(config, file, "", "", config->said[i].origin);
        config_feature_write(config, file, i);
    }
}

static void write_flat(const struct config *config, FILE *file, const struct config_flat *flat)
{
    char text[CONFIG_TEXT_MAX];
    fprintf(file, "%s: ", flat->name);
    for (size_t i = 0; i < flat->count; i++)
        fprintf(
            file, "%s%s: %s", i ? ", " : "{", config_key_name(&flat->keys[i]),
            config_value_format(flat->keys[i].kind, config_key_get(&flat->keys[i], flat_values(flat, config)), text));
    fputs("}\n", file);
}

int config_write_yaml(const struct config *config, FILE *file, bool origins)
{
    if (origins)
        write_origins(config, file);
    for (size_t i = 0; i < CONFIG_FLAT_COUNT; i++)
        write_flat(config, file, &config_flats[i]);
    fputs("access: ", file);
    for (unsigned role = 0; role < CONFIG_ROLE_COUNT; role++) {
        fprintf(file, "%s%s: [", role ? ", " : "{", config_role_name(role));
        for (size_t i = 0; i < config->access[role].count; i++) {
            fputs(i ? ", " : "", file);
            write_quoted(file, config->access[role].who[i].text);
        }
        fputc(']', file);
    }
    fputs("}\n", file);
    config_levels_write(config, file);
    write_features(config, file, origins);
    fputs("breakers:\n", file);
    for (size_t i = 0; i < config->breaker_count; i++) {
        if (origins)
            write_origin(config, file, "", "", config->origins[i]);
        write_breaker(config, file, &config->breakers[i]);
    }
    return ferror(file) ? -EIO : 0;
}

/* ------------------------------------------------------------------------------------------------------- visitor */

static void visit_scaled(const struct config_visitor *visitor, const char *key, uint64_t value, uint64_t unit)
{
    if (value % unit == 0)
        visitor->integer(visitor->context, key, value / unit);
    else
        visitor->number(visitor->context, key, (double)value / (double)unit);
}

static void visit_error_types(const struct config_visitor *visitor, const struct config_key *key, uint64_t types)
{
    visitor->list_begin(visitor->context, config_key_name(key), (size_t)__builtin_popcountll(types));
    for (size_t i = 0; i <= key->highest; i++)
        if (types >> i & 1)
            visitor->text(visitor->context, NULL, key->words[i]);
    visitor->end(visitor->context);
}

void config_visit_key(const struct config_visitor *visitor, const struct config_key *key, const void *base)
{
    const struct breaker_settings *settings = base;
    const char *name = config_key_name(key);
    char name_ms[32];
    switch (key->kind) {
    case CONFIG_DURATION:
        snprintf(name_ms, sizeof(name_ms), "%s_ms", name);
        visit_scaled(visitor, name_ms, config_key_get(key, base), TRIP_MS);
        break;
    case CONFIG_RATE:
        visit_scaled(visitor, name, config_key_get(key, base), 10);
        break;
    case CONFIG_FACTOR:
        visit_scaled(visitor, name, config_key_get(key, base), 1000);
        break;
    case CONFIG_COUNT:
    case CONFIG_BYTES:
        visitor->integer(visitor->context, name, config_key_get(key, base));
        break;
    case CONFIG_WORD:
        visitor->text(visitor->context, name, key->words[config_key_get(key, base)]);
        break;
    case CONFIG_FLAG:
        visitor->flag(visitor->context, name, config_key_get(key, base) != 0);
        break;
    case CONFIG_PATTERN:
        visitor->text(visitor->context, name, settings->match);
        break;
    case CONFIG_PATTERNS:
        visitor->list_begin(visitor->context, name, settings->depends_on.count);
        for (unsigned i = 0; i < settings->depends_on.count; i++)
            visitor->text(visitor->context, NULL, settings->depends_on.patterns[i]);
        visitor->end(visitor->context);
        break;
    case CONFIG_STEPS:
        visitor->list_begin(visitor->context, name, settings->ramp.step_count);
        for (uint32_t i = 0; i < settings->ramp.step_count; i++)
            visit_scaled(visitor, NULL, settings->ramp.steps[i], 10);
        visitor->end(visitor->context);
        break;
    case CONFIG_ERROR_TYPES:
        visit_error_types(visitor, key, config_key_get(key, base));
        break;
    case CONFIG_FALLBACK: /* is visited with the entry */
        break;
    }
}

static size_t shown_count(const char *section, const struct breaker_settings *settings)
{
    size_t count = 0;
    for (enum config_key_id id = 0; id < CONFIG_KEY_COUNT; id++)
        count += shown(id, section, settings);
    for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++)
        count += section_shown(config_sections[i], section, settings);
    return count;
}

static void visit_origin(const struct config *config, const struct config_visitor *visitor, const char *key,
                         struct config_origin origin)
{
    visitor->map_begin(visitor->context, key, 2);
    visitor->text(visitor->context, "file", config->files[origin.file - 1]);
    visitor->integer(visitor->context, "line", origin.line);
    visitor->end(visitor->context);
}

/* Visits the keys and sections within a section; "": within the entry. */
static void visit_section(const struct config_visitor *visitor, const char *section,
                          const struct breaker_settings *settings)
{
    for (enum config_key_id id = 0; id < CONFIG_KEY_COUNT; id++)
        if (shown(id, section, settings))
            config_visit_key(visitor, &config_keys[id], settings);
    for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++) {
        if (!section_shown(config_sections[i], section, settings))
            continue;
        visitor->map_begin(visitor->context, config_section_name(config_sections[i]),
                           shown_count(config_sections[i], settings));
        visit_section(visitor, config_sections[i], settings);
        visitor->end(visitor->context);
    }
}

/* Visits what is within the map of an entry: entry_count keys. */
static void visit_within(const struct config *config, const struct config_visitor *visitor,
                         const struct breaker_settings *settings)
{
    visit_section(visitor, "", settings);
    if (settings->fallback)
        config_fallback_visit(config, settings->fallback, visitor);
}

static size_t entry_count(const struct breaker_settings *settings)
{
    return shown_count("", settings) + (settings->fallback != 0);
}

static void visit_entry(const struct config *config, const struct config_visitor *visitor, size_t entry)
{
    const struct config_origin origin = config->origins[entry];
    const bool said = visitor->origins && origin.file;
    visitor->map_begin(visitor->context, NULL, entry_count(&config->breakers[entry]) + said);
    if (said)
        visit_origin(config, visitor, "origin", origin);
    visit_within(config, visitor, &config->breakers[entry]);
    visitor->end(visitor->context);
}

void config_visit_settings(const struct config *config, const struct breaker_settings *settings,
                           const struct config_visitor *visitor)
{
    visitor->map_begin(visitor->context, NULL, entry_count(settings));
    visit_within(config, visitor, settings);
    visitor->end(visitor->context);
}

static size_t said_count(const struct config_origin *origins, size_t count)
{
    size_t said = 0;
    for (size_t i = 0; i < count; i++)
        said += origins[i].file != 0;
    return said;
}

static void visit_said(const struct config *config, const struct config_visitor *visitor, const char *section,
                       const struct config_origin *origins, const char *const *keys, size_t count)
{
    visitor->map_begin(visitor->context, section, said_count(origins, count));
    for (size_t i = 0; i < count; i++)
        if (origins[i].file)
            visit_origin(config, visitor, keys[i], origins[i]);
    visitor->end(visitor->context);
}

static void visit_flat_said(const struct config *config, const struct config_visitor *visitor,
                            const struct config_flat *flat)
{
    const char *keys[CONFIG_FLAT_KEYS_MAX];
    for (size_t i = 0; i < flat->count; i++)
        keys[i] = config_key_name(&flat->keys[i]);
    visit_said(config, visitor, flat->name, flat_origins(flat, config), keys, flat->count);
}

/* Visits the files in the order in which they were read, then the keys and roles that a file sets. */
static void visit_origins(const struct config *config, const struct config_visitor *visitor)
{
    const char *roles[CONFIG_ROLE_COUNT];
    struct config_origin role_origins[CONFIG_ROLE_COUNT];
    for (unsigned role = 0; role < CONFIG_ROLE_COUNT; role++) {
        roles[role] = config_role_name(role);
        role_origins[role] = config->access[role].origin;
    }
    visitor->map_begin(visitor->context, "origins", 3 + CONFIG_FLAT_COUNT);
    visitor->list_begin(visitor->context, "files", config->file_count);
    for (size_t i = 0; i < config->file_count; i++)
        visitor->text(visitor->context, NULL, config->files[i]);
    visitor->end(visitor->context);
    for (size_t i = 0; i < CONFIG_FLAT_COUNT; i++)
        visit_flat_said(config, visitor, &config_flats[i]);
    visit_said(config, visitor, "access", role_origins, roles, CONFIG_ROLE_COUNT);
    visit_said(config, visitor, "levels", config->level_origins, level_keys, CONFIG_LEVEL_KEYS);
    visitor->end(visitor->context);
}

static void visit_features(const struct config *config, const struct config_visitor *visitor)
{
    visitor->list_begin(visitor->context, "features", config->feature_count);
    for (size_t i = 0; i < config->feature_count; i++) {
        visitor->map_begin(visitor->context, NULL, CONFIG_FEATURE_KEYS + (size_t)visitor->origins);
        if (visitor->origins)
            visit_origin(config, visitor, "origin", config->said[i].origin);
        config_feature_visit(config, visitor, i);
        visitor->end(visitor->context);
    }
    visitor->end(visitor->context);
}

static void visit_flat(const struct config *config, const struct config_visitor *visitor,
                       const struct config_flat *flat)
{
    visitor->map_begin(visitor->context, flat->name, flat->count);
    for (size_t i = 0; i < flat->count; i++)
        config_visit_key(visitor, &flat->keys[i], flat_values(flat, config));
    visitor->end(visitor->context);
}

void config_visit(const struct config *config, const struct config_visitor *visitor)
{
    void *context = visitor->context;
    visitor->map_begin(context, NULL, 4 + CONFIG_FLAT_COUNT + (size_t)visitor->origins);
    if (visitor->origins)
        visit_origins(config, visitor);
    for (size_t i = 0; i < CONFIG_FLAT_COUNT; i++)
        visit_flat(config, visitor, &config_flats[i]);
    visitor->map_begin(context, "access", CONFIG_ROLE_COUNT);
    for (unsigned role = 0; role < CONFIG_ROLE_COUNT; role++) {
        visitor->list_begin(context, config_role_name(role), config->access[role].count);
        for (size_t i = 0; i < config->access[role].count; i++)
            visitor->text(context, NULL, config->access[role].who[i].text);
        visitor->end(context);
    }
    visitor->end(context);
    config_levels_visit(config, visitor);
    visit_features(config, visitor);
    visitor->list_begin(context, "breakers", config->breaker_count);
    for (size_t i = 0; i < config->breaker_count; i++)
        visit_entry(config, visitor, i);
    visitor->end(context);
    visitor->end(context);
}
