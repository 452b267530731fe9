#include "net/aside.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal/ticks.h"

struct aside {
    aside_done_fn *done;
    void *context;
    pid_t child;
    int pidfd, memfd;
    struct loop_watch *watch;
    struct loop_timer *deadline;
    bool late;
};

/* Closes the child's copies of connections, which otherwise would stay open for as long as the work lasts. */
static _Noreturn void work_in_child(pid_t parent, int memfd, aside_work_fn *work, void *context)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(memfd, STDIN_FILENO) < 0)
        _exit(EIO);
    syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
    FILE *out = fdopen(STDIN_FILENO, "w");
    int error = out ? work(context, out) : -ENOMEM;
    if (error == 0 && fclose(out) != 0)
        error = -errno;
    _exit(-error);
}

static void let_go(struct aside *aside)
{
    loop_watch_remove(aside->watch);
    loop_timer_free(aside->deadline);
    if (aside->pidfd >= 0)
        close(aside->pidfd);
    if (aside->memfd >= 0)
        close(aside->memfd);
    free(aside);
}

static int read_all(int memfd, char **ret_data, size_t *ret_size)
{
    struct stat status;
    if (fstat(memfd, &status) < 0)
        return -errno;
    char *data = malloc((size_t)status.st_size + 1);
    if (!data)
        return -ENOMEM;
    if (pread(memfd, data, (size_t)status.st_size, 0) != status.st_size) {
        free(data);
        return -EIO;
    }
    data[status.st_size] = '\0';
    *ret_data = data;
    *ret_size = (size_t)status.st_size;
    return 0;
}

static void ended(void *context, struct loop_watch *watch)
{
    (void)watch;
    struct aside *aside = context;
    char *data = NULL;
    size_t size = 0;
    int status = 0;
    waitpid(aside->child, &status, 0);
    int error = WIFEXITED(status) ? -WEXITSTATUS(status) : aside->late ? -ETIMEDOUT : -EIO;
    if (error == 0)
        error = read_all(aside->memfd, &data, &size);
    aside_done_fn *const done = aside->done;
    void *const done_context = aside->context;
    let_go(aside);
    done(done_context, error, data, size);
    free(data);
}

static void too_late(void *context, struct loop_timer *timer)
{
    (void)timer;
    struct aside *aside = context;
    aside->late = true;
    kill(aside->child, SIGKILL);
}

int aside_start(struct loop *loop, aside_work_fn *work, void *work_context, aside_done_fn *done, void *done_context,
                struct aside **ret_aside)
{
    const pid_t parent = getpid();
    struct aside *aside = malloc(sizeof(*aside));
    if (!aside)
        return -ENOMEM;
    *aside = (struct aside){.done = done, .context = done_context, .pidfd = -1};
    aside->memfd = memfd_create("tripd-aside", MFD_CLOEXEC);
    int error = aside->memfd < 0 ? -errno : loop_timer_new(loop, too_late, aside, &aside->deadline);
    if (error == 0) {
        aside->child = fork();
        error = aside->child < 0 ? -errno : 0;
    }
    if (error < 0) {
        let_go(aside);
        return error;
    }
    if (aside->child == 0)
        work_in_child(parent, aside->memfd, work, work_context);
    aside->pidfd = (int)syscall(SYS_pidfd_open, aside->child, 0);
    error = aside->pidfd < 0 ? -errno : loop_watch_add(loop, aside->pidfd, ended, aside, &aside->watch);
    if (error < 0) {
        aside_stop(aside);
        return error;
    }
    loop_timer_arm(aside->deadline, monotonic_ns() + ASIDE_PATIENCE_NS);
    *ret_aside = aside;
    return 0;
}

struct aside *aside_stop(struct aside *aside)
{
    if (!aside)
        return NULL;
    kill(aside->child, SIGKILL);
    waitpid(aside->child, NULL, 0);
    let_go(aside);
    return NULL;
}
