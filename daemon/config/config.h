/* The config file and its drop-ins: read as a whole, checked as a whole, never changed afterwards. A file with any
 * problem gives no config, and all problems at once, a line each: FILE:LINE: what is wrong; what would be right.
 *
 * The drop-ins of FILE.yaml are FILE.d/NAME.yaml, read after it in order of name. Their breakers entries stand before
 * the file's, in the order in which they were read; of the other sections the key that was read last wins.
 *
 *   config.c         the config itself: made of its files, which settings bind a name
 *   files.c   finding and reading these files
 *   yaml.c    YAML document ──> config
 *   yaml_fallback.c, yaml_json.c  its chains of fallbacks, and their values; no other file includes yaml.h
 *   fallbacks.c  the book of these chains
 *   check.c   settings that can never work together
 *   check_load.c  those of retries and limits
 *   levels.c  degradation levels and features
 *   access.c  users and groups, and which roles they have
 *   names.c   looking up their names
 *   keys.c    the table of all keys, made from SETTINGS_SCALARS
 *   value.c   quantities as people write them: 250ms, 12.5%, 256MiB
 *   problems.c  the lines about what is wrong
 *   show.c, show_fallback.c  config ──> YAML, and to a visitor (JSON, MessagePack)
 */
#ifndef TRIPD_CONFIG_H
#define TRIPD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "core/settings.h"
#include "internal/fallback_book.h"

/* A role includes those before it: whoever controls may report, whoever reports may observe. */
enum config_role { CONFIG_OBSERVE, CONFIG_REPORT, CONFIG_CONTROL, CONFIG_ROLE_COUNT };

enum config_who { CONFIG_ANY, CONFIG_USER, CONFIG_GROUP };

/* `any`, `user:NAME or UID`, `group:NAME or GID`, resolved when the file was read. */
struct config_principal {
    enum config_who who;
    uint32_t id;
    bool known;    /* false: a group of the default lists that this host does not have; it lets nobody in */
    char text[72]; /* as written */
};

#define CONFIG_PRINCIPALS_MAX 64   /* of one role */
#define CONFIG_BREAKERS_MAX   4096 /* entries of all files together */
#define CONFIG_DROP_INS_MAX   64
#define CONFIG_SIZE_MAX       ((size_t)1 << 20) /* bytes of all files together */

struct config_limits {
    uint32_t max_breakers, max_lanes;
    uint64_t lane_memory_per_user; /* bytes */
    uint32_t breakers_per_user;    /* permille of max_breakers */
};
#define CONFIG_LIMIT_KEYS       4
#define CONFIG_CORRELATION_KEYS 7
#define CONFIG_LEVEL_KEYS       2 /* names, back_after */

/* Where a setting was said. */
struct config_origin {
    uint32_t file; /* 0: nowhere, it is the default; else its number in `files`, from 1 */
    uint32_t line;
};

/* A feature as the files say it. */
struct config_feature {
    struct feature_settings settings;  /* off_from is set when all files are read */
    char off_from[LEVEL_NAME_MAX + 1]; /* as written: a level's name or number; "": it is not */
    struct config_origin origin, off_from_at;
};

struct config {
    struct config_limits limits;
    struct config_origin limit_origins[CONFIG_LIMIT_KEYS];
    struct correlation_settings correlation;
    struct config_origin correlation_origins[CONFIG_CORRELATION_KEYS];
    struct {
        struct config_principal *who;
        size_t count;
        struct config_origin origin;
    } access[CONFIG_ROLE_COUNT];
    struct breaker_settings *breakers; /* in order; the last one matches every name */
    struct config_origin *origins;     /* of these entries */
    size_t breaker_count;              /* 1 at least */
    struct fallback_book *fallbacks;   /* the chains of these entries; NULL: none has one */
    char **files;                      /* in the order in which they were read */
    size_t file_count;
    char *file;  /* without its drop-ins; NULL: the defaults, or a text, or drop-ins alone */
    char *notes; /* lines like problems, about what works but surprises; NULL: none */
    struct levels_settings levels;
    struct config_origin level_origins[CONFIG_LEVEL_KEYS];
    struct config_feature *said; /* the features, in the order in which they were read first; NULL: there are none */
    struct feature_settings *features; /* the same */
    size_t feature_count;
};

