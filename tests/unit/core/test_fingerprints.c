/* Fingerprints: which errors are counted together, and how far the counts of a bounded table can be trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/fingerprints.h"
#include "internal/numbers.h"

#define PLACES  64
#define NOWHERE UINT32_MAX

static struct fingerprint table[PLACES + 1]; /* nothing may be written to the last one */
static uint32_t shapes[PLACES + 1];
static struct fingerprints fingerprints;
static uint64_t sequence;

static int set_up(void **state)
{
    (void)state;
    memset(table, 0, sizeof(table));
    memset(shapes, 0, sizeof(shapes));
    sequence = 0;
    fingerprints_begin(&fingerprints, table, shapes, PLACES);
    return 0;
}

/* Makes the record that comes next. Breaker, pid, times and type are the tests' to change. */
static struct error_record record_of(const char *message)
{
    struct error_record record = {.sequence = ++sequence,
                                  .at_ms = 1000,
                                  .at_unix_ms = 1700000001000,
                                  .pid = 17,
                                  .times = 1,
                                  .type = TRIP_ERROR_TIMEOUT};
    assert_true(strlen(message) < sizeof(record.message));
    memcpy(record.message, message, strlen(message) + 1);
    return record;
}

static uint32_t count(const struct error_record *record, bool *ret_burst)
{
    struct fingerprint entry;
    const uint32_t place = fingerprints_count(&fingerprints, record, &entry, ret_burst);
    if (place == FINGERPRINT_NONE || place == FINGERPRINT_GONE)
        return NOWHERE;
    assert_true(place < fingerprints.places);
    table[place] = entry;
    fingerprints_stored(&fingerprints, place);
    return place;
}

static uint32_t tell(const char *message)
{
    bool burst;
    const struct error_record record = record_of(message);
    return count(&record, &burst);
}

static uint64_t sum_of_counts(void)
{
    uint64_t sum = 0;
    for (uint32_t place = 0; place < PLACES; place++)
        sum += table[place].count;
    return sum;
}

static uint32_t used(void)
{
    uint32_t places = 0;
    for (uint32_t place = 0; place < PLACES; place++)
        places += table[place].id != 0;
    return places;
}

/* --------------------------------------------------------------------------------------------- what counts together */

static void test_errors_of_one_template_are_counted_together(void **state)
{
    (void)state;
    const uint32_t place = tell("connect to 10.0.0.5:5432 failed after 1503 ms");
    assert_int_equal(tell("connect to 10.0.0.6:5432 failed after 2 ms"), place);
    assert_string_equal(table[place].text, "connect to <address> failed after <n> ms");
    assert_int_equal(table[place].count, 2);
    assert_int_equal(table[place].over, 0);
    assert_int_equal(table[place].id, 1);
    assert_int_equal(table[place].type, TRIP_ERROR_TIMEOUT);
    assert_int_equal(used(), 1);
}

static void test_templates_that_differ_in_a_word_become_one(void **state)
{
    (void)state;
    const uint32_t place = tell("user alice not found");
    assert_int_equal(tell("user bob not found"), place);
    assert_string_equal(table[place].text, "user <*> not found");
    assert_int_equal(tell("user carol not found"), place);
    assert_string_equal(table[place].text, "user <*> not found");
    assert_int_equal(table[place].count, 3);
    assert_int_equal(table[place].id, 1);
}

static void test_an_entry_that_covers_a_template_comes_before_one_to_be_generalised(void **state)
{
    (void)state;
    const uint32_t first = tell("a b c d e x"), second = tell("a b p q r x");
    assert_int_not_equal(first, second);
    assert_int_equal(tell("a b p q s x"), second);
    assert_string_equal(table[second].text, "a b p q <*> x");
    assert_int_equal(tell("a b p q e x"), second); /* the first one could be generalised to it too */
    assert_int_equal(tell("a b c q e x"), first);
    assert_string_equal(table[first].text, "a b c <*> e x");
    assert_int_equal(tell("a b c q r x"), first);
    assert_string_equal(table[first].text, "a b c <*> <*> x");
}

