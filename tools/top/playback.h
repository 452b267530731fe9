/* Playing a recording back: where it is, how fast it goes, and looks in between. */
#ifndef TRIP_TOP_PLAYBACK_H
#define TRIP_TOP_PLAYBACK_H

#include "top.h"

struct playback;

/* 0 or an error of recording_open, whose *ret_why it passes on. */
int playback_open(const char *path, struct playback **ret_playback, char **ret_why);
struct playback *playback_close(struct playback *playback);

/* Shows what comes next after so much time of the user's, all looks in between included, for rates and trails. */
void playback_go_on(struct playback *playback, struct top *top, uint64_t elapsed_ms);
/* Does what a key of KEY_RECORDING asks for. */
void playback_press(struct playback *playback, struct top *top, enum action action);
/* Shows the first look, or at a restart the present one. */
void playback_begin(struct playback *playback, struct top *top);
/* Has the last look been shown? */
bool playback_ended(const struct playback *playback);

#endif
