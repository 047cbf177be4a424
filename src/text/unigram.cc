/* SPDX-License-Identifier: MIT */
#include "unigram.hh"

#include <algorithm>

namespace
{

constexpr std::string_view space = "\xe2\x96\x81"; /* U+2581 */
constexpr double unknown_penalty =
    10.0; /* below the least score; the library's and the reference's */

/* Bytes of the character that begins with `first`, as UTF-8 says; a stray byte is a character. */
size_t character(unsigned char first)
{
    if (first >= 0xf0) return 4;
    if (first >= 0xe0) return 3;
    return first >= 0xc0 ? 2 : 1;
}

} // namespace

void sm_unigram::load(const sentencepiece::SentencePieceProcessor &model)
{
    double least = 0.0;
    unknown_id_ = model.unk_id();
    scores_.resize(static_cast<size_t>(model.GetPieceSize()));
    for (int id = 0; id < model.GetPieceSize(); id++) {
        scores_[static_cast<size_t>(id)] = static_cast<double>(model.GetScore(id));
        if (model.IsControl(id) || model.IsUnknown(id)) continue;
        const std::string &piece = model.IdToPiece(id);
        least = std::min(least, scores_[static_cast<size_t>(id)]);
        longest_ = std::max(longest_, piece.size());
        pieces_.emplace(piece, id);
    }
    unknown_score_ = least - unknown_penalty;
}

/* Viterbi's algorithm; of equal ways the one that was found first stays. A character that is no
 * piece by itself may be unknown. */
void sm_unigram::encode_word(std::string_view word, std::vector<place> *places,
                             std::vector<int> *ids) const
{
    places->assign(word.size() + 1, place{0.0, 0, -1});
    for (size_t at = 0; at < word.size();) {
        const double till = (*places)[at].score;
        const size_t one =
            std::min(character(static_cast<unsigned char>(word[at])), word.size() - at);
        bool single = false;
        const auto offer = [&](size_t length, double score, int id) {
            place &target = (*places)[at + length];
            if (target.id < 0 || till + score > target.score) target = place{till + score, at, id};
        };
        for (size_t length = one; length <= longest_ && at + length <= word.size();) {
            const auto found = pieces_.find(std::string(word.substr(at, length)));
            if (found != pieces_.end()) {
                offer(length, scores_[static_cast<size_t>(found->second)], found->second);
                single = single || length == one;
            }
            if (at + length == word.size()) break;
            length += character(static_cast<unsigned char>(word[at + length]));
        }
        if (!single) offer(one, unknown_score_, unknown_id_);
        at += one;
    }
    const size_t first = ids->size();
    for (size_t at = word.size(); at > 0; at = (*places)[at].from) {
        const int id = (*places)[at].id;
        /* Neighbouring unknown characters are one. */
        if (id != unknown_id_ || ids->size() == first || ids->back() != unknown_id_)
            ids->push_back(id);
    }
    std::reverse(ids->begin() + static_cast<std::ptrdiff_t>(first), ids->end());
}

void sm_unigram::encode(std::string_view text, std::vector<int> *ids) const
{
    std::vector<place> places;
    for (size_t begin = 0; begin < text.size();) {
        size_t end = text.find(space, begin + 1);
        if (end == std::string_view::npos) end = text.size();
        encode_word(text.substr(begin, end - begin), &places, ids);
        begin = end;
    }
}
