/* Canonical arithmetic CA-1: one bit-exact meaning for every operation of a Llama-architecture decoder.
 * docs/arithmetic.md is the definition; this library, its portable kernels and the pure-Python twin agree with it in
 * every bit, whatever the instruction set, the number of threads or the way a prompt is cut into chunks.
 * Callers own all buffers but models and sessions; a session is used by one thread at a time, a model by any. */

#define CA1_VERSION 1

/* Number formats: of source data, and (the first two) of packed matrices. */
#define CA1_F32 0
#define CA1_BF16 1
#define CA1_F16 2

/* Status codes. */
#define CA1_OK 0
#define CA1_NO_MEMORY 1
#define CA1_BAD_SHAPE 2
#define CA1_NOT_FINITE 3
#define CA1_BAD_TOKEN 4
#define CA1_CAPACITY 5
#define CA1_INCOMPLETE 6

/* What a call of ca1_model_set fills.  EMBED, NORM and HEAD belong to no layer (layer 0). */
#define CA1_EMBED 0   /* vocab x hidden; the output head too unless HEAD is set */
#define CA1_HEAD 1    /* vocab x hidden */
#define CA1_NORM 2    /* hidden */
#define CA1_ATTN_NORM 3
#define CA1_MLP_NORM 4
#define CA1_Q 5       /* heads * head_dim x hidden */
#define CA1_K 6       /* kv_heads * head_dim x hidden */
#define CA1_V 7
#define CA1_O 8       /* hidden x heads * head_dim */
#define CA1_GATE 9    /* intermediate x hidden */
#define CA1_UP 10
#define CA1_DOWN 11   /* hidden x intermediate */
#define CA1_Q_BIAS 12 /* optional */
#define CA1_K_BIAS 13
#define CA1_V_BIAS 14

typedef struct {
  uint32_t vocab, hidden, intermediate, layers, heads, kv_heads, head_dim;
  uint32_t context; /* positions the rotary table covers */
  uint32_t format;  /* CA1_F32 or CA1_BF16: how matrices are held */
  uint32_t tied;    /* 1: EMBED is the output head */
  float eps;        /* of RMSNorm */
  float scale;      /* of attention scores: 1/sqrt(head_dim), rounded once from binary64 */
} ca1_config;

typedef struct ca1_model ca1_model;
typedef struct ca1_session ca1_session;

/* Returns NULL if memory is short; status tells (CA1_BAD_SHAPE: a size CA-1 does not define). */
ca1_model *ca1_model_new(const ca1_config *config, int *status);
void ca1_model_free(ca1_model *model);

/* Widens or packs one tensor (row-major, `count` numbers of `format`).  Refuses values that are not finite, and a
 * matrix that packing to the model's format would round. */
int ca1_model_set(ca1_model *model, uint32_t slot, uint32_t layer, const void *data, uint32_t format, uint64_t count);

/* The rotary table, context x head_dim/2, rounded to binary32 (ca1_rope_table makes it). */
int ca1_model_set_rope(ca1_model *model, const float *cosines, const float *sines);

/* CA1_OK once every tensor is there. */
int ca1_model_ready(const ca1_model *model);
uint64_t ca1_model_bytes(const ca1_model *model);

/* A key-value cache with room for `capacity` positions, and the scratch memory of one forward pass. */
ca1_session *ca1_session_new(const ca1_model *model, uint32_t capacity, uint32_t threads, int *status);
void ca1_session_free(ca1_session *session);
uint32_t ca1_session_length(const ca1_session *session);
void ca1_session_truncate(ca1_session *session, uint32_t length);
uint64_t ca1_session_bytes(const ca1_session *session);

/* Appends n tokens.  logits: room for `vocab` numbers, filled from the last token, or NULL.  After a status other
 * than CA1_OK the session's length is what it was. */
int ca1_forward(ca1_session *session, const uint32_t *tokens, uint32_t n, float *logits);

/* -- single operations, on the kernels in use: for tests, vectors and disputes ------------------------------------ */

/* cos and sin of position * inv_freq[i] in binary64 by the definition, rounded to binary32: count x half each. */
void ca1_rope_table(const double *inv_freq, uint32_t half, uint32_t first, uint32_t count, float *cosines, float *sines);

void ca1_op_fma(const float *a, const float *b, const float *c, float *out, uint32_t n);
void ca1_op_exp(const float *x, float *out, uint32_t n);
void ca1_op_silu(const float *gate, const float *up, float *out, uint32_t n);
float ca1_op_sumsq(const float *x, uint32_t n);
void ca1_op_rmsnorm(const float *x, const float *weight, float eps, float *out, uint32_t n);
/* out: n numerators (zeros up to a multiple of 16, which out must have room for); returns the denominator. */
float ca1_op_softmax(const float *scores, float scale, float *out, uint32_t n);
void ca1_op_rope(float *x, const float *cosines, const float *sines, uint32_t heads, uint32_t head_dim);

/* y[t * rows + r] = Dot(w row r, x row t); w: rows x k numbers of `format`, x: tokens x k. */
int ca1_op_matmul(const void *w, uint32_t format, uint32_t rows, uint32_t k, const float *x, uint32_t tokens, float *y);

/* "portable", "avx2" or "avx512": the kernels a call made now would use. */
const char *ca1_kernels(void);
