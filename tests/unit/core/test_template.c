/* Templates of messages as programs write them, literally; and what holds of any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/template.h"
#include "internal/numbers.h"
#include "internal/printable.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct pair {
    const char *message, *template;
};

static const struct pair messages[] = {
    /* databases */
    {"FATAL: password authentication failed for user \"app_17\"",
     "FATAL: password authentication failed for user <string>"},
    {"ERROR: duplicate key value violates unique constraint \"users_email_key\" (SQLSTATE 23505)",
     "ERROR: duplicate key value violates unique constraint <string> (SQLSTATE 23505)"},
    {"ERROR: deadlock detected (SQLSTATE 40P01)", "ERROR: deadlock detected (SQLSTATE 40P01)"},
    {"FATAL: terminating connection due to administrator command (57P01)",
     "FATAL: terminating connection due to administrator command (57P01)"},
    {"FATAL: sorry, too many clients already", "FATAL: sorry, too many clients already"},
    {"connection to server at \"db1\" (10.0.0.7), port 5432 failed: Connection refused",
     "connection to server at <string> (<address>), port <n> failed: Connection refused"},
    {"connection to server on socket \"/run/postgresql/.s.PGSQL.5432\" failed: No such file or directory",
     "connection to server on socket <string> failed: No such file or directory"},
    {"server closed the connection unexpectedly after 48210 rows",
     "server closed the connection unexpectedly after <n> rows"},
    {"canceling statement due to statement timeout after 30000ms, sqlstate=57014",
     "canceling statement due to statement timeout after <n>ms, sqlstate=57014"},
    {"postgres://app:s3cret@db-2:5432/orders is unreachable", "postgres://<user>@db-<n>:<n>/orders is unreachable"},
    {"ERROR 1045 (28000): Access denied for user 'root'@'10.1.2.3' (using password: YES)",
     "ERROR 1045 (28000): Access denied for user <string>@<string> (using password: YES)"},
    {"ERROR 1213 (40001): Deadlock found when trying to get lock; try restarting transaction",
     "ERROR 1213 (40001): Deadlock found when trying to get lock; try restarting transaction"},
    {"ERROR 2013 (HY000): Lost connection to MySQL server during query",
     "ERROR 2013 (HY000): Lost connection to MySQL server during query"},
    {"Can't connect to MySQL server on 'db.example.com' (111)", "Can't connect to MySQL server on <string> (<n>)"},
    {"MOVED 3999 127.0.0.1:6381", "MOVED <n> <address>"},
    {"READONLY You can't write against a read only replica.", "READONLY You can't write against a read only replica."},
    {"redis: connection pool timeout after 3.000s, 64 of 64 in use",
     "redis: connection pool timeout after <n>s, <n> of <n> in use"},
    {"E11000 duplicate key error collection: app.users index: email_1 dup key: { email: \"a@b.com\" }",
     "E11000 duplicate key error collection: app.users index: email_<n> dup key: { email: <string> }"},
    {"server selection timed out after 30.0s, topology: mongo-2.internal:27017",
     "server selection timed out after <n>s, topology: mongo-<n>.internal:<n>"},
    {"ORA-12541: TNS:no listener at host 10.0.0.9 port 1521", "ORA-12541: TNS:no listener at host <address> port <n>"},
    /* HTTP clients */
    {"connect to 10.0.0.5:5432 failed after 1503 ms", "connect to <address> failed after <n> ms"},
    {"Get \"https://api.example.com/v1/users/17?x=1\": context deadline exceeded",
     "Get <string>: context deadline exceeded"},
    {"GET https://api.example.com:8443/v1/users/17?page=2&token=abc failed with status 503",
     "GET https://api.example.com:<n>/v1/users/<n>?<query> failed with status 503"},
    {"POST /api/v2/orders/550e8400-e29b-41d4-a716-446655440000/items returned HTTP 502",
     "POST /api/v2/orders/<uuid>/items returned HTTP 502"},
    {"HTTP/1.1 504 Gateway Timeout", "HTTP/1.1 504 Gateway Timeout"},
    {"http2: server sent GOAWAY and closed the connection; LastStreamID=1999",
     "http2: server sent GOAWAY and closed the connection; LastStreamID=<n>"},
    {"503 Server Error: Service Unavailable for url: http://inventory.svc:8080/stock/48213",
     "<n> Server Error: Service Unavailable for url: http://inventory.svc:<n>/stock/<n>"},
    {"curl: (28) Operation timed out after 1503 milliseconds with 0 bytes received",
     "curl: (<n>) Operation timed out after <n> milliseconds with <n> bytes received"},
    {"request 7f3a9c21-0 to localhost:8080 aborted: 1,048,576 bytes of 2,097,152",
     "request <hex>-<n> to localhost:<n> aborted: <n> bytes of <n>"},
    {"{\"error\":\"rate limited\",\"retry_after\":17}", "{<string>:<string>,<string>:<n>}"},
    /* networks and DNS */
    {"dial tcp [2001:db8::17]:443: connect: connection refused", "dial tcp <address>: connect: connection refused"},
    {"dial tcp 10.0.0.5:443: i/o timeout", "dial tcp <address>: i/o timeout"},
    {"read tcp 10.0.0.2:41822->10.0.0.5:443: read: connection reset by peer",
     "read tcp <address>-><address>: read: connection reset by peer"},
    {"fe80::1%eth0: no route to host", "<address>: no route to host"},
    {"lookup db-17.internal on 10.96.0.10:53: no such host", "lookup db-<n>.internal on <address>: no such host"},
    {"DNS query for shop.example.com timed out after 5s (3 attempts)",
     "DNS query for shop.example.com timed out after <n>s (<n> attempts)"},
    {"conn-17 reset by node12 after 3 retries", "conn-<n> reset by node<n> after <n> retries"},
    /* TLS */
    {"x509: certificate has expired: current time 2024-05-01T12:34:56Z is after 2024-04-30T00:00:00Z",
     "x509: certificate has expired: current time <time> is after <time>"},
    {"tls: server selected unsupported protocol version 0x0302",
     "tls: server selected unsupported protocol version <hex>"},
    {"no cipher in common: TLSv1.3 offered, TLS_AES_128_GCM_SHA256 refused",
     "no cipher in common: TLSv1.3 offered, TLS_AES_128_GCM_SHA256 refused"},
    {"error:0A000086:SSL routines::certificate verify failed",
     "error:0A000086:SSL routines::certificate verify failed"},
    {"SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca", "SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca"},
    /* gRPC */
    {"rpc error: code = Unavailable desc = transport is closing",
     "rpc error: code = Unavailable desc = transport is closing"},
    {"rpc error: code = DeadlineExceeded desc = deadline exceeded after 1m30.5s",
     "rpc error: code = DeadlineExceeded desc = deadline exceeded after <n>s"},
    {"grpc status code=14 on stream 1027", "grpc status code=14 on stream <n>"},
    /* files and the kernel */
    {"open /var/lib/app/shard-17/part.3: too many open files",
     "open /var/lib/app/shard-<n>/part.<n>: too many open files"},
    {"write /tmp/tmpab3x9Q/upload_17.bin: no space left on device",
     "write /tmp/<temp>/upload_<n>.bin: no space left on device"},
    {"rename /tmp/upload_Xy3Zab to /data/files/9f86d081884c7d65: cross-device link",
     "rename /tmp/<temp> to /data/files/<hex>: cross-device link"},
    {"stat /proc/48213/status: ENOENT", "stat /proc/<n>/status: ENOENT"},
    {"read: EIO (errno 5) on /dev/sda1 sector 1,234,567", "read: EIO (errno 5) on /dev/sda<n> sector <n>"},
    {"[Errno 111] Connection refused", "[Errno 111] Connection refused"},
    {"Connection refused (os error 111)", "Connection refused (os error 111)"},
    {"io_uring returned -110: Connection timed out", "io_uring returned <n>: Connection timed out"},
    {"execve failed with E2BIG: 131073 bytes of arguments", "execve failed with E2BIG: <n> bytes of arguments"},
    {"worker_3 killed by signal 9", "worker_<n> killed by signal 9"},
    {"heap at 0x7ffd5e8c9a10: 512MiB of 512MiB used (100%)", "heap at <hex>: <n>MiB of <n>MiB used (<n>%)"},
    /* queues */
    {"message 7d4b9c6f5a3e2d1c not acknowledged within 30000ms", "message <hex> not acknowledged within <n>ms"},
    {"delivery tag 48213 on channel 7: PRECONDITION_FAILED - unknown delivery tag",
     "delivery tag <n> on channel <n>: PRECONDITION_FAILED - unknown delivery tag"},
    {"partition orders-12 offset 48,213 out of range", "partition orders-<n> offset <n> out of range"},
    {"job 01HQ3K5V9Z7Y6X4W2B1A0C8D7E exceeded 5 attempts", "job <id> exceeded <n> attempts"},
    {"mail to alice.b+5@mail.example.com bounced: mailbox full", "mail to <email> bounced: mailbox full"},
    {"lease of pod web-7d4b9c6f5-x2x4z lost at 2024-05-01 12:34:56.123 UTC",
     "lease of pod web-<hex>-<id> lost at <time> UTC"},
    {"topic events: leader epoch 12 is older than 14, broker 3 at [::1]:9092",
     "topic events: leader epoch <n> is older than <n>, broker <n> at <address>"},
    /* anything */
    {"The account “alice 17” is locked until 23:59:59", "The account <string> is locked until <time>"},
    {"temperature is -5.3e-7, not +7, 20.5%", "temperature is <n>, not <n>, <n>%"},
    {"连接10.0.0.5失败“abc”错误", "连接<address>失败<string>错误"},
    {"cannot parse 'SELECT * FROM or", "cannot parse <string>"},
    {"error: 5 retries left", "error: <n> retries left"},
};

