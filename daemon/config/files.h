/* The files that a config is made of: FILE.yaml, and the drop-ins FILE.d/NAME.yaml in order of name. */
#ifndef TRIPD_CONFIG_FILES_H
#define TRIPD_CONFIG_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "config/problems.h"

struct config_text {
    char *path, *text;
    size_t length;
};

struct config_texts {
    struct config_text *texts; /* the file first, if it is there; then its drop-ins */
    size_t count;
    bool has_main;
};

/* Reads them all. -ENOMEM: there was no memory. Any other error says why the file or a drop-in cannot be read, and a
 * line in *problems says so too. */
int config_files_read(const char *path, bool may_be_missing, struct config_texts *ret_texts,
                      struct config_problems *problems);
void config_files_free(struct config_texts *texts);

#endif
