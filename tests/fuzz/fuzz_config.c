/* The config file: any text is refused in whole lines that name the file, or gives a config that means the same when
 * it is written out and read again. */
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "fuzz.h"
#include "trip.h"

#define NAME "fuzz.yaml"

/* Checks that lines are fit for a terminal: they hold no byte that it would obey. */
static void check_lines(const char *lines)
{
    assert(lines[0] && lines[strlen(lines) - 1] == '\n');
    for (const char *line = lines; *line; line = strchr(line, '\n') + 1)
        assert(strncmp(line, NAME ":", strlen(NAME ":")) == 0 || strncmp(line, "and ", 4) == 0);
    for (const char *byte = lines; *byte; byte++)
        assert((*byte >= ' ' && *byte <= '~') || *byte == '\n');
}

static char *written(const struct config *config, size_t *ret_length)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_length);
    assert(file && config_write_yaml(config, file, false) == 0);
    fclose(file);
    return text;
}

/* ------------------------------------------------------------------------------------------------- what is visited */

struct visit {
    int64_t depth;
    size_t left[16]; /* entries still to come, at each depth */
};

static void entry(struct visit *visit)
{
    assert(visit->depth >= 0 && visit->depth < 15);
    assert(visit->left[visit->depth]-- > 0);
}

static void visit_begin(void *context, const char *key, size_t count)
{
    struct visit *visit = context;
    (void)key;
    entry(visit);
    visit->left[++visit->depth] = count;
}

static void visit_end(void *context)
{
    struct visit *visit = context;
    assert(visit->depth > 0 && visit->left[visit->depth] == 0);
    visit->depth--;
}

static void visit_integer(void *context, const char *key, uint64_t value)
{
    (void)key;
    (void)value;
    entry(context);
}

static void visit_number(void *context, const char *key, double value)
{
    (void)key;
    assert(value >= 0);
    entry(context);
}

static void visit_text(void *context, const char *key, const char *value)
{
    (void)key;
    assert(value && strlen(value) <= FALLBACK_VALUE_MAX);
    entry(context);
}

static void visit_flag(void *context, const char *key, bool value)
{
    (void)key;
    (void)value;
    entry(context);
}

static void check_visit(const struct config *config)
{
    struct visit visit = {.left = {1}};
    const struct config_visitor visitor = {.context = &visit,
                                           .map_begin = visit_begin,
                                           .list_begin = visit_begin,
                                           .end = visit_end,
                                           .integer = visit_integer,
                                           .number = visit_number,
                                           .text = visit_text,
                                           .flag = visit_flag};
    config_visit(config, &visitor);
    assert(visit.depth == 0 && visit.left[0] == 0);
}

/* --------------------------------------------------------------------------------------------------- what is meant */

static void check_range(uint64_t value, uint64_t lowest, uint64_t highest)
{
    assert(value >= lowest && value <= highest);
}

static void check_ranges(const struct breaker_settings *settings)
{
#define CHECK_RANGE(section, key, kind, initial, lowest, highest) check_range(settings->section.key, lowest, highest);
    SETTINGS_SCALARS(CHECK_RANGE)
#undef CHECK_RANGE
    check_range(settings->ramp.step_count, 1, SETTINGS_RAMP_STEPS_MAX);
    check_range(settings->retry.on, 0, (UINT64_C(1) << TRIP_ERROR_TYPE_COUNT) - 1);
}

/* Checks that the book is sound, and that the values are JSON. */
static void check_values(const struct fallback_book *book)
{
    if (!book)
        return;
    assert(fallback_book_ok(book));
    for (uint32_t i = 0; i < book->step_count; i++) {
        if (book->steps[i].strategy != TRIP_STRATEGY_DEFAULT)
            continue;
        json_t *value = json_loads(book->texts + book->steps[i].text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
        assert(value);
        json_decref(value);
    }
}

static void check_settings(const struct config *config)
{
    static const char *const names[] = {"a", "payments/eu", "*", ""};
    const struct breaker_settings *const last = &config->breakers[config->breaker_count - 1];
    assert(config->breaker_count >= 1 && config->breaker_count <= CONFIG_BREAKERS_MAX + 1);
    assert(settings_pattern_matches(last->match, "any-name/at:all"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct breaker_settings *const settings = config_settings_for(config, names[i]);
        assert(settings == last || settings_pattern_matches(settings->match, names[i]));
    }
    for (size_t i = 0; i < config->breaker_count; i++) {
        check_ranges(&config->breakers[i]);
        check_range(config->breakers[i].fallback, 0, config->fallbacks ? config->fallbacks->chain_count : 0);
    }
    check_values(config->fallbacks);
}

static void check_written(const struct config *config)
{
    struct config *again = NULL;
    char *problems = NULL;
    size_t length, length_again;
    char *text = written(config, &length);
    assert(config_parse(text, length, NAME, &again, &problems) == 0);
    char *text_again = written(again, &length_again);
    assert(length == length_again && memcmp(text, text_again, length) == 0);
    free(text_again);
    free(text);
    config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    char *problems = NULL;
    const int error = config_parse((const char *)data, size, NAME, &config, &problems);
    if (error) {
        assert(error == -EINVAL && !config);
        check_lines(problems);
        free(problems);
        return 0;
    }
    assert(!problems);
    if (config->notes)
        check_lines(config->notes);
    check_settings(config);
    check_visit(config);
    check_written(config);
    config_free(config);
    return 0;
}
