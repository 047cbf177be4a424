/* SPDX-License-Identifier: MIT */
/* smitin: play a generative music model, and steer it while it plays.
 *
 *     smitin_error error;
 *     smitin_engine *engine = NULL;
 *     smitin_session *session = NULL;
 *     smitin_knob *knob = NULL;
 *
 *     smitin_engine_options engine_options = smitin_engine_defaults();
 *     smitin_engine_open(&engine, "models/mini", &engine_options, &error);
 *
 *     smitin_session_options options = smitin_session_defaults();
 *     options.seconds = 10.0;
 *     smitin_session_new(&session, engine, &options, &error);
 *     smitin_session_set_text(session, SMITIN_ALL_PIECES, "slow jazz trio", &error);
 *
 *     smitin_knob_load(&knob, "models/mini/knobs/drums.knob.safetensors", &error);
 *     smitin_steering steering = smitin_steering_defaults();
 *     steering.strength = 0.6;
 *     smitin_session_add_knob(session, knob, &steering, &error);
 *
 *     smitin_session_run(session, NULL, NULL, &error);
 *     smitin_session_audio(session, 0, &samples, &count, &error);
 *
 * The engine is the loaded model: immutable, shared by any number of sessions on any threads. A
 * session is one mutable timeline (one or more pieces made side by side) and belongs to one thread
 * at a time; the functions of the group "any thread" are the exception. A session takes all its
 * memory while it is set up and in its first step; only smitin_session_audio takes more, for the
 * samples of a whole piece, in its first call. The library never prints, never exits and never
 * throws.
 *
 * Errors: functions return a smitin_status, 0 on success, and fill `error` (which may be NULL) with
 * a message. After any error the objects given stay valid and unchanged unless said otherwise. */
#ifndef SMITIN_SMITIN_H
#define SMITIN_SMITIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SMITIN_API       __attribute__((visibility("default")))
#define SMITIN_NODISCARD __attribute__((warn_unused_result))
#else
#define SMITIN_API
#define SMITIN_NODISCARD
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ------------------------------------------------------------------------------------
 */

typedef enum smitin_status {
    SMITIN_OK = 0,
    SMITIN_ERROR_ARGUMENT, /* a value given by the caller is out of range */
    SMITIN_ERROR_MEMORY,   /* an allocation failed */
    SMITIN_ERROR_IO,       /* a file is missing, unreadable or unwritable, or the disk is full */
    SMITIN_ERROR_FORMAT,   /* a file is damaged or not of the kind expected */
    SMITIN_ERROR_MODEL, /* the model is refused: damaged, missing tensors, wrong shapes, not finite
                         */
    SMITIN_ERROR_KNOB,  /* the knob is refused: damaged, made for another model, not finite */
    SMITIN_ERROR_STATE, /* the call does not fit the session's state */
    SMITIN_ERROR_STOPPED, /* smitin_session_stop was called */
} smitin_status;

/* The status in words: one sentence, uppercase first letter, no trailing period. Static storage. */
SMITIN_API const char *smitin_strerror(smitin_status status);

typedef struct smitin_error {
    smitin_status status;
    char message[1024]; /* what was wrong, where, and what to do next; no newline */
} smitin_error;

/* "1.2.3" */
SMITIN_API const char *smitin_version(void);

/* ---- Engine: the loaded model ------------------------------------------------------------------
 */

typedef struct smitin_engine smitin_engine;

/* How the weights of linear layers are kept in memory. The codec is f32 with the first two, else
 * f16; tables that are looked up are q8 with q4. A smaller format reads less memory a step, which
 * is what a step waits for. */
typedef enum smitin_format {
    SMITIN_FORMAT_FILE = 0, /* as the file has them: f32, f16 or bf16 */
    SMITIN_FORMAT_F32,
    SMITIN_FORMAT_F16,
    SMITIN_FORMAT_BF16,
    SMITIN_FORMAT_Q8, /* 8 bits, and a scale for 32 weights: 8.5 bits a weight */
    SMITIN_FORMAT_Q4, /* 4 bits, likewise: 4.5 bits a weight */
} smitin_format;

/* How keys and values, the memory of a session, are kept. A step late in a piece waits for them
 * more than for the weights. */
