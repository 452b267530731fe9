#include "core/template_parts.h"

#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define HEX_SHORTEST     8  /* digits of a hexadecimal number without 0x */
#define ID_CHANGES       3  /* between letters and digits: as in a7f3 */
#define ID_LONG          16 /* with digits and letters an id, in whatever order they are */
#define IPV6_LONGEST     40
#define SCHEME_LONGEST   16
#define EMAIL_LONGEST    64 /* on either side of the @ */
#define TEMPORARY_SUFFIX 6  /* what mkstemp puts in the place of XXXXXX */
#define SQLSTATE_DIGITS  5
#define OPENSSL_DIGITS   8
#define KNOWN_LONGEST    12 /* windows-1252 */

size_t template_mask_length(const char *at)
{
    static const char *const masks[] = {"<n>",       "<*>",      "<hex>",   "<id>",   "<uuid>", "<time>",
                                        "<address>", "<string>", "<email>", "<temp>", "<user>", "<query>"};
    for (size_t i = 0; *at == '<' && i < COUNT(masks); i++)
        if (strncmp(at, masks[i], strlen(masks[i])) == 0)
            return strlen(masks[i]);
    return 0;
}

static bool ends(const char *at)
{
    return !template_is_alnum(*at) && !template_mask_length(at);
}

/* Returns the length if the part ends there, or else 0. */
static size_t if_ends(const char *at, size_t length)
{
    return length && ends(at + length) ? length : 0;
}

