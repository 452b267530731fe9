/* Looks up users and groups by name: in the name service, or in a text of earlier look-ups. The text has a line for
 * each: u or g, its number or -, and the name. */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "config/access.h"

struct config_names {
    size_t size;
    char text[];
};

static const struct config_names *in_use;
static bool missed;
static FILE *told;

int config_names_new(const char *text, size_t size, struct config_names **ret_names)
{
    struct config_names *names = malloc(sizeof(*names) + size + 1);
    if (!names)
        return -ENOMEM;
    names->size = size;
    memcpy(names->text, text, size);
    names->text[size] = '\0';
    *ret_names = names;
    return 0;
}

struct config_names *config_names_free(struct config_names *names)
{
    free(names);
    return NULL;
}

void config_names_use(const struct config_names *names)
{
    in_use = names;
    missed = false;
}

bool config_names_missed(void)
{
    return missed;
}

void config_names_tell(FILE *file)
{
    told = file;
}

static char letter_of(enum config_who who)
{
    return who == CONFIG_USER ? 'u' : 'g';
}

static void write_line(FILE *file, enum config_who who, const char *name, bool known, uint32_t id)
{
    if (known)
        fprintf(file, "%c %" PRIu32 " %s\n", letter_of(who), id, name);
    else
        fprintf(file, "%c - %s\n", letter_of(who), name);
}

void config_names_write(const struct config *config, FILE *file)
{
    for (unsigned role = 0; role < CONFIG_ROLE_COUNT; role++)
        for (size_t i = 0; i < config->access[role].count; i++) {
            const struct config_principal *each = &config->access[role].who[i];
            const char *name = strchr(each->text, ':');
            /* A missed name is not written, so that it is missed again. */
            if (each->who != CONFIG_ANY && name && (each->known || config_principal_is_default(each->text)))
                write_line(file, each->who, name + 1, each->known, each->id);
        }
}

/* Looks for a name first and for a number second, for a user may be called 1000. */
static bool ask(enum config_who who, const char *name, uint32_t *ret_id)
{
    const struct passwd *user = who == CONFIG_USER ? getpwnam(name) : NULL;
    const struct group *group = who == CONFIG_GROUP ? getgrnam(name) : NULL;
    if (!user && !group)
        return config_value_id(name, ret_id);
    *ret_id = user ? user->pw_uid : group->gr_gid;
    return true;
}

static bool line_is(const char *line, size_t length, enum config_who who, const char *name)
{
    const char *blank = length > 2 && line[0] == letter_of(who) ? memchr(line + 2, ' ', length - 2) : NULL;
    const size_t name_length = strlen(name);
    return blank && (size_t)(line + length - blank - 1) == name_length && memcmp(blank + 1, name, name_length) == 0;
}

static enum config_found read_line(const char *line, uint32_t *ret_id)
{
    if (line[2] == '-')
        return CONFIG_ABSENT;
    *ret_id = (uint32_t)strtoul(line + 2, NULL, 10);
    return CONFIG_FOUND;
}

static enum config_found search(enum config_who who, const char *name, uint32_t *ret_id)
{
    for (const char *line = in_use->text; *line;) {
        const size_t length = strcspn(line, "\n");
        if (line_is(line, length, who, name))
            return read_line(line, ret_id);
        line += length + (line[length] == '\n');
    }
    missed = true;
    return CONFIG_MISSED;
}

enum config_found config_names_find(enum config_who who, const char *name, uint32_t *ret_id)
{
    if (in_use)
        return search(who, name, ret_id);
    const bool known = ask(who, name, ret_id);
    if (told)
        write_line(told, who, name, known, known ? *ret_id : 0);
    return known ? CONFIG_FOUND : CONFIG_ABSENT;
}