/* Each rule masks some parts and leaves others. */
static const struct pair parts[] = {
    {"", ""},
    {"no digits", "no digits"},
    /* numbers */
    {"7", "<n>"},
    {"x=-5 y=+5 1.5 1,234,567.89 12,5 3/5 1.2.3 v1.2.3", "x=<n> y=<n> <n> <n> <n>,<n> <n>/<n> <n> v<n>"},
    {"1503ms 1.5s 10KiB/s 50% 5µs 1h2m3s 250ms 1m30s", "<n>ms <n>s <n>KiB/s <n>% <n>µs <n>s <n>ms <n>s"},
    {"10-20 10..20", "<n>-<n> <n>..<n>"},
    /* hexadecimal numbers and ids */
    {"0x1f 0X1F 0xzz", "<hex> <hex> <n>xzz"},
    {"deadbeef deadbee1 1234567 12345678 deadb12", "deadbeef <hex> <n> <n> deadb<n>"},
    {"a1b2 a1b ab12 web01a sk-AbCdEfGhIjKlMn1O", "<id> a<n>b ab<n> web<n>a sk-<id>"},
    {"550e8400-e29b-41d4-a716-446655440000", "<uuid>"},
    {"{550E8400-E29B-41D4-A716-446655440000}", "{<uuid>}"},
    /* times */
    {"2024-05-01, 2024/05/01, 12:34:56 2:15 12:34", "<time>, <time>, <time> <n>:<n> <n>:<n>"},
    {"2024-05-01T12:34:56.789+02:00, 2024-05-01 12:34:56,789 2009/11/10 23:00:00", "<time>, <time> <time>"},
    {"main.go:123:45", "main.go:<n>:<n>"},
    /* addresses */
    {"10.0.0.5, 10.0.0.5:80. 10.0.0.0/8 1.2.3.4.5", "<address>, <address>. <address>/<n> <n>"},
    {"::1 fe80::1: 2001:db8::ff00:42:8329 ::ffff:10.0.0.5 [::]:80",
     "<address> <address>: <address> <address> <address>"},
    {"2001:0db8:0:0:0:0:0:1 00:1a:2b:3c:4d:5e", "<address> <address>"},
    {"std::bad_alloc abc::def db.example.com:5432", "std::bad_alloc abc::def db.example.com:<n>"},
    {"a.b+c@mail.example.com root@db foo@1.2.3", "<email> root@db foo@<n>"},
    /* quotes */
    {"can't 'a b' \"a b\" `a b` `a' “a” ‘a’ «a» 'a''b'",
     "can't <string> <string> <string> <string> <string> <string> <string> <string>'b'"},
    {"'it\\'s' 'root'@'host', (\"x\") '' users' table 5'10",
     "<string> <string>@<string>, (<string>) <string> users' table <n>'<n>"},
    {"near \" in", "near \" in"},
    {"near \"in the middle of", "near <string>"},
    /* URLs and paths */
    {"redis://:pw@cache/0?a=b, https://h.example/a/17/b?x",
     "redis://<user>@cache/<n>?<query>, https://h.example/a/<n>/b?<query>"},
    {"GET /users?id=5: no. really? yes", "GET /users?<query>: no. really? yes"},
    {"/api/v2/x/v1beta1 /srv/v2.3/log.1", "/api/v2/x/v1beta1 /srv/v<n>/log.<n>"},
    {"/tmp/tmp.Xa3dKq9Z1p /tmp/app.sock /tmp/go-build17 /var/tmp/x_AbCdEf",
     "/tmp/<temp> /tmp/app.sock /tmp/go-build<n> /var/tmp/<temp>"},
    /* what stays */
    {"HTTP/1.1 HTTP/2 TLSv1.3 SHA256 utf8 UTF-8 IPv4 X.509 h2 s3",
     "HTTP/1.1 HTTP/2 TLSv1.3 SHA256 utf8 UTF-8 IPv4 X.509 h2 s3"},
    {"s3://bucket/17 ssl3_read x86_64 TLSv1.9 sha2567", "s3://bucket/<n> ssl3_read x86_64 TLSv1.<n> sha<n>"},
    {"40P01 42S02 XX000 HY000 0A000 P0001 57014 AB123", "40P01 42S02 XX000 HY000 0A000 P0001 <n> AB<n>"},
    {"ORA-00001 TNS-12535 ABC-12535", "ORA-00001 TNS-12535 ABC-<n>"},
    {"status 503, status: 503, status = 503, (status=503)", "status 503, status: 503, status = 503, (status=503)"},
    {"SQLSTATE[HY093] SQLSTATE 23505, SQLSTATE: 57014", "SQLSTATE[HY093] SQLSTATE 23505, SQLSTATE: 57014"},
    {"HTTP 502 TLS 1.3 errno=-110 error 0x80070005 exit code: 137",
     "HTTP 502 TLS 1.3 errno=-110 error 0x80070005 exit code: 137"},
    {"unicode 15 status 123456 code 5% error 1,234 error: 7", "unicode <n> status <n> code <n>% error <n> error: <n>"},
    {"code 10.0.0.5 status 5s code #1045", "code <address> status <n>s code #1045"},
    /* masks of the message */
    {"took <n> ms, <n>5 <x>5 <*>", "took <n> ms, <n><n> <x><n> <*>"},
};

