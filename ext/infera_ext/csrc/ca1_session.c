/* The forward pass.  Work is split across outputs only (rows of a matrix, heads, tokens), so neither the number of
 * threads nor the chunks of a prompt can change a bit.
 *
 * Keys are held as panels of 16 positions, head_dim columns each, which makes scores a matrix product like the others;
 * values as rows of head_dim numbers filled up to a multiple of 16. */
#include "ca1_model.h"

#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#define CHUNK (8 * CA1_TILE) /* tokens that go through a layer together */

struct ca1_session {
  const ca1_model *m;
  uint32_t capacity, length, threads;
  int broken;
  size_t positions, ldv; /* capacity and head_dim, filled up to 16 */
  float *keys, *values;  /* [layer][kv head][positions * head_dim or ldv] */
  float *x, *h, *packed, *qkv, *att, *inner, *logits;
  float *scratch;        /* a thread's part: scores, weights, query tile, output tile */
  size_t scratch_step;
  size_t ld_x, ld_qkv, ld_inner;
  uint64_t bytes;
};

typedef void (*work)(void *what, size_t i, size_t worker);

/* work(what, i, worker) for every i < count. */
static void spread(uint32_t threads, size_t count, work fn, void *what) {
#ifdef _OPENMP
  if (threads > 1 && count > 1) {
#pragma omp parallel for num_threads((int)(threads < count ? threads : count)) schedule(static, 1)
    for (size_t i = 0; i < count; i++) {
      const uint64_t saved = ca1_fp_enter();
      fn(what, i, (size_t)omp_get_thread_num());
      ca1_fp_leave(saved);
    }
    return;
  }
#endif
  (void)threads;
  for (size_t i = 0; i < count; i++) fn(what, i, 0);
}

/* -- matrix product ---------------------------------------------------------------------------------------------- */

typedef struct {
  const ca1_kernel_set *kernels;
  const ca1_matrix *w;
  const float *x;
  float *y;
  size_t n, ldy, shares;
} product;

static void product_share(void *what, size_t share, size_t worker) {
  const product *j = what;
  const ca1_matrix *w = j->w;
  (void)worker;
  const size_t pairs = (w->panels + 1) / 2;
  size_t panel = pairs * share / j->shares * 2, end = pairs * (share + 1) / j->shares * 2;
  end = end < w->panels ? end : w->panels;
  /* One token: all panels in one call.  Several: a pair of panels stays in cache while the tiles pass by. */
  const size_t by = j->n <= CA1_TILE ? end - panel : 2;
  for (; panel < end; panel += by) {
    const size_t count = panel + by < end ? by : end - panel;
    for (size_t t = 0; t < j->n; t += CA1_TILE)
      j->kernels->matmul(w->data + panel * w->step, w->step, count, w->format, w->padded, j->x + t * w->padded,
                         ca1_tile(j->n - t), j->y + t * j->ldy + panel * CA1_PANEL, j->ldy);
  }
}

typedef struct {
  ca1_session *s;
  const ca1_kernel_set *kernels;
  const float *x, *weight;
  size_t ldx, n, k, padded;
} input;

/* One tile of inputs: normalised if there is a weight, then packed. */
static void input_tile(void *what, size_t tile, size_t worker) {
  const input *j = what;
  (void)worker;
  const size_t t = tile * CA1_TILE, n = j->n - t < CA1_TILE ? j->n - t : CA1_TILE;
  const float *from = j->x + t * j->ldx;
  if (j->weight) {
    float *to = j->s->h + t * j->ldx;
    for (size_t i = 0; i < n; i++)
      j->kernels->rmsnorm(from + i * j->ldx, j->weight, j->s->m->c.eps, to + i * j->ldx, j->k);
    from = to;
  }
  ca1_pack_tile(from, j->ldx, n, j->k, j->padded, j->s->packed + t * j->padded);
}

static void multiply(ca1_session *s, const ca1_kernel_set *kernels, const ca1_matrix *w, const float *x, size_t ldx,
                     const float *norm, size_t n, float *y, size_t ldy) {
  input in = {s, kernels, x, norm, ldx, n, w->k, w->padded};
  spread(s->threads, (n + CA1_TILE - 1) / CA1_TILE, input_tile, &in);
  product p = {kernels, w, s->packed, y, n, ldy, s->threads};
  spread(s->threads, p.shares, product_share, &p);
}

/* -- attention --------------------------------------------------------------------------------------------------- */

typedef struct {
  ca1_session *s;
  const ca1_kernel_set *kernels;
  float *keys, *values; /* of the layer */
  size_t n, start, group, tiles;
} attention;