static void test_an_entry_with_the_text_itself_comes_first(void **state)
{
    (void)state;
    const uint32_t general = tell("job alpha has failed"), exact = tell("job");
    tell("job beta has failed");
    assert_string_equal(table[general].text, "job <*> has failed");
    assert_int_equal(tell("job"), exact);
    assert_int_equal(tell("job <*> has failed"), general);
    assert_int_equal(table[exact].count, 2);
    assert_int_equal(table[general].count, 3);
}

static void test_templates_that_differ_too_much_and_types_have_entries_of_their_own(void **state)
{
    (void)state;
    bool burst;
    tell("user alice not found");
    tell("user alice unknown");
    tell("account alice not found");
    struct error_record record = record_of("user alice not found");
    record.type = TRIP_ERROR_NETWORK;
    count(&record, &burst);
    assert_int_equal(used(), 4);
    assert_int_equal(fingerprints.next_id, 5);
}

/* The words of each are its own, but for the first one: none can be merged with another. */
static uint32_t tell_of_one_shape(char letter)
{
    char message[32];
    snprintf(message, sizeof(message), "same %c%c %c%cx %c%cy", letter, letter, letter, letter, letter, letter);
    return tell(message);
}

static void test_a_template_is_compared_with_32_entries_of_its_shape_and_no_more(void **state)
{
    (void)state;
    for (char letter = 'A'; letter < 'A' + 40; letter++)
        assert_int_equal(tell_of_one_shape(letter), letter - 'A');
    assert_int_equal(tell("same AA AAx other"), 0);
    assert_int_equal(tell("same hh hhx other"), 40); /* it has three words in common with entry 39 */
    assert_string_equal(table[39].text, "same hh hhx hhy");
}

static void test_an_error_without_a_message_is_counted_nowhere(void **state)
{
    (void)state;
    assert_int_equal(tell(""), NOWHERE);
    assert_int_equal(tell(" \n"), NOWHERE);
    assert_int_equal(used(), 0);
    fingerprints_begin(&fingerprints, table, shapes, 0);
    assert_int_equal(tell("lost"), NOWHERE);
}

static void test_the_last_word_of_a_message_that_was_cut_does_not_count(void **state)
{
    (void)state;
    bool burst;
    struct error_record record = record_of("could not send the answer to 550e8400-e2");
    record.cut = ERROR_CUT_MESSAGE;
    const uint32_t place = count(&record, &burst);
    assert_string_equal(table[place].text, "could not send the answer to");
    record = record_of("lost");
    record.cut = ERROR_CUT_MESSAGE;
    assert_string_equal(table[count(&record, &burst)].text, "lost");
    record.sequence = ++sequence;
    record.cut = ERROR_CUT_TRACE;
    memset(record.message, 'x', sizeof(record.message)); /* it has no end */
    assert_int_equal(strlen(table[count(&record, &burst)].text), 95);
}

/* ----------------------------------------------------------------------------------------------- what an entry says */

static void test_an_entry_has_its_first_and_its_last_time_and_all_that_a_record_stands_for(void **state)
{
    (void)state;
    bool burst;
    struct error_record record = record_of("lost");
    count(&record, &burst);
    record = record_of("lost");
    record.times = 5;
    record.at_ms = 4000;
    record.at_unix_ms = 1700000004000;
    const uint32_t place = count(&record, &burst);
    assert_int_equal(table[place].count, 6);
    assert_int_equal(table[place].first_ms, 1000);
    assert_int_equal(table[place].first_unix_ms, 1700000001000);
    assert_int_equal(table[place].last_ms, 4000);
    assert_int_equal(table[place].last_unix_ms, 1700000004000);
    record = record_of("lost");
    record.at_ms = 3000; /* it was told late */
    count(&record, &burst);
    assert_int_equal(table[place].last_ms, 4000);
    assert_int_equal(table[place].seen, 3);
}

