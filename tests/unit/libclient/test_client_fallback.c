/* Fallbacks: which strategies of a chain come, in which order, and what trip_run makes of them. */
#include <errno.h>
#include <pthread.h>

#include "client_fixture.h"

/* ------------------------------------------------------------------------------------------------ a book, by hand */

static void add_step(struct fallback_book *book, trip_strategy strategy, unsigned flags, uint16_t weight,
                     uint64_t ttl_ms, const char *text)
{
    struct fallback_step *const step = &book->steps[book->step_count++];
    *step = (struct fallback_step){.strategy = (uint8_t)strategy,
                                   .flags = (uint8_t)flags,
                                   .weight = weight,
                                   .ttl_ms = ttl_ms,
                                   .text = book->text_used,
                                   .size = (uint32_t)strlen(text)};
    memcpy(book->texts + book->text_used, text, strlen(text) + 1);
    book->text_used += (uint32_t)strlen(text) + 1;
}

/* The list of the next steps is that of an error type. */
static void begin_list(struct fallback_book *book, trip_error_type type)
{
    book->chain_count = 1;
    book->chains[0].first[type] = (uint16_t)(book->step_count + 1);
}

/* network: cached, an endpoint, without recommendations, a default; timeout: two endpoints in order; rate_limited: two
 * by weight; internal: a queue. */
static struct fallback_book *a_book(void)
{
    struct fallback_book *const book = calloc(1, sizeof(*book));
    begin_list(book, TRIP_ERROR_NETWORK);
    add_step(book, TRIP_STRATEGY_CACHED, 0, 0, 300000, "");
    add_step(book, TRIP_STRATEGY_ALTERNATIVE, 0, 0, 0, "backup:443");
    add_step(book, TRIP_STRATEGY_REDUCED, 0, 0, 0, "recommendations,reviews");
    add_step(book, TRIP_STRATEGY_DEFAULT, FALLBACK_LAST, 0, 0, "{\"items\":[]}");
    begin_list(book, TRIP_ERROR_TIMEOUT);
    add_step(book, TRIP_STRATEGY_ALTERNATIVE, FALLBACK_MORE, 0, 0, "first:443");
    add_step(book, TRIP_STRATEGY_ALTERNATIVE, FALLBACK_LAST, 0, 0, "second:443");
    begin_list(book, TRIP_ERROR_RATE_LIMITED);
    add_step(book, TRIP_STRATEGY_ALTERNATIVE, FALLBACK_MORE | FALLBACK_WEIGHTED, 900, 0, "often:443");
    add_step(book, TRIP_STRATEGY_ALTERNATIVE, FALLBACK_LAST | FALLBACK_WEIGHTED, 100, 0, "seldom:443");
    begin_list(book, TRIP_ERROR_INTERNAL);
    add_step(book, TRIP_STRATEGY_QUEUE, FALLBACK_LAST, 0, 0, "retry_queue");
    return book;
}

/* Publishes a book, and gives "db" its first chain. Takes the book. */
static void publish(struct fixture *f, struct fallback_book *book)
{
    const uint64_t generation = segment_fallbacks_publish(f->fake.segment, book);
    __atomic_store_n(&f->fake.segment->policies[f->slot].fallback, fallback_word(generation, 0), __ATOMIC_RELEASE);
    free(book);
}

static int set_up(void **state)
{
    const int error = fixture_setup(state);
    if (error == 0)
        publish(*state, a_book());
    return error;
}

static void force_open(struct fixture *f, const char *name)
{
    fake_mode(&f->fake, fake_breaker(&f->fake, name), TRIP_MODE_FORCED_OPEN, 0);
}

/* -------------------------------------------------------------------------------------------------------- the walk */

static void assert_next(struct fixture *f, trip_error_type type, trip_fallback *fallback, trip_strategy strategy,
                        const char *text)
{
    assert_true(trip_fallback_next(f->breaker, type, fallback));
    assert_string_equal(trip_strategy_name(fallback->strategy), trip_strategy_name(strategy));
    assert_string_equal(fallback->text, text);
    assert_int_equal(fallback->size, strlen(text));
}

