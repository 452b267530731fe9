/* Deadlines: which one comes due first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/deadlines.h"

static void test_no_deadline_is_set_at_first(void **state)
{
    (void)state;
    struct deadlines *deadlines;
    uint32_t which = 99;
    assert_int_equal(deadlines_new(4, &deadlines), 0);
    assert_true(deadlines_first(deadlines, &which) == DEADLINE_NEVER);
    assert_int_equal(which, 99);
    deadlines_free(deadlines);
}

static void test_the_earliest_comes_first_also_when_others_move(void **state)
{
    (void)state;
    struct deadlines *deadlines;
    uint32_t which;
    assert_int_equal(deadlines_new(8, &deadlines), 0);
    for (uint32_t i = 0; i < 8; i++)
        deadlines_set(deadlines, i, 100 - i);
    assert_int_equal(deadlines_first(deadlines, &which), 93);
    assert_int_equal(which, 7);
    deadlines_set(deadlines, 7, 1000); /* later */
    assert_int_equal(deadlines_first(deadlines, &which), 94);
    deadlines_set(deadlines, 2, 5); /* earlier */
    assert_int_equal(deadlines_first(deadlines, &which), 5);
    assert_int_equal(which, 2);
    deadlines_set(deadlines, 2, DEADLINE_NEVER);
    assert_int_equal(deadlines_first(deadlines, &which), 94);
    assert_int_equal(which, 6);
    deadlines_free(deadlines);
}

static void test_many_changes_agree_with_a_search(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    uint64_t at[COUNT], random = 88172645463325252;
    struct deadlines *deadlines;
    assert_int_equal(deadlines_new(COUNT, &deadlines), 0);
    for (uint32_t i = 0; i < COUNT; i++)
        at[i] = DEADLINE_NEVER;
    for (unsigned step = 0; step < 20000; step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        const uint32_t which = (uint32_t)(random % COUNT);
        at[which] = random >> 40 & 3 ? random >> 50 : DEADLINE_NEVER;
        deadlines_set(deadlines, which, at[which]);
        uint64_t first = DEADLINE_NEVER;
        for (uint32_t i = 0; i < COUNT; i++)
            first = at[i] < first ? at[i] : first;
        uint32_t found = 0;
        assert_true(deadlines_first(deadlines, &found) == first);
        assert_true(first == DEADLINE_NEVER || at[found] == first);
    }
    deadlines_free(deadlines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_deadline_is_set_at_first),
        cmocka_unit_test(test_the_earliest_comes_first_also_when_others_move),
        cmocka_unit_test(test_many_changes_agree_with_a_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