static void tell_of(uint32_t breaker, uint32_t pid)
{
    bool burst;
    struct error_record record = record_of("lost");
    record.breaker = breaker;
    record.pid = pid;
    assert_int_equal(count(&record, &burst), 0);
}

static void test_the_first_three_breakers_are_named_and_that_there_are_more_is_known(void **state)
{
    (void)state;
    static const uint32_t told[] = {0, 7, 0, 7, 9, 9}, counts[] = {1, 2, 2, 2, 3, 3};
    for (size_t i = 0; i < 6; i++) {
        tell_of(told[i], 1);
        assert_int_equal(table[0].breaker_count, counts[i]);
    }
    tell_of(8, 1);
    tell_of(10, 1);
    tell_of(7, 1);
    assert_int_equal(table[0].breaker_count, FINGERPRINT_BREAKERS + 1);
    assert_int_equal(table[0].breakers[0], 0);
    assert_int_equal(table[0].breakers[1], 7);
    assert_int_equal(table[0].breakers[2], 9);
}

static void test_a_slot_that_was_given_to_another_name_is_another_breaker(void **state)
{
    (void)state;
    static const char *const names[] = {"db", "mail", "db"};
    static const uint32_t counts[] = {1, 2, 2};
    bool burst;
    for (size_t i = 0; i < 3; i++) {
        struct error_record record = record_of("lost");
        record.breaker = 7;
        strcpy(record.name, names[i]);
        assert_int_equal(count(&record, &burst), 0);
        assert_int_equal(table[0].breaker_count, counts[i]);
    }
    assert_int_equal(table[0].names[0], fingerprint_name_hash("db"));
    assert_int_equal(table[0].names[1], fingerprint_name_hash("mail"));
    assert_int_not_equal(table[0].names[0], table[0].names[1]);
}

static void test_few_processes_are_counted_exactly_and_many_near_enough(void **state)
{
    (void)state;
    static const struct {
        uint32_t pids;
        unsigned lowest, highest;
    } expected[] = {{1, 1, 1}, {2, 2, 2}, {3, 3, 3}, {5, 5, 5}, {20, 16, 24}, {40, 30, 50}, {1000, 64, 64}};
    assert_int_equal(fingerprint_processes(&table[0]), 0);
    for (size_t i = 0, pid = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        for (; pid < expected[i].pids; pid++) {
            tell_of(1, 4000 + (uint32_t)pid);
            tell_of(1, 4000 + (uint32_t)pid);
        }
        assert_in_range(fingerprint_processes(&table[0]), expected[i].lowest, expected[i].highest);
    }
}

static void test_the_ninth_error_of_a_new_kind_begins_a_burst_and_no_other_one_does(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        bool burst = i != 9;
        const struct error_record record = record_of("lost");
        assert_int_equal(count(&record, &burst), 0);
        assert_int_equal(burst, i == 9);
    }
    assert_true(burst_now(&table[0].burst, 1000 * UINT64_C(1000000)));
}

/* ----------------------------------------------------------------------------------------------------- Space-Saving */

/* Writes a word without digits, so that it is its own template; one word is merged with no other one. */
static void word_of(uint32_t number, char ret_word[16])
{
    size_t length = 0;
    for (; length < 6; number /= 26)
        ret_word[length++] = (char)('a' + number % 26);
    ret_word[length] = '\0';
}

static uint32_t tell_number(uint32_t number, uint32_t times)
{
    bool burst;
    char word[16];
    word_of(number, word);
    struct error_record record = record_of(word);
    record.times = times;
    return count(&record, &burst);
}