static void assert_no_next(struct fixture *f, trip_error_type type, trip_fallback *fallback)
{
    assert_false(trip_fallback_next(f->breaker, type, fallback));
    assert_int_equal(fallback->strategy, TRIP_STRATEGY_NONE);
}

static void test_a_chain_gives_its_strategies_in_their_order(void **state)
{
    struct fixture *const f = *state;
    trip_fallback fallback = {0};
    assert_next(f, TRIP_ERROR_NETWORK, &fallback, TRIP_STRATEGY_CACHED, "");
    assert_int_equal(fallback.ttl_ns, 300000000000);
    assert_null(fallback.breaker);
    assert_next(f, TRIP_ERROR_NETWORK, &fallback, TRIP_STRATEGY_ALTERNATIVE, "backup:443");
    assert_non_null(fallback.breaker);
    assert_next(f, TRIP_ERROR_NETWORK, &fallback, TRIP_STRATEGY_REDUCED, "recommendations,reviews");
    assert_next(f, TRIP_ERROR_NETWORK, &fallback, TRIP_STRATEGY_DEFAULT, "{\"items\":[]}");
    assert_no_next(f, TRIP_ERROR_NETWORK, &fallback);
    assert_no_next(f, TRIP_ERROR_NETWORK, &fallback);
}

static void test_each_type_of_error_has_its_own_list_and_others_have_none(void **state)
{
    struct fixture *const f = *state;
    trip_fallback queue = {0}, none = {0}, beyond = {0};
    assert_next(f, TRIP_ERROR_INTERNAL, &queue, TRIP_STRATEGY_QUEUE, "retry_queue");
    assert_no_next(f, TRIP_ERROR_INTERNAL, &queue);
    assert_no_next(f, TRIP_ERROR_PROTOCOL, &none);
    assert_no_next(f, (trip_error_type)1000, &beyond);
}

static void test_endpoints_come_in_their_order_and_the_dead_ones_not_at_all(void **state)
{
    struct fixture *const f = *state;
    trip_fallback both = {0}, one = {0}, none = {0};
    assert_next(f, TRIP_ERROR_TIMEOUT, &both, TRIP_STRATEGY_ALTERNATIVE, "first:443");
    assert_next(f, TRIP_ERROR_TIMEOUT, &both, TRIP_STRATEGY_ALTERNATIVE, "second:443");
    assert_no_next(f, TRIP_ERROR_TIMEOUT, &both);
    force_open(f, "first:443");
    assert_next(f, TRIP_ERROR_TIMEOUT, &one, TRIP_STRATEGY_ALTERNATIVE, "second:443");
    assert_int_equal(one.dead, 1);
    assert_no_next(f, TRIP_ERROR_TIMEOUT, &one);
    force_open(f, "second:443");
    assert_no_next(f, TRIP_ERROR_TIMEOUT, &none);
    assert_int_equal(none.dead, 2);
}

static void test_endpoints_by_weight_come_each_once_and_the_heavy_one_first_mostly(void **state)
{
    struct fixture *const f = *state;
    unsigned often_first = 0;
    for (unsigned i = 0; i < 1000; i++) {
        trip_fallback fallback = {0};
        assert_true(trip_fallback_next(f->breaker, TRIP_ERROR_RATE_LIMITED, &fallback));
        const bool often = strcmp(fallback.text, "often:443") == 0;
        often_first += often;
        assert_next(f, TRIP_ERROR_RATE_LIMITED, &fallback, TRIP_STRATEGY_ALTERNATIVE,
                    often ? "seldom:443" : "often:443");
        assert_no_next(f, TRIP_ERROR_RATE_LIMITED, &fallback);
    }
    assert_in_range(often_first, 800, 990); /* 900 expected, 9.5 the standard deviation */
}

