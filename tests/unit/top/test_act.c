/* What operators do to breakers: what tripd is asked, and what is said of its answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/answers.h"
#include "../../support/folder.h"
#include "act.h"

static const struct arguments arguments = {.instance = "test"};

static struct {
    char folder[FOLDER_ROOM];
    const char *roles; /* in JSON */
    struct answers answers;
} fixture;

/* db and web are hit; mail is refused; old keeps its state. */
static json_t *answer(const struct rpc_message *request, json_t **ret_error)
{
    const char *const name = json_string_value(json_object_get(request->params, "name"));
    if (strcmp(request->method, "status") == 0)
        return json_pack("{s:o}", "roles", json_loads(fixture.roles, JSON_DECODE_ANY, NULL));
    if (strcmp(name, "mail") == 0) {
        *ret_error = rpc_error(RPC_CODE_NOT_FOUND, "no breaker is named mail");
        return NULL;
    }
    return json_pack("{s:i}", "count", strcmp(name, "old") != 0);
}

static int set_up(void **state)
{
    (void)state;
    folder_make(fixture.folder, FOLDER_IN_TMP);
    setenv("TRIP_RUNTIME_DIR", fixture.folder, 1);
    fixture.roles = "[\"view\",\"control\"]";
    fixture.answers.answer = answer;
    answers_start(&fixture.answers);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    answers_stop(&fixture.answers);
    folder_remove(fixture.folder);
    unsetenv("TRIP_RUNTIME_DIR");
    return 0;
}

#define NAMES(...) ((char *const[]){__VA_ARGS__, NULL})

static void assert_does(enum action action, char *const *names, const char *reason, uint64_t span_ms,
                        const char *expected)
{
    char *const said = act_do(&arguments, act_of(action), names, reason, span_ms);
    assert_string_equal(said, expected);
    free(said);
}

/* What was asked so far. It is noted before it is answered. */
static void assert_asked(const char *expected)
{
    assert_string_equal(fixture.answers.asked, expected);
}

static void test_one_breaker_is_tripped(void **state)
{
    (void)state;
    assert_does(ACTION_TRIP, NAMES("db"), "", 0, "1 breaker tripped: db");
    assert_asked("trip {\"name\":\"db\"}\n");
}

static void test_each_act_sends_its_method_with_reason_and_span(void **state)
{
    (void)state;
    assert_does(ACTION_TRIP, NAMES("db"), "drill", 30000, "1 breaker tripped: db");
    assert_does(ACTION_FORCE_OPEN, NAMES("db"), "drill", 30000, "1 breaker forced open: db");
    assert_does(ACTION_DISABLE, NAMES("db"), "", 1, "1 breaker disabled: db");
    assert_does(ACTION_AUTO, NAMES("db"), "over", 0, "1 breaker set to auto: db");
    assert_does(ACTION_RESET, NAMES("db"), "", 30000, "1 breaker reset: db"); /* which has no span */
    assert_asked("trip {\"for_ms\":30000,\"name\":\"db\",\"reason\":\"drill\"}\n"
                 "force_open {\"name\":\"db\",\"reason\":\"drill\",\"ttl_ms\":30000}\n"
                 "disable {\"name\":\"db\",\"ttl_ms\":1}\n"
                 "auto {\"name\":\"db\",\"reason\":\"over\"}\n"
                 "reset {\"name\":\"db\"}\n");
}

static void test_of_several_breakers_all_are_named_that_were_hit(void **state)
{
    (void)state;
    assert_does(ACTION_DISABLE, NAMES("db", "web"), "", 0, "2 breakers disabled: db, web");
    assert_does(ACTION_DISABLE, NAMES("mail", "db", "old", "web"), "", 0,
                "2 breakers disabled: db, web; mail: no breaker is named mail; old: its mode keeps the state as it is, "
                "`a` ends that");
    assert_does(ACTION_TRIP, NAMES("mail"), "", 0, "0 breakers tripped; mail: no breaker is named mail");
}

static void test_who_has_the_role_control_may_act(void **state)
{
    (void)state;
    char why[128];
    bool answered;
    assert_true(act_allowed(&arguments, &answered, why));
    assert_string_equal(why, "");
    fixture.roles = "[\"view\"]";
    assert_false(act_allowed(&arguments, &answered, why));
    assert_string_equal(why, "you do not have the role control: access.control in tripd's config");
    fixture.roles = "null";
    assert_false(act_allowed(&arguments, &answered, why));
    fixture.roles = "[7,null,\"Control\"]";
    assert_false(act_allowed(&arguments, &answered, why));
}

static void test_where_nobody_listens_nothing_is_done(void **state)
{
    (void)state;
    char why[128];
    bool answered;
    setenv("TRIP_RUNTIME_DIR", "/nonexistent", 1);
    assert_false(act_allowed(&arguments, &answered, why));
    assert_string_equal(why, "tripd does not answer, and nobody else changes breakers");
    assert_does(ACTION_TRIP, NAMES("db"), "", 0, "nothing was done: tripd does not answer: No such file or directory");
    setenv("TRIP_RUNTIME_DIR", fixture.folder, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_one_breaker_is_tripped),
        TEST(test_each_act_sends_its_method_with_reason_and_span),
        TEST(test_of_several_breakers_all_are_named_that_were_hit),
        TEST(test_who_has_the_role_control_may_act),
        TEST(test_where_nobody_listens_nothing_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