static void test_a_new_template_takes_the_place_and_the_count_of_the_least_frequent_one(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < PLACES; number++)
        tell_number(number, number == 40 ? 3 : 5);
    const uint32_t place = tell_number(1000, 2);
    assert_int_equal(place, 40);
    assert_int_equal(table[place].count, 5);
    assert_int_equal(table[place].over, 3);
    assert_int_equal(table[place].id, PLACES + 1);
    assert_int_equal(table[place].burst.count, 2);
    assert_int_equal(table[place].breaker_count, 1);
    assert_int_equal(sum_of_counts(), 63 * 5 + 3 + 2);
}

static void test_of_equally_frequent_ones_the_one_gives_way_that_has_not_come_for_longest(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < PLACES; number++)
        tell_number(number, number == 0 ? 1 : 2);
    tell_number(0, 1);
    assert_int_equal(tell_number(1000, 1), 1);
}

static void test_ten_thousand_templates_have_no_more_than_the_places_there_are(void **state)
{
    (void)state;
    memset(&table[PLACES], 0x5a, sizeof(table[PLACES]));
    shapes[PLACES] = 0x5a5a5a5a;
    for (uint32_t number = 0; number < 10000; number++)
        assert_true(tell_number(number, 1) < PLACES);
    assert_int_equal(used(), PLACES);
    assert_int_equal(sum_of_counts(), 10000);
    assert_int_equal(fingerprints.next_id, 10001);
    assert_int_equal(shapes[PLACES], 0x5a5a5a5a);
    for (size_t i = 0; i < sizeof(table[PLACES]); i++)
        assert_int_equal(((const uint8_t *)&table[PLACES])[i], 0x5a);
}

#define KINDS  2000
#define STREAM 100000

/* Draws numbers so that number n is as frequent as 1 / (n + 1). */
static uint32_t zipf(uint64_t *seed)
{
    static double below[KINDS];
    for (uint32_t n = 0; below[KINDS - 1] == 0 && n < KINDS; n++)
        below[n] = (n ? below[n - 1] : 0) + 1.0 / (n + 1);
    const double random = (double)(random_next(seed) >> 11) * 0x1p-53 * below[KINDS - 1];
    uint32_t n = 0;
    while (n < KINDS - 1 && below[n] <= random)
        n++;
    return n;
}

static void assert_counted(uint32_t number, uint64_t times, uint64_t all)
{
    char word[16];
    bool found = false;
    word_of(number, word);
    for (uint32_t place = 0; place < PLACES; place++) {
        if (strcmp(table[place].text, word) != 0)
            continue;
        found = true;
        assert_in_range(times, table[place].count - table[place].over, table[place].count);
    }
    assert_true(found || times <= all / PLACES);
}

static void test_what_is_frequent_is_there_and_its_count_is_within_its_bounds(void **state)
{
    (void)state;
    static uint64_t counts[KINDS];
    uint64_t seed = 1, all = 0;
    for (uint32_t i = 0; i < STREAM; i++) {
        const uint32_t number = zipf(&seed), times = (uint32_t)random_between(1, 5, random_next(&seed));
        counts[number] += times;
        all += times;
        tell_number(number, times);
    }
    assert_int_equal(sum_of_counts(), all);
    assert_true(counts[0] > all / PLACES);
    for (uint32_t number = 0; number < KINDS; number++)
        assert_counted(number, counts[number], all);
    for (uint32_t place = 0; place < PLACES; place++)
        assert_true(table[place].over <= all / PLACES);
}

/* ------------------------------------------------------------------------------------------------------------ again */

static void test_a_record_that_comes_again_changes_nothing(void **state)
{
    (void)state;
    bool burst = true;
    struct fingerprint entry;
    tell("user alice not found");
    const struct error_record record = record_of("user bob not found");
    count(&record, &burst);
    const struct fingerprint before = table[0];
    burst = true;
    assert_int_equal(fingerprints_count(&fingerprints, &record, &entry, &burst), 0);
    assert_memory_equal(&entry, &before, sizeof(entry));
    assert_false(burst);
}