static void test_an_endpoint_has_a_breaker_of_its_own(void **state)
{
    struct fixture *const f = *state;
    trip_fallback fallback = {0};
    trip_breaker *own;
    assert_int_equal(trip_breaker_get(f->client, "first:443", &own), 0);
    assert_next(f, TRIP_ERROR_TIMEOUT, &fallback, TRIP_STRATEGY_ALTERNATIVE, "first:443");
    assert_ptr_equal(fallback.breaker, own);
}

static void test_a_walk_goes_on_by_the_settings_with_which_it_began(void **state)
{
    struct fixture *const f = *state;
    struct fallback_book *book = calloc(1, sizeof(*book));
    trip_fallback old = {0}, new = {0};
    assert_next(f, TRIP_ERROR_NETWORK, &old, TRIP_STRATEGY_CACHED, "");
    begin_list(book, TRIP_ERROR_NETWORK);
    add_step(book, TRIP_STRATEGY_QUEUE, FALLBACK_LAST, 0, 0, "other_queue");
    publish(f, book);
    publish(f, a_book());
    book = calloc(1, sizeof(*book));
    begin_list(book, TRIP_ERROR_NETWORK);
    add_step(book, TRIP_STRATEGY_QUEUE, FALLBACK_LAST, 0, 0, "other_queue");
    publish(f, book); /* the place of the first book has been overwritten */
    assert_next(f, TRIP_ERROR_NETWORK, &old, TRIP_STRATEGY_ALTERNATIVE, "backup:443");
    assert_next(f, TRIP_ERROR_NETWORK, &new, TRIP_STRATEGY_QUEUE, "other_queue");
}

#define LAST_TTL_MS 100

struct walks {
    struct fixture *f;
    unsigned walked, wrong;
};

