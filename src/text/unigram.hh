/* SPDX-License-Identifier: MIT */
/* The best segmentation of normalized text into pieces of a unigram vocabulary, with the sums of
 * the reference: transformers adds scores in double and word by word. Pieces of equal scores in
 * another order ("z zz", "zz z") are ties that only rounding decides, and the SentencePiece library
 * rounds to float, differently in its versions. For src/text only. */
#ifndef SMITIN_TEXT_UNIGRAM_HH
#define SMITIN_TEXT_UNIGRAM_HH

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sentencepiece_processor.h>

class sm_unigram
{
  public:
    /* May throw std::bad_alloc, as all that follows. */
    void load(const sentencepiece::SentencePieceProcessor &model);
    /* Append the ids of `text`: UTF-8, spaces replaced by U+2581. */
    void encode(std::string_view text, std::vector<int> *ids) const;

  private:
    struct place { /* between two bytes of a word: the best way to it */
        double score;
        size_t from;
        int id; /* of the piece that ends here; -1: no way yet */
    };
    void encode_word(std::string_view word, std::vector<place> *places,
                     std::vector<int> *ids) const;

    std::unordered_map<std::string, int> pieces_;
    std::vector<double> scores_;
    size_t longest_ = 0; /* bytes */
    double unknown_score_ = 0.0;
    int unknown_id_ = 0;
};

#endif
