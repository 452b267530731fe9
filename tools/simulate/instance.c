#include "instance.h"

#include <unistd.h>

#include "caller.h"

static int make_segment(struct instance *instance, const struct config *config)
{
    const struct segment_options options = {
        .max_breakers = config->limits.max_breakers, .max_lanes = 1, .clock = &instance->clock};
    return segment_create_private(&options, &instance->segment);
}

static int make_commons(struct instance *instance)
{
    int fd;
    int error = commons_make(&fd);
    if (error < 0)
        return error;
    error = commons_map(fd, &instance->commons);
    if (error < 0)
        close(fd);
    return error;
}

static int make_lanes(struct instance *instance)
{
    const struct lanes_options options = {.max_lanes = 1,
                                          .memory_per_user = UINT64_MAX,
                                          .segment_id = instance->segment->header->segment_id,
                                          .clock = &instance->clock};
    return lanes_new(&options, &instance->lanes);
}

static int make_breakers(struct instance *instance, const struct instance_options *options)
{
    const struct breakers_options breakers = {.segment = instance->segment,
                                              .commons = instance->commons,
                                              .lanes = instance->lanes,
                                              .clock = &instance->clock,
                                              .config = options->config,
                                              .seed = options->seed,
                                              .moved = options->moved,
                                              .simulates = true,
                                              .context = options->context};
    const int error = breakers_new(&breakers, &instance->breakers);
    if (error < 0)
        return error;
    segment_started(instance->segment, getpid(), getpid());
    segment_heartbeat(instance->segment);
    /* The heart beats, however long the simulation takes. */
    instance->segment->header->heartbeat_mono_ns = UINT64_MAX;
    return 0;
}

static int make_chronicle(struct instance *instance, const struct instance_options *options)
{
    const struct chronicle_options chronicle = {.segment = instance->segment,
                                                .config = options->config,
                                                .changed = options->incident,
                                                .context = options->context};
    return chronicle_new(&chronicle, &instance->chronicle);
}

static int make_caller(struct instance *instance, uint64_t seed)
{
    const struct segment_header *const header = instance->segment->header;
    const struct caller_offer offer = {.segment_fd = instance->segment->fd,
                                       .commons_fd = instance->commons->fd,
                                       .segment_id = header->segment_id,
                                       .segment_size = header->size,
                                       .commons_id = header->commons_id,
                                       .commons_size = instance->commons->size,
                                       .commons_number = header->commons_number,
                                       .seed = seed};
    struct lane_offer lane = {.uid = geteuid(), .pid = getpid()};
    struct lane *attached;
    const char *why;
    int error = caller_new(&offer, &instance->caller);
    if (error == 0)
        error = caller_lane(instance->caller, &lane.fd, &lane.lane_id);
    if (error < 0)
        return error;
    error = lanes_attach(instance->lanes, &lane, &attached, &why);
    if (error < 0) {
        close(lane.fd);
        return error;
    }
    lane_grant(attached, header->commons_number);
    breakers_lane_came(instance->breakers, attached);
    breakers_drain_all(instance->breakers);
    return 0;
}

int instance_begin(struct instance *instance, const struct instance_options *options)
{
    *instance = (struct instance){.clock = {.ticks = TICKS_TEST}};
    int error = make_segment(instance, options->config);
    if (error == 0)
        error = make_commons(instance);
    if (error == 0)
        error = make_lanes(instance);
    if (error == 0)
        error = make_breakers(instance, options);
    if (error == 0)
        error = make_chronicle(instance, options);
    return error == 0 ? make_caller(instance, options->seed) : error;
}

void instance_end(struct instance *instance)
{
    trip_close(instance->caller);
    chronicle_free(instance->chronicle);
    breakers_free(instance->breakers);
    lanes_free(instance->lanes);
    if (instance->commons)
        close(instance->commons->fd);
    commons_unmap(instance->commons);
    segment_unmap(instance->segment);
}