typedef enum smitin_cache {
    SMITIN_CACHE_AUTO =
        0, /* as the weights: q8 with weights of q8 or q4, which cost more, else f16 */
    SMITIN_CACHE_F16,
    SMITIN_CACHE_F32,
    SMITIN_CACHE_Q8, /* 8 bits, and a scale for each head and position */
} smitin_cache;

typedef struct smitin_engine_options {
    int threads; /* workers, the caller included; 0 = all usable cores (default) */
    /* "ref"; on x86-64 "avx2", "avx_vnni", "avx512", "avx512_vnni"; on ARM "neon", "neon_dot";
     * NULL = the best this CPU has (default) */
    const char *cpu_level;
    /* SMITIN_FORMAT_FILE; others are converted while loading. A GGUF file of q8 or q4 has no other.
     */
    smitin_format format;
    smitin_cache cache; /* SMITIN_CACHE_AUTO */
    unsigned char reserved[24];
} smitin_engine_options;

SMITIN_API smitin_engine_options smitin_engine_defaults(void);

/* Load a MusicGen checkpoint: a file of smitin_convert, or a directory with config.json, weights
 * (f32, f16 or bf16) and, for text prompts, spiece.model. The weights are the first of these that
 * is there: model.safetensors, pytorch_model.bin (each single, or in shards with its index),
 * audiocraft's state_dict.bin, which wants the folders of facebook/encodec_32khz and t5-base beside
 * it for what it does not hold. A codec that lacks LSTM tensors, as in early uploads of melody
 * models, is replaced by that of encodec_32khz beside it. No code in a file is ever run: anything
 * but tensors is refused. Every tensor's name, type and shape is checked; all misses are reported
 * together. The codec's encoder is checked likewise but not loaded: the first call that hears audio
 * does that, from the same files, and refuses them with SMITIN_ERROR_MODEL when they have changed.
 * The engine owns everything it loads; free it after its sessions. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_engine_open(smitin_engine **engine,
                                                             const char *path,
                                                             const smitin_engine_options *options,
                                                             smitin_error *error);
/* How smitin_convert goes on: `done` of `total` bytes are written. Called on the caller's thread;
 * false ends the conversion with SMITIN_ERROR_STOPPED. */
typedef bool (*smitin_convert_progress)(void *user, uint64_t done, uint64_t total);

typedef struct smitin_convert_options {
    int threads;         /* 0 = all usable cores (default) */
    const char *name;    /* of the model, kept in the file; NULL (default) = the path's end */
    const char *licence; /* of the weights; NULL (default) = that of the model's README.md */
    smitin_convert_progress progress; /* NULL (default): nobody is told */
    void *user;
    unsigned char reserved[32];
} smitin_convert_options;

SMITIN_API smitin_convert_options smitin_convert_defaults(void);

/* Write the model at `path`, whatever smitin_engine_open takes, into one GGUF file: weights in
 * `format`, which is not SMITIN_FORMAT_FILE, configuration, vocabulary and the fingerprint of the
 * original. Loading it gives the bits that loading `path` in that format gives. The file is written
 * a few megabytes at a time, under a temporary name until it is whole: after an error there is none
 * of it, and what was at `output` before stays. A GGUF file of q8 or q4 is refused as `path`. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_convert(const char *path, const char *output,
                                                         smitin_format format,
                                                         const smitin_convert_options *options,
                                                         smitin_error *error);

/* An engine of random weights in the shape of a published model, "musicgen-small",
 * "musicgen-medium" or "musicgen-large": as fast and as large as the model, and noise to the ear.
 * For measuring. It has no vocabulary; smitin_session_set_tokens gives it a text. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_engine_random(smitin_engine **engine,
                                                               const char *shape,
                                                               const smitin_engine_options *options,
                                                               smitin_error *error);
SMITIN_API void smitin_engine_free(smitin_engine *engine); /* NULL is allowed */

