#include "worker.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "breakers/breakers.h"
#include "chronicle/chronicle.h"
#include "degradation/degradation.h"
#include "internal/enum_names.h"
#include "internal/levels.h"
#include "internal/time_namespace.h"
#include "log.h"
#include "loop/loop.h"
#include "net/aside.h"
#include "net/attach.h"
#include "net/clients.h"
#include "net/control.h"
#include "net/door.h"
#include "segment/saved.h"
#include "segment/saver.h"
#include "startup.h"
#include "tsc.h"

struct worker {
    struct startup *startup; /* holds the config that is in force */
    const struct keeper_birth *birth;
    struct segment *segment;
    struct clock *clock;
    struct loop *loop;
    struct commons *commons;
    struct lanes *lanes;
    struct clients *clients;
    struct breakers *breakers;
    struct tracer tracer;
    struct refusals refusals;
    struct control *control;
    struct attach *attach;
    struct door *door;
    struct saver *saver;
    struct chronicle *chronicle;
    struct degradation *degradation;
    bool look_again; /* the chronicle has more to read than it reads in one turn of the loop */
    struct loop_timer *heart;
    uint64_t next_beat;
    struct loop_timer *due;
    uint64_t due_armed; /* the time for which `due` is armed; 0: it is not */
    uint32_t breaker_count, lane_count;
    struct aside *reading;           /* looks up the names in a config that is to come into force */
    bool read_again;                 /* meanwhile the config was to be read again */
    bool names_missed;               /* some names of the config in force are not looked up yet */
    uint64_t measured_ns, asleep_ns; /* when metrics were written last, and how long the loop had slept by then */
    bool nameless;                   /* the segment's name is lost, and the log has said so */
};

/* ------------------------------------------------------------------------------------------------------ transitions */

static void log_transition(const struct transition *moved)
{
    char by[128] = "", steps[48] = "", why[48] = "";
    if (moved->of == OF_MODE) {
        /* An operator's request is logged as a line of its own, for all breakers that it named. */
        if (moved->by != BY_OPERATOR)
            log_info("%.*s: mode %s -> %s, by %s%s%.*s", (int)sizeof(moved->name), moved->name,
                     NAME_OF(mode_names, moved->from), NAME_OF(mode_names, moved->to), NAME_OF(actor_names, moved->by),
                     moved->note[0] ? ": " : "", (int)sizeof(moved->note), moved->note);
        return;
    }
    if (moved->steps)
        snprintf(steps, sizeof(steps), ", after %u steps too fast to tell", moved->steps);
    if (moved->by == BY_OPERATOR)
        snprintf(by, sizeof(by), "operator (uid %u)%s%.*s", moved->uid, moved->note[0] ? ": " : "",
                 (int)sizeof(moved->note), moved->note);
    if (moved->to == TRIP_STATE_OPEN)
        snprintf(why, sizeof(why), moved->condition ? " (%s: %s)" : " (%s)", NAME_OF(reason_names, moved->reason),
                 NAME_OF(reason_names, moved->condition));
    log_info("%.*s: %s -> %s%s, by %s%s", (int)sizeof(moved->name), moved->name, NAME_OF(state_names, moved->from),
             NAME_OF(state_names, moved->to), why, by[0] ? by : NAME_OF(actor_names, moved->by), steps);
}

static void moved(void *context, const struct transition *transition)
{
    struct worker *worker = context;
    log_transition(transition);
    if (worker->control) /* not yet at a start */
        control_event(worker->control);
}

static void degraded(void *context, const struct transition *event)
{
    struct worker *worker = context;
    const struct levels_image *const levels = segment_levels(worker->segment);
    const char *const why = event->note[0] ? ": " : "";
    /* What an operator asked for is logged as a line of its own. */
    if (event->of == OF_LEVEL && event->from != event->to)
        log_notice("%s%s: level %s -> %s, by %s%s%s", event->name[0] ? "group " : "host", event->name,
                   level_name(levels, event->from), level_name(levels, event->to), NAME_OF(actor_names, event->by), why,
                   event->note);
    else if (event->of == OF_FEATURE && event->by != BY_OPERATOR)
        log_info("feature %s: on for %u.%u%% -> %u.%u%%, by %s%s%s", event->name, event->from_permille / 10,
                 event->from_permille % 10, event->to_permille / 10, event->to_permille % 10,
                 NAME_OF(actor_names, event->by), why, event->note);
    if (worker->control) /* not yet at a start */
        control_event(worker->control);
}

