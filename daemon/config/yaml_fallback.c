/* `fallback` of a breakers entry: which strategies answer, by error type. */
#include <stdlib.h>

#include "config/fallbacks.h"
#include "config/keys.h"
#include "config/value.h"
#include "config/yaml_parts.h"

#define STANDARD_TTL_MS 300000 /* also of a `cached` that says none */
#define STANDARD_QUEUE  "retry_queue"

/* What is being read: the chain of an entry, one of its lists, and in it one item. */
struct draft {
    struct fallback_chain chain;
    bool own[TRIP_ERROR_TYPE_COUNT]; /* the type has a list of its own, so that "*" is not for it */
    uint16_t rest;                   /* the list of "*" */

    char list[32]; /* where it stands: fallback.network */
    struct fallback_step steps[FALLBACK_LIST_MAX];
    size_t count;     /* of these steps; may be more than there is room for */
    bool has_default; /* which always answers */

    char place[64]; /* fallback.network.cached */
    struct fallback_step step;
    enum trip_strategy strategy;
    const yaml_node_t *value, *endpoints, *pick, *endpoint;
};

/* Returns the book, which the first chain of the config makes. Its first text is empty: that of a step without one.
 * NULL: no memory. */
static struct fallback_book *book_of(struct reader *reader)
{
    struct config *const config = reader->config;
    if (config->fallbacks)
        return config->fallbacks;
    config->fallbacks = calloc(1, sizeof(*config->fallbacks));
    if (config->fallbacks)
        config->fallbacks->text_used = 1;
    else
        reader->problems->no_memory = true;
    return config->fallbacks;
}

static void add_step(struct draft *draft)
{
    if (draft->count < FALLBACK_LIST_MAX)
        draft->steps[draft->count] = draft->step;
    draft->count++;
}

/* Adds the step that is being read, with its text. */
static void add_text(struct reader *reader, struct draft *draft, const yaml_node_t *node, const char *text)
{
    struct fallback_book *const book = book_of(reader);
    if (!book)
        return;
    if (config_fallback_text(book, text, &draft->step))
        add_step(draft);
    else
        config_problem(reader->problems, line_of(node),
                       "%s: the texts of all fallbacks take more than %d bytes with this one; write shorter ones, or "
                       "equal ones, which count once",
                       draft->place, FALLBACK_TEXTS - 2);
}