typedef struct smitin_model_info {
    int layers;            /* L: decoder layers */
    int heads;             /* H: self-attention heads of a layer */
    int head_size;         /* D */
    int hidden_size;       /* d = H * D */
    int ffn_size;          /* of the feed-forward layers between their two matrices */
    int codebooks;         /* K, of all channels together */
    int codebook_size;     /* V: codes are 0..V-1 */
    int channels;          /* C of audio: 1, or 2 = stereo, left before right */
    int sample_rate;       /* Hz */
    int hop;               /* samples of one frame, in each channel */
    double frame_rate;     /* frames per second = sample_rate / hop */
    int max_frames;        /* longest window the model has positions for, in frames */
    bool has_text;         /* a text encoder and its vocabulary are present */
    bool has_melody;       /* follows melodies: smitin_session_set_melody */
    uint64_t parameters;   /* weights in all parts */
    uint64_t memory_bytes; /* resident weights: without the codec's encoder until it is needed */
    /* Of linear layers: as it was asked for; of a GGUF file as it has them; SMITIN_FORMAT_FILE for
     * a directory's own. */
    smitin_format format;
    smitin_cache cache;   /* of sessions; never SMITIN_CACHE_AUTO */
    uint64_t step_bytes;  /* of these, what one decoding step with text reads */
    char fingerprint[65]; /* hexadecimal SHA-256 of the decoder's contents, equal for every weight
                             format */
    int latent_size;      /* numbers of one frame of the codec before it is quantised */
} smitin_model_info;

SMITIN_API void smitin_engine_info(const smitin_engine *engine, smitin_model_info *info);

/* Audio is interleaved everywhere in this header, [time, C], and `count` and `capacity` of samples
 * count values: time * C. For a mono model (C = 1) that is the number of samples. The codebooks of
 * a stereo model are interleaved too: left 0, right 0, left 1, right 1, ... */

/* Audio to codes: `count` samples at the model's rate, a multiple of C; frames = ceil(count / C /
 * hop). codes [K, frames] is written; `capacity` is in codes and must be at least K * frames. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_engine_encode(const smitin_engine *engine,
                                                               const float *samples, size_t count,
                                                               int32_t *codes, size_t capacity,
                                                               smitin_error *error);
/* Codes [K, frames] to frames * hop * C samples, written to `samples` (capacity in samples). */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_engine_decode(const smitin_engine *engine,
                                                               const int32_t *codes, size_t frames,
                                                               float *samples, size_t capacity,
                                                               smitin_error *error);

/* What the codec hears before it quantises: mono samples (of a stereo model too) at the model's
 * rate to latents [frames, latent_size], frames = ceil(count / hop). `capacity` is in floats. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_engine_latents(const smitin_engine *engine,
                                                                const float *samples, size_t count,
                                                                float *latents, size_t capacity,
                                                                smitin_error *error);

/* Self-attention head outputs before the output projection, unconditional, teacher-forced, at the
 * column after the last frame (column P of the P + 1 columns of the delay grid: all its codes are
 * real ones). `clips` holds N clips of `count` samples each, [N, count]; z receives [N, L, H, D].
 * With z NULL the passes are made and nothing is kept, for measuring what keeping costs. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_engine_heads(const smitin_engine *engine,
                                                              const float *clips, size_t N,
                                                              size_t count, float *z,
                                                              smitin_error *error);
/* The same averaged over the last `columns` columns, 1 (equal to smitin_engine_heads) to the frames
 * of a clip. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_engine_mean_heads(const smitin_engine *engine,
                                                                   const float *clips, size_t N,
                                                                   size_t count, int columns,
                                                                   float *z, smitin_error *error);

/* What the model says of every code, teacher-forced: N clips of P frames, codes [N, K, P], to
 * logits [N, P, K, V]. Those of frame t and codebook k stand in the column of the delay grid that
 * predicts it, k / C columns after t: of codebook j the frames before t + k / C - j / C are known.
 * `text` conditions all clips; NULL or "" is none. No guidance: one row a clip. P is 1 to the
 * model's max_frames. Takes and frees memory for one pass. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_engine_logits(const smitin_engine *engine,
                                                               const int32_t *codes, size_t N,
                                                               size_t frames, const char *text,
                                                               float *logits, smitin_error *error);

/* ---- Knobs: a trait's directions
 * ----------------------------------------------------------------- */

typedef struct smitin_knob smitin_knob;

/* Read a .knob.safetensors file. The knob is checked against a model when it is added to a session.
 */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_knob_load(smitin_knob **knob, const char *path,
                                                           smitin_error *error);
SMITIN_API void
smitin_knob_free(smitin_knob *knob); /* NULL is allowed; not while a session uses it */

