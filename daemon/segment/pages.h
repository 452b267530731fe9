/* Memory of sparse files. Touching a page for which tmpfs has no memory is a SIGBUS, so pages are reserved first. */
#ifndef TRIPD_PAGES_H
#define TRIPD_PAGES_H

#include <stdint.h>

#include "internal/layout.h"

/* Reserves the pages of bytes [begin, end); pages that have memory keep it. -ENOSPC, -ENOMEM. */
int pages_reserve(int fd, uint64_t begin, uint64_t end);
/* Reserves the pages of a section's entries [first, end). */
int pages_reserve_entries(int fd, const struct section *section, uint32_t first, uint32_t end);

#endif
