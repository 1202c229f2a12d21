/* The operations that have one implementation per instruction set, and the memory layouts they share.
 *
 * Panels.  A matrix is cut into panels of 16 rows (zero rows fill the last), each held column after column:
 *   f32   word k*16 + r             = w[r][k]
 *   bf16  word (k/16*8 + k%8)*16 + r = w[r][k] (low half) and w[r][k+8] (high half) for k%16 < 8
 * so that a vector register holds one column of several rows.  Lane l of CA-1's Dot is one accumulator for all of
 * them, columns l, l+8, ... go to it in order, and the tree at a block's end is plain vector adds.  K is filled up
 * with zeros to a multiple of 16 (bf16) or 8 (f32); adding +-0 changes no bit of a result, since y starts at +0.
 *
 * Tiles.  Inputs of several tokens are interleaved: x[k * stride + t], stride = 1, 2, 4, 6 or 12 tokens. */
#ifndef INFERA_CA1_KERNELS_H
#define INFERA_CA1_KERNELS_H
#include "ca1.h"
#include "cpu.h"

#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "CA-1 needs arithmetic in the operands' own precision (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif

#define CA1_BLOCK 256
#define CA1_LANES 8
#define CA1_PANEL 16
#define CA1_TILE 12 /* tokens of the widest tile */

typedef struct {
  const char *name;
  /* panels: `count` panels of k columns each, `step` bytes apart; y[t*ldy + 16*p + r] for every t < tile. */
  void (*matmul)(const void *panels, size_t step, size_t count, uint32_t format, size_t k, const float *x,
                 unsigned tile, float *y, size_t ldy);
  /* out[t*ldo + d] = CA-1's weighted sum of v[j*ldv + d] by e[j*tile + t] over j < n, without the division. */
  void (*mix)(const float *e, const float *v, size_t n, size_t width, size_t ldv, unsigned tile, float *out,
              size_t ldo);
  void (*fma)(const float *a, const float *b, const float *c, float *out, size_t n);
  void (*exp)(const float *x, float *out, size_t n);
  void (*silu)(const float *gate, const float *up, float *out, size_t n);
  float (*sumsq)(const float *x, size_t n);
  void (*rmsnorm)(const float *x, const float *weight, float eps, float *out, size_t n);
  float (*softmax)(const float *scores, float scale, float *out, size_t n);
  void (*rope)(float *x, const float *cosines, const float *sines, size_t heads, size_t head_dim);
} ca1_kernel_set;

extern const ca1_kernel_set ca1_portable_kernels;
extern const ca1_kernel_set ca1_avx2_kernels;
extern const ca1_kernel_set ca1_avx512_kernels;

const ca1_kernel_set *ca1_pick(void);

/* The floating-point environment CA-1 asks for: to nearest, denormals kept.  Some libraries leave it otherwise. */
uint64_t ca1_fp_enter(void);
void ca1_fp_leave(uint64_t saved);

/* -- ca1_pack.c -------------------------------------------------------------------------------------------------- */

typedef struct {
  size_t rows, k;         /* as given */
  size_t panels, padded;  /* panels of 16 rows; columns after filling up */
  size_t step;            /* bytes of one panel */
  uint32_t format;
  uint8_t *data;          /* 64-byte aligned */
} ca1_matrix;

static inline size_t ca1_up(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

void *ca1_alloc(size_t bytes); /* zeroed, 64-byte aligned; NULL if short */
void ca1_release(void *memory);

int ca1_matrix_new(ca1_matrix *m, size_t rows, size_t k, uint32_t format);
/* Fills rows [first, first + rows) from row-major numbers of `format`. */
int ca1_matrix_fill(ca1_matrix *m, size_t first, size_t rows, const void *data, uint32_t format);
void ca1_matrix_row(const ca1_matrix *m, size_t row, float *out);
int ca1_widen(const void *data, uint32_t format, size_t n, float *out); /* CA1_OK or CA1_NOT_FINITE */

/* The narrowest tile for n <= 12 tokens. */
unsigned ca1_tile(size_t n);
/* x: n rows of k numbers, ldx apart -> tile order, columns filled up to `padded` and tokens up to the tile by zeros. */
void ca1_pack_tile(const float *x, size_t ldx, size_t n, size_t k, size_t padded, float *out);

#endif