/* Where a knob pushes. */
typedef enum smitin_direction {
    SMITIN_DIRECTION_OWN = 0, /* what its strengths were measured along: probe or mean */
    SMITIN_DIRECTION_PROBE,   /* the logistic regression's weights */
    SMITIN_DIRECTION_MEAN,    /* mass mean shift: between the class centroids */
    SMITIN_DIRECTION_RANDOM,  /* seeded random unit vectors, as long as its own: the control that
                                 must fail */
    SMITIN_DIRECTION_RAW, /* the weights as they were fitted, not scaled to unit length, with the
                           * spread along them: the probe's push times the square of their length
                           */
} smitin_direction;

typedef struct smitin_knob_info {
    char trait[64];       /* "drums" */
    char model[128];      /* name of the model it was made for */
    char fingerprint[65]; /* of that model */
    char data[256];       /* what it was trained on */
    char licence[64];     /* of that data */
    int layers, heads, head_size;
    smitin_direction direction; /* its own: SMITIN_DIRECTION_PROBE or _MEAN */
    double default_alpha;       /* raw alpha of strength 0.5 */
    double max_alpha;           /* raw alpha of strength 1.0: the end of the useful range */
    double best_accuracy;       /* of one head, on test data, 0..1 */
    double mean_accuracy;       /* over all heads, on test data */
} smitin_knob_info;

SMITIN_API void smitin_knob_describe(const smitin_knob *knob, smitin_knob_info *info);

/* ---- Steering
 * --------------------------------------------------------------------------------------
 *
 * At a scheduled column t every head of the chosen rows receives
 *
 *     z[t][l][h] += alpha * g[t] * w[l][h] * sigma[l][h] * theta[l][h]
 *
 * before the output projection; theta is a unit vector (but for SMITIN_DIRECTION_RAW), sigma the
 * spread of its projection. A schedule multiplies g by f[t]. */

typedef enum smitin_method {
    SMITIN_METHOD_SMITIN = 0, /* sparse, soft-weighted, self-monitored */
    SMITIN_METHOD_SPARSE,     /* the same without the monitor: g = 1 at scheduled columns */
    SMITIN_METHOD_ITI,   /* original inference-time intervention: the top heads, every column */
    SMITIN_METHOD_DECAY, /* original, with a strength that decays over time */
    SMITIN_METHOD_PID, /* sparse, soft-weighted; g from a PID controller on the monitor's presence.
                        * At the n-th scheduled column, with e = tau - C:
                        *     S[n] = S[n-1] + I e[n]
                        *     u[n] = P e[n] + S[n] - D (C[n] - C[n-1])
                        *     g[n] = u[n] clamped to 0..1
                        * S is kept as it was where u leaves that range and I e would take it
                        * further out. g = 1 where there is no C. Negative alphas look at 1 - C. */
} smitin_method;

/* The law of the head weights w. */
typedef enum smitin_weights {
    SMITIN_WEIGHTS_OWN = 0, /* the method's: top of ITI and decay, soft of the others */
    SMITIN_WEIGHTS_SOFT,    /* ((a - min) / (max - min))^power of the heads' test accuracies a */
    SMITIN_WEIGHTS_TOP,     /* 1 of the top heads, else 0 */
} smitin_weights;

typedef enum smitin_branch {
    SMITIN_BRANCH_BOTH = 0, /* conditional and unconditional rows */
    SMITIN_BRANCH_COND,
    SMITIN_BRANCH_UNCOND,
} smitin_branch;

typedef enum smitin_decay {
    SMITIN_DECAY_LINEAR = 0,  /* 1 at the first generated column, 0 at the last */
    SMITIN_DECAY_EXPONENTIAL, /* decay_rate ^ columns since the first generated one */
} smitin_decay;

/* A factor f[t] on the gain of any method, over the time s of the generated part; `from` and `to`
 * are schedule_from and schedule_to, to the nearest frame. While f = 0 the method rests: its first
 * scheduled step is the first one with f > 0. */
typedef enum smitin_schedule {
    SMITIN_SCHEDULE_CONSTANT = 0, /* f = 1 */
    SMITIN_SCHEDULE_UP,           /* 0 until `from`, in a line to 1 at `to`, then 1 */
    SMITIN_SCHEDULE_DOWN,         /* 1 until `from`, in a line to 0 at `to`, then 0 */
    SMITIN_SCHEDULE_WINDOW,       /* 1 for from <= s < to, else 0 */
} smitin_schedule;

typedef enum smitin_statistic {
    SMITIN_STATISTIC_MEDIAN = 0,
    SMITIN_STATISTIC_MEAN,
} smitin_statistic;

