/* The parts that the files share which read YAML: yaml.c and yaml_*.c, the only ones that include this header. */
#ifndef TRIPD_CONFIG_YAML_PARTS_H
#define TRIPD_CONFIG_YAML_PARTS_H

#include <string.h>
#include <yaml.h>

#include "config/yaml.h"

#define NAMES_MAX 32

struct reader {
    yaml_document_t document;
    struct config_reading *reading;
    struct config *config;
    struct config_problems *problems, *notes;
    size_t first; /* entries of the files before it */
};

static inline size_t line_of(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

/* Returns the text of a scalar. NULL: the node is no scalar, or one with a NUL in it. */
static inline const char *scalar(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE)
        return NULL;
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

static inline const char *quote(const yaml_node_t *node, char quoted[CONFIG_QUOTE_MAX])
{
    if (node->type == YAML_SEQUENCE_NODE)
        return "a list";
    if (node->type == YAML_MAPPING_NODE)
        return "a mapping";
    if (node->data.scalar.length == 0)
        return "nothing";
    return config_quote((const char *)node->data.scalar.value, node->data.scalar.length, quoted);
}

/* Is the node nothing, as `trip:` with all its keys commented out? */
static inline bool is_empty(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0 &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* Returns the length of a list. -1: the node is no list. */
static inline ptrdiff_t list_length(const yaml_node_t *node)
{
    return node->type == YAML_SEQUENCE_NODE ? node->data.sequence.items.top - node->data.sequence.items.start : -1;
}

static inline const yaml_node_t *list_item(struct reader *reader, const yaml_node_t *node, ptrdiff_t i)
{
    return yaml_document_get_node(&reader->document, node->data.sequence.items.start[i]);
}

/* A mapping: the names that it may hold, and where it stands in the file. */
struct level {
    const char *where; /* "trip"; "" at the top */
    const char *names[NAMES_MAX];
    size_t count;
    const char *known; /* the names as complaints list them; NULL: each */
    void (*read)(struct reader *reader, void *context, size_t name, const yaml_node_t *key, const yaml_node_t *value);
};

/* Hands each key of a mapping to level->read. A key that is unknown, or stands there twice, is a problem. */
void config_read_mapping(struct reader *reader, const struct level *level, void *context, const yaml_node_t *node);

/* Reads the value of `fallback` of a breakers entry (yaml_fallback.c). */
void config_read_fallback(struct reader *reader, struct breaker_settings *settings, const yaml_node_t *node);

/* Writes a node as compact JSON (yaml_json.c). False: it has no place there, and `where` of the problem says why. */
bool config_read_json(struct reader *reader, const char *where, const yaml_node_t *node,
                      char json[FALLBACK_VALUE_MAX + 1]);

#define ERROR_TYPES_LISTED(suffix, name) name ", "
#define ERROR_TYPES_KNOWN                TRIP_ERROR_TYPES(ERROR_TYPES_LISTED)

#endif