/* The list of `network`, whose first strategy says which settings the walk has; cmocka cannot fail in this thread. */
static void *walk_until_the_last(void *arg)
{
    struct walks *const walks = arg;
    static const trip_strategy list[] = {TRIP_STRATEGY_CACHED, TRIP_STRATEGY_ALTERNATIVE, TRIP_STRATEGY_REDUCED,
                                         TRIP_STRATEGY_DEFAULT, TRIP_STRATEGY_NONE};
    uint64_t ttl_ns = 0;
    while (ttl_ns != LAST_TTL_MS * UINT64_C(1000000)) {
        trip_fallback fallback = {0};
        for (unsigned i = 0; i < 5; i++) {
            trip_fallback_next(walks->f->breaker, TRIP_ERROR_NETWORK, &fallback);
            __atomic_fetch_add(&walks->wrong, fallback.strategy != list[i], __ATOMIC_RELAXED);
            ttl_ns = i == 0 ? fallback.ttl_ns : ttl_ns;
        }
        __atomic_fetch_add(&walks->walked, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void test_threads_walk_at_once_while_the_settings_change(void **state)
{
    struct walks walks = {.f = *state};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, walk_until_the_last, &walks), 0);
    for (unsigned ttl_ms = 1; ttl_ms <= LAST_TTL_MS; ttl_ms++) {
        const unsigned walked = __atomic_load_n(&walks.walked, __ATOMIC_RELAXED);
        struct fallback_book *const book = a_book();
        book->steps[0].ttl_ms = ttl_ms;
        publish(walks.f, book);
        while (ttl_ms < LAST_TTL_MS && __atomic_load_n(&walks.walked, __ATOMIC_RELAXED) == walked)
            sched_yield();
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(walks.wrong, 0);
}

static void test_the_same_book_again_stays_the_same_generation(void **state)
{
    struct fixture *const f = *state;
    struct fallback_book *const book = a_book();
    const uint64_t generation = f->fake.segment->fallbacks->commits;
    assert_int_equal(generation, 1);
    assert_int_equal(segment_fallbacks_publish(f->fake.segment, book), 1);
    book->steps[0].ttl_ms = 1000;
    assert_int_equal(segment_fallbacks_publish(f->fake.segment, book), 2);
    free(book);
}

static void test_a_word_whose_book_is_gone_gives_no_strategy(void **state)
{
    struct fixture *const f = *state;
    trip_fallback fallback = {0};
    f->fake.segment->policies[f->slot].fallback = fallback_word(77, 0);
    assert_no_next(f, TRIP_ERROR_NETWORK, &fallback);
}

static void test_a_damaged_book_gives_no_strategy(void **state)
{
    struct fixture *const f = *state;
    struct fallback_book *const there = &f->fake.segment->fallbacks->books[1];
    const struct fallback_book whole = *there;
    for (unsigned damage = 0; damage < 7; damage++) {
        trip_fallback fallback = {0};
        *there = whole;
        switch (damage) {
        case 0:
            there->steps[3].flags = 0; /* the list does not end within the steps */
            there->step_count = 4;
            break;
        case 1:
            there->steps[0].text = FALLBACK_TEXTS;
            break;
        case 2:
            there->steps[0].size = UINT32_MAX;
            break;
        case 3:
            there->chains[0].first[TRIP_ERROR_NETWORK] = FALLBACK_STEPS + 1;
            break;
        case 4:
            there->steps[1].strategy = TRIP_STRATEGY_COUNT;
            break;
        case 5:
            there->texts[there->steps[1].text + there->steps[1].size] = 'x';
            break;
        default:
            there->steps[3].flags = FALLBACK_LAST | FALLBACK_MORE;
        }
        assert_no_next(f, TRIP_ERROR_NETWORK, &fallback);
    }
}

static void test_a_breaker_of_its_own_process_has_no_chain(void **state)
{
    struct fixture *const f = *state;
    trip_breaker *private;
    trip_fallback fallback = {0};
    f->fake.full = true;
    assert_int_equal(trip_breaker_get(f->client, "private", &private), 0);
    assert_false(trip_fallback_next(private, TRIP_ERROR_NETWORK, &fallback));
}

/* --------------------------------------------------------------------------------------------------------- trip_run */

struct script {
    unsigned calls, fetches, reduces, uses;
    trip_outcome fetched;
    bool reduced, used;
    char endpoint[64], features[64], value[64];
};

static trip_outcome refused(void *arg, trip_attempt *attempt)
{
    ((struct script *)arg)->calls++;
    attempt->error.type = TRIP_ERROR_NETWORK;
    return TRIP_FAILURE;
}

static trip_outcome answered(void *arg, trip_attempt *attempt)
{
    (void)attempt;
    ((struct script *)arg)->calls++;
    return TRIP_OK;
}

static trip_outcome fetch(void *arg, const char *endpoint, trip_attempt *attempt)
{
    struct script *const script = arg;
    script->fetches++;
    snprintf(script->endpoint, sizeof(script->endpoint), "%s", endpoint);
    attempt->error.type = TRIP_ERROR_TIMEOUT;
    return script->fetched;
}

static bool reduce(void *arg, const char *features)
{
    struct script *const script = arg;
    script->reduces++;
    snprintf(script->features, sizeof(script->features), "%s", features);
    return script->reduced;
}

static bool use(void *arg, const char *value, size_t size)
{
    struct script *const script = arg;
    script->uses++;
    snprintf(script->value, sizeof(script->value), "%.*s", (int)size, value);
    return script->used;
}

static const trip_fallbacks all_offered = {.fetch = fetch, .reduce = reduce, .use = use};
static const trip_options with_all = {.fallbacks = &all_offered};

static void assert_tried(const trip_result *result, unsigned at, trip_strategy strategy, trip_unanswered why)
{
    assert_string_equal(trip_strategy_name(result->tried[at].strategy), trip_strategy_name(strategy));
    assert_string_equal(trip_unanswered_name(result->tried[at].why), trip_unanswered_name(why));
}

static void test_an_operation_that_answers_needs_no_strategy(void **state)
{
    struct fixture *const f = *state;
    struct script script = {0};
    trip_result result;
    assert_int_equal(trip_run_with(f->breaker, &with_all, answered, &script, &result), 0);
    assert_int_equal(result.strategy, TRIP_STRATEGY_NONE);
    assert_int_equal(result.tried_count, 0);
}

static void test_a_failed_operation_is_answered_by_an_alternative_and_its_breaker_counts_it(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.fetched = TRIP_OK};
    trip_result result;
    assert_int_equal(trip_run_with(f->breaker, &with_all, refused, &script, &result), 0);
    assert_int_equal(result.strategy, TRIP_STRATEGY_ALTERNATIVE);
    assert_int_equal(result.outcome, TRIP_FAILURE);
    assert_string_equal(script.endpoint, "backup:443");
    assert_int_equal(result.tried_count, 1);
    assert_tried(&result, 0, TRIP_STRATEGY_CACHED, TRIP_STORE_AWAY);
    const uint32_t backup = fake_breaker(&f->fake, "backup:443");
    assert_int_equal(fake_counts_all(&f->fake, backup, 1).total_ok, 1);
}

static void test_what_failed_on_the_way_is_told_with_its_reason(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.fetched = TRIP_FAILURE, .used = true};
    trip_result result;
    assert_int_equal(trip_run_with(f->breaker, &with_all, refused, &script, &result), 0);
    assert_int_equal(result.strategy, TRIP_STRATEGY_DEFAULT);
    assert_string_equal(script.value, "{\"items\":[]}");
    assert_string_equal(script.features, "recommendations,reviews");
    assert_int_equal(result.tried_count, 3);
    assert_tried(&result, 0, TRIP_STRATEGY_CACHED, TRIP_STORE_AWAY);
    assert_tried(&result, 1, TRIP_STRATEGY_ALTERNATIVE, TRIP_ALTERNATIVE_FAILED);
    assert_tried(&result, 2, TRIP_STRATEGY_REDUCED, TRIP_FEATURE_REDUCED);
}