typedef struct smitin_steering {
    smitin_method method;       /* SMITIN_METHOD_SMITIN */
    smitin_direction direction; /* SMITIN_DIRECTION_OWN; with another alpha must be raw */
    smitin_branch branch;       /* SMITIN_BRANCH_BOTH */
    double alpha;    /* raw strength; negative removes the trait. NAN (default) = from `strength` */
    double strength; /* -1..1 of the knob's calibrated range; 0 (default) is exactly no steering */
    int every;       /* s: push every s-th column, 5 (ITI and decay always use 1) */
    double power;    /* p of the soft weights, 3 */
    int top_heads;   /* K of SMITIN_WEIGHTS_TOP; 0 (default) = a third of all heads, at most 48 */
    int monitor_heads; /* K of the monitor; 0 (default) = a sixth of all heads, at most 16 */
    smitin_statistic statistic; /* of the monitor heads' probabilities, median */
    bool lag;         /* read C at the scheduled column itself and apply at the next scheduled one;
                       * default false: read it one column before */
    double threshold; /* tau; NAN (default) = median - std of the monitor heads' train accuracy */
    smitin_decay decay;      /* SMITIN_DECAY_LINEAR */
    double decay_rate;       /* 0.995 */
    uint64_t direction_seed; /* of SMITIN_DIRECTION_RANDOM, 0 */
    bool force;              /* accept a knob made for other weights of the same shape, false */
    bool orthogonal; /* make theta of every head orthogonal to those of the knobs added before this
                      * one, as long as it was (Gram-Schmidt); a head where nothing is left of it is
                      * not pushed. Knobs that only listen count, too. false */
    smitin_schedule schedule;  /* SMITIN_SCHEDULE_CONSTANT */
    float schedule_from;       /* seconds of the generated part, 0; before its end */
    float schedule_to;         /* more than schedule_from; 0 (default) = to the end of the piece */
    float pid_p, pid_i, pid_d; /* P, I, D >= 0 of SMITIN_METHOD_PID, 2, 0.1 and 0 */
    smitin_weights weights;    /* SMITIN_WEIGHTS_OWN */
    unsigned char reserved[8];
} smitin_steering;

SMITIN_API smitin_steering smitin_steering_defaults(void);

/* ---- Session: one timeline
 * ------------------------------------------------------------------------ */

typedef struct smitin_session smitin_session;

#define SMITIN_ALL_PIECES (-1)

/* How a piece goes on that is longer than a window. Both continue, in windows that overlap, from
 * the last frames of what was made, which the model hears again at low positions; knobs do not push
 * them a second time. The next window is prepared while the current one plays: a little in every
 * few steps, so the cost of a step and the memory stay the same however long a piece is. Only with
 * a melody the step at a seam costs more: the tune is heard anew. */
typedef enum smitin_long {
    /* As the reference does: every window is a piece with an end of its own, and its last frames
     * are the prompt of the next. */
    SMITIN_LONG_WINDOW = 0,
    /* No window ends: the next one takes over in the middle of the delayed codebooks. */
    SMITIN_LONG_ROLLING,
} smitin_long;

typedef struct smitin_session_options {
    double seconds;     /* length of a piece with its audio prompt, 10; at most a day */
    int pieces;         /* made side by side, 1 */
    uint64_t seed;      /* piece i uses seed + i; 0 */
    double temperature; /* 1; 0 = greedy */
    int top_k;          /* keep the k most likely codes, 250; 0 = all */
    double top_p; /* keep the smallest set with this probability; 0 (default) = off, else replaces
                     top_k */
    double guidance;         /* classifier-free guidance scale, 3; 1 = none */
    int max_text;            /* longest text prompt in tokens, 256 */
    int max_knobs;           /* 8 */
    smitin_long long_method; /* of pieces longer than `window`, SMITIN_LONG_WINDOW */
    double window; /* seconds; 0 (default) = 30, or what the model has positions for when less */
    double stride; /* from one window to the next, less than `window`; 0 (default) = 0.6 of it */
    unsigned char reserved[32];
} smitin_session_options;

SMITIN_API smitin_session_options smitin_session_defaults(void);

SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_new(smitin_session **session,
                                                             const smitin_engine *engine,
                                                             const smitin_session_options *options,
                                                             smitin_error *error);
SMITIN_API void smitin_session_free(smitin_session *session); /* NULL is allowed */

