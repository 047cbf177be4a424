/* SPDX-License-Identifier: MIT */
/* Owns the map from audiocraft's names to those of the transformers layout. */
#include "audiocraft.h"

#include <stdio.h>
#include <string.h>

#define CONDITIONERS "condition_provider.conditioners."
#define DECODER      "decoder.model.decoder."

typedef struct renaming {
    const char *from, *to; /* beginnings of names */
} renaming;

static const renaming modules[] = {
    {"emb.", DECODER "embed_tokens."},
    {"linears.", "decoder.lm_heads."},
    {"out_norm.", DECODER "layer_norm."},
    {CONDITIONERS "description.output_proj.", "enc_to_dec_proj."},
    {CONDITIONERS "self_wav.output_proj.", "audio_enc_to_dec_proj."},
};

/* Behind "transformer.layers.N.". */
static const renaming parts[] = {
    {"self_attn.in_proj_weight", "self_attn."},
    {"self_attn.out_proj.", "self_attn.out_proj."},
    {"cross_attention.in_proj_weight", "encoder_attn."},
    {"cross_attention.out_proj.", "encoder_attn.out_proj."},
    {"norm1.", "self_attn_layer_norm."},
    {"norm_cross.", "encoder_attn_layer_norm."},
    {"norm2.", "final_layer_norm."},
    {"linear1.", "fc1."},
    {"linear2.", "fc2."},
};

static const char *behind(const char *text, const char *beginning)
{
    const size_t length = strlen(beginning);
    return strncmp(text, beginning, length) == 0 ? text + length : NULL;
}

static bool fits(int length)
{
    return length >= 0 && length < SM_NAME_SIZE;
}

/* `part` of layer N, whose number is the first `digits` characters of `number`. */
static int rename_part(const char *number, int digits, const char *part,
                       char names[3][SM_NAME_SIZE])
{
    static const char projections[3] = {'q', 'k', 'v'};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *rest = behind(part, parts[i].from);
        if (rest == NULL) continue;
        if (strstr(parts[i].from, "in_proj") == NULL) {
            return fits(snprintf(names[0], SM_NAME_SIZE, DECODER "layers.%.*s.%s%s", digits, number,
                                 parts[i].to, rest));
        }
        if (*rest != '\0') return 0;
        for (int j = 0; j < 3; j++) {
            snprintf(names[j], SM_NAME_SIZE, DECODER "layers.%.*s.%s%c_proj.weight", digits, number,
                     parts[i].to, projections[j]);
        }
        return 3;
    }
    return 0;
}

int sm_audiocraft_lm(const char *name, char names[3][SM_NAME_SIZE])
{
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        const char *rest = behind(name, modules[i].from);
        if (rest == NULL) continue;
        return fits(snprintf(names[0], SM_NAME_SIZE, "%s%s", modules[i].to, rest));
    }
    const char *number = behind(name, "transformer.layers.");
    if (number == NULL) return 0;
    const size_t digits = strspn(number, "0123456789");
    if (digits == 0 || digits > 4 || number[digits] != '.') return 0;
    return rename_part(number, (int)digits, number + digits + 1, names);
}

bool sm_audiocraft_codec(const char *name, char out[SM_NAME_SIZE])
{
    /* Wherever they stand; each at most once in a name. */
    static const renaming pieces[] = {
        {".model.", ".layers."},       {".conv.conv.", ".conv."},
        {".convtr.convtr.", ".conv."}, {"quantizer.vq.", "quantizer."},
        {"._codebook.", ".codebook."},
    };
    if (!fits(snprintf(out, SM_NAME_SIZE, "audio_encoder.%s", name))) return false;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        char before[SM_NAME_SIZE];
        const char *at = strstr(out, pieces[i].from);
        if (at == NULL) continue;
        memcpy(before, out, SM_NAME_SIZE);
        const int head = (int)(at - out);
        if (!fits(snprintf(out, SM_NAME_SIZE, "%.*s%s%s", head, before, pieces[i].to,
                           before + head + strlen(pieces[i].from))))
            return false;
    }
    return true;
}