static void test_an_endpoint_that_is_left_out_has_failed_too(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.reduced = true};
    trip_result result;
    force_open(f, "backup:443");
    assert_int_equal(trip_run_with(f->breaker, &with_all, refused, &script, &result), 0);
    assert_int_equal(script.fetches, 0);
    assert_int_equal(result.strategy, TRIP_STRATEGY_REDUCED);
    assert_int_equal(result.tried_count, 2);
    assert_tried(&result, 1, TRIP_STRATEGY_ALTERNATIVE, TRIP_ALTERNATIVE_FAILED);
}

static void test_where_no_strategy_answers_the_operations_own_end_is_returned(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.fetched = TRIP_TIMEOUT};
    trip_result result;
    assert_int_equal(trip_run_with(f->breaker, &with_all, refused, &script, &result), -EIO);
    assert_int_equal(result.strategy, TRIP_STRATEGY_NONE);
    assert_int_equal(result.tried_count, 5);
    assert_tried(&result, 3, TRIP_STRATEGY_DEFAULT, TRIP_NO_DEFAULT);
    assert_tried(&result, 4, TRIP_STRATEGY_NONE, TRIP_NO_STRATEGY);
}

static void test_a_caller_that_offers_nothing_is_told_so(void **state)
{
    struct fixture *const f = *state;
    static const trip_fallbacks nothing;
    const trip_options options = {.fallbacks = &nothing};
    struct script script = {0};
    trip_result result;
    assert_int_equal(trip_run_with(f->breaker, &options, refused, &script, &result), -EIO);
    assert_tried(&result, 1, TRIP_STRATEGY_ALTERNATIVE, TRIP_NOT_OFFERED);
    assert_tried(&result, 2, TRIP_STRATEGY_REDUCED, TRIP_NOT_OFFERED);
    assert_tried(&result, 3, TRIP_STRATEGY_DEFAULT, TRIP_NOT_OFFERED);
}

