/* record: writes down look by look what can be seen in the segment, whether tripd runs or not, and also in the one that
 * takes its place. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/value.h"
#include "internal/numbers.h"
#include "internal/ticks.h"
#include "interrupt.h"
#include "print.h"
#include "print_parts.h"
#include "reading.h"
#include "recorder.h"

enum ending { GOES_ON, INTERRUPTED, ENDED_BY_FOR, ENDED_BY_MOST };

/* -------------------------------------------------------------------------------------------------------- looking */

static enum ending wait_until(uint64_t next_ns, uint64_t end_ns, int signals)
{
    struct pollfd fd = {.fd = signals, .events = POLLIN};
    int left_ms;
    while ((left_ms = interrupt_left_ms(at_most(next_ns, end_ns))) > 0) {
        poll(&fd, 1, left_ms);
        if (fd.revents)
            return INTERRUPTED;
    }
    return next_ns < end_ns ? GOES_ON : ENDED_BY_FOR;
}

/* Looks again and again, and once more at the end. 0 with *ret_ending, or an error of recorder_look. */
static int record(const struct arguments *arguments, struct recorder *recorder, struct snapshot **snapshot, int signals,
                  enum ending *ret_ending)
{
    const uint64_t begun_ns = monotonic_ns();
    const uint64_t end_ns = arguments->given & OPTION_FOR ? begun_ns + arguments->for_ms * 1000000 : UINT64_MAX;
    uint64_t next_ns = begun_ns;
    enum ending ending = GOES_ON;
    for (;;) {
        reading_renew(arguments, snapshot); /* the one that is there by now */
        const int error = recorder_look(recorder, *snapshot, reading_daemon_now(arguments, *snapshot));
        if (error == -EOVERFLOW)
            ending = ENDED_BY_MOST;
        else if (error < 0)
            return error;
        *ret_ending = ending;
        if (ending != GOES_ON)
            return 0;
        next_ns = at_least(next_ns + arguments->every_ms * 1000000, monotonic_ns());
        ending = wait_until(next_ns, end_ns, signals);
    }
}

/* ------------------------------------------------------------------------------------------------------ the result */

static void print_recorded(FILE *out, const json_t *result)
{
    const char *const ended = tree_text(result, "ended");
    char span[24];
    fprintf(out, "%llu look%s over %s, %llu KiB; %s%s\n", N(result, "looks"),
            print_plural(tree_number(result, "looks")), print_span(tree_number(result, "over_ms"), span),
            N(result, "bytes") / 1024, strcmp(ended, "interrupted") == 0 ? "" : "ended by --", ended);
}

static int not_written(const char *path, int error)
{
    if (error == -EEXIST)
        fprintf(stderr, "tripctl: %s is there, and a recording replaces nothing: name another file\n", path);
    else
        fprintf(stderr, "tripctl: cannot write %s: %s\n", path, strerror(-error));
    return EXIT_REFUSED;
}

static int too_large(const struct arguments *arguments)
{
    char text[CONFIG_TEXT_MAX];
    fprintf(stderr, "tripctl: nothing is recorded: a first look is larger than --most %s\n",
            config_value_format(CONFIG_BYTES, arguments->most, text));
    return EXIT_REFUSED;
}

/* Closes the file, and says what is in it. One without a look goes. error: of recording. */
static int finish(const struct arguments *arguments, struct recorder *recorder, uint64_t begun_ns, enum ending ending,
                  int error)
{
    static const char *const names[] = {
        [INTERRUPTED] = "interrupted", [ENDED_BY_FOR] = "for", [ENDED_BY_MOST] = "most"};
    const uint64_t looks = recorder_looks(recorder), bytes = recorder_bytes(recorder);
    const int closing = recorder_close(recorder);
    if (looks == 0)
        unlink(arguments->operand);
    if (error < 0 || closing < 0)
        return not_written(arguments->operand, error < 0 ? error : closing);
    if (looks == 0)
        return too_large(arguments);
    return reading_show(arguments,
                        json_pack("{s:I, s:I, s:I, s:s}", "looks", (json_int_t)looks, "over_ms",
                                  (json_int_t)((monotonic_ns() - begun_ns) / 1000000), "bytes", (json_int_t)bytes,
                                  "ended", names[ending]),
                        print_recorded);
}

int verb_record(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    struct recorder *recorder;
    enum ending ending = GOES_ON;
    const int status = reading_open(arguments, &snapshot);
    if (status != EXIT_DONE)
        return status;
    if (!snapshot) {
        fputs("tripctl: there is no state segment here, only tripd's socket: record where tripd runs\n", stderr);
        return EXIT_REFUSED;
    }
    int error = recorder_open(arguments->operand, arguments->most, &recorder);
    if (error < 0) {
        snapshot_close(snapshot);
        return not_written(arguments->operand, error);
    }
    const int signals = interrupt_catch();
    const uint64_t begun_ns = monotonic_ns();
    fprintf(stderr, "tripctl: recording to %s%s\n", arguments->operand,
            arguments->given & OPTION_FOR ? "" : ", until interrupted");
    error = record(arguments, recorder, &snapshot, signals, &ending);
    close(signals);
    snapshot_close(snapshot);
    return finish(arguments, recorder, begun_ns, ending, error);
}