/* Returns the name that a scalar is. NULL: it is none, and the problem says so. */
static const char *read_name(struct reader *reader, const char *where, const yaml_node_t *node, const char *as)
{
    char quoted[CONFIG_QUOTE_MAX];
    const char *const text = scalar(node);
    if (text && settings_name_valid(text, strlen(text)))
        return text;
    config_problem(reader->problems, line_of(node),
                   "%s: %s is no name; write 1 to %d of letters, digits and . _ : / @ -, as %s", where,
                   quote(node, quoted), TRIP_NAME_MAX, as);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------ strategies */

static void read_ttl(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                     const yaml_node_t *value)
{
    (void)name;
    (void)key;
    struct draft *const draft = context;
    char quoted[CONFIG_QUOTE_MAX], why[CONFIG_WHY_MAX] = "is finer than 1ms; write 1s to 30d";
    const char *const text = scalar(value);
    uint64_t ttl;
    if (config_value_parse(CONFIG_DURATION, text ? text : "", TRIP_S, SETTINGS_OPEN_MAX, &ttl, why) &&
        ttl % TRIP_MS == 0)
        draft->step.ttl_ms = ttl / TRIP_MS;
    else
        config_problem(reader->problems, line_of(value), "%s.ttl: %s %s", draft->place, quote(value, quoted), why);
}

static void read_cached(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    const struct level level = {.where = draft->place, .names = {"ttl"}, .count = 1, .read = read_ttl};
    draft->step.ttl_ms = STANDARD_TTL_MS;
    config_read_mapping(reader, &level, draft, node);
    add_step(draft);
}

static void read_weight(struct reader *reader, struct draft *draft, const yaml_node_t *key, const yaml_node_t *value)
{
    char quoted[CONFIG_QUOTE_MAX], why[CONFIG_WHY_MAX];
    const char *const text = scalar(value);
    uint64_t weight;
    if (!(draft->step.flags & FALLBACK_WEIGHTED))
        config_problem(reader->problems, line_of(key),
                       "%s: weight has no effect without pick: weighted; add pick: weighted, or leave it out",
                       draft->place);
    else if (config_value_parse(CONFIG_COUNT, text ? text : "", 1, FALLBACK_WEIGHT_MAX, &weight, why))
        draft->step.weight = (uint16_t)weight;
    else
        config_problem(reader->problems, line_of(value), "%s.weight: %s %s", draft->place, quote(value, quoted), why);
}

static void read_endpoint_key(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                              const yaml_node_t *value)
{
    struct draft *const draft = context;
    if (name == 0)
        draft->endpoint = value;
    else
        read_weight(reader, draft, key, value);
}

/* Reads one endpoint, which is a name, or a mapping with one. */
static void read_endpoint(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    static const char as[] = "\"backup.example.com:443\"";
    draft->endpoint = node;
    if (node->type == YAML_MAPPING_NODE) {
        const struct level level = {
            .where = draft->place, .names = {"endpoint", "weight"}, .count = 2, .read = read_endpoint_key};
        draft->endpoint = NULL;
        config_read_mapping(reader, &level, draft, node);
    }
    if (!draft->endpoint)
        config_problem(reader->problems, line_of(node),
                       "%s: one has no endpoint; write it as {endpoint: %s, weight: 2}", draft->place, as);
    const char *const text = draft->endpoint ? read_name(reader, draft->place, draft->endpoint, as) : NULL;
    if (text)
        add_text(reader, draft, draft->endpoint, text);
}

static void read_endpoints(struct reader *reader, struct draft *draft, bool weighted)
{
    char quoted[CONFIG_QUOTE_MAX];
    const yaml_node_t *const list = draft->endpoints;
    const ptrdiff_t count = list_length(list);
    strcat(draft->place, ".endpoints");
    if (count < 1 || count > FALLBACK_LIST_MAX) {
        config_problem(reader->problems, line_of(list),
                       "%s: %s is no list of 1 to %d; write it as [\"backup.example.com:443\"]", draft->place,
                       quote(list, quoted), FALLBACK_LIST_MAX);
        return;
    }
    for (ptrdiff_t i = 0; i < count; i++) {
        draft->step = (struct fallback_step){.strategy = TRIP_STRATEGY_ALTERNATIVE};
        draft->step.flags = (uint8_t)((weighted ? FALLBACK_WEIGHTED : 0) | (i + 1 < count ? FALLBACK_MORE : 0));
        draft->step.weight = weighted;
        read_endpoint(reader, draft, list_item(reader, list, i));
    }
}

static void read_alternative_key(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                                 const yaml_node_t *value)
{
    (void)reader;
    (void)key;
    struct draft *const draft = context;
    *(name == 0 ? &draft->endpoints : &draft->pick) = value;
}

static void read_alternative(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    const struct level level = {
        .where = draft->place, .names = {"endpoints", "pick"}, .count = 2, .read = read_alternative_key};
    const unsigned problems = reader->problems->count;
    char quoted[CONFIG_QUOTE_MAX];
    draft->endpoints = draft->pick = NULL;
    config_read_mapping(reader, &level, draft, node);
    const char *const pick = draft->pick ? scalar(draft->pick) : "order";
    const bool weighted = pick && strcmp(pick, "weighted") == 0;
    if (!weighted && (!pick || strcmp(pick, "order") != 0))
        config_problem(reader->problems, line_of(draft->pick), "%s.pick: %s is not one; write order or weighted",
                       draft->place, quote(draft->pick, quoted));
    else if (draft->endpoints)
        read_endpoints(reader, draft, weighted);
    else if (reader->problems->count == problems)
        config_problem(reader->problems, line_of(node),
                       "%s has no endpoints; write them as {endpoints: [\"backup.example.com:443\"]}", draft->place);
}

static void read_reduced(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    char quoted[CONFIG_QUOTE_MAX], features[FALLBACK_VALUE_MAX + 1] = "";
    const unsigned problems = reader->problems->count;
    const ptrdiff_t count = list_length(node);
    if (count < 1 || count > CONFIG_FEATURES_MAX)
        config_problem(reader->problems, line_of(node),
                       "%s: %s is no list of 1 to %d features; write it as [recommendations]", draft->place,
                       quote(node, quoted), CONFIG_FEATURES_MAX);
    for (ptrdiff_t i = 0; i < count && count <= CONFIG_FEATURES_MAX; i++) {
        const char *const name = read_name(reader, draft->place, list_item(reader, node, i), "recommendations");
        if (name)
            strcat(strcat(features, i ? "," : ""), name);
    }
    if (reader->problems->count == problems)
        add_text(reader, draft, node, features);
}

static void read_value(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                       const yaml_node_t *value)
{
    (void)reader;
    (void)name;
    (void)key;
    ((struct draft *)context)->value = value;
}

static void read_default(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    const struct level level = {.where = draft->place, .names = {"value"}, .count = 1, .read = read_value};
    const unsigned problems = reader->problems->count;
    char json[FALLBACK_VALUE_MAX + 1];
    draft->value = NULL;
    config_read_mapping(reader, &level, draft, node);
    if (draft->value && config_read_json(reader, draft->place, draft->value, json))
        add_text(reader, draft, draft->value, json);
    else if (!draft->value && reader->problems->count == problems)
        config_problem(reader->problems, line_of(node), "%s has no value; write it as {value: {items: []}}",
                       draft->place);
}

static void read_queue(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    const char *const name = read_name(reader, draft->place, node, STANDARD_QUEUE);
    if (name)
        add_text(reader, draft, node, name);
}

/* ------------------------------------------------------------------------------------------------------------ lists */

static void read_strategy(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                          const yaml_node_t *value)
{
    static void (*const readers[TRIP_STRATEGY_COUNT])(struct reader *, struct draft *, const yaml_node_t *) = {
        [TRIP_STRATEGY_CACHED] = read_cached,   [TRIP_STRATEGY_ALTERNATIVE] = read_alternative,
        [TRIP_STRATEGY_REDUCED] = read_reduced, [TRIP_STRATEGY_DEFAULT] = read_default,
        [TRIP_STRATEGY_QUEUE] = read_queue,
    };
    struct draft *const draft = context;
    const enum trip_strategy strategy = (enum trip_strategy)(name + 1);
    const char *const said = config_strategy_names[strategy], *const before = config_strategy_names[draft->strategy];
    if (draft->strategy != TRIP_STRATEGY_NONE) {
        config_problem(reader->problems, line_of(key),
                       "%s: %s and %s stand in one item; write an item for each, as [{%s: ...}, {%s: ...}]",
                       draft->list, before, said, before, said);
        return;
    }
    if (draft->has_default)
        config_problem(reader->notes, line_of(key),
                       "%s: %s is never tried, as default stands before it and always answers", draft->list, said);
    draft->has_default |= strategy == TRIP_STRATEGY_DEFAULT;
    draft->strategy = strategy;
    draft->step = (struct fallback_step){.strategy = (uint8_t)strategy};
    snprintf(draft->place, sizeof(draft->place), "%s.%s", draft->list, said);
    readers[strategy](reader, draft, value);
}

static void read_item(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    struct level level = {.where = draft->list, .count = TRIP_STRATEGY_COUNT - 1, .read = read_strategy};
    memcpy(level.names, &config_strategy_names[1], level.count * sizeof(level.names[0]));
    const unsigned problems = reader->problems->count;
    draft->strategy = TRIP_STRATEGY_NONE;
    config_read_mapping(reader, &level, draft, node);
    if (draft->strategy == TRIP_STRATEGY_NONE && reader->problems->count == problems)
        config_problem(reader->problems, line_of(node),
                       "%s: an item names no strategy; write one, as {cached: {ttl: "
                       "300s}}",
                       draft->list);
}

/* Adds the list that the draft holds to the book. Returns its place + 1; 0: it is empty, or there was a problem. */
static uint16_t add_list(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    struct fallback_book *const book = draft->count ? book_of(reader) : NULL;
    if (draft->count > FALLBACK_LIST_MAX) {
        config_problem(reader->problems, line_of(node),
                       "%s: has %zu strategies, each endpoint counted, and may have %d; leave some out", draft->list,
                       draft->count, FALLBACK_LIST_MAX);
        return 0;
    }
    const uint16_t first = book ? config_fallback_list(book, draft->steps, draft->count) : 0;
    if (book && !first)
        config_problem(reader->problems, line_of(node),
                       "%s: with these %zu strategies all files together have more than %d; write equal lists, which "
                       "count once",
                       draft->list, draft->count, FALLBACK_STEPS);
    return first;
}

static uint16_t read_list(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    char quoted[CONFIG_QUOTE_MAX];
    const ptrdiff_t count = list_length(node);
    if (count < 0)
        config_problem(reader->problems, line_of(node),
                       "%s: %s is no list of strategies; write it as [{cached: {ttl: 300s}}], or [] for none",
                       draft->list, quote(node, quoted));
    draft->count = 0;
    draft->has_default = false;
    for (ptrdiff_t i = 0; i < count; i++)
        read_item(reader, draft, list_item(reader, node, i));
    return add_list(reader, draft, node);
}

static void read_type(struct reader *reader, void *context, size_t name, const yaml_node_t *key,
                      const yaml_node_t *value)
{
    (void)key;
    struct draft *const draft = context;
    snprintf(draft->list, sizeof(draft->list), "fallback.%s", config_fallback_types[name]);
    const uint16_t first = read_list(reader, draft, value);
    if (name == TRIP_ERROR_TYPE_COUNT) {
        draft->rest = first;
        return;
    }
    draft->chain.first[name] = first;
    draft->own[name] = true;
}

/* ----------------------------------------------------------------------------------------------------------- chains */

static void read_types(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    struct level level = {.where = "fallback",
                          .count = CONFIG_FALLBACK_LISTS,
                          .known = ERROR_TYPES_KNOWN "user_0 to user_15, or \"*\" for all others",
                          .read = read_type};
    memcpy(level.names, config_fallback_types, sizeof(config_fallback_types));
    config_read_mapping(reader, &level, draft, node);
    for (size_t type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        if (!draft->own[type])
            draft->chain.first[type] = draft->rest;
}

/* `standard` has nothing for a timeout: the endpoints of an alternative are each entry's own. */
static void standard(struct reader *reader, struct draft *draft, const yaml_node_t *node)
{
    strcpy(draft->list, "fallback");
    strcpy(draft->place, "fallback");
    draft->step = (struct fallback_step){.strategy = TRIP_STRATEGY_CACHED, .ttl_ms = STANDARD_TTL_MS};
    draft->count = 0;
    add_step(draft);
    draft->chain.first[TRIP_ERROR_NETWORK] = add_list(reader, draft, node);
    draft->step = (struct fallback_step){.strategy = TRIP_STRATEGY_QUEUE};
    draft->count = 0;
    add_text(reader, draft, node, STANDARD_QUEUE);
    draft->chain.first[TRIP_ERROR_SERVICE_UNAVAILABLE] = add_list(reader, draft, node);
}

static bool has_list(const struct fallback_chain *chain)
{
    for (size_t type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        if (chain->first[type])
            return true;
    return false;
}

static void add_chain(struct reader *reader, struct breaker_settings *settings, const struct draft *draft,
                      const yaml_node_t *node)
{
    struct fallback_book *const book = reader->config->fallbacks; /* it is there, for it has a list of the chain */
    const size_t size = config_fallback_size(book, &draft->chain);
    settings->fallback = config_fallback_chain(book, &draft->chain);
    if (!settings->fallback)
        config_problem(reader->problems, line_of(node),
                       "fallback: with this one all files together have more than %d; write equal ones, which count "
                       "once",
                       FALLBACK_CHAINS);
    if (size > CONFIG_CHAIN_MAX)
        config_problem(reader->problems, line_of(node),
                       "fallback: takes %zu bytes, written out for each type, and may take %d; write shorter texts, or "
                       "one list as \"*\"",
                       size, CONFIG_CHAIN_MAX);
}

void config_read_fallback(struct reader *reader, struct breaker_settings *settings, const yaml_node_t *node)
{
    char quoted[CONFIG_QUOTE_MAX];
    const char *const text = scalar(node);
    struct draft draft = {0};
    if (is_empty(node) || (text && strcmp(text, "none") == 0))
        return;
    if (text && strcmp(text, "standard") == 0)
        standard(reader, &draft, node);
    else if (node->type == YAML_MAPPING_NODE)
        read_types(reader, &draft, node);
    else
        config_problem(reader->problems, line_of(node),
                       "fallback: %s is not one; write none, standard, or strategies by error type, as {network: "
                       "[{cached: {ttl: 300s}}]}",
                       quote(node, quoted));
    if (has_list(&draft.chain))
        add_chain(reader, settings, &draft, node);
}