static void assert_templates(const struct pair *pairs, size_t count)
{
    char template[FINGERPRINT_TEXT_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        template_of(pairs[i].message, template);
        assert_string_equal(template, pairs[i].template);
    }
}

static void test_messages_of_real_programs_have_these_templates(void **state)
{
    (void)state;
    assert_true(COUNT(messages) >= 60);
    assert_templates(messages, COUNT(messages));
}

static void test_each_part_is_masked_or_kept_by_its_looks(void **state)
{
    (void)state;
    assert_templates(parts, COUNT(parts));
}

static void assert_template(const char *message, const char *template)
{
    const struct pair pair = {message, template};
    assert_templates(&pair, 1);
}

static void test_messages_that_differ_in_what_varies_have_one_template(void **state)
{
    (void)state;
    const char *const template = "GET <string> of <address> took <n>ms, id <uuid>";
    assert_template("GET '/a/1' of 10.0.0.5:80 took 7ms, id 00000000-0000-0000-0000-000000000000", template);
    assert_template("GET \"b\" of [fe80::17]:8080 took 12.5ms, id 550e8400-e29b-41d4-a716-446655440000", template);
}

static void test_white_space_is_one_space_and_none_at_the_ends(void **state)
{
    (void)state;
    assert_template("  connection\tlost \n", "connection lost");
    assert_template("FATAL:  role is missing\n\tDETAIL:  none\r\n", "FATAL: role is missing DETAIL: none");
    assert_template(" \n\t ", "");
}

