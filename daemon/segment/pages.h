/* Memory of sparse files: a page that tmpfs cannot give when it is first touched is a SIGBUS, so pages are reserved
 * before. */
#ifndef TRIPD_PAGES_H
#define TRIPD_PAGES_H

#include <stdint.h>

#include "internal/layout.h"

/* The pages of bytes [begin, end) have memory after this, those that had some keep it. -ENOSPC, -ENOMEM. */
int pages_reserve(int fd, uint64_t begin, uint64_t end);
/* Those of a section's entries [first, end). */
int pages_reserve_entries(int fd, const struct section *section, uint32_t first, uint32_t end);

#endif
