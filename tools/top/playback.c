#include "playback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "must.h"
#include "recording.h"

#define SEEK_MS   10000
#define SPEED_MAX 64

struct playback {
    struct recording *recording;
    uint32_t frame;
    uint64_t at_ms; /* wall time of the recording: at or after the frame's look */
    unsigned speed; /* in quarters */
    char words[128];
};

int playback_open(const char *path, struct playback **ret_playback, char **ret_why)
{
    struct playback *const playback = must(calloc(1, sizeof(*playback)));
    const int error = recording_open(path, &playback->recording, ret_why);
    if (error < 0) {
        free(playback);
        return error;
    }
    playback->speed = 4;
    playback->at_ms = recording_at(playback->recording, 0).unix_ms;
    *ret_playback = playback;
    return 0;
}

struct playback *playback_close(struct playback *playback)
{
    if (!playback)
        return NULL;
    recording_close(playback->recording);
    free(playback);
    return NULL;
}

static uint32_t last_frame(const struct playback *playback)
{
    return recording_frames(playback->recording) - 1;
}

bool playback_ended(const struct playback *playback)
{
    return playback->frame == last_frame(playback);
}

/* Says where it is: "14:03:05, 1m12s of 5m, 4x". */
static void say_where(struct playback *playback, struct top *top)
{
    const uint64_t first = recording_at(playback->recording, 0).unix_ms;
    const uint64_t last = recording_at(playback->recording, last_frame(playback)).unix_ms;
    const uint64_t now = recording_at(playback->recording, playback->frame).unix_ms;
    char clock[FORMAT_MAX], passed[FORMAT_MAX], all[FORMAT_MAX];
    snprintf(playback->words, sizeof(playback->words), "%s, %s of %s, %gx%s", format_clock(now, clock),
             format_span(now > first ? now - first : 0, passed), format_span(last > first ? last - first : 0, all),
             playback->speed / 4.0, playback_ended(playback) ? ", end" : "");
    top_playback(top, playback->words);
}

/* Shows a frame, which the rates and trails then go on from. */
static void show(struct playback *playback, struct top *top, uint32_t frame)
{
    const int error = recording_go(playback->recording, frame);
    const struct recording_look look = recording_at(playback->recording, frame);
    playback->frame = frame;
    top_look(top, error < 0 ? NULL : recording_snapshot(playback->recording), "the recording is damaged here",
             look.unix_ms);
}

/* Goes to a frame at another time, and looks at the minute before it, for the rates and trails. */
static void jump(struct playback *playback, struct top *top, uint32_t frame)
{
    const uint64_t at_ms = recording_at(playback->recording, frame).unix_ms;
    const uint64_t minute = TRAIL_PLACES * TRAIL_MS;
    uint32_t from = recording_find(playback->recording, at_ms > minute ? at_ms - minute : 0);
    top_jump(top);
    for (from = from < frame ? from : frame; from <= frame; from++)
        show(playback, top, from);
    playback->at_ms = at_ms;
    say_where(playback, top);
}

void playback_begin(struct playback *playback, struct top *top)
{
    jump(playback, top, playback->frame);
}

void playback_go_on(struct playback *playback, struct top *top, uint64_t elapsed_ms)
{
    playback->at_ms += elapsed_ms * playback->speed / 4;
    const uint32_t to = recording_find(playback->recording, playback->at_ms);
    while (playback->frame < to)
        show(playback, top, playback->frame + 1);
    say_where(playback, top);
}

static void seek(struct playback *playback, struct top *top, bool on)
{
    const uint64_t now = recording_at(playback->recording, playback->frame).unix_ms;
    const uint64_t to = on ? now + SEEK_MS : now > SEEK_MS ? now - SEEK_MS : 0;
    const uint32_t found = recording_find(playback->recording, to);
    const bool stays = on && found <= playback->frame && !playback_ended(playback); /* the next look is further away */
    jump(playback, top, stays ? playback->frame + 1 : found);
}

static void step(struct playback *playback, struct top *top, bool on)
{
    top->paused = true;
    if (on && !playback_ended(playback))
        show(playback, top, playback->frame + 1);
    else if (!on && playback->frame > 0)
        jump(playback, top, playback->frame - 1);
    playback->at_ms = recording_at(playback->recording, playback->frame).unix_ms;
    say_where(playback, top);
}

void playback_press(struct playback *playback, struct top *top, enum action action)
{
    switch (action) {
    case ACTION_STEP:
    case ACTION_STEP_BACK:
        step(playback, top, action == ACTION_STEP);
        return;
    case ACTION_SEEK_ON:
    case ACTION_SEEK_BACK:
        seek(playback, top, action == ACTION_SEEK_ON);
        return;
    case ACTION_FASTER:
        playback->speed = playback->speed < 4 * SPEED_MAX ? 2 * playback->speed : playback->speed;
        break;
    case ACTION_SLOWER:
        playback->speed = playback->speed > 1 ? playback->speed / 2 : 1;
        break;
    default:
        break;
    }
    say_where(playback, top);
}
