#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_access.h"
#include "config_check.h"
#include "config_keys.h"
#include "config_problems.h"
#include "config_yaml.h"

#define FILE_SIZE_MAX ((size_t)1 << 20)

struct config *config_free(struct config *config)
{
    if (!config)
        return NULL;
    for (unsigned role = 0; role < CONFIG_ROLE_COUNT; role++)
        free(config->access[role].who);
    free(config->breakers);
    free(config->file);
    free(config->notes);
    free(config);
    return NULL;
}

static struct config *config_new(void)
{
    struct config *config = calloc(1, sizeof(*config));
    if (!config)
        return NULL;
#define LIMIT_DEFAULT(field, kind, initial, ...) config->limits.field = (initial);
    CONFIG_LIMITS(LIMIT_DEFAULT)
#undef LIMIT_DEFAULT
    return config_access_defaults(config) < 0 ? config_free(config) : config;
}

/* Every name has settings: the defaults, where the file says nothing. */
static int append_rest(struct config *config)
{
    if (config->breaker_count && config_pattern_covers(config->breakers[config->breaker_count - 1].match, "*"))
        return 0;
    struct breaker_settings *breakers =
        reallocarray(config->breakers, config->breaker_count + 1, sizeof(*config->breakers));
    if (!breakers)
        return -ENOMEM;
    config->breakers = breakers;
    breaker_settings_defaults(&config->breakers[config->breaker_count++]);
    return 0;
}

int config_parse(const char *text, size_t length, const char *name, struct config **ret_config, char **ret_problems)
{
    struct config_problems problems = {.file = name}, notes = {.file = name};
    struct config *config = config_new();
    int r = config ? config_yaml_read(text, length, config, &problems, &notes) : -ENOMEM;
    if (r == 0)
        r = append_rest(config);
    char *lines = config_problems_take(&problems);
    char *remarks = config_problems_take(&notes);
    if (r == 0) {
        config->notes = remarks;
        *ret_config = config;
        return 0;
    }
    free(remarks);
    config_free(config);
    if (r == -EINVAL && lines)
        *ret_problems = lines;
    else
        free(lines);
    return r == -EINVAL && !lines ? -ENOMEM : r;
}

/* One line about the file as a whole; r comes back. */
static int unreadable(const char *path, int r, const char *what, char **ret_problems)
{
    struct config_problems problems = {.file = path};
    config_problem(&problems, 0, "%s", what);
    char *line = config_problems_take(&problems);
    if (!line)
        return -ENOMEM;
    *ret_problems = line;
    return r;
}

static int failed(const char *path, int error, char **ret_problems)
{
    char what[160];
    snprintf(what, sizeof(what), "cannot be read: %s; %s", strerror(error),
             error == ENOENT   ? "create it, or name another one"
             : error == EACCES ? "give the user that is to read it the right to"
                               : "name another file");
    return unreadable(path, -error, what, ret_problems);
}

/* The whole file, FILE_SIZE_MAX + 1 bytes at most. */
static int read_all(int fd, char **ret_text, size_t *ret_length)
{
    char *text = malloc(FILE_SIZE_MAX + 1);
    if (!text)
        return -ENOMEM;
    size_t length = 0;
    while (length <= FILE_SIZE_MAX) {
        const ssize_t got = read(fd, text + length, FILE_SIZE_MAX + 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            const int r = -errno;
            free(text);
            return r;
        }
        if (got == 0)
            break;
        length += (size_t)got;
    }
    *ret_text = text;
    *ret_length = length;
    return 0;
}

static int load_from(int fd, const char *path, struct config **ret_config, char **ret_problems)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return failed(path, errno, ret_problems);
    if (!S_ISREG(about.st_mode))
        return unreadable(path, -EINVAL, "not a file; name the YAML file itself", ret_problems);
    char *text = NULL;
    size_t length = 0;
    int r = read_all(fd, &text, &length);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return failed(path, -r, ret_problems);
    if (length > FILE_SIZE_MAX)
        r = unreadable(path, -EFBIG, "larger than 1MiB; let patterns with * stand for many breakers", ret_problems);
    else
        r = config_parse(text, length, path, ret_config, ret_problems);
    free(text);
    return r;
}

int config_load(const char *path, struct config **ret_config, char **ret_problems)
{
    if (!path)
        return config_parse("", 0, "defaults", ret_config, ret_problems);
    /* Nonblocking: a FIFO in the file's place must not hold tripd up. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return failed(path, errno, ret_problems);
    const int r = load_from(fd, path, ret_config, ret_problems);
    close(fd);
    if (r == 0)
        (*ret_config)->file = strdup(path); /* for people: without memory it is not named */
    return r;
}

const struct breaker_settings *config_settings_for(const struct config *config, const char *name)
{
    size_t i = 0;
    while (i + 1 < config->breaker_count && !settings_pattern_matches(config->breakers[i].match, name))
        i++;
    return &config->breakers[i];
}
