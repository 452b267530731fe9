/* What is there to be painted: one look at an instance, with the time and the place it comes from. */
#ifndef TRIP_TOP_SCENE_H
#define TRIP_TOP_SCENE_H

#include "canvas.h"
#include "look.h"

struct scene {
    const char *named;               /* the instance, or the file */
    const struct snapshot *snapshot; /* NULL: there is none yet */
    const struct look *look;         /* NULL with it */
    const char *waits;               /* where there is no snapshot: what is waited for */
    const char *playback;            /* of a recording: where it is; NULL: it is none */
    uint64_t unix_ms;                /* of the look */
};

/* Paints what is known of the whole into the first rows, and returns how many these are: HEADER_ROWS. */
#define HEADER_ROWS 5
void header_paint(struct canvas *canvas, const struct scene *scene);

#endif
