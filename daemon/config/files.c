#include "config/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

#define ENDING  ".yaml"
#define PATH_IN 4096 /* the longest path there can be */

/* Adds a line about a file as a whole, and returns the error. */
static int unreadable(const char *path, int error, const char *what, struct config_problems *problems)
{
    problems->file = path;
    config_problem(problems, 0, "%s", what);
    return error;
}

static const char *mend(int error)
{
    switch (error) {
    case ENOENT:
        return "create it, or name another one";
    case EACCES:
        return "give the user that is to read it the right to";
    case ENOTDIR:
        return "drop-ins are files in a folder of this name";
    default:
        return "name another file";
    }
}

static int failed(const char *path, int error, struct config_problems *problems)
{
    char what[160];
    if (error == ENOMEM)
        return -ENOMEM;
    snprintf(what, sizeof(what), "cannot be read: %s; %s", strerror(error), mend(error));
    return unreadable(path, -error, what, problems);
}

/* --------------------------------------------------------------------------------------------------------- one file */

/* Reads the whole file, but `most` + 1 bytes at most. */
static int read_all(int fd, size_t most, char **ret_text, size_t *ret_length)
{
    char *text = malloc(most + 1);
    if (!text)
        return -ENOMEM;
    size_t length = 0;
    while (length <= most) {
        const ssize_t got = read(fd, text + length, most + 1 - length);
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

/* Reads one file. left: bytes that the files before it have left of CONFIG_SIZE_MAX. */
static int read_from(int fd, const char *path, size_t left, struct config_text *ret_text,
                     struct config_problems *problems)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return failed(path, errno, problems);
    if (!S_ISREG(about.st_mode))
        return unreadable(path, -EINVAL, "not a file; name the YAML file itself", problems);
    struct config_text text = {0};
    const int error = read_all(fd, left, &text.text, &text.length);
    if (error < 0)
        return failed(path, -error, problems);
    text.path = strdup(path);
    if (text.path && text.length <= left) {
        *ret_text = text;
        return 0;
    }
    const bool memory = text.path;
    free(text.path);
    free(text.text);
    if (!memory)
        return -ENOMEM;
    return unreadable(path, -EFBIG,
                      left == CONFIG_SIZE_MAX
                          ? "larger than 1MiB; let patterns with * stand for many breakers"
                          : "larger than 1MiB together with the files read before it; let patterns with * stand for "
                            "many breakers",
                      problems);
}

static size_t room_left(const struct config_texts *texts)
{
    size_t left = CONFIG_SIZE_MAX;
    for (size_t i = 0; i < texts->count; i++)
        left -= texts->texts[i].length;
    return left;
}

/* Reads one more file into `texts`, which has room for it. */
static int read_file(const char *path, struct config_texts *texts, struct config_problems *problems)
{
    /* Nonblocking: a FIFO in the file's place must not hold tripd up. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return failed(path, errno, problems);
    const int error = read_from(fd, path, room_left(texts), &texts->texts[texts->count], problems);
    close(fd);
    texts->count += error == 0;
    return error;
}

/* --------------------------------------------------------------------------------------------------------- drop-ins */

static bool ends_in_yaml(const char *name)
{
    const size_t length = strlen(name), ending = strlen(ENDING);
    return length > ending && strcmp(name + length - ending, ENDING) == 0;
}

static int is_drop_in(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_in_yaml(entry->d_name);
}

/* Compares names byte by byte: no locale may change which entry is the first to match. */
static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static int read_drop_ins(const char *folder, struct dirent **entries, int count, struct config_texts *texts,
                         struct config_problems *problems)
{
    char path[PATH_IN + sizeof(entries[0]->d_name) + 1];
    if (count > CONFIG_DROP_INS_MAX)
        return unreadable(folder, -E2BIG, "more than 64 drop-ins; put several into one file", problems);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        const int error = read_file(path, texts, problems);
        if (error < 0)
            return error;
    }
    return 0;
}

static int read_folder(const char *path, struct config_texts *texts, struct config_problems *problems)
{
    char folder[PATH_IN];
    struct dirent **entries = NULL;
    if (!ends_in_yaml(path) || strlen(path) >= sizeof(folder))
        return 0;
    snprintf(folder, sizeof(folder), "%.*s.d", (int)(strlen(path) - strlen(ENDING)), path);
    const int count = scandir(folder, &entries, is_drop_in, by_name);
    if (count < 0)
        return errno == ENOENT ? 0 : failed(folder, errno, problems);
    const int error = read_drop_ins(folder, entries, count, texts, problems);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return error;
}

/* -------------------------------------------------------------------------------------------------------------- all */

int config_files_read(const char *path, bool may_be_missing, struct config_texts *ret_texts,
                      struct config_problems *problems)
{
    struct config_texts texts = {.texts = calloc(1 + CONFIG_DROP_INS_MAX, sizeof(struct config_text))};
    if (!texts.texts)
        return -ENOMEM;
    const bool missing = may_be_missing && access(path, F_OK) < 0 && errno == ENOENT;
    int error = missing ? 0 : read_file(path, &texts, problems);
    texts.has_main = texts.count > 0;
    if (error == 0)
        error = read_folder(path, &texts, problems);
    if (error < 0)
        config_files_free(&texts);
    else
        *ret_texts = texts;
    return error;
}

void config_files_free(struct config_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        free(texts->texts[i].path);
        free(texts->texts[i].text);
    }
    free(texts->texts);
    *texts = (struct config_texts){0};
}
