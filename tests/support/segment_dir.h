/* A segment for a test: a directory of its own in TRIP_SHM_DIR, so that nothing on the machine is touched. */
#ifndef TRIP_TEST_SEGMENT_DIR_H
#define TRIP_TEST_SEGMENT_DIR_H

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "internal/paths.h"
#include "segment/segment.h"

struct segment_dir {
    char dir[FOLDER_ROOM];
    char path[PATHS_MAX]; /* of the segment of instance "test" */
    struct clock clock;   /* a test clock, unless the test sets another */
};

static inline void segment_dir_make(struct segment_dir *dir)
{
    *dir = (struct segment_dir){0};
    folder_make(dir->dir, FOLDER_IN_SHM);
    assert(setenv("TRIP_SHM_DIR", dir->dir, 1) == 0);
    assert(paths_segment(dir->path, "test", false, 0) == 0);
    clock_measure(&dir->clock, true);
}

static inline void segment_dir_remove(struct segment_dir *dir)
{
    folder_remove(dir->dir);
    unsetenv("TRIP_SHM_DIR");
}

static inline struct segment_options segment_dir_options(struct segment_dir *dir, uint32_t max_breakers,
                                                         uint32_t max_lanes)
{
    return (struct segment_options){
        .path = dir->path, .max_breakers = max_breakers, .max_lanes = max_lanes, .clock = &dir->clock};
}

static inline struct segment *segment_dir_create(struct segment_dir *dir, uint32_t max_breakers, uint32_t max_lanes)
{
    const struct segment_options options = segment_dir_options(dir, max_breakers, max_lanes);
    struct segment *segment;
    struct clock clock;
    assert(segment_create(&options, &clock, &segment) == 0);
    dir->clock = clock;
    return segment;
}

/* A fixture: the directory, and a new segment in it. */
struct segment_fixture {
    struct segment_dir dir;
    struct segment *segment;
};

static inline void segment_fixture_make(struct segment_fixture *fixture, uint32_t max_breakers)
{
    segment_dir_make(&fixture->dir);
    fixture->segment = segment_dir_create(&fixture->dir, max_breakers, 4);
}

/* A test's tear-down. */
static inline int segment_fixture_tear_down(void **state)
{
    struct segment_fixture *fixture = *state;
    segment_unmap(fixture->segment);
    segment_dir_remove(&fixture->dir);
    return 0;
}

/* Copies the segment's first `size` bytes into another file, with holes where the segment has some. */
static inline void segment_dir_copy(const struct segment *segment, const char *path, size_t size)
{
    uint8_t page[LAYOUT_PAGE];
    const int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    off_t at = 0;
    assert(to >= 0 && ftruncate(to, (off_t)size) == 0);
    while ((at = lseek(segment->fd, at, SEEK_DATA)) >= 0 && (size_t)at < size) {
        const size_t part = size - (size_t)at < sizeof(page) ? size - (size_t)at : sizeof(page);
        assert(pread(segment->fd, page, part, at) == (ssize_t)part && pwrite(to, page, part, at) == (ssize_t)part);
        at += LAYOUT_PAGE;
    }
    close(to);
}

#endif