/* Reads the config from a file and its drop-ins; path NULL: takes the defaults. -EINVAL: *ret_problems is allocated
 * lines, each ending in a newline. -ENOENT and other errors of reading: *ret_problems is one such line. -ENOMEM:
 * *ret_problems is not set. */
int config_load(const char *path, struct config **ret_config, char **ret_problems);
/* Reads likewise, but takes a missing file as an empty one, so that its drop-ins count. */
int config_load_if_there(const char *path, struct config **ret_config, char **ret_problems);
/* Reads the config from a text. name: names the text in problems, as a file's path would. */
int config_parse(const char *text, size_t length, const char *name, struct config **ret_config, char **ret_problems);
struct config *config_free(struct config *config);

/* Only checks a config. The listener is told of each problem and each note by its parts, as config_told_fn; `what` of a
 * problem is the text behind FILE:LINE: in the lines above. Returns 0 if nothing is wrong, else the same as
 * config_load. */
struct config_listener {
    void *context;
    void (*problem)(void *context, const char *file, size_t line, const char *what);
    void (*note)(void *context, const char *file, size_t line, const char *what);
};
int config_examine(const char *path, const struct config_listener *listener);
int config_examine_text(const char *text, size_t length, const char *name, const struct config_listener *listener);

/* A config names users and groups. They are looked up in the name service, which may take its time (LDAP). Where tripd
 * may not wait, config_names_use makes all look-ups read `names` instead, until config_names_use(NULL). A name that is
 * missed there lets nobody in, and config_names_missed says that there was one. */
struct config_names;
int config_names_new(const char *text, size_t size, struct config_names **ret_names);
struct config_names *config_names_free(struct config_names *names);
void config_names_use(const struct config_names *names);
bool config_names_missed(void); /* did a look-up miss a name since config_names_use? */
/* Writes the text that config_names_new reads. config_names_tell writes each look-up from now on (NULL: none),
 * config_names_write all names that a config has resolved. */
void config_names_tell(FILE *file);
void config_names_write(const struct config *config, FILE *file);

/* Returns the settings of the first pattern that matches the name. */
const struct breaker_settings *config_settings_for(const struct config *config, const char *name);

/* May a process of this user and these groups (its primary one included) act in this role? The user that tripd runs
 * as may do everything: it could stop tripd or trace it anyway, and `tripd --user` is its owner's. */
bool config_allows(const struct config *config, enum config_role role, uid_t uid, const gid_t *groups,
                   size_t group_count);
const char *config_role_name(enum config_role role);

/* Writes the whole config, with all defaults filled in, as a config file that reads as this config again. origins:
 * comments say where each limit, role and entry was said. */
int config_write_yaml(const struct config *config, FILE *file, bool origins);

/* Walks over the same config for JSON and MessagePack. Durations are integers or numbers in ms under a key ending in
 * `_ms`, rates are percent, lane memory is bytes. key: NULL within lists and for the outermost map. */
struct config_visitor {
    void *context;
    bool origins; /* also say where each setting was said that is not the default */
    void (*map_begin)(void *context, const char *key, size_t count);
    void (*list_begin)(void *context, const char *key, size_t count);
    void (*end)(void *context); /* of the map or list begun last */
    void (*integer)(void *context, const char *key, uint64_t value);
    void (*number)(void *context, const char *key, double value);
    void (*text)(void *context, const char *key, const char *value);
    void (*flag)(void *context, const char *key, bool value);
};
void config_visit(const struct config *config, const struct config_visitor *visitor);
/* Walks over one of its entries alone. */
void config_visit_settings(const struct config *config, const struct breaker_settings *settings,
                           const struct config_visitor *visitor);

#endif
