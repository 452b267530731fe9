/* Makes the template of an error's message, which messages of the same kind have in common. The parts that vary from
 * one occurrence to the next are masked. For example:
 *
 *   connect to 10.0.0.5:5432 failed after 1503 ms    ->    connect to <address> failed after <n> ms
 *
 * Masks:
 *
 *   <string>   a quoted string with its quotes: '..', "..", `..`, `..', and those of typographers. A quote opens
 *              where a word may begin, before anything but a space; a string that does not end goes on to the end
 *   <time>     a date of ISO 8601, with or without a time of day; or hours, minutes and seconds
 *   <address>  of IPv4 or IPv6, with its port, or of a network card; of host:port only the number is masked
 *   <uuid>, <email>
 *   <hex>      0x.., or eight hexadecimal digits or more that are not all decimal
 *   <id>       letters and digits that change three times, or are sixteen or more: x2x4z
 *   <n>        any other number with its sign, decimals and thousands. Its unit stays; of 1h2m3.5s the last one
 *              does. So do the letters of names: conn-17 becomes conn-<n>, node12 becomes node<n>
 *   <user>     what a URL has before its host; scheme and host stay
 *   <query>    what a URL or a path has behind its question mark
 *   <temp>     a path's part of nine characters or more that begins with tmp, or one that is in tmp/ and ends as
 *              mkstemp ends it; of other parts only numbers, ids and the like are masked
 *   <*>        a word in which two templates differ
 *
 * Digits stay in words that mean the same everywhere, such as HTTP/1.1, TLSv1.3, SHA256, utf8, x509, s3, and v2 (a list
 * in template_parts.c); in codes of SQLSTATE that have letters (40P01), and those behind ORA- and the like; and in a
 * number of five digits at most behind a word that says that it is a code: "status 503", "code = 14", "errno=-110",
 * "HTTP 502", "SQLSTATE 57014", "error 1045 (28000)", "signal 9". "error: 5 retries" has no code.
 *
 * White space becomes one space. Control characters, those that turn the direction of writing, and bytes that are not
 * UTF-8 become question marks. Of a message 511 bytes are looked at.
 *
 * Pure, without memory of its own, for any bytes. */
#ifndef TRIP_CORE_TEMPLATE_H
#define TRIP_CORE_TEMPLATE_H

#include <stdbool.h>

#include "internal/layout_chronicle.h"

/* Writes the template of a message. It has FINGERPRINT_TEXT_MAX bytes at most, and ends at a word's end or, if it is
 * one word, at a character's end. The template of a template is the same. */
void template_of(const char *message, char ret_template[FINGERPRINT_TEXT_MAX + 1]);

/* Makes two templates one, with <*> for each word in which they differ, if they have as many words, the first one in
 * common, and more than half of all (He et al.: Drain: An Online Log Parsing Approach with Fixed Depth Tree, ICWS
 * 2017). A word <*> of one covers any word of the other, but is in common only with itself: what has been merged does
 * not come to cover messages that have less than half in common. False: they are too different, or what they have in
 * common is too long; ret_common is not written. */
bool template_merge(const char *one, const char *other, char ret_common[FINGERPRINT_TEXT_MAX + 1]);

#endif
