#include "protocol/report_config.h"

#include <errno.h>
#include <limits.h>

#include "protocol/report_parts.h"

#define TREE_DEPTH_MAX 9 /* an endpoint of a fallback is the deepest map */

/* The maps and lists that are begun and not ended; levels[0] is the outermost. */
struct tree {
    json_t *levels[TREE_DEPTH_MAX];
    size_t depth; /* levels in use */
    bool broken;  /* there was no memory, or the config is deeper than any can be */
};

/* Puts a value into the innermost map or list. Takes the value. */
static void put(struct tree *tree, const char *key, json_t *value)
{
    json_t *into = tree->depth > 0 ? tree->levels[tree->depth - 1] : NULL;
    if (!value || !into || (key ? json_object_set_new(into, key, value) : json_array_append_new(into, value)) < 0)
        tree->broken = true;
}

static void begin(struct tree *tree, const char *key, json_t *value)
{
    if (tree->depth > 0)
        put(tree, key, value);
    if (!value || tree->depth == TREE_DEPTH_MAX)
        tree->broken = true;
    if (!tree->broken)
        tree->levels[tree->depth++] = value; /* borrowed from the level before, except for the outermost */
}

static void map_begin(void *context, const char *key, size_t count)
{
    (void)count;
    struct tree *tree = context;
    if (!tree->broken)
        begin(tree, key, json_object());
}

static void list_begin(void *context, const char *key, size_t count)
{
    (void)count;
    struct tree *tree = context;
    if (!tree->broken)
        begin(tree, key, json_array());
}

static void end(void *context)
{
    struct tree *tree = context;
    if (!tree->broken)
        tree->depth--;
}

static void integer(void *context, const char *key, uint64_t value)
{
    struct tree *tree = context;
    if (!tree->broken)
        put(tree, key, json_integer((json_int_t)value));
}

static void real(void *context, const char *key, double value)
{
    struct tree *tree = context;
    if (!tree->broken)
        put(tree, key, json_real(value));
}

static void text(void *context, const char *key, const char *value)
{
    struct tree *tree = context;
    if (!tree->broken)
        put(tree, key, json_string(value));
}

static void flag(void *context, const char *key, bool value)
{
    struct tree *tree = context;
    if (!tree->broken)
        put(tree, key, json_boolean(value));
}

static struct config_visitor planter(struct tree *tree, bool origins)
{
    return (struct config_visitor){.context = tree,
                                   .origins = origins,
                                   .map_begin = map_begin,
                                   .list_begin = list_begin,
                                   .end = end,
                                   .integer = integer,
                                   .number = real,
                                   .text = text,
                                   .flag = flag};
}

static json_t *grown(const struct tree *tree)
{
    if (!tree->broken)
        return tree->levels[0];
    json_decref(tree->levels[0]);
    return NULL;
}

json_t *report_config(const struct config *config, bool origins)
{
    struct tree tree = {0};
    const struct config_visitor visitor = planter(&tree, origins);
    config_visit(config, &visitor);
    return grown(&tree);
}

json_t *report_settings(const struct config *config, const struct breaker_settings *settings)
{
    struct tree tree = {0};
    const struct config_visitor visitor = planter(&tree, false);
    config_visit_settings(config, settings, &visitor);
    return grown(&tree);
}

/* ----------------------------------------------------------------------------------------------------------- check */

static void add_finding(json_t *list, const char *file, size_t line, const char *what)
{
    json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "file", file ? report_text(file, PATH_MAX) : json_null(),
                                          "line", line ? json_integer((json_int_t)line) : json_null(), "message",
                                          report_text(what, SIZE_MAX)));
}

static void add_problem(void *context, const char *file, size_t line, const char *what)
{
    add_finding(json_object_get(context, "problems"), file, line, what);
}

static void add_note(void *context, const char *file, size_t line, const char *what)
{
    add_finding(json_object_get(context, "notes"), file, line, what);
}

/* Returns the findings, or NULL if there was an error. Takes the findings. */
static json_t *checked(json_t *findings, int error)
{
    if (error != -ENOMEM && json_object_set_new(findings, "ok", json_boolean(error == 0)) == 0)
        return findings;
    json_decref(findings);
    return NULL;
}

json_t *report_check(const char *path)
{
    json_t *findings = json_pack("{s:b, s:[], s:[]}", "ok", 1, "problems", "notes");
    const struct config_listener listener = {.context = findings, .problem = add_problem, .note = add_note};
    return checked(findings, config_examine(path, &listener));
}

json_t *report_check_text(const char *text_of_it, size_t length, const char *name)
{
    json_t *findings = json_pack("{s:b, s:[], s:[]}", "ok", 1, "problems", "notes");
    const struct config_listener listener = {.context = findings, .problem = add_problem, .note = add_note};
    return checked(findings, config_examine_text(text_of_it, length, name, &listener));
}