static void incident_changed(void *context, const struct incident *incident)
{
    struct worker *worker = context;
    const char *const led =
        incident->candidate < incident->member_count ? incident_member_name(incident, incident->candidate) : "";
    const unsigned count = (unsigned)incident->member_count + incident->members_more;
    log_notice("incident %" PRIu64 " %s: %u breaker%s%s%s", incident->id, incident->end_ms ? "ended" : "began", count,
               count == 1 ? "" : "s", *led ? ", led by " : "", led);
    if (worker->control) /* not yet at a start */
        control_event(worker->control);
}

static void stepped(void *context, uint32_t slot)
{
    struct worker *worker = context;
    if (worker->attach) /* not yet at a start */
        attach_moved(worker->attach, slot);
}

static void admits(void *context, uint32_t slot)
{
    struct worker *worker = context;
    if (worker->attach)
        attach_admits(worker->attach, slot);
}

/* ------------------------------------------------------------------------------ when the breakers want to be called */

static uint64_t next_due(const struct worker *worker)
{
    const uint64_t breakers = breakers_due(worker->breakers), levels = degradation_due(worker->degradation);
    return breakers < levels ? breakers : levels;
}

/* Does what is due. */
static void tick(struct worker *worker)
{
    breakers_tick(worker->breakers);
    degradation_tick(worker->degradation);
}

/* Arms the timer for the next due time. True: that is earlier than the loop knew when it last asked its timers. */
static bool arm_due(struct worker *worker)
{
    const uint64_t due_ns = worker->clock->ticks == TICKS_TEST ? UINT64_MAX : next_due(worker);
    const uint64_t deadline = due_ns == UINT64_MAX ? 0 : clock_to_monotonic(worker->clock, due_ns);
    const uint64_t before = worker->due_armed;
    if (deadline == before)
        return false;
    loop_timer_arm(worker->due, deadline);
    worker->due_armed = deadline;
    return deadline != 0 && (before == 0 || deadline < before);
}

static void look_back(void *context)
{
    struct worker *worker = context;
    worker->look_again = chronicle_look(worker->chronicle, clock_now_ns(worker->clock));
}

/* Called before each sleep: whatever moved a deadline (a drain, a tool, an attach) need not know of the timer. */
static bool pending(void *context)
{
    struct worker *worker = context;
    const bool earlier = arm_due(worker);
    return breakers_pending(worker->breakers) || earlier || worker->look_again;
}

static void rung(void *context)
{
    struct worker *worker = context;
    breakers_rung(worker->breakers);
    if (worker->look_again || chronicle_behind(worker->chronicle))
        look_back(worker);
}

static void due(void *context, struct loop_timer *timer)
{
    (void)timer;
    struct worker *worker = context;
    worker->due_armed = 0;
    tick(worker);
}

/* For --test-clock: lets all that comes due on the way happen, each at its time, and then publishes the new time. */
static int advance(void *context, uint64_t ns)
{
    struct worker *worker = context;
    struct clock *clock = worker->clock;
    if (clock->ticks != TICKS_TEST)
        return -EOPNOTSUPP;
    const uint64_t target = clock->test_now_ns + ns;
    breakers_drain_all(worker->breakers); /* what was reported before the advance counts before it */
    breakers_stall_look_all(worker->breakers);
    for (uint64_t at = next_due(worker); at <= target; at = next_due(worker)) {
        /* a timer that is due at once again must not hold the time */
        clock->test_now_ns = at > clock->test_now_ns ? at : clock->test_now_ns + 1;
        if (clock->test_now_ns > target)
            break;
        tick(worker);
    }
    clock->test_now_ns = target;
    breakers_drain_all(worker->breakers); /* does what heartbeats would have done on the way */
    do
        look_back(worker);
    while (worker->look_again);
    segment_test_now(worker->segment, target);
    return 0;
}

/* ---------------------------------------------------------------------------------------------------- once a second */

