/* SPDX-License-Identifier: MIT */
typedef int sm_text_tokenizer_pending;
