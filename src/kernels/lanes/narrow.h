/* SPDX-License-Identifier: MIT */
/* f32 to f16, and to int8 with one scale, written once on the v_ inlines of a level. */

static inline void narrow_f16(uint16_t *out, const float *x, int n)
{
    int i = 0;
    for (; i + LANES <= n; i += LANES) v_store_f16(out + i, v_load(x + i));
    if (i < n) {
        uint16_t tail[LANES];
        v_store_f16(tail, v_load_n(x + i, n - i));
        memcpy(out + i, tail, (size_t)(n - i) * sizeof *out);
    }
}

static inline float narrow_q8(int8_t *q, const float *x, int n)
{
    vec top = v_zero();
    int i = 0;
    for (; i + LANES <= n; i += LANES) top = v_max_bits(top, v_abs(v_load(x + i)));
    if (i < n) top = v_max_bits(top, v_abs(v_load_n(x + i, n - i)));
    const float most = v_largest_bits(top); /* infinity and NaN are the largest patterns */
    if (!(most >= 0x1p-100f) || isinf(most)) {
        memset(q, 0, (size_t)n);
        return most < 0x1p-100f ? 0.0f : NAN;
    }
    const vec inverse = v_set(127.0f / most);
    for (i = 0; i + LANES <= n; i += LANES)
        v_store_i8(q + i, v_round(v_mul(v_load(x + i), inverse)));
    if (i < n) {
        int8_t tail[LANES];
        v_store_i8(tail, v_round(v_mul(v_load_n(x + i, n - i), inverse)));
        memcpy(q + i, tail, (size_t)(n - i));
    }
    return most / 127.0f;
}

static inline void quantise(sm_block *out, const float *x, size_t ldx, int R, int M)
{
    for (int r = 0; r < R; r++) {
        for (int m = 0; m < M; m += SM_BLOCK, out++) {
            const int left = M - m, count = left < SM_BLOCK ? left : SM_BLOCK;
            if (count < SM_BLOCK) memset(out->q, 0, SM_BLOCK);
            out->scale = narrow_q8(out->q, x + (size_t)r * ldx + (size_t)m, count);
            int sum = 0;
            for (int i = 0; i < SM_BLOCK; i++) sum += out->q[i];
            out->shift = -128 * sum;
        }
    }
}