static void count(struct worker *worker)
{
    const uint32_t used = worker->segment->used_count, lanes = lanes_count(worker->lanes);
    if (used == worker->breaker_count && lanes == worker->lane_count)
        return;
    worker->breaker_count = used;
    worker->lane_count = lanes;
    segment_counts(worker->segment, used, lanes);
    notify_send(&worker->startup->notify, "STATUS=%u breakers, %u processes", used, lanes);
}

static void check_name(struct worker *worker)
{
    if (worker->nameless || segment_still_named(worker->segment))
        return;
    worker->nameless = true;
    log_error("the state segment %s was removed or replaced by someone: attached programs go on, tools no longer find "
              "it. Restart tripd when it suits; if logind did it (RemoveIPC), run tripd as a system user",
              worker->startup->segment_path);
}

/* Ends the worker if descriptors do not close: the next worker begins with those that the keeper holds, and no others.
 */
static void check_closing(struct worker *worker)
{
    if (!loop_cannot_close(worker->loop))
        return;
    log_error(
        "descriptors that programs with the role report sent do not close, for a file in user space holds them: the "
        "worker ends. If no other one begins, end the process that serves that file system");
    kill(getpid(), SIGKILL);
}

/* Follows the TSC; a test clock has none. */
static void follow_tsc(struct worker *worker)
{
    struct tsc_base *const base = &worker->clock->tsc;
    if (base->ns_q32 == 0)
        return;
    const char *const why = tsc_follow(base, tsc_sample(), tsc_listed());
    segment_tsc_publish(worker->segment, base);
    if (why)
        log_warning("the TSC is given up for this segment, for %s: clients time calls by CLOCK_MONOTONIC", why);
}