static bool is_hex(char c)
{
    return template_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static size_t digits(const char *at)
{
    size_t length = 0;
    while (template_is_digit(at[length]))
        length++;
    return length;
}

static size_t hex_digits(const char *at)
{
    size_t length = 0;
    while (is_hex(at[length]))
        length++;
    return length;
}

static bool has_digit(const char *at, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (template_is_digit(at[i]))
            return true;
    return false;
}

/* Returns the length of the shape if the text has it. In a shape `d` stands for a digit, anything else for itself. */
static size_t shaped(const char *at, const char *shape)
{
    size_t length = 0;
    for (; shape[length]; length++)
        if (shape[length] == 'd' ? !template_is_digit(at[length]) : at[length] != shape[length])
            return 0;
    return length;
}

/* ----------------------------------------------------------------------------------------------------------- quotes */

/* Returns where the quotes close: behind the first closing one that no letter or digit follows. 0: nowhere. */
static size_t closed_at(const char *at, size_t begin, const char *close)
{
    for (size_t i = begin; at[i]; i++) {
        if (at[i] == '\\' && at[i + 1])
            i++;
        else if (strncmp(at + i, close, strlen(close)) == 0 && !template_is_alnum(at[i + strlen(close)]))
            return i + strlen(close);
    }
    return 0;
}

/* A quoted string includes its quotes. One that does not end goes on to the end, since its message was cut. */
static size_t quoted_length(const char *at)
{
    static const struct {
        const char *open, *close;
    } quotes[] = {{"'", "'"}, {"\"", "\""}, {"`", "`"}, {"`", "'"}, {"“", "”"}, {"‘", "’"}, {"„", "“"}, {"«", "»"}};
    bool open = false;
    for (size_t i = 0; i < COUNT(quotes); i++) {
        const size_t begin = strlen(quotes[i].open);
        if (strncmp(at, quotes[i].open, begin) != 0)
            continue;
        if (at[begin] == ' ' || at[begin] == '\0')
            return 0;
        const size_t length = closed_at(at, begin, quotes[i].close);
        if (length)
            return length;
        open = true;
    }
    return open ? strlen(at) : 0;
}

/* ------------------------------------------------------------------------------------------ uuids, times, addresses */

static size_t uuid_length(const char *at)
{
    static const size_t groups[] = {8, 4, 4, 4, 12};
    size_t length = 0;
    for (size_t i = 0; i < COUNT(groups); i++) {
        if (i > 0 && at[length++] != '-')
            return 0;
        if (hex_digits(at + length) != groups[i])
            return 0;
        length += groups[i];
    }
    return if_ends(at, length);
}

/* The time of a day includes its fraction and zone. */
static size_t clock_length(const char *at)
{
    static const char *const zones[] = {"Z", "+dd:dd", "-dd:dd", "+dddd", "-dddd"};
    size_t length = shaped(at, "dd:dd:dd"), zone = 0;
    if (!length)
        return 0;
    if ((at[length] == '.' || at[length] == ',') && template_is_digit(at[length + 1]))
        length += 1 + digits(at + length + 1);
    for (size_t i = 0; !zone && i < COUNT(zones); i++)
        zone = shaped(at + length, zones[i]);
    return if_ends(at, length + zone);
}

static size_t time_length(const char *at)
{
    const size_t dashed = shaped(at, "dddd-dd-dd"), date = dashed ? dashed : shaped(at, "dddd/dd/dd");
    if (!date)
        return clock_length(at);
    const size_t clock = at[date] == ' ' || at[date] == 'T' ? clock_length(at + date + 1) : 0;
    return clock ? date + 1 + clock : if_ends(at, date);
}

static size_t port_length(const char *at)
{
    return *at == ':' && digits(at + 1) ? if_ends(at, 1 + digits(at + 1)) : 0;
}

static size_t ipv4_length(const char *at)
{
    size_t length = 0;
    for (unsigned group = 0; group < 4; group++) {
        if (group > 0 && at[length++] != '.')
            return 0;
        const size_t wide = digits(at + length);
        if (wide < 1 || wide > 3)
            return 0;
        length += wide;
    }
    return shaped(at + length, ".d") ? 0 : if_ends(at, length);
}

/* This says how a text of hexadecimal digits and colons is built. */
struct colons {
    size_t length;
    unsigned count, gaps; /* a gap: two of them side by side */
    size_t widest, narrowest;
    bool digit;
};

static struct colons colons_of(const char *at)
{
    struct colons colons = {.narrowest = IPV6_LONGEST};
    while (colons.length < IPV6_LONGEST && (is_hex(at[colons.length]) || at[colons.length] == ':')) {
        const size_t wide = hex_digits(at + colons.length);
        colons.digit |= has_digit(at + colons.length, wide);
        colons.widest = wide > colons.widest ? wide : colons.widest;
        colons.narrowest = wide < colons.narrowest ? wide : colons.narrowest;
        colons.length += wide;
        if (at[colons.length] != ':' || (at[colons.length + 1] != ':' && !is_hex(at[colons.length + 1])))
            break;
        colons.count++;
        colons.gaps += at[colons.length + 1] == ':';
        colons.length++;
        if (at[colons.length] == ':' && !is_hex(at[colons.length + 1])) { /* the gap is at the end */
            colons.count++;
            colons.length++;
            break;
        }
    }
    return colons;
}

/* The address is one of IPv6 or of a network card. Its last 32 bits may be written as an address of IPv4. */
static size_t ipv6_length(const char *at)
{
    const struct colons colons = colons_of(at);
    size_t length = colons.length;
    const bool card = colons.count == 5 && colons.widest == 2 && colons.narrowest == 2;
    const bool ipv6 = colons.widest <= 4 && (colons.gaps == 1 ? colons.count <= 7 : !colons.gaps && colons.count == 7);
    const bool mapped = colons.gaps == 1 && colons.widest <= 4 && at[length] == '.';
    if (!colons.digit || !(card || ipv6 || mapped))
        return 0;
    while (mapped && at[length - 1] != ':')
        length--;
    if (mapped)
        return ipv4_length(at + length) ? length + ipv4_length(at + length) : 0;
    if (at[length] == '%' && template_is_letter(at[length + 1]))
        for (length++; template_is_alnum(at[length]);)
            length++;
    return if_ends(at, length);
}

static size_t address_length(const char *at)
{
    const bool bracket = *at == '[';
    size_t length = bracket ? 0 : ipv4_length(at);
    if (length)
        return length + port_length(at + length);
    length = bracket && strncmp(at + 1, "::]", 3) == 0 ? 2 : ipv6_length(at + bracket);
    if (!bracket || !length)
        return length;
    return at[1 + length] == ']' ? length + 2 + port_length(at + length + 2) : 0;
}

static size_t email_length(const char *at)
{
    size_t local = 0, domain = 0;
    while (local < EMAIL_LONGEST && (template_is_alnum(at[local]) || (at[local] && strchr("._%+-", at[local]))))
        local++;
    if (!local || at[local] != '@' || !template_is_letter(at[local + 1]))
        return 0;
    const char *const host = at + local + 1;
    while (domain < EMAIL_LONGEST && (template_is_alnum(host[domain]) || host[domain] == '.' || host[domain] == '-'))
        domain++;
    while (!template_is_alnum(host[domain - 1]))
        domain--;
    return memchr(host, '.', domain) ? if_ends(at, local + 1 + domain) : 0;
}

/* ---------------------------------------------------------------------------------------------------------- numbers */

size_t template_number_length(const char *at)
{
    size_t length = *at == '-' || *at == '+';
    if (!template_is_digit(at[length]))
        return 0;
    length += digits(at + length);
    while (at[length] == ',' && digits(at + length + 1) == 3)
        length += 4;
    while (at[length] == '.' && template_is_digit(at[length + 1]))
        length += 1 + digits(at + length + 1);
    const size_t sign = (at[length] == 'e' || at[length] == 'E') && (at[length + 1] == '-' || at[length + 1] == '+');
    return sign && digits(at + length + 2) ? length + 2 + digits(at + length + 2) : length;
}

static size_t unit_length(const char *at)
{
    static const char *const units[] = {"ms", "us", "µs", "ns", "d", "h", "m", "s"};
    for (size_t i = 0; i < COUNT(units); i++)
        if (strncmp(at, units[i], strlen(units[i])) == 0)
            return strlen(units[i]);
    return 0;
}

/* A duration of several numbers, such as 1h2m3.5s, ends before its last unit: it is masked as 3.5s is. */
static size_t duration_length(const char *at)
{
    size_t length = template_number_length(at), unit = length ? unit_length(at + length) : 0;
    const size_t first = length;
    while (unit && template_is_digit(at[length + unit])) {
        length += unit + template_number_length(at + length + unit);
        unit = unit_length(at + length);
    }
    return length > first && unit && ends(at + length + unit) ? length : 0;
}

static size_t hex_length(const char *at)
{
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X') && is_hex(at[2]))
        return if_ends(at, 2 + hex_digits(at + 2));
    const size_t length = hex_digits(at);
    return length >= HEX_SHORTEST && has_digit(at, length) && digits(at) < length ? if_ends(at, length) : 0;
}

/* An id has letters and digits in an order that nobody chose. */
static size_t id_length(const char *at)
{
    size_t length = 0;
    unsigned changes = 0;
    for (; template_is_alnum(at[length]); length++)
        changes += length > 0 && template_is_digit(at[length]) != template_is_digit(at[length - 1]);
    return changes >= ID_CHANGES || (changes > 0 && length >= ID_LONG) ? if_ends(at, length) : 0;
}

const struct template_part template_wholes[] = {
    {quoted_length, "<string>"},   {uuid_length, "<uuid>"},   {time_length, "<time>"},
    {address_length, "<address>"}, {email_length, "<email>"}, {NULL, NULL},
};

const struct template_part template_numbers[] = {
    {duration_length, "<n>"}, {hex_length, "<hex>"}, {id_length, "<id>"}, {template_number_length, "<n>"}, {NULL, NULL},
};

/* ------------------------------------------------------------------------------------------------------- what stays */

/* These words have digits, and mean the same in each message. */
static const char *const known_words[] = {
    /* protocols */
    "http/0.9", "http/1.0", "http/1.1", "http/2", "http/2.0", "http/3", "http1", "http2", "http3", "h2", "h2c", "h3",
    "ssl2", "ssl3", "tls1", "sslv2", "sslv3", "tlsv1", "tlsv1.0", "tlsv1.1", "tlsv1.2", "tlsv1.3", "tls1.0", "tls1.1",
    "tls1.2", "tls1.3", "dtls1.0", "dtls1.2", "dtls1.3", "ipv4", "ipv6", "ip4", "ip6", "icmp6", "icmpv6", "tcp4",
    "tcp6", "udp4", "udp6", "inet4", "inet6", "socks4", "socks4a", "socks5", "socks5h", "oauth1", "oauth2", "oauth2.0",
    "saml2", "pop3", "imap4", "smbv1", "smb2", "smb3", "ntlmv2", "nfsv3", "nfsv4", "mqtt3", "mqtt5", "amqp091",
    "amqp10",
    /* cryptography */
    "x509", "x.509", "md4", "md5", "sha1", "sha-1", "sha2", "sha3", "sha224", "sha256", "sha-256", "sha384", "sha-384",
    "sha512", "sha-512", "crc32", "crc32c", "crc64", "aes128", "aes256", "aes_128", "aes_256", "rc4", "chacha20",
    "poly1305", "ed25519", "x25519", "curve25519", "secp256r1", "secp256k1", "secp384r1", "p256", "p-256", "p384",
    "p521", "rsa2048", "rs256", "hs256", "es256", "pkcs1", "pkcs7", "pkcs8", "pkcs11", "pkcs12", "pkcs#1", "pkcs#7",
    "pkcs#8", "pkcs#11", "pkcs#12", "base32", "base58", "base64", "base64url", "argon2",
    /* encodings and formats */
    "utf8", "utf-8", "utf16", "utf-16", "utf32", "utf-32", "utf8mb3", "utf8mb4", "ucs2", "ucs-2", "latin1",
    "iso-8859-1", "iso8859-1", "iso-8859-15", "iso8601", "iso-8601", "iso-2022-jp", "rfc3339", "windows-1252", "cp1252",
    "lz4", "bzip2", "mp3", "mp4", "h264", "h265", "vp8", "vp9", "av1", "int2", "int4", "int8", "int16", "int32",
    "int64", "uint8", "uint16", "uint32", "uint64", "float4", "float8", "float32", "float64", "varchar2",
    /* systems */
    "x86", "x64", "x86_64", "x86-64", "i386", "i686", "amd64", "arm64", "aarch64", "armv7", "armv8", "win32", "win64",
    "fat32", "ext2", "ext3", "ext4", "raid0", "raid1", "raid5", "s3", "ec2", "k8s", "neo4j", "log4j", "log4j2", "db2",
    "mysql2", "psycopg2", "psycopg3", "urllib3", "boto3", "python2", "python3", "web3", "i18n", "l4", "l7", "p2p",
    "2pc", "2fa", "1xx", "2xx", "3xx", "4xx", "5xx",
    /* errors */
    "e2big", "el2nsync", "el3hlt", "el3rst", "el2hlt", "e11000", "f0000", "0a000"};

/* Error codes begin with these; digits follow. */
static const char *const known_prefixes[] = {"ORA-", "TNS-", "PLS-", "DPI-", "DPY-", "CVE-"};

/* Is there a digit where a word of the list may have one? Most words have none. */
static bool may_be_known(const char *at)
{
    for (size_t i = 0; i < KNOWN_LONGEST && at[i] && at[i] != ' '; i++)
        if (template_is_digit(at[i]))
            return true;
    return false;
}

static size_t known_word_length(const char *at)
{
    size_t longest = 0;
    const char first = is_upper(*at) ? (char)(*at - 'A' + 'a') : *at;
    for (size_t i = 0; i < COUNT(known_words); i++) {
        if (known_words[i][0] != first)
            continue;
        const size_t length = strlen(known_words[i]);
        if (length > longest && strncasecmp(at, known_words[i], length) == 0 && ends(at + length))
            longest = length;
    }
    return longest;
}

static size_t known_prefix_length(const char *at)
{
    for (size_t i = 0; i < COUNT(known_prefixes); i++) {
        const size_t length = strlen(known_prefixes[i]);
        if (strncmp(at, known_prefixes[i], length) == 0 && digits(at + length))
            return if_ends(at, length + digits(at + length));
    }
    return 0;
}

/* The version of an interface is v1 or v2beta1. That of a program has points, and varies. */
static size_t version_length(const char *at)
{
    const size_t major = *at == 'v' ? digits(at + 1) : 0;
    size_t length = 1 + major;
    if (major < 1 || major > 2 || shaped(at + length, ".d"))
        return 0;
    const size_t stage = strncmp(at + length, "alpha", 5) == 0 ? 5 : strncmp(at + length, "beta", 4) == 0 ? 4 : 0;
    const size_t minor = stage ? digits(at + length + stage) : 0;
    if (minor >= 1 && minor <= 2)
        length += stage + minor;
    return if_ends(at, length);
}

/* These codes of SQLSTATE cannot be mistaken: they have letters where few other words have them. */
static size_t sqlstate_length(const char *at)
{
    static const char *const shapes[] = {"ddPdd", "ddSdd", "ddVdd", "Pdddd", "XXddd", "HYddd", "HVddd", "IMddd"};
    size_t length = 0;
    for (size_t i = 0; !length && i < COUNT(shapes); i++)
        length = shaped(at, shapes[i]);
    return if_ends(at, length);
}

size_t template_known_length(const char *at)
{
    static size_t (*const kinds[])(const char *) = {known_word_length, known_prefix_length, version_length,
                                                    sqlstate_length};
    size_t length = 0;
    for (size_t i = 0; !length && may_be_known(at) && i < COUNT(kinds); i++)
        length = kinds[i](at);
    return length;
}

static size_t capital_length(const char *at)
{
    size_t length = 0;
    while (template_is_digit(at[length]) || is_upper(at[length]))
        length++;
    return has_digit(at, length) ? if_ends(at, length) : 0;
}

/* Where a code is expected it may be one of SQLSTATE (57P01), or of OpenSSL (0A000086, before a colon). */
static size_t lettered_code_length(const char *at)
{
    const size_t length = capital_length(at);
    const bool sqlstate = length == SQLSTATE_DIGITS && digits(at) < length;
    return sqlstate || (length == OPENSSL_DIGITS && at[length] == ':') ? length : 0;
}

/* A code is a number of few digits that does not go on as a fraction, a date, or a share. */
static size_t code_number_length(const char *at)
{
    const size_t sign = *at == '-', wide = digits(at + sign);
    size_t length = sign + wide;
    if (wide < 1 || wide > 5)
        return 0;
    if (wide == 1 && shaped(at + length, ".d")) /* TLS 1.3, HTTP 1.1 */
        length += 2;
    const bool goes_on = at[length] == '%' || (at[length] && strchr(".,/:-", at[length]) && digits(at + length + 1));
    return goes_on ? 0 : if_ends(at, length);
}

size_t template_code_length(const char *at)
{
    const size_t hex = at[0] == '0' && at[1] == 'x' ? hex_digits(at + 2) : 0;
    if (hex >= 1 && hex <= 8)
        return if_ends(at, 2 + hex);
    const size_t length = code_number_length(at);
    if (!length)
        return lettered_code_length(at);
    if (strncmp(at + length, " (", 2) != 0)
        return length;
    const size_t state = capital_length(at + length + 2);
    return state == SQLSTATE_DIGITS && at[length + 2 + state] == ')' ? length + 2 + state : length;
}

/* --------------------------------------------------------------------------------------------------- URLs and paths */

size_t template_scheme_length(const char *at)
{
    size_t length = 0;
    if (!template_is_letter(*at))
        return 0;
    while (length < SCHEME_LONGEST && (template_is_alnum(at[length]) || (at[length] && strchr("+.-", at[length]))))
        length++;
    return strncmp(at + length, "://", 3) == 0 ? length + 3 : 0;
}

size_t template_user_length(const char *at)
{
    const size_t length = strcspn(at, "@/?# '\"`<>");
    return at[length] == '@' ? length : 0;
}

size_t template_query_length(const char *at)
{
    size_t length = strcspn(at, " '\"`<>()[]{}");
    while (length > 0 && strchr(".,:;!?", at[length - 1]))
        length--;
    return length;
}

/* Does a name end as mkstemp ends it: six letters and digits, of several kinds, behind a mark? */
static bool ends_at_random(const char *at, size_t length)
{
    bool lower = false, other = false;
    if (length <= TEMPORARY_SUFFIX || template_is_alnum(at[length - TEMPORARY_SUFFIX - 1]))
        return false;
    for (size_t i = length - TEMPORARY_SUFFIX; i < length; i++) {
        if (!template_is_alnum(at[i]))
            return false;
        lower |= template_is_letter(at[i]) && !is_upper(at[i]);
        other |= template_is_digit(at[i]) || is_upper(at[i]);
    }
    return lower && other;
}

size_t template_temporary_length(const char *at, bool in_tmp)
{
    size_t length = 0;
    while (template_is_alnum(at[length]) || (at[length] && strchr("._-", at[length])))
        length++;
    const bool named = strncmp(at, "tmp", 3) == 0 && length >= 3 + TEMPORARY_SUFFIX;
    return named || (in_tmp && ends_at_random(at, length)) ? if_ends(at, length) : 0;
}
