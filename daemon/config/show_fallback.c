#include <string.h>

#include "config/fallbacks.h"
#include "config/value.h"

static const struct fallback_step *list_of(const struct fallback_book *book, int first)
{
    return first > 0 ? &book->steps[first - 1] : NULL;
}

/* Returns the last endpoint of the alternative that begins with this step. Any other strategy is a step alone. */
static const struct fallback_step *last_endpoint(const struct fallback_step *step)
{
    while (step->flags & FALLBACK_MORE)
        step++;
    return step;
}

/* Returns the step that begins the next strategy of the list. NULL: this one is the last. */
static const struct fallback_step *next_strategy(const struct fallback_step *step)
{
    step = last_endpoint(step);
    return step->flags & FALLBACK_LAST ? NULL : step + 1;
}

/* Copies the next feature of a `reduced`. Returns what follows it, or NULL behind the last one. */
static const char *next_feature(const char *text, char feature[TRIP_NAME_MAX + 1])
{
    const size_t length = strcspn(text, ",");
    memcpy(feature, text, length);
    feature[length] = '\0';
    return text[length] ? text + length + 1 : NULL;
}

/* ---------------------------------------------------------------------------------------------------------- YAML */

static void write_features(FILE *file, const char *features)
{
    char feature[TRIP_NAME_MAX + 1];
    const char *separator = "[";
    while (features) {
        features = next_feature(features, feature);
        fprintf(file, "%s\"%s\"", separator, feature);
        separator = ", ";
    }
    fputc(']', file);
}

static void write_endpoints(FILE *file, const char *texts, const struct fallback_step *step)
{
    const struct fallback_step *const last = last_endpoint(step);
    const bool weighted = step->flags & FALLBACK_WEIGHTED;
    fprintf(file, "{pick: %s, endpoints: ", weighted ? "weighted" : "order");
    for (const char *separator = "["; step <= last; step++, separator = ", ")
        if (weighted)
            fprintf(file, "%s{endpoint: \"%s\", weight: %u}", separator, texts + step->text, step->weight);
        else
            fprintf(file, "%s\"%s\"", separator, texts + step->text);
    fputs("]}", file);
}

/* Writes a strategy, which is a line of its own: `tripctl config show` takes whole lines into its pages. */
static void write_strategy(FILE *file, const char *texts, const struct fallback_step *step)
{
    char ttl[CONFIG_TEXT_MAX];
    fprintf(file, "        - %s: ", config_strategy_names[step->strategy]);
    switch (step->strategy) {
    case TRIP_STRATEGY_CACHED:
        fprintf(file, "{ttl: %s}", config_value_format(CONFIG_DURATION, step->ttl_ms * TRIP_MS, ttl));
        break;
    case TRIP_STRATEGY_ALTERNATIVE:
        write_endpoints(file, texts, step);
        break;
    case TRIP_STRATEGY_REDUCED:
        write_features(file, texts + step->text);
        break;
    case TRIP_STRATEGY_DEFAULT:
        fprintf(file, "{value: %s}", texts + step->text); /* JSON is YAML */
        break;
    default:
        fprintf(file, "\"%s\"", texts + step->text);
    }
    fputc('\n', file);
}

void config_fallback_write(const struct config *config, uint16_t fallback, FILE *file)
{
    const struct fallback_book *const book = config->fallbacks;
    int lists[CONFIG_FALLBACK_LISTS];
    config_fallback_lists(&book->chains[fallback - 1], lists);
    fputs("    fallback:\n", file);
    for (size_t type = 0; type < CONFIG_FALLBACK_LISTS; type++) {
        const char *const quote = type == TRIP_ERROR_TYPE_COUNT ? "\"" : "";
        if (lists[type] >= 0)
            fprintf(file, "      %s%s%s:%s\n", quote, config_fallback_types[type], quote, lists[type] ? "" : " []");
        for (const struct fallback_step *step = list_of(book, lists[type]); step; step = next_strategy(step))
            write_strategy(file, book->texts, step);
    }
}

/* ------------------------------------------------------------------------------------------------------- visitor */

static void visit_features(const struct config_visitor *visitor, const char *key, const char *features)
{
    char feature[TRIP_NAME_MAX + 1];
    size_t count = 1;
    for (const char *at = features; (at = strchr(at, ',')); at++)
        count++;
    visitor->list_begin(visitor->context, key, count);
    while (features) {
        features = next_feature(features, feature);
        visitor->text(visitor->context, NULL, feature);
    }
    visitor->end(visitor->context);
}

static void visit_endpoint(const struct config_visitor *visitor, const char *texts, const struct fallback_step *step)
{
    if (!(step->flags & FALLBACK_WEIGHTED)) {
        visitor->text(visitor->context, NULL, texts + step->text);
        return;
    }
    visitor->map_begin(visitor->context, NULL, 2);
    visitor->text(visitor->context, "endpoint", texts + step->text);
    visitor->integer(visitor->context, "weight", step->weight);
    visitor->end(visitor->context);
}

static void visit_endpoints(const struct config_visitor *visitor, const char *texts, const struct fallback_step *step)
{
    const struct fallback_step *const last = last_endpoint(step);
    visitor->text(visitor->context, "pick", step->flags & FALLBACK_WEIGHTED ? "weighted" : "order");
    visitor->list_begin(visitor->context, "endpoints", (size_t)(last - step) + 1);
    for (; step <= last; step++)
        visit_endpoint(visitor, texts, step);
    visitor->end(visitor->context);
}

/* Visits a strategy: a map of one key, as in YAML. A value is a text of JSON, for it may be deeper than answers are. */
static void visit_strategy(const struct config_visitor *visitor, const char *texts, const struct fallback_step *step)
{
    void *const context = visitor->context;
    const char *const name = config_strategy_names[step->strategy], *const text = texts + step->text;
    visitor->map_begin(context, NULL, 1);
    switch (step->strategy) {
    case TRIP_STRATEGY_CACHED:
        visitor->map_begin(context, name, 1);
        visitor->integer(context, "ttl_ms", step->ttl_ms);
        visitor->end(context);
        break;
    case TRIP_STRATEGY_ALTERNATIVE:
        visitor->map_begin(context, name, 2);
        visit_endpoints(visitor, texts, step);
        visitor->end(context);
        break;
    case TRIP_STRATEGY_REDUCED:
        visit_features(visitor, name, text);
        break;
    case TRIP_STRATEGY_DEFAULT:
        visitor->map_begin(context, name, 1);
        visitor->text(context, "value_json", text);
        visitor->end(context);
        break;
    default:
        visitor->text(context, name, text);
    }
    visitor->end(context);
}

static void visit_list(const struct config_visitor *visitor, const struct fallback_book *book, const char *key,
                       int first)
{
    size_t count = 0;
    for (const struct fallback_step *step = list_of(book, first); step; step = next_strategy(step))
        count++;
    visitor->list_begin(visitor->context, key, count);
    for (const struct fallback_step *step = list_of(book, first); step; step = next_strategy(step))
        visit_strategy(visitor, book->texts, step);
    visitor->end(visitor->context);
}

void config_fallback_visit(const struct config *config, uint16_t fallback, const struct config_visitor *visitor)
{
    const struct fallback_book *const book = config->fallbacks;
    int lists[CONFIG_FALLBACK_LISTS];
    visitor->map_begin(visitor->context, "fallback", config_fallback_lists(&book->chains[fallback - 1], lists));
    for (size_t type = 0; type < CONFIG_FALLBACK_LISTS; type++)
        if (lists[type] >= 0)
            visit_list(visitor, book, config_fallback_types[type], lists[type]);
    visitor->end(visitor->context);
}
