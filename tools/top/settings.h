/* What the user chose and wants to find again: kept as JSON in $XDG_CONFIG_HOME/triptop/settings.json. */
#ifndef TRIP_TOP_SETTINGS_H
#define TRIP_TOP_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>

#include "columns.h"

#define INTERVAL_LEAST_MS 100
#define INTERVAL_MOST_MS  3600000

struct settings {
    uint64_t interval_ms; /* between two looks */
    enum column sort;
    bool descending, tree;
    json_t *folded; /* names of groups, as keys of an object */
};

/* Reads them; what is missing or damaged is as at first. */
void settings_load(struct settings *settings);
/* Writes them. 0 or -errno: nothing is lost but the choice. */
int settings_save(const struct settings *settings);
void settings_clear(struct settings *settings);

#endif