/* Bytes of memory that this process has; 0: there is no /proc. */
static uint64_t resident(void)
{
    unsigned long long pages = 0;
    FILE *const statm = fopen("/proc/self/statm", "re");
    if (statm && fscanf(statm, "%*u %llu", &pages) != 1)
        pages = 0;
    if (statm)
        fclose(statm);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void measure(struct worker *worker)
{
    const uint64_t now_ns = monotonic_ns(), asleep_ns = loop_asleep_ns(worker->loop);
    const uint64_t up_ns = now_ns - worker->measured_ns, slept_ns = asleep_ns - worker->asleep_ns;
    segment_host_beat(worker->segment, up_ns, time_until(up_ns, slept_ns), resident(), lanes_memory(worker->lanes));
    worker->measured_ns = now_ns;
    worker->asleep_ns = asleep_ns;
}

static void beat(void *context, struct loop_timer *timer)
{
    struct worker *worker = context;
    const bool away = time_until(monotonic_ns(), worker->next_beat) >= HEARTBEAT_STALE_NS - HEARTBEAT_NS;
    check_closing(worker);
    if (away) /* before clients see a heartbeat: they may have closed breakers meanwhile */
        attach_away(worker->attach);
    segment_heartbeat(worker->segment);
    follow_tsc(worker);
    __atomic_add_fetch(worker->birth->beats, 1, __ATOMIC_RELAXED); /* only a count: the keeper sees that it moves */
    if (worker->startup->notify.watchdog)
        notify_send(&worker->startup->notify, "WATCHDOG=1");
    breakers_beat(worker->breakers);
    look_back(worker);
    tracer_flush(&worker->tracer);
    clients_look(worker->clients);
    if (away)
        attach_back(worker->attach);
    attach_look(worker->attach);
    count(worker);
    measure(worker);
    check_name(worker);
    saver_beat(worker->saver);
    loop_doorbell_rearm(worker->loop);
    const uint64_t now = monotonic_ns();
    worker->next_beat += HEARTBEAT_NS;
    if (worker->next_beat <= now) /* the worker was stopped meanwhile */
        worker->next_beat = now + HEARTBEAT_NS;
    loop_timer_arm(timer, worker->next_beat);
}

/* ----------------------------------------------------------------------------------------------------------- config */

static void configure(struct worker *worker, struct config *config)
{
    struct config *before = worker->startup->config;
    worker->startup->config = config;
    segment_bounds(worker->segment, config->limits.max_breakers, config->limits.max_lanes);
    breakers_reconfigure(worker->breakers, config);
    degradation_reconfigure(worker->degradation, config);
    chronicle_reconfigure(worker->chronicle, config);
    control_reconfigure(worker->control, config);
    door_reconfigure(worker->door, config);
    lanes_reconfigure(worker->lanes, config->limits.max_lanes, config->limits.lane_memory_per_user);
    startup_descriptors(config);
    attach_reconfigure(worker->attach, config, startup_share_of_cancels(config));
    config_free(before);
    segment_configured(worker->segment);
    if (config->notes)
        log_lines(LOG_LEVEL_WARNING, config->notes);
    log_notice("the config was read again");
}

/* Reads the config in a child, to look up the names in it, for a name service may take its time. The worker then reads
 * the config again, where nothing has to wait. */
static int look_up(void *context, FILE *out)
{
    struct worker *worker = context;
    struct config *config;
    char *problems = NULL;
    config_names_tell(out);
    /* The next reader of the config reports its problems. */
    (void)startup_config(worker->startup, &config, &problems);
    return 0;
}

static int read_with(struct worker *worker, const char *names_text, size_t size, struct config **ret_config,
                     char **ret_problems)
{
    struct config_names *names;
    const int no_memory = config_names_new(names_text, size, &names);
    if (no_memory < 0)
        return no_memory;
    config_names_use(names);
    const int error = startup_config(worker->startup, ret_config, ret_problems);
    worker->names_missed = config_names_missed();
    config_names_use(NULL);
    config_names_free(names);
    return error;
}

static void reloaded(struct worker *worker, int error, const char *said)
{
    if (error < 0) {
        log_lines(LOG_LEVEL_ERROR, said ? said : "no memory to read the config");
        log_error("the config was not read again: the one before stays in force");
    }
    control_reloaded(worker->control, error, said);
    notify_send(&worker->startup->notify, "READY=1");
}

static int reload(void *context);

static void looked_up(void *context, int error, const char *names, size_t size)
{
    struct worker *worker = context;
    struct config *config = NULL;
    char *problems = NULL;
    worker->reading = NULL;
    if (error < 0) {
        if (asprintf(&problems, "the names of users and groups in the config could not be looked up: %s\n",
                     strerror(-error)) < 0)
            problems = NULL;
    } else {
        error = read_with(worker, names, size, &config, &problems);
    }
    if (worker->read_again || (error == 0 && worker->names_missed)) { /* the config changed meanwhile */
        config_free(config);
        worker->read_again = false;
        error = reload(worker);
        if (error < 0)
            reloaded(worker, error, NULL);
    } else {
        if (error == 0)
            configure(worker, config);
        reloaded(worker, error, error == 0 ? config->notes : problems);
    }
    free(problems);
}

/* Begins to read the config again. The answer comes later: control_reloaded. */
static int reload(void *context)
{
    struct worker *worker = context;
    worker->read_again = worker->reading != NULL;
    if (worker->reading)
        return 0;
    notify_send(&worker->startup->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, monotonic_ns() / 1000);
    return aside_start(worker->loop, look_up, worker, looked_up, worker, &worker->reading);
}

/* Reads the config again after a crash, for it may have been reloaded since the keeper read it. Names are those that
 * the keeper looked up: a new user has no role until the name service has answered. */
static void refresh_config(struct worker *worker)
{
    struct startup *startup = worker->startup;
    struct config *config = NULL;
    char *problems = NULL, *names = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&names, &size);
    if (file)
        config_names_write(startup->config, file);
    int error = file && fclose(file) == 0 ? 0 : -ENOMEM;
    if (error == 0)
        error = read_with(worker, names, size, &config, &problems);
    if (error == 0) {
        config_free(startup->config);
        startup->config = config;
    } else {
        log_lines(LOG_LEVEL_ERROR, problems ? problems : "no memory to read the config");
        log_error("the config that tripd started with is in force");
    }
    free(problems);
    free(names);
}

/* ---------------------------------------------------------------------------------------------------------- signals */