static void test_what_cannot_be_printed_becomes_question_marks(void **state)
{
    (void)state;
    assert_template("a\x01"
                    "b\x1b[31mc\x7f",
                    "a?b?[<n>mc?");
    assert_template("no\xc2\x9bn \xe2\x80\xaeno", "no?n ?no"); /* C1, and one that turns the direction */
    assert_template("\xff\xc3 \xc0\xaf \xe2\x82 \xed\xa0\x80 z", "?? ?? ?? ??? z"); /* none is UTF-8 */
    assert_template("\xf4\x90\x80\x80 \xf8 grüße 日本 \xf0\x9f\x94\xa5", "???? ? grüße 日本 \xf0\x9f\x94\xa5");
}

static void test_a_long_template_ends_with_a_whole_word(void **state)
{
    (void)state;
    char message[200] = "", expected[FINGERPRINT_TEXT_MAX + 1] = "";
    for (unsigned i = 0; i < 30; i++)
        strcat(message, i ? " 5" : "5");
    for (unsigned i = 0; i < 24; i++)
        strcat(expected, i ? " <n>" : "<n>");
    assert_int_equal(strlen(expected), 95);
    assert_template(message, expected);
}

static void test_a_long_word_is_cut_at_the_end_of_a_character(void **state)
{
    (void)state;
    char message[601], expected[FINGERPRINT_TEXT_MAX + 1] = "";
    memset(message, 'a', 600);
    message[600] = '\0';
    memset(expected, 'a', FINGERPRINT_TEXT_MAX);
    assert_template(message, expected);
    message[0] = '\0';
    for (unsigned i = 0; i < 60; i++)
        strcat(message, "ü");
    memcpy(expected, message, 94);
    expected[94] = '\0';
    assert_template(message, expected);
}

