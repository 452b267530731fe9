/* Features as a program asks for them: by name, by key, without tripd, and when tripd makes another segment. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "client.h"
#include "client_fixture.h"
#include "internal/feature_word.h"

/* Puts a feature in its place, as segment_feature_publish does, or changes it. */
static void publish(struct fixture *fixture, const char *name, unsigned permille)
{
    uint64_t *const words = fixture->fake.segment->feature_words;
    const uint64_t mark = feature_mark(name), *const place = feature_find(words, mark);
    __atomic_store_n(&words[place - words], mark | permille, __ATOMIC_RELAXED);
}

/* Another feature takes the place of this one. */
static void replace(struct fixture *fixture, const char *name, const char *by, unsigned permille)
{
    uint64_t *const words = fixture->fake.segment->feature_words;
    const uint64_t *const place = feature_find(words, feature_mark(name));
    __atomic_store_n(&words[place - words], feature_mark(by) | permille, __ATOMIC_RELAXED);
}

static trip_feature *feature(struct fixture *fixture, const char *name)
{
    trip_feature *got = NULL;
    assert_int_equal(trip_feature_get(fixture->client, name, &got), 0);
    return got;
}

static void test_a_feature_is_on_off_or_on_for_some_as_its_word_says(void **state)
{
    struct fixture *const fixture = *state;
    publish(fixture, "recommendations", 1000);
    trip_feature *const recommendations = feature(fixture, "recommendations");
    assert_true(trip_feature_enabled(recommendations));
    assert_int_equal(trip_feature_permille(recommendations), 1000);
    publish(fixture, "recommendations", 0);
    assert_false(trip_feature_enabled(recommendations));
    assert_false(trip_feature_enabled_for(recommendations, "alice"));
    assert_int_equal(trip_feature_permille(recommendations), 0);
    publish(fixture, "recommendations", 1);
    assert_true(trip_feature_enabled(recommendations));
    assert_int_equal(trip_feature_permille(recommendations), 1);
    publish(fixture, "recommendations", 1023); /* damage */
    assert_int_equal(trip_feature_permille(recommendations), 1000);
    assert_true(trip_feature_enabled_for(recommendations, "alice"));
}

static void test_a_name_gives_one_pointer_and_a_bad_name_none(void **state)
{
    struct fixture *const fixture = *state;
    trip_feature *const one = feature(fixture, "payments/express"), *none = NULL;
    char longest[TRIP_NAME_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_ptr_equal(one, feature(fixture, "payments/express"));
    assert_ptr_not_equal(one, feature(fixture, "payments"));
    assert_int_equal(trip_feature_get(fixture->client, "", &none), -EINVAL);
    assert_int_equal(trip_feature_get(fixture->client, "a b", &none), -EINVAL);
    assert_int_equal(trip_feature_get(fixture->client, longest, &none), -EINVAL);
    assert_int_equal(trip_feature_get(fixture->client, NULL, &none), -EINVAL);
    assert_null(none);
    assert_non_null(feature(fixture, longest + 1));
}

static void test_a_name_that_the_config_does_not_have_is_on_and_follows_once_it_has_it(void **state)
{
    struct fixture *const fixture = *state;
    trip_feature *const late = feature(fixture, "late");
    assert_true(trip_feature_enabled(late));
    assert_true(trip_feature_enabled_for(late, "alice"));
    assert_int_equal(trip_feature_permille(late), 1000);
    publish(fixture, "late", 0);
    assert_false(trip_feature_enabled(late));
    replace(fixture, "late", "another", 300);
    assert_true(trip_feature_enabled(late));
    assert_int_equal(trip_feature_permille(late), 1000);
    publish(fixture, "late", 0); /* in the next place on its way */
    assert_false(trip_feature_enabled(late));
}

static void test_a_full_index_is_searched_to_its_end_and_no_further(void **state)
{
    struct fixture *const fixture = *state;
    uint64_t *const words = fixture->fake.segment->feature_words;
    char name[16];
    for (unsigned i = 0; i < FEATURE_PLACES; i++) {
        snprintf(name, sizeof(name), "other-%u", i);
        words[i] = feature_mark(name); /* off */
    }
    assert_true(trip_feature_enabled(feature(fixture, "unknown")));
    snprintf(name, sizeof(name), "other-%u", 17);
    assert_false(trip_feature_enabled(feature(fixture, name)));
}

/* ----------------------------------------------------------------------------------------------------------- percents
 */

static void test_who_is_on_at_20_percent_is_on_at_50_and_the_same_each_time(void **state)
{
    struct fixture *const fixture = *state;
    unsigned at_200 = 0, at_500 = 0;
    char key[16];
    trip_feature *const search = feature(fixture, "search");
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "user-%u", i);
        publish(fixture, "search", 200);
        const bool few = trip_feature_enabled_for(search, key), again = trip_feature_enabled_for(search, key);
        publish(fixture, "search", 500);
        const bool more = trip_feature_enabled_for(search, key);
        assert_true(few == again);
        assert_true(few == (feature_position("search", key) < 200));
        assert_true(more || !few);
        at_200 += few;
        at_500 += more;
    }
    assert_in_range(at_200, 320, 480);
    assert_in_range(at_500, 900, 1100);
    assert_true(trip_feature_enabled_for(search, NULL) == trip_feature_enabled_for(search, ""));
}