static void test_a_denied_operation_is_answered_in_place_of_the_last_error(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.fetched = TRIP_OK};
    trip_result result;
    f->fake.segment->details[f->slot].error_type = TRIP_ERROR_TIMEOUT;
    f->fake.segment->details[f->slot].error_unix_ms = 1;
    force_open(f, "db");
    assert_int_equal(trip_run_with(f->breaker, &with_all, refused, &script, &result), 0);
    assert_int_equal(script.calls, 0);
    assert_int_equal(result.verdict, TRIP_DENY_FORCED);
    assert_int_equal(result.strategy, TRIP_STRATEGY_ALTERNATIVE);
    assert_string_equal(script.endpoint, "first:443");
}

static void test_a_denial_without_an_error_stands_for_a_service_that_is_unavailable(void **state)
{
    struct fixture *const f = *state;
    assert_int_equal(trip_error_from_denial(f->breaker, TRIP_DENY_OPEN), TRIP_ERROR_SERVICE_UNAVAILABLE);
    f->fake.segment->details[f->slot].error_type = TRIP_ERROR_NETWORK;
    f->fake.segment->details[f->slot].error_unix_ms = 1;
    assert_int_equal(trip_error_from_denial(f->breaker, TRIP_DENY_OPEN), TRIP_ERROR_NETWORK);
    assert_int_equal(trip_error_from_denial(f->breaker, TRIP_DENY_RATE), TRIP_ERROR_SERVICE_UNAVAILABLE);
    assert_int_equal(trip_error_from_denial(f->breaker, TRIP_DENY_DEADLINE), TRIP_ERROR_TIMEOUT);
    f->fake.segment->details[f->slot].error_type = 255;
    assert_int_equal(trip_error_from_denial(f->breaker, TRIP_DENY_OPEN), TRIP_ERROR_SERVICE_UNAVAILABLE);
}

static trip_outcome given_up(void *arg, trip_attempt *attempt)
{
    (void)attempt;
    ((struct script *)arg)->calls++;
    return TRIP_CANCELLED;
}

static void test_an_operation_that_its_caller_gave_up_is_not_answered_by_a_strategy(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.fetched = TRIP_OK, .used = true};
    trip_result result;
    assert_int_equal(trip_run_with(f->breaker, &with_all, given_up, &script, &result), -ECANCELED);
    assert_int_equal(result.tried_count, 0);
    assert_int_equal(script.fetches + script.uses, 0);
}

#define MADE(test) cmocka_unit_test_setup_teardown(test, set_up, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MADE(test_a_chain_gives_its_strategies_in_their_order),
        MADE(test_each_type_of_error_has_its_own_list_and_others_have_none),
        MADE(test_endpoints_come_in_their_order_and_the_dead_ones_not_at_all),
        MADE(test_endpoints_by_weight_come_each_once_and_the_heavy_one_first_mostly),
        MADE(test_an_endpoint_has_a_breaker_of_its_own),
        MADE(test_a_walk_goes_on_by_the_settings_with_which_it_began),
        MADE(test_threads_walk_at_once_while_the_settings_change),
        MADE(test_the_same_book_again_stays_the_same_generation),
        MADE(test_a_word_whose_book_is_gone_gives_no_strategy),
        MADE(test_a_damaged_book_gives_no_strategy),
        MADE(test_a_breaker_of_its_own_process_has_no_chain),
        MADE(test_an_operation_that_answers_needs_no_strategy),
        MADE(test_a_failed_operation_is_answered_by_an_alternative_and_its_breaker_counts_it),
        MADE(test_what_failed_on_the_way_is_told_with_its_reason),
        MADE(test_an_endpoint_that_is_left_out_has_failed_too),
        MADE(test_where_no_strategy_answers_the_operations_own_end_is_returned),
        MADE(test_a_caller_that_offers_nothing_is_told_so),
        MADE(test_a_denied_operation_is_answered_in_place_of_the_last_error),
        MADE(test_a_denial_without_an_error_stands_for_a_service_that_is_unavailable),
        MADE(test_an_operation_that_its_caller_gave_up_is_not_answered_by_a_strategy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