static void test_parts_that_only_a_mask_brings_together_are_masked_too(void **state)
{
    (void)state;
    char message[100] = "x@y.z.", long_domain[72];
    memset(long_domain, 'w', 70);
    strcpy(long_domain + 70, "1");
    assert_template(strcat(message, long_domain), "<email>.<id>");
}

/* -------------------------------------------------------------------------------------------------------- any bytes */

static void assert_stands(const char *message)
{
    char template[FINGERPRINT_TEXT_MAX + 1], again[FINGERPRINT_TEXT_MAX + 1];
    memset(template, 'x', sizeof(template));
    template_of(message, template);
    assert_true(memchr(template, '\0', sizeof(template)) != NULL);
    assert_true(printable_all(template, strlen(template)));
    template_of(template, again);
    assert_string_equal(template, again);
}

static void test_a_template_is_the_template_of_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(messages); i++)
        assert_stands(messages[i].message);
    for (size_t i = 0; i < COUNT(parts); i++)
        assert_stands(parts[i].message);
}

static void test_so_it_is_wherever_a_message_is_cut(void **state)
{
    (void)state;
    char message[200];
    for (size_t i = 0; i < COUNT(messages); i++)
        for (size_t length = 0; length < strlen(messages[i].message); length++) {
            memcpy(message, messages[i].message, length);
            message[length] = '\0';
            assert_stands(message);
        }
}