/* Bias, rotation and the cache entries of one token. */
static void enter_token(const attention *j, const ca1_layer *l, size_t t) {
  ca1_session *s = j->s;
  const ca1_config *c = &s->m->c;
  const size_t d = c->head_dim, half = d / 2, pos = j->start + t;
  float *q = s->qkv + t * s->ld_qkv, *k = q + s->m->q_rows, *v = k + s->m->kv_rows;
  if (l->has_bias)
    for (size_t i = 0; i < s->m->q_rows + 2 * s->m->kv_rows; i++) q[i] += l->bias[i];
  j->kernels->rope(q, s->m->cosines + pos * half, s->m->sines + pos * half, c->heads + c->kv_heads, d);
  for (size_t h = 0; h < c->kv_heads; h++) {
    float *key = j->keys + h * s->positions * d + pos / CA1_PANEL * CA1_PANEL * d + pos % CA1_PANEL;
    for (size_t i = 0; i < d; i++) key[i * CA1_PANEL] = k[h * d + i];
    memcpy(j->values + (h * s->positions + pos) * s->ldv, v + h * d, d * sizeof *v);
  }
}

/* Up to 12 rows (token, query head of one group) against one key-value head. */
static void attend_tile(void *what, size_t i, size_t worker) {
  const attention *j = what;
  ca1_session *s = j->s;
  const size_t d = s->m->c.head_dim, h = i / j->tiles, first = i % j->tiles * CA1_TILE;
  const size_t rows = j->n * j->group - first < CA1_TILE ? j->n * j->group - first : CA1_TILE;
  const size_t last = j->start + (first + rows - 1) / j->group + 1; /* positions the last row sees */
  const size_t full = ca1_up(last, CA1_PANEL), ld = s->positions;
  const unsigned tile = ca1_tile(rows);
  float *scores = s->scratch + worker * s->scratch_step, *e = scores + CA1_TILE * ld;
  float *q = e + CA1_TILE * ld, *out = q + CA1_TILE * d;
  float den[CA1_TILE];
  for (size_t r = 0; r < tile; r++) {
    const size_t t = (first + r) / j->group, g = (first + r) % j->group;
    const float *from = s->qkv + t * s->ld_qkv + (h * j->group + g) * d;
    for (size_t k = 0; k < d; k++) q[k * tile + r] = r < rows ? from[k] : 0.0f;
  }
  j->kernels->matmul(j->keys + h * s->positions * d, CA1_PANEL * d * sizeof(float), full / CA1_PANEL, CA1_F32, d, q,
                     tile, scores, ld);
  for (size_t r = 0; r < tile; r++) {
    float *row = scores + r * ld;
    size_t seen = 0;
    if (r < rows) {
      seen = j->start + (first + r) / j->group + 1;
      den[r] = j->kernels->softmax(row, s->m->c.scale, row, seen);
    }
    for (size_t k = ca1_up(seen, CA1_PANEL); k < full; k++) row[k] = 0.0f;
    if (tile > 1)
      for (size_t k = 0; k < last; k++) e[k * tile + r] = row[k];
  }
  j->kernels->mix(tile > 1 ? e : scores, j->values + h * s->positions * s->ldv, last, s->ldv, s->ldv, tile, out,
                  s->ldv);
  for (size_t r = 0; r < rows; r++) {
    const size_t t = (first + r) / j->group, g = (first + r) % j->group;
    float *to = s->att + t * s->m->q_rows + (h * j->group + g) * d;
    for (size_t k = 0; k < d; k++) to[k] = out[r * s->ldv + k] / den[r];
  }
}

/* -- layers ------------------------------------------------------------------------------------------------------ */

static void add_rows(float *x, const float *y, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] += y[i];
}

static void run_layer(ca1_session *s, const ca1_kernel_set *kernels, uint32_t index, size_t n, size_t start) {
  const ca1_model *m = s->m;
  const ca1_layer *l = &m->layers[index];
  const size_t inner = m->c.intermediate, kv = m->c.kv_heads;
  attention a = {s, kernels, s->keys + index * kv * s->positions * m->c.head_dim,
                 s->values + index * kv * s->positions * s->ldv, n, start, m->c.heads / kv, 0};
  multiply(s, kernels, &l->qkv, s->x, s->ld_x, l->attn_norm, n, s->qkv, s->ld_qkv);
  for (size_t t = 0; t < n; t++) enter_token(&a, l, t);
  a.tiles = (n * a.group + CA1_TILE - 1) / CA1_TILE;
  spread(s->threads, kv * a.tiles, attend_tile, &a);
  multiply(s, kernels, &l->o, s->att, m->q_rows, NULL, n, s->h, s->ld_x);
  add_rows(s->x, s->h, n * s->ld_x);
  multiply(s, kernels, &l->gate_up, s->x, s->ld_x, l->mlp_norm, n, s->inner, s->ld_inner);
  for (size_t t = 0; t < n; t++) {
    float *gate = s->inner + t * s->ld_inner;
    kernels->silu(gate, gate + inner, gate, inner);
  }
  multiply(s, kernels, &l->down, s->inner, s->ld_inner, NULL, n, s->h, s->ld_x);
  add_rows(s->x, s->h, n * s->ld_x);
}

static int all_finite(const float *x, size_t n) {
  uint32_t bad = 0;
  for (size_t i = 0; i < n; i++) {
    uint32_t u;
    memcpy(&u, x + i, 4);
    bad |= (u & 0x7f800000u) == 0x7f800000u;
  }
  return !bad;
}