static void signalled(void *context, int signal)
{
    struct worker *worker = context;
    if (signal != SIGHUP) {
        loop_stop(worker->loop);
        return;
    }
    const int error = reload(worker);
    if (error < 0)
        reloaded(worker, error, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ birth */

static bool kernel_has_peer_pidfds(void)
{
    int pair[2], pidfd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    const bool has = peer_pidfd(pair[0], &pidfd) == 0;
    if (has)
        close(pidfd);
    close(pair[0]);
    close(pair[1]);
    return has;
}

static int open_memories(struct worker *worker)
{
    const struct config_limits *const limits = &worker->startup->config->limits;
    const int error = commons_map(worker->startup->commons, &worker->commons);
    if (error < 0)
        return error;
    const struct lanes_options options = {.max_lanes = limits->max_lanes,
                                          .segment_id = worker->segment->header->segment_id,
                                          .memory_per_user = limits->lane_memory_per_user,
                                          .clock = worker->clock,
                                          .draining = worker->birth->draining};
    segment_inherit(worker->segment, worker->clock);
    segment_bounds(worker->segment, limits->max_breakers, limits->max_lanes);
    return lanes_new(&options, &worker->lanes);
}

/* Restores the snapshot. One that cannot be read is logged and left where it is; the next snapshot replaces it. */
static void restore(struct worker *worker)
{
    struct saved saved;
    const char *why = NULL;
    const char *folder = worker->startup->state_path;
    int error = saved_read(folder, &saved, &why);
    if (error == -ENOENT)
        return;
    if (error < 0) {
        log_error("the snapshot %s/snapshot is not used: %s; breakers begin closed, without modes and totals", folder,
                  why ? why : strerror(-error));
        return;
    }
    error = breakers_restore(worker->breakers, &saved, realtime_ms());
    if (error < 0)
        log_warning("not every breaker of %s/snapshot found a place: %s; raise limits.max_breakers", folder,
                    strerror(-error));
    segment_incidents_put(worker->segment, saved.incidents, saved.incident_count);
    degradation_restore(worker->degradation, &saved, realtime_ms());
    log_notice("%zu breakers and %zu modes by pattern are as in %s/snapshot", saved.breaker_count, saved.pattern_count,
               folder);
    saved_clear(&saved);
}

static int open_breakers(struct worker *worker)
{
    const struct clients_options clients = {
        .loop = worker->loop, .segment = worker->segment, .lanes = worker->lanes, .birth = worker->birth};
    struct breakers_options breakers = {.segment = worker->segment,
                                        .commons = worker->commons,
                                        .lanes = worker->lanes,
                                        .clock = worker->clock,
                                        .config = worker->startup->config,
                                        .tracer = &worker->tracer,
                                        .moved = moved,
                                        .stepped = stepped,
                                        .admits = admits,
                                        .context = worker};
    if (getrandom(&breakers.seed, sizeof(breakers.seed), 0) != sizeof(breakers.seed))
        return -EIO;
    int error = clients_new(&clients, &worker->clients);
    if (error == 0)
        error = breakers_new(&breakers, &worker->breakers);
    if (error == -ENOSPC || error == -ENOMEM)
        log_error("there is no memory for %u breakers: give tripd more (MemoryMax=), or the host "
                  "(vm.overcommit_memory=2 bounds what processes may commit)",
                  worker->segment->slots);
    const struct degradation_options degradation = {.segment = worker->segment,
                                                    .clock = worker->clock,
                                                    .config = worker->startup->config,
                                                    .told = degraded,
                                                    .context = worker};
    if (error == 0)
        error = degradation_new(&degradation, &worker->degradation);
    if (error < 0)
        return error;
    if (worker->segment->header->starts == 0) /* the segment was just made: after a reboot, or the first time */
        restore(worker);
    segment_started(worker->segment, worker->birth->keeper, getpid());
    segment_configured(worker->segment);
    return clients_begin(worker->clients, worker->breakers);
}

static int open_chronicle(struct worker *worker)
{
    const struct chronicle_options options = {
        .segment = worker->segment, .config = worker->startup->config, .changed = incident_changed, .context = worker};
    if (!worker->birth->again)
        segment_chronicle_started(worker->segment, clock_now_ms(worker->clock));
    return chronicle_new(&options, &worker->chronicle);
}

static int open_sockets(struct worker *worker)
{
    const struct control_options control = {.loop = worker->loop,
                                            .breakers = worker->breakers,
                                            .degradation = worker->degradation,
                                            .segment = worker->segment,
                                            .lanes = worker->lanes,
                                            .clock = worker->clock,
                                            .tracer = &worker->tracer,
                                            .refusals = &worker->refusals,
                                            .config = worker->startup->config,
                                            .reload = reload,
                                            .advance = advance,
                                            .drained = look_back,
                                            .context = worker};
    const struct attach_options attach = {.loop = worker->loop,
                                          .segment = worker->segment,
                                          .commons = worker->commons,
                                          .breakers = worker->breakers,
                                          .clients = worker->clients,
                                          .refusals = &worker->refusals,
                                          .config = worker->startup->config,
                                          .time_namespace = time_namespace(),
                                          .share_of_cancels = startup_share_of_cancels(worker->startup->config),
                                          .peer_pidfds = kernel_has_peer_pidfds()};
    int error = control_new(&control, &worker->control);
    if (error == 0)
        error = attach_new(&attach, &worker->attach);
    if (error < 0)
        return error;
    const struct door_options door = {.loop = worker->loop,
                                      .listener = worker->startup->listener,
                                      .attach = worker->attach,
                                      .control = worker->control,
                                      .config = worker->startup->config};
    return door_new(&door, &worker->door);
}

static int open_timers(struct worker *worker)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    int error = loop_signals(worker->loop, signals, sizeof(signals) / sizeof(signals[0]), signalled, worker);
    if (error == 0)
        error = loop_timer_new(worker->loop, beat, worker, &worker->heart);
    if (error == 0)
        error = loop_timer_new(worker->loop, due, worker, &worker->due);
    if (error == 0)
        error = loop_doorbell(worker->loop, &worker->commons->header->doorbell, pending, rung, worker);
    return error;
}

static int open_all(struct worker *worker)
{
    const char *why = NULL;
    int error = loop_new(&worker->loop, LOOP_AUTO, &why);
    if (error < 0)
        return error;
    log_info("event loop: %s", why);
    error = open_memories(worker);
    if (error == 0)
        error = open_breakers(worker);
    if (error == 0)
        error = open_chronicle(worker);
    if (error == 0)
        error =
            saver_new(worker->loop, worker->segment, worker->clock, worker->startup->state_path,
                      (const int[SAVER_LOCKS]){worker->startup->lock, worker->startup->segment_lock}, &worker->saver);
    if (error == 0)
        error = open_sockets(worker);
    if (error == 0)
        error = open_timers(worker);
    return error;
}

static void close_all(struct worker *worker)
{
    saver_free(worker->saver);
    aside_stop(worker->reading);
    attach_free(worker->attach);
    control_free(worker->control);
    door_free(worker->door); /* the door counts the connections of both */
    clients_free(worker->clients);
    chronicle_free(worker->chronicle);
    degradation_free(worker->degradation);
    breakers_free(worker->breakers);
    lanes_free(worker->lanes);
    loop_timer_free(worker->heart);
    loop_timer_free(worker->due);
    loop_free(worker->loop);
    commons_unmap(worker->commons);
}

static int iterate(struct worker *worker)
{
    worker->next_beat = worker->measured_ns = monotonic_ns();
    beat(worker, worker->heart);
    clients_ready(worker->clients);
    notify_send(&worker->startup->notify, "READY=1");
    log_notice("instance \"%s\" is ready: %u breakers, %u processes", worker->startup->options.instance,
               worker->breaker_count, worker->lane_count);
    if (worker->names_missed)
        (void)reload(worker); /* if this fails, the config in force stays */
    const int error = loop_run(worker->loop);
    if (error < 0) {
        log_error("the event loop broke: %s", strerror(-error));
        return 1;
    }
    breakers_drain_all(worker->breakers);
    do
        look_back(worker);
    while (worker->look_again);
    tracer_flush(&worker->tracer);
    saver_stop(worker->saver);
    segment_stopped(worker->segment);
    log_notice("instance \"%s\" stopped", worker->startup->options.instance);
    return 0;
}

int worker_run(void *context, const struct keeper_birth *birth)
{
    struct startup *startup = context;
    struct worker worker = {.startup = startup,
                            .birth = birth,
                            .segment = startup->segment,
                            .clock = &startup->clock,
                            .breaker_count = UINT32_MAX};
    if (birth->again)
        refresh_config(&worker);
    int status = 1;
    const int error = open_all(&worker);
    if (error < 0)
        log_error("the worker cannot start: %s%s", strerror(-error), keeper_mend(error));
    else
        status = iterate(&worker);
    close_all(&worker);
    return status;
}
