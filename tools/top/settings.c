#include "settings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"

#define INTERVAL_MS 1000
#define FILE_MOST   (1 << 20)

/* Finds the folder: $XDG_CONFIG_HOME/triptop, or ~/.config/triptop. -ENOENT: the user has neither. */
static int folder_path(char path[PATH_MAX])
{
    const char *const config = getenv("XDG_CONFIG_HOME"), *const home = getenv("HOME");
    int length = 0;
    if (config && config[0] == '/')
        length = snprintf(path, PATH_MAX, "%s/triptop", config);
    else if (home && home[0] == '/')
        length = snprintf(path, PATH_MAX, "%s/.config/triptop", home);
    return length > 0 && length < PATH_MAX - 32 ? 0 : -ENOENT;
}

static int file_path(char path[PATH_MAX])
{
    const int error = folder_path(path);
    if (error == 0)
        strcat(path, "/settings.json");
    return error;
}

static json_t *read_file(void)
{
    char path[PATH_MAX];
    struct stat status;
    const bool there = file_path(path) == 0 && stat(path, &status) == 0 && S_ISREG(status.st_mode);
    return there && status.st_size <= FILE_MOST ? json_load_file(path, 0, NULL) : NULL;
}

void settings_load(struct settings *settings)
{
    json_t *const file = read_file();
    const json_int_t interval = json_integer_value(json_object_get(file, "interval_ms"));
    const char *const sort = json_string_value(json_object_get(file, "sort"));
    const json_t *const descending = json_object_get(file, "descending");
    json_t *const folded = json_object_get(file, "folded");
    *settings = (struct settings){.interval_ms = INTERVAL_MS, .sort = COLUMN_STATE, .descending = true};
    if (interval >= INTERVAL_LEAST_MS && interval <= INTERVAL_MOST_MS)
        settings->interval_ms = (uint64_t)interval;
    enum column column;
    if (sort && column_of_key(sort, &column) && column_sorts(column))
        settings->sort = column;
    if (json_is_boolean(descending))
        settings->descending = json_is_true(descending);
    settings->tree = json_is_true(json_object_get(file, "tree"));
    settings->folded = must(json_is_object(folded) ? json_incref(folded) : json_object());
    json_decref(file);
}

/* Writes a new file beside the old one, and puts it in its place. */
int settings_save(const struct settings *settings)
{
    char path[PATH_MAX], fresh[PATH_MAX + 8];
    int error = folder_path(path);
    if (error < 0)
        return error;
    *strrchr(path, '/') = '\0';
    mkdir(path, 0700); /* ~/.config, if that is missing */
    folder_path(path);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    file_path(path);
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    json_t *const file = json_pack("{s:I, s:s, s:b, s:b, s:O}", "interval_ms", (json_int_t)settings->interval_ms,
                                   "sort", column_key(settings->sort), "descending", settings->descending, "tree",
                                   settings->tree, "folded", settings->folded);
    error = json_dump_file(file, fresh, JSON_INDENT(2)) == 0 && rename(fresh, path) == 0 ? 0 : -EIO;
    json_decref(file);
    return error;
}

void settings_clear(struct settings *settings)
{
    json_decref(settings->folded);
    settings->folded = NULL;
}