static int forward(ca1_session *s, const uint32_t *tokens, uint32_t n, float *logits) {
  const ca1_kernel_set *kernels = ca1_pick();
  const ca1_model *m = s->m;
  const ca1_matrix *head = m->c.tied ? &m->embed : &m->head;
  for (uint32_t at = 0; at < n;) {
    const size_t count = n - at < CHUNK ? n - at : CHUNK;
    for (size_t t = 0; t < count; t++) ca1_matrix_row(&m->embed, tokens[at + t], s->x + t * s->ld_x);
    for (uint32_t i = 0; i < m->c.layers; i++) run_layer(s, kernels, i, count, s->length + at);
    if (!all_finite(s->x, count * s->ld_x)) return CA1_NOT_FINITE;
    at += (uint32_t)count;
    if (at == n && logits) {
      multiply(s, kernels, head, s->x + (count - 1) * s->ld_x, s->ld_x, m->norm, 1, s->logits, head->panels * 16);
      if (!all_finite(s->logits, m->c.vocab)) return CA1_NOT_FINITE;
      memcpy(logits, s->logits, m->c.vocab * sizeof *logits);
    }
  }
  s->length += n;
  return CA1_OK;
}

int ca1_forward(ca1_session *s, const uint32_t *tokens, uint32_t n, float *logits) {
  if (s->broken) return CA1_NOT_FINITE;
  if (n > s->capacity - s->length) return CA1_CAPACITY;
  for (uint32_t i = 0; i < n; i++)
    if (tokens[i] >= s->m->c.vocab) return CA1_BAD_TOKEN;
  const uint64_t saved = ca1_fp_enter();
  const int status = forward(s, tokens, n, logits);
  ca1_fp_leave(saved);
  s->broken = status == CA1_NOT_FINITE; /* the cache may hold what must not be read again */
  return status;
}

/* -- life -------------------------------------------------------------------------------------------------------- */

static float *room(ca1_session *s, size_t n) {
  s->bytes += n * sizeof(float);
  return ca1_alloc(n * sizeof(float));
}

ca1_session *ca1_session_new(const ca1_model *m, uint32_t capacity, uint32_t threads, int *status) {
  *status = ca1_model_ready(m);
  if (*status != CA1_OK) return NULL;
  *status = CA1_CAPACITY;
  if (capacity == 0 || capacity > m->c.context) return NULL;
  *status = CA1_NO_MEMORY;
  ca1_session *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  const ca1_config *c = &m->c;
  const size_t chunk = capacity < CHUNK ? ca1_up(capacity, CA1_TILE) : CHUNK;
  s->m = m;
  s->capacity = capacity;
  s->threads = threads < 1 ? 1 : threads > 256 ? 256 : threads;
  s->positions = ca1_up(capacity, CA1_PANEL);
  s->ldv = ca1_up(c->head_dim, CA1_PANEL);
  s->ld_x = ca1_up(c->hidden, CA1_PANEL);
  s->ld_qkv = ca1_up(m->q_rows + 2 * m->kv_rows, CA1_PANEL);
  s->ld_inner = ca1_up(2 * (size_t)c->intermediate, CA1_PANEL);
  size_t widest = s->ld_x > ca1_up(m->q_rows, 16) ? s->ld_x : ca1_up(m->q_rows, 16);
  widest = widest > ca1_up(c->intermediate, 16) ? widest : ca1_up(c->intermediate, 16);
  const size_t heads = (size_t)c->layers * c->kv_heads * s->positions;
  s->scratch_step = ca1_up(2 * CA1_TILE * s->positions + CA1_TILE * (c->head_dim + s->ldv), 16);
  s->keys = room(s, heads * c->head_dim);
  s->values = room(s, heads * s->ldv);
  s->x = room(s, chunk * s->ld_x);
  s->h = room(s, chunk * s->ld_x);
  s->packed = room(s, chunk * widest);
  s->qkv = room(s, chunk * s->ld_qkv);
  s->att = room(s, chunk * m->q_rows);
  s->inner = room(s, chunk * s->ld_inner);
  s->logits = room(s, ca1_up(c->vocab, CA1_PANEL));
  s->scratch = room(s, s->threads * s->scratch_step);
  if (!s->keys || !s->values || !s->x || !s->h || !s->packed || !s->qkv || !s->att || !s->inner || !s->logits ||
      !s->scratch) {
    ca1_session_free(s);
    return NULL;
  }
  *status = CA1_OK;
  return s;
}

void ca1_session_free(ca1_session *s) {
  if (!s) return;
  float *all[] = {s->keys, s->values, s->x, s->h, s->packed, s->qkv, s->att, s->inner, s->logits, s->scratch};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) ca1_release(all[i]);
  free(s);
}

uint32_t ca1_session_length(const ca1_session *s) { return s->length; }

void ca1_session_truncate(ca1_session *s, uint32_t length) {
  if (length < s->length) s->length = length;
}

uint64_t ca1_session_bytes(const ca1_session *s) { return s->bytes; }