/* Tells 500 records of 100 kinds, from the one with the first sequence on. */
static void tell_stream(void)
{
    sequence = 0;
    for (uint64_t i = 0, seed = 3; i < 500; i++)
        tell_number((uint32_t)random_between(0, 99, random_next(&seed)), 1);
}

static void test_a_stream_that_comes_again_after_a_crash_changes_nothing_though_entries_gave_way(void **state)
{
    (void)state;
    static struct fingerprint before[PLACES];
    tell_stream();
    memcpy(before, table, sizeof(before));
    assert_int_equal(sum_of_counts(), 500);
    assert_true(fingerprints.next_id > PLACES + 1);
    memset(shapes, 0, sizeof(shapes));
    fingerprints_begin(&fingerprints, table, shapes, PLACES);
    assert_int_equal(fingerprints.seen, 500);
    tell_stream();
    assert_memory_equal(table, before, sizeof(before));
    tell_number(0, 1);
    assert_int_equal(sum_of_counts(), 501);
}

static void test_a_table_that_is_there_goes_on_with_its_entries_and_ids(void **state)
{
    (void)state;
    tell("user alice not found");
    tell("disk full");
    table[0] = (struct fingerprint){0}; /* it was being written when tripd died */
    memset(shapes, 0, sizeof(shapes));
    fingerprints_begin(&fingerprints, table, shapes, PLACES);
    assert_int_equal(tell("disk full"), 1);
    assert_int_equal(table[1].id, 2);
    assert_int_equal(table[1].count, 2);
    assert_int_equal(tell("user alice not found"), 0);
    assert_int_equal(table[0].id, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_errors_of_one_template_are_counted_together, set_up),
        cmocka_unit_test_setup(test_templates_that_differ_in_a_word_become_one, set_up),
        cmocka_unit_test_setup(test_a_template_is_compared_with_32_entries_of_its_shape_and_no_more, set_up),
        cmocka_unit_test_setup(test_an_entry_that_covers_a_template_comes_before_one_to_be_generalised, set_up),
        cmocka_unit_test_setup(test_an_entry_with_the_text_itself_comes_first, set_up),
        cmocka_unit_test_setup(test_templates_that_differ_too_much_and_types_have_entries_of_their_own, set_up),
        cmocka_unit_test_setup(test_an_error_without_a_message_is_counted_nowhere, set_up),
        cmocka_unit_test_setup(test_the_last_word_of_a_message_that_was_cut_does_not_count, set_up),
        cmocka_unit_test_setup(test_an_entry_has_its_first_and_its_last_time_and_all_that_a_record_stands_for, set_up),
        cmocka_unit_test_setup(test_the_first_three_breakers_are_named_and_that_there_are_more_is_known, set_up),
        cmocka_unit_test_setup(test_a_slot_that_was_given_to_another_name_is_another_breaker, set_up),
        cmocka_unit_test_setup(test_few_processes_are_counted_exactly_and_many_near_enough, set_up),
        cmocka_unit_test_setup(test_the_ninth_error_of_a_new_kind_begins_a_burst_and_no_other_one_does, set_up),
        cmocka_unit_test_setup(test_a_new_template_takes_the_place_and_the_count_of_the_least_frequent_one, set_up),
        cmocka_unit_test_setup(test_of_equally_frequent_ones_the_one_gives_way_that_has_not_come_for_longest, set_up),
        cmocka_unit_test_setup(test_ten_thousand_templates_have_no_more_than_the_places_there_are, set_up),
        cmocka_unit_test_setup(test_what_is_frequent_is_there_and_its_count_is_within_its_bounds, set_up),
        cmocka_unit_test_setup(test_a_record_that_comes_again_changes_nothing, set_up),
        cmocka_unit_test_setup(test_a_stream_that_comes_again_after_a_crash_changes_nothing_though_entries_gave_way,
                               set_up),
        cmocka_unit_test_setup(test_a_table_that_is_there_goes_on_with_its_entries_and_ids, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