/* ------------------------------------------------------------------------------------------------------ without tripd
 */

static void test_without_tripd_a_feature_stays_as_it_was_last_known(void **state)
{
    struct fixture *const fixture = *state;
    publish(fixture, "search", 0);
    trip_feature *const search = feature(fixture, "search");
    fake_away(&fixture->fake);
    fake_hang_up(&fixture->fake);
    assert_false(trip_feature_enabled(search));
    assert_false(trip_feature_enabled_for(search, "alice"));
    assert_false(trip_feature_enabled(feature(fixture, "search")));
}

static void test_a_client_that_never_attached_has_all_features_on(void **state)
{
    struct fixture *const fixture = *state;
    trip_client *alone = NULL;
    trip_feature *search = NULL;
    publish(fixture, "search", 0);
    assert_int_equal(trip_open(&alone, "nobody"), 0);
    assert_int_equal(trip_feature_get(alone, "search", &search), 0);
    assert_true(trip_feature_enabled(search));
    assert_true(trip_feature_enabled_for(search, "alice"));
    assert_int_equal(trip_feature_permille(search), 1000);
    trip_close(alone);
}

static void test_another_segment_is_followed_by_features_asked_for_before(void **state)
{
    struct fixture *const fixture = *state;
    publish(fixture, "search", 0);
    publish(fixture, "unrelated", 1000);
    trip_feature *const search = feature(fixture, "search"), *const unrelated = feature(fixture, "unrelated");
    assert_false(trip_feature_enabled(search));
    fake_new_segment(&fixture->fake);
    publish(fixture, "unrelated", 0);
    assert_false(trip_feature_enabled(search)); /* as last known: its memory is still there */
    assert_true(WAIT_FOR(trip_feature_permille(unrelated) == 0));
    assert_false(trip_feature_enabled(unrelated));
    assert_true(trip_feature_enabled(search));
    publish(fixture, "search", 200);
    assert_int_equal(trip_feature_permille(search), 200);
}