/* Before the first step. `piece` is 0..pieces-1 or SMITIN_ALL_PIECES. Without text (or with "") and
 * without a melody a piece is unconditional and guidance has nothing to do. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_set_text(smitin_session *session,
                                                                  int piece, const char *text,
                                                                  smitin_error *error);
/* The same with token ids [count] of the model's T5 vocabulary instead of text, the end mark not
 * among them; count 0 is no text. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_set_tokens(smitin_session *session,
                                                                    int piece, const int32_t *ids,
                                                                    size_t count,
                                                                    smitin_error *error);
/* Before the first step, of a melody model only: follow a tune, `count` samples at the model's
 * rate, interleaved. Heard is which of the twelve pitch classes is the strongest, some eight times
 * a second, in the mean of the channels; of its first 30 s; a shorter tune is repeated. Later
 * windows of a long piece hear the tune from where they begin. A mixture
 * is taken as it is: a tune alone, its voices separated beforehand, leads more clearly. The samples
 * may go when the call returns. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_set_melody(smitin_session *session,
                                                                    int piece, const float *samples,
                                                                    size_t count,
                                                                    smitin_error *error);
/* Before the first step: continue from audio at the model's rate, `count` samples of its channels
 * interleaved: duplicate the samples of a mono clip for a stereo model. Every piece of a session
 * has a prompt of the same number of frames, or none has one. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_set_audio(smitin_session *session,
                                                                   int piece, const float *samples,
                                                                   size_t count,
                                                                   smitin_error *error);
/* Use a codes prompt [K, frames] instead of audio. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_set_codes(smitin_session *session,
                                                                   int piece, const int32_t *codes,
                                                                   size_t frames,
                                                                   smitin_error *error);
/* Before the first step: steer every piece with `knob`, which must outlive the session. The index
 * of the knob in this session counts from 0 in the order of these calls. SMITIN_ERROR_KNOB when it
 * does not fit. What depends on the whole session is refused by the first step with
 * SMITIN_ERROR_ARGUMENT: a schedule that begins behind the end of the piece, and an orthogonal knob
 * to which the ones before it leave no direction. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_add_knob(smitin_session *session,
                                                                  const smitin_knob *knob,
                                                                  const smitin_steering *steering,
                                                                  smitin_error *error);

typedef struct smitin_progress {
    int frame;  /* frames finished, the prompt included */
    int frames; /* of the whole piece */
} smitin_progress;

/* Called between steps; return false to stop. */
typedef bool (*smitin_progress_callback)(void *user, const smitin_progress *progress);

/* One decoding step: all pieces move on by one column. `done` tells that the last frame is
 * complete. The first call also takes the memory of the run and feeds the prompts; later calls take
 * none. After an error other than STATE the session is finished. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_step(smitin_session *session, bool *done,
                                                              smitin_error *error);
/* Step to the end. `callback` may be NULL. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_run(smitin_session *session,
                                                             smitin_progress_callback callback,
                                                             void *user, smitin_error *error);

/* Codes made so far of one piece, the prompt included: *codes is [K, *stride], of which *frames
 * columns are complete. Owned by the session; valid until its next step. All codes of a piece are
 * kept: 800 bytes a second with 4 codebooks, 3 MB an hour. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_codes(const smitin_session *session,
                                                               int piece, const int32_t **codes,
                                                               size_t *frames, size_t *stride,
                                                               smitin_error *error);
/* Decode what has been made of one piece: *samples (count *count) are owned by the session and
 * valid until the next call with this session. Interleaved, frames * hop * C of them. Not clipped:
 * values may exceed 1. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_audio(smitin_session *session, int piece,
                                                               const float **samples, size_t *count,
                                                               smitin_error *error);

/* Audio while it is made: the samples of one piece that became final since the last call, at most
 * `capacity` of them; *count may be 0. Call it between steps, also from a progress callback, as
 * often as you like and with room for as many samples as you like, but for at least C: only whole
 * frames of all channels come. The calls together give exactly
 * the samples of smitin_session_audio at the end, the prompt's among them, without computing any
 * twice; after the last step (or a stop) what is left comes, and then 0 for good. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_read(smitin_session *session, int piece,
                                                              float *samples, size_t capacity,
                                                              size_t *count, smitin_error *error);
/* Latency of the above: samples of a frame are final once this many frames after it are complete.
 * It follows from the codec's kernels: 4 frames (80 ms) for MusicGen's. */
