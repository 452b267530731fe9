#include "segment/saver.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal/ticks.h"
#include "log.h"
#include "segment/saved.h"

#define EVERY_BEATS 5
#define STOP_PATIENCE_NS                                                                         \
    UINT64_C(5000000000) /* out of the 10 s that the keeper lets a worker go without a heartbeat \
                          */

struct saver {
    struct loop *loop;
    const struct segment *segment;
    const struct clock *clock;
    const char *folder;
    int locks[SAVER_LOCKS];
    unsigned beats;
    uint64_t written; /* what_changes() as of the last snapshot; 0: none, for the worker before us may not have written
                         one */
    pid_t child;      /* the child that writes; 0: none */
    int pidfd;
    struct loop_watch *watch;
    bool failing; /* the log has said that writing fails */
};

/* Returns a number that moves when anything changes that is saved: FNV-1a over words that are written anyway. */
static uint64_t what_changes(const struct segment *segment)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
#define MIX(word) (hash = (hash ^ (word)) * UINT64_C(0x100000001b3))
    MIX(segment->header->transition_next);
    MIX(segment->levels->commits);
    for (unsigned i = 0; i < PATTERNS_MAX; i++)
        MIX(segment->patterns[i].serial);
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        if (!segment_used(segment, slot))
            continue;
        const struct breaker_totals *totals = &segment_core(segment, slot)->head.totals;
        MIX(slot + 1);
        for (size_t at = 0; at < sizeof(*totals) / sizeof(uint64_t); at++)
            MIX(((const uint64_t *)totals)[at]);
        for (unsigned owner = 0; owner < MODE_OWNER_CONFIG; owner++)
            MIX(segment->policies[slot].modes[owner]);
    }
#undef MIX
    return hash;
}

static void say(struct saver *saver, int error)
{
    if (error < 0 && !saver->failing)
        log_warning("cannot write the snapshot %s/snapshot: %s; modes, open breakers and totals survive a restart of "
                    "tripd, but no reboot. Make the folder %s, or set TRIP_STATE_DIR",
                    saver->folder, error == -EPERM ? "it is in another user's folder" : strerror(-error),
                    error == -EPERM ? "tripd's own (chown)" : "writable for tripd");
    if (error == 0 && saver->failing)
        log_notice("the snapshot %s/snapshot is written again", saver->folder);
    saver->failing = error < 0;
}

/* Makes the folder, and any missing folder above it. Folders above the one for all instances are the user's own, as XDG
 * folders are. */
static int make_folder(const char *folder)
{
    char path[512];
    if (strlen(folder) >= sizeof(path))
        return -ENAMETOOLONG;
    strcpy(path, folder);
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        if (mkdir(path, strchr(slash + 1, '/') ? 0700 : 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int saver_new(struct loop *loop, const struct segment *segment, const struct clock *clock, const char *folder,
              const int locks[SAVER_LOCKS], struct saver **ret_saver)
{
    struct saver *saver = calloc(1, sizeof(*saver));
    if (!saver)
        return -ENOMEM;
    *saver = (struct saver){.loop = loop, .segment = segment, .clock = clock, .folder = folder, .pidfd = -1};
    memcpy(saver->locks, locks, sizeof(saver->locks));
    const int error = *folder ? make_folder(folder) : -ENOENT;
    if (error < 0)
        say(saver, error);
    *ret_saver = saver;
    return 0;
}

static void leave_child(struct saver *saver)
{
    loop_watch_remove(saver->watch);
    if (saver->pidfd >= 0)
        close(saver->pidfd);
    saver->watch = NULL;
    saver->child = 0;
    saver->pidfd = -1;
}

/* Takes the child's exit status: -error of the write. */
static void child_done(struct saver *saver)
{
    int status = 0;
    waitpid(saver->child, &status, 0);
    leave_child(saver);
    const int error = WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
    say(saver, error);
    if (error < 0)
        saver->written = 0; /* the next turn tries again */
}

static void child_ended(void *context, struct loop_watch *watch)
{
    (void)watch;
    child_done(context);
}

/* Writes the snapshot in a child. No signal ends a process that waits for the disk, and the next tripd must not wait
 * for this one: so the child closes the locks. It closes nothing else: closing a stranger's descriptor may take as long
 * as the stranger likes, while an exit closes it at once. */
static _Noreturn void write_in_child(const struct saver *saver, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* then the last snapshot stays as it is */
    if (getppid() != parent)
        _exit(EIO);
    for (unsigned i = 0; i < SAVER_LOCKS; i++)
        if (saver->locks[i] >= 0)
            close(saver->locks[i]);
    _exit(-saved_write(saver->folder, saver->segment, clock_now_ms(saver->clock)));
}

static int start_child(struct saver *saver)
{
    const pid_t parent = getpid(), child = fork();
    if (child == 0)
        write_in_child(saver, parent);
    if (child < 0)
        return -errno;
    saver->child = child;
    saver->pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    if (saver->pidfd < 0 || loop_watch_add(saver->loop, saver->pidfd, child_ended, saver, &saver->watch) < 0)
        child_done(saver); /* waits for the child, for no descriptor is left to watch it */
    return 0;
}

/* Waits for the child. False: the disk holds it beyond the deadline. It dies with the worker, once the disk lets go of
 * it. */
static bool wait_for_child(struct saver *saver, uint64_t deadline)
{
    struct pollfd ended = {.fd = saver->pidfd, .events = POLLIN};
    const uint64_t now = monotonic_ns();
    if (saver->child == 0)
        return true;
    if (poll(&ended, 1, now < deadline ? (int)((deadline - now) / 1000000) : 0) == 1) {
        child_done(saver);
        return true;
    }
    leave_child(saver);
    return false;
}

void saver_beat(struct saver *saver)
{
    if (++saver->beats < EVERY_BEATS || saver->child)
        return;
    saver->beats = 0;
    const uint64_t now = what_changes(saver->segment);
    if (now == saver->written)
        return;
    saver->written = now;
    const int error = start_child(saver);
    if (error == 0)
        return;
    say(saver, error);
    saver->written = 0;
}

void saver_stop(struct saver *saver)
{
    const uint64_t deadline = monotonic_ns() + STOP_PATIENCE_NS;
    const bool idle = wait_for_child(saver, deadline);
    if (idle && start_child(saver) < 0) /* without a child, this process writes */
        say(saver, saved_write(saver->folder, saver->segment, clock_now_ms(saver->clock)));
    if (idle && wait_for_child(saver, deadline))
        return;
    log_warning("the disk has not taken the snapshot %s/snapshot within %d s: tripd stops without it, and begins with "
                "the one before after a reboot",
                saver->folder, (int)(STOP_PATIENCE_NS / UINT64_C(1000000000)));
}

struct saver *saver_free(struct saver *saver)
{
    if (saver && saver->child)
        child_done(saver);
    free(saver);
    return NULL;
}
