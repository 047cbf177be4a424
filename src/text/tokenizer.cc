/* SPDX-License-Identifier: MIT */
/* Owns the tokenizer: SentencePiece behind a C interface, with T5's conventions around it. Text is
 * cut at the special tokens that stand in it literally; each piece between them is segmented by
 * itself, and the end mark is appended. No exception leaves this file. */
extern "C" {
#include "t5.h"

#include "../base/filemap.h"
}

#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "unigram.hh"

namespace
{

constexpr int pad_id = 0, end_id = 1, unknown_id = 2; /* T5's */
constexpr int extra_ids =
    100; /* "<extra_id_0>" is the last id, "<extra_id_99>" the first after the pieces */
constexpr size_t text_max = 1 << 20; /* bytes */

/* The special token that `text` begins with, or -1; *length receives its bytes. `extra`: whether
 * "<extra_id_N>" is one. */
int special_at(const sentencepiece::SentencePieceProcessor &model, bool extra,
               std::string_view text, size_t *length)
{
    static constexpr struct {
        std::string_view name;
        int id;
    } fixed[] = {{"<pad>", pad_id}, {"</s>", end_id}, {"<unk>", unknown_id}};
    for (const auto &token : fixed) {
        if (text.substr(0, token.name.size()) != token.name) continue;
        *length = token.name.size();
        return token.id;
    }
    constexpr std::string_view prefix = "<extra_id_";
    if (!extra) return -1;
    if (text.substr(0, prefix.size()) != prefix) return -1;
    size_t at = prefix.size();
    int number = 0;
    for (; at < text.size() && at < prefix.size() + 2 && text[at] >= '0' && text[at] <= '9'; at++) {
        number = 10 * number + (text[at] - '0');
    }
    size_t digits = at - prefix.size();
    /* "<extra_id_07>" is not a token: numbers are written without leading zeros. */
    if (digits == 0 || (digits == 2 && number < 10) || at == text.size() || text[at] != '>')
        return -1;
    *length = at + 1;
    return model.GetPieceSize() + extra_ids - 1 - number;
}

/* What a vocabulary file gives. */
struct vocabulary {
    sentencepiece::SentencePieceProcessor model;
    sm_unigram unigram;
    bool extra = true; /* the encoder knows "<extra_id_N>" */
};

/* Append the ids of a stretch without special tokens. False when the library refuses it. Together
 * its pieces are the normalized text. */
bool append_pieces(const vocabulary &v, std::string_view text, std::vector<int> *ids)
{
    if (text.empty()) return true;
    std::vector<std::string> pieces;
    if (!v.model.Encode(text, &pieces).ok()) return false;
    std::string normalized;
    for (const std::string &piece : pieces) normalized += piece;
    v.unigram.encode(normalized, ids);
    return true;
}

bool encode_all(const vocabulary &v, std::string_view text, std::vector<int> *ids)
{
    size_t begin = 0, at = 0;
    while ((at = text.find('<', at)) != std::string_view::npos) {
        size_t length = 0;
        int id = special_at(v.model, v.extra, text.substr(at), &length);
        if (id < 0) {
            at++;
            continue;
        }
        if (!append_pieces(v, text.substr(begin, at - begin), ids)) return false;
        ids->push_back(id);
        at += length;
        begin = at;
    }
    if (!append_pieces(v, text.substr(begin), ids)) return false;
    ids->push_back(end_id);
    return true;
}

} // namespace

struct sm_tokenizer : vocabulary {
};

static smitin_status load(sm_tokenizer *made, std::string_view bytes, const char *name,
                          smitin_error *error)
{
    /* An empty file is a valid message of the library's format, and a useless vocabulary. */
    if (bytes.empty() || !made->model.LoadFromSerializedProto(bytes).ok()) {
        return sm_fail(
            error, SMITIN_ERROR_FORMAT,
            "'%s' is not a SentencePiece vocabulary; fetch the model's spiece.model again", name);
    }
    if (made->model.pad_id() != pad_id || made->model.eos_id() != end_id ||
        made->model.unk_id() != unknown_id) {
        return sm_fail(
            error, SMITIN_ERROR_MODEL,
            "'%s' is not a T5 vocabulary: padding, end and unknown must be ids 0, 1 and 2, not "
            "%d, %d and %d",
            name, made->model.pad_id(), made->model.eos_id(), made->model.unk_id());
    }
    made->unigram.load(made->model);
    return SMITIN_OK;
}

extern "C" smitin_status sm_tokenizer_parse(sm_tokenizer **tokenizer, const void *data, size_t size,
                                            const char *name, smitin_error *error)
{
    *tokenizer = nullptr;
    smitin_status status;
    sm_tokenizer *made = nullptr;
    try {
        made = new sm_tokenizer;
        status = load(made, std::string_view(static_cast<const char *>(data), size), name, error);
    } catch (const std::bad_alloc &) {
        status = sm_fail_memory(error, "a vocabulary", size);
    } catch (...) {
        status = sm_fail(error, SMITIN_ERROR_FORMAT, "'%s' cannot be read as a vocabulary", name);
    }
    if (status != SMITIN_OK) {
        sm_tokenizer_free(made);
        return status;
    }
    *tokenizer = made;
    return SMITIN_OK;
}

extern "C" smitin_status sm_tokenizer_open(sm_tokenizer **tokenizer, const char *path,
                                           smitin_error *error)
{
    *tokenizer = nullptr;
    sm_filemap map;
    SM_TRY(sm_filemap_open(&map, path, error));
    const smitin_status status = sm_tokenizer_parse(tokenizer, map.data, map.size, path, error);
    sm_filemap_close(&map);
    return status;
}

extern "C" void sm_tokenizer_free(sm_tokenizer *tokenizer)
{
    delete tokenizer;
}

extern "C" void sm_tokenizer_set_rows(sm_tokenizer *tokenizer, int rows)
{
    tokenizer->extra = rows >= tokenizer->model.GetPieceSize() + extra_ids;
}

extern "C" smitin_status sm_tokenizer_encode(const sm_tokenizer *tokenizer, const char *text,
                                             int32_t *ids, int capacity, int *count,
                                             smitin_error *error)
{
    *count = 0;
    size_t length = std::strlen(text);
    if (length > text_max) {
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the text has %zu bytes, at most %zu are possible", length, text_max);
    }
    try {
        std::vector<int> made;
        if (!encode_all(*tokenizer, std::string_view(text, length), &made)) {
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "the text cannot be cut into tokens");
        }
        if (capacity < 0 || made.size() > static_cast<size_t>(capacity)) {
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "the text needs %zu tokens, at most %d are possible; shorten it",
                           made.size(), capacity);
        }
        for (size_t i = 0; i < made.size(); i++) ids[i] = made[i];
        *count = static_cast<int>(made.size());
        return SMITIN_OK;
    } catch (const std::bad_alloc &) {
        return sm_fail_memory(error, "the tokens of a text", length);
    } catch (...) {
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "the text cannot be cut into tokens");
    }
}