SMITIN_API size_t smitin_session_read_delay(const smitin_session *session);

/* One line of a knob's monitor trace: a generated column of one piece. */
typedef struct smitin_trace {
    int column;     /* of the delay grid: the pass has heard column / frame_rate seconds. The last
                     * columns of a window of SMITIN_LONG_WINDOW come again in the next one */
    bool scheduled; /* a push was due at this column: scheduled, and f(t) > 0 */
    float presence; /* C(t): the monitor's probability that the trait is there, read before any push
                     */
    float gain;     /* g(t) f(t) applied at this column, 0 where nothing was pushed */
    float dose;     /* |alpha| g(t) f(t) sum of head weights at this column */
} smitin_trace;

typedef struct smitin_knob_report {
    double alpha;      /* raw alpha in force */
    double threshold;  /* tau */
    double weight_sum; /* sum of the head weights */
    double dose;       /* mean over generated columns of |alpha| g sum(w) */
    double
        success; /* share of generated columns with C >= tau (for a negative alpha: 1 - C >= tau) */
    double success_half;  /* the same with 0.5 for tau */
    double mean_presence; /* mean C */
    bool tripped;         /* the monitor met a non-finite reading and switched this knob off */
    /* The success of removal in both its readings, whatever the sign of alpha. */
    double removal; /* share of generated columns with 1 - C >= tau */
    double absence; /* share with C < tau: 1 less the success of addition */
} smitin_knob_report;

/* The trace of knob `knob` in `piece`: *lines, *count of them, owned by the session, valid until
 * its next step. */
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_trace(const smitin_session *session,
                                                               int piece, int knob,
                                                               const smitin_trace **lines,
                                                               size_t *count, smitin_error *error);
SMITIN_API SMITIN_NODISCARD smitin_status smitin_session_report(const smitin_session *session,
                                                                int piece, int knob,
                                                                smitin_knob_report *report,
                                                                smitin_error *error);

/* Where the time of a step goes. */
typedef enum smitin_part {
    SMITIN_PART_EMBED = 0,       /* codes and place to vectors */
    SMITIN_PART_NORMS,           /* all layer norms */
    SMITIN_PART_QKV,             /* the product that makes queries, keys and values */
    SMITIN_PART_STORE,           /* new keys and values into the cache */
    SMITIN_PART_ATTENTION,       /* over the cache */
    SMITIN_PART_OUT,             /* the product behind it */
    SMITIN_PART_CROSS_Q,         /* the same of the text */
    SMITIN_PART_CROSS_ATTENTION, /* over its keys and values */
    SMITIN_PART_CROSS_OUT,       /* the product behind it */
    SMITIN_PART_FC1,             /* feed-forward, its activation included */
    SMITIN_PART_FC2,             /* and its second product */
    SMITIN_PART_LOGITS,          /* the product that predicts codes */
    SMITIN_PART_SUMS,            /* onto the residual stream */
    SMITIN_PART_KNOBS,           /* monitors and pushes */
    SMITIN_PART_SAMPLING,        /* guidance and draws */
    SMITIN_PART_REST,            /* the grid, requests, the next window's context */
    SMITIN_PARTS
} smitin_part;

/* A few words: "attention". Static storage; NULL for no part. */
SMITIN_API const char *smitin_part_name(smitin_part part);

typedef struct smitin_profile {
    double seconds[SMITIN_PARTS]; /* wall time; together the whole of the steps */
    double bytes[SMITIN_PARTS];   /* of weights, keys and values that had to be read */
} smitin_profile;

/* From the next step on every step adds to *profile, which stays the caller's and must outlive
 * them; NULL, as in a new session: none does, and nothing is measured. Between steps. */
SMITIN_API void smitin_session_profile(smitin_session *session, smitin_profile *profile);

/* Any thread: ask for something; the session's own thread does it before its next step. */

/* Turn a knob to a raw alpha while the music plays; the latest request before a step counts. False
 * for a knob that does not exist or an alpha that is not finite. */
SMITIN_API bool smitin_session_turn(smitin_session *session, int knob, double alpha);
/* End the run: the next step returns SMITIN_ERROR_STOPPED. What has been made stays readable. */
SMITIN_API void smitin_session_stop(smitin_session *session);

#ifdef __cplusplus
}
#endif

#endif