static void test_a_forked_child_reads_the_same_features(void **state)
{
    struct fixture *const fixture = *state;
    publish(fixture, "search", 0);
    trip_feature *const search = feature(fixture, "search");
    const pid_t child = fork();
    if (child == 0) {
        trip_feature *other = NULL;
        const bool off = !trip_feature_enabled(search) && !trip_feature_enabled_for(search, "alice");
        const bool got = trip_feature_get(fixture->client, "late", &other) == 0 && trip_feature_enabled(other);
        _exit(off && got ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ------------------------------------------------------------------------------------------------ threads and signals
 */

#define SWITCHES 20000

struct reader {
    trip_feature *feature;
    bool stop;
    unsigned on, off, wrong;
};

static void *read_feature(void *context)
{
    struct reader *const reader = context;
    while (!__atomic_load_n(&reader->stop, __ATOMIC_RELAXED)) {
        const unsigned permille = trip_feature_permille(reader->feature);
        __atomic_add_fetch(permille ? &reader->on : &reader->off, 1, __ATOMIC_RELAXED);
        reader->wrong += permille != 0 && permille != 1000;
    }
    return NULL;
}

static void test_a_thread_that_reads_while_tripd_writes_sees_on_or_off(void **state)
{
    struct fixture *const fixture = *state;
    publish(fixture, "search", 1000);
    struct reader reader = {.feature = feature(fixture, "search")};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_feature, &reader), 0);
    for (unsigned i = 0; i < SWITCHES || __atomic_load_n(&reader.on, __ATOMIC_RELAXED) == 0 ||
                         __atomic_load_n(&reader.off, __ATOMIC_RELAXED) == 0;
         i++)
        publish(fixture, "search", i % 2 ? 1000 : 0);
    __atomic_store_n(&reader.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    assert_int_equal(reader.wrong, 0);
}

static void *get_features(void *context)
{
    struct fixture *const fixture = context;
    static trip_feature *seen[64];
    uintptr_t wrong = 0;
    for (unsigned i = 0; i < 64; i++) {
        char name[16];
        trip_feature *got = NULL, *none = NULL;
        snprintf(name, sizeof(name), "shared-%u", i);
        wrong += trip_feature_get(fixture->client, name, &got) != 0;
        if (!__atomic_compare_exchange_n(&seen[i], &none, got, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            wrong += none != got;
    }
    return (void *)wrong;
}

static void test_threads_that_ask_for_the_same_names_get_the_same_pointers(void **state)
{
    struct fixture *const fixture = *state;
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_features, fixture), 0);
    for (unsigned i = 0; i < 4; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

static trip_feature *in_handler;
static volatile sig_atomic_t answer;

static void handle(int signal)
{
    (void)signal;
    answer = trip_feature_enabled(in_handler) ? 1 : 2;
}

static void test_a_signal_handler_may_ask_also_while_the_client_is_locked(void **state)
{
    struct fixture *const fixture = *state;
    const struct sigaction action = {.sa_handler = handle};
    struct sigaction before;
    publish(fixture, "search", 0);
    in_handler = feature(fixture, "search");
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    pthread_mutex_lock(&fixture->client->lock);
    raise(SIGUSR1);
    assert_int_equal(answer, 2);
    replace(fixture, "search", "another", 0); /* the slow way */
    raise(SIGUSR1);
    assert_int_equal(answer, 1);
    pthread_mutex_unlock(&fixture->client->lock);
    sigaction(SIGUSR1, &before, NULL);
}

static void test_errno_stays_as_it_was(void **state)
{
    struct fixture *const fixture = *state;
    trip_feature *const search = feature(fixture, "search");
    fake_away(&fixture->fake);
    fake_hang_up(&fixture->fake);
    errno = 4242;
    trip_feature_enabled(search);
    trip_feature_enabled_for(search, "alice");
    trip_feature_permille(search);
    assert_int_equal(errno, 4242);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_feature_is_on_off_or_on_for_some_as_its_word_says),
        TEST(test_a_name_gives_one_pointer_and_a_bad_name_none),
        TEST(test_a_name_that_the_config_does_not_have_is_on_and_follows_once_it_has_it),
        TEST(test_a_full_index_is_searched_to_its_end_and_no_further),
        TEST(test_who_is_on_at_20_percent_is_on_at_50_and_the_same_each_time),
        TEST(test_without_tripd_a_feature_stays_as_it_was_last_known),
        TEST(test_a_client_that_never_attached_has_all_features_on),
        TEST(test_another_segment_is_followed_by_features_asked_for_before),
        TEST(test_a_forked_child_reads_the_same_features),
        TEST(test_a_thread_that_reads_while_tripd_writes_sees_on_or_off),
        TEST(test_threads_that_ask_for_the_same_names_get_the_same_pointers),
        TEST(test_a_signal_handler_may_ask_also_while_the_client_is_locked),
        TEST(test_errno_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
