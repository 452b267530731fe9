/* triptop's screen over an instance that a test made by hand: keys go in, and what is painted is read. */
#ifndef TRIP_TEST_SCREEN_H
#define TRIP_TEST_SCREEN_H

#include "painted.h"
#include "top.h"
#include "watched.h"

struct screen {
    struct watched watched;
    struct top *top;
    struct canvas *canvas; /* as last painted */
};

static inline void screen_open(struct screen *screen, const struct top_options *options)
{
    screen->top = top_free(screen->top);
    screen->top = top_new(options);
}

/* Makes the instance "web-1", and a screen of which nothing can be changed. */
static inline void screen_make(struct screen *screen, uint32_t max_breakers)
{
    *screen = (struct screen){0};
    watched_make(&screen->watched, max_breakers);
    setenv("XDG_CONFIG_HOME", screen->watched.dir.dir, 1);  /* where no settings are */
    setenv("TRIP_RUNTIME_DIR", screen->watched.dir.dir, 1); /* and nobody listens */
    screen_open(screen, &(struct top_options){.named = "web-1", .unchangeable = "nothing can be changed in a file"});
}

static inline void screen_remove(struct screen *screen)
{
    canvas_free(screen->canvas);
    top_free(screen->top);
    watched_remove(&screen->watched);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("TRIP_RUNTIME_DIR");
}

/* Looks 300 ms after the last heartbeat. */
static inline void screen_look_as(struct screen *screen, enum report_daemon daemon)
{
    top_look(screen->top, watched_look(&screen->watched, daemon, 300), "", WATCHED_UNIX_MS + screen->watched.now_ms);
}

static inline void screen_look(struct screen *screen)
{
    screen_look_as(screen, REPORT_RUNNING);
}

static inline const struct canvas *screen_paint(struct screen *screen, int rows, int columns)
{
    canvas_free(screen->canvas);
    screen->canvas = canvas_new(rows, columns, screen->top->options.ascii);
    top_paint(screen->top, screen->canvas);
    return screen->canvas;
}

static inline void screen_press(struct screen *screen, int pressed)
{
    assert_int_equal(top_press(screen->top, pressed), ACTION_COUNT);
}

/* Presses the keys of a text, one after the other. */
static inline void screen_type(struct screen *screen, const char *text)
{
    for (; *text; text++)
        screen_press(screen, (unsigned char)*text);
}

#endif
