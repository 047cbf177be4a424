/* SPDX-License-Identifier: MIT */
/* What a model card, the README.md of a model's folder, says for programs. */
#ifndef SMITIN_FORMAT_CARD_H
#define SMITIN_FORMAT_CARD_H

#include <stddef.h>

enum { SM_LICENCE_SIZE = 128 };

/* The licence that the card states between its first two lines "---": license_name where license is
 * "other", else license. "" when there is none or it is not a short line of text. */
void sm_card_licence(char licence[SM_LICENCE_SIZE], const char *text, size_t size);

#endif