static void test_so_it_is_of_random_bytes_and_of_random_parts(void **state)
{
    (void)state;
    static const char *const pieces[] = {"5",  "<n>",  "://", "@", "?", "/",   ":",      "::",  "'",
                                         "\"", " ",    ".",   "-", "a", "f00", "status", "tmp", "/tmp/",
                                         "h2", "x509", "0x",  "<", ">", "(",   "T",      "ü",   "\xff"};
    uint64_t seed = 1;
    char message[300];
    for (unsigned round = 0; round < 200000; round++) {
        size_t length = 0;
        for (uint64_t left = random_between(0, 40, random_next(&seed)); left > 0; left--) {
            const uint64_t random = random_next(&seed);
            if (random % 4)
                length += (size_t)sprintf(message + length, "%s", pieces[random / 4 % COUNT(pieces)]);
            else
                message[length++] = (char)random_between(1, 255, random_next(&seed));
        }
        message[length] = '\0';
        assert_stands(message);
    }
}

/* ---------------------------------------------------------------------------------------------------- two templates */

static void assert_merged(const char *one, const char *other, const char *common)
{
    char merged[FINGERPRINT_TEXT_MAX + 1] = "";
    assert_int_equal(template_merge(one, other, merged), common != NULL);
    assert_string_equal(merged, common ? common : "");
    assert_int_equal(template_merge(other, one, merged), common != NULL);
    assert_string_equal(merged, common ? common : "");
}

static void test_templates_that_differ_in_a_few_words_are_merged(void **state)
{
    (void)state;
    assert_merged("user alice not found", "user bob not found", "user <*> not found");
    assert_merged("user <*> not found", "user carol not found", "user <*> not found");
    assert_merged("a b c d e", "a x c d y", "a <*> c d <*>");
    assert_merged("a b c", "a b c", "a b c");
}

static void test_templates_that_have_half_or_less_in_common_are_not(void **state)
{
    (void)state;
    assert_merged("user alice", "user bob", NULL);
    assert_merged("a b c d", "a b x y", NULL);
    assert_merged("a b c d", "a b c", NULL);
    assert_merged("a b c d", "x b c d", NULL);
    assert_merged("a b c <*> d", "a x y z d", NULL);
    assert_merged("", "", NULL);
}

static void test_what_has_become_general_does_not_become_more_so_step_by_step(void **state)
{
    (void)state;
    assert_merged("a b c d e", "a b c d x", "a b c d <*>");
    assert_merged("a b c d <*>", "a b c x y", "a b c <*> <*>");
    assert_merged("a b c <*> <*>", "a b x y z", NULL);
}

static void test_a_common_template_that_would_be_too_long_is_none(void **state)
{
    (void)state;
    char one[FINGERPRINT_TEXT_MAX + 1] = "", other[FINGERPRINT_TEXT_MAX + 1] = "";
    for (unsigned i = 0; i < 48; i++) {
        strcat(one, i ? " a" : "a");
        strcat(other, i ? (i % 3 ? " a" : " b") : "a");
    }
    assert_merged(one, other, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_of_real_programs_have_these_templates),
        cmocka_unit_test(test_each_part_is_masked_or_kept_by_its_looks),
        cmocka_unit_test(test_messages_that_differ_in_what_varies_have_one_template),
        cmocka_unit_test(test_white_space_is_one_space_and_none_at_the_ends),
        cmocka_unit_test(test_what_cannot_be_printed_becomes_question_marks),
        cmocka_unit_test(test_a_long_template_ends_with_a_whole_word),
        cmocka_unit_test(test_a_long_word_is_cut_at_the_end_of_a_character),
        cmocka_unit_test(test_parts_that_only_a_mask_brings_together_are_masked_too),
        cmocka_unit_test(test_a_template_is_the_template_of_itself),
        cmocka_unit_test(test_so_it_is_wherever_a_message_is_cut),
        cmocka_unit_test(test_so_it_is_of_random_bytes_and_of_random_parts),
        cmocka_unit_test(test_templates_that_differ_in_a_few_words_are_merged),
        cmocka_unit_test(test_templates_that_have_half_or_less_in_common_are_not),
        cmocka_unit_test(test_what_has_become_general_does_not_become_more_so_step_by_step),
        cmocka_unit_test(test_a_common_template_that_would_be_too_long_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
