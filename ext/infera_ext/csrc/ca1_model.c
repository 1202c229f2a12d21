/* Loading a model: sizes are checked once, then tensors are widened or packed one by one. */
#include "ca1_model.h"

#include <stdlib.h>
#include <string.h>

#define BIT(slot) (1u << (slot))
#define LAYER_SLOTS                                                                                              \
  (BIT(CA1_ATTN_NORM) | BIT(CA1_MLP_NORM) | BIT(CA1_Q) | BIT(CA1_K) | BIT(CA1_V) | BIT(CA1_O) | BIT(CA1_GATE) |  \
   BIT(CA1_UP) | BIT(CA1_DOWN))

static int shape_is_defined(const ca1_config *c) {
  const uint32_t sizes[] = {c->vocab, c->hidden, c->intermediate, c->layers, c->heads, c->kv_heads, c->head_dim,
                            c->context};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    if (sizes[i] == 0 || sizes[i] > 1u << 24) return 0;
  if (c->format > CA1_BF16 || c->tied > 1) return 0;
  if (c->head_dim % 8 || c->head_dim > 1024 || c->heads % c->kv_heads || c->heads > 4096) return 0;
  return c->eps >= 0.0f && c->eps < 1.0f && c->scale > 0.0f && c->scale <= 1.0f;
}

static float *floats(ca1_model *m, size_t n) {
  m->bytes += n * sizeof(float);
  return ca1_alloc(n * sizeof(float));
}

static int matrix(ca1_model *m, ca1_matrix *to, size_t rows, size_t k) {
  const int status = ca1_matrix_new(to, rows, k, m->c.format);
  m->bytes += to->panels * to->step;
  return status == CA1_OK;
}

static int allocate(ca1_model *m) {
  const ca1_config *c = &m->c;
  const size_t table = (size_t)c->context * (c->head_dim / 2);
  m->norm = floats(m, c->hidden);
  m->cosines = floats(m, table);
  m->sines = floats(m, table);
  m->layers = calloc(c->layers, sizeof *m->layers);
  if (!m->norm || !m->cosines || !m->sines || !m->layers) return 0;
  if (!matrix(m, &m->embed, c->vocab, c->hidden)) return 0;
  if (!c->tied && !matrix(m, &m->head, c->vocab, c->hidden)) return 0;
  for (uint32_t i = 0; i < c->layers; i++) {
    ca1_layer *l = &m->layers[i];
    l->attn_norm = floats(m, c->hidden);
    l->mlp_norm = floats(m, c->hidden);
    l->bias = floats(m, m->q_rows + 2 * m->kv_rows);
    if (!l->attn_norm || !l->mlp_norm || !l->bias) return 0;
    if (!matrix(m, &l->qkv, m->q_rows + 2 * m->kv_rows, c->hidden) || !matrix(m, &l->o, c->hidden, m->q_rows) ||
        !matrix(m, &l->gate_up, 2 * (size_t)c->intermediate, c->hidden) ||
        !matrix(m, &l->down, c->hidden, c->intermediate))
      return 0;
  }
  return 1;
}

ca1_model *ca1_model_new(const ca1_config *config, int *status) {
  *status = CA1_BAD_SHAPE;
  if (!shape_is_defined(config)) return NULL;
  *status = CA1_NO_MEMORY;
  ca1_model *m = calloc(1, sizeof *m);
  if (!m) return NULL;
  m->c = *config;
  m->q_rows = (size_t)config->heads * config->head_dim;
  m->kv_rows = (size_t)config->kv_heads * config->head_dim;
  if (!allocate(m)) {
    ca1_model_free(m);
    return NULL;
  }
  *status = CA1_OK;
  return m;
}

void ca1_model_free(ca1_model *m) {
  if (!m) return;
  for (uint32_t i = 0; m->layers && i < m->c.layers; i++) {
    ca1_layer *l = &m->layers[i];
    ca1_release(l->attn_norm);
    ca1_release(l->mlp_norm);
    ca1_release(l->bias);
    ca1_release(l->qkv.data);
    ca1_release(l->o.data);
    ca1_release(l->gate_up.data);
    ca1_release(l->down.data);
  }
  free(m->layers);
  ca1_release(m->embed.data);
  ca1_release(m->head.data);
  ca1_release(m->norm);
  ca1_release(m->cosines);
  ca1_release(m->sines);
  free(m);
}

int ca1_model_set(ca1_model *m, uint32_t slot, uint32_t layer, const void *data, uint32_t format, uint64_t count) {
  const ca1_config *c = &m->c;
  if (slot > CA1_V_BIAS || layer >= c->layers || (slot <= CA1_NORM && layer)) return CA1_BAD_SHAPE;
  ca1_layer *l = &m->layers[layer];
  const size_t q = m->q_rows, kv = m->kv_rows, inner = c->intermediate;
  ca1_matrix *to = NULL;
  float *vector = NULL;
  size_t first = 0, rows = 0;
  switch (slot) {
    case CA1_EMBED: to = &m->embed, rows = c->vocab; break;
    case CA1_HEAD: to = c->tied ? NULL : &m->head, rows = c->vocab; break;
    case CA1_NORM: vector = m->norm, rows = c->hidden; break;
    case CA1_ATTN_NORM: vector = l->attn_norm, rows = c->hidden; break;
    case CA1_MLP_NORM: vector = l->mlp_norm, rows = c->hidden; break;
    case CA1_Q: to = &l->qkv, rows = q; break;
    case CA1_K: to = &l->qkv, first = q, rows = kv; break;
    case CA1_V: to = &l->qkv, first = q + kv, rows = kv; break;
    case CA1_O: to = &l->o, rows = c->hidden; break;
    case CA1_GATE: to = &l->gate_up, rows = inner; break;
    case CA1_UP: to = &l->gate_up, first = inner, rows = inner; break;
    case CA1_DOWN: to = &l->down, rows = c->hidden; break;
    case CA1_Q_BIAS: vector = l->bias, rows = q; break;
    case CA1_K_BIAS: vector = l->bias + q, rows = kv; break;
    default: vector = l->bias + q + kv, rows = kv;
  }
  int status = CA1_BAD_SHAPE;
  if (to && count == (uint64_t)rows * to->k) status = ca1_matrix_fill(to, first, rows, data, format);
  if (vector && count == rows) status = ca1_widen(data, format, rows, vector);
  if (status != CA1_OK) return status;
  if (slot <= CA1_NORM) m->filled |= BIT(slot);
  else l->filled |= BIT(slot);
  if (slot >= CA1_Q_BIAS) l->has_bias = 1;
  return CA1_OK;
}

int ca1_model_set_rope(ca1_model *m, const float *cosines, const float *sines) {
  const size_t table = (size_t)m->c.context * (m->c.head_dim / 2);
  int status = ca1_widen(cosines, CA1_F32, table, m->cosines);
  if (status == CA1_OK) status = ca1_widen(sines, CA1_F32, table, m->sines);
  m->has_rope = status == CA1_OK;
  return status;
}

int ca1_model_ready(const ca1_model *m) {
  const uint32_t own = BIT(CA1_EMBED) | BIT(CA1_NORM) | (m->c.tied ? 0 : BIT(CA1_HEAD));
  if ((m->filled & own) != own || !m->has_rope) return CA1_INCOMPLETE;
  for (uint32_t i = 0; i < m->c.layers; i++)
    if ((m->layers[i].filled & LAYER_SLOTS) != LAYER_SLOTS) return CA1_INCOMPLETE;
  return CA1_OK;
}

uint64_t ca1_model_bytes(const ca1_model *m) { return m->bytes; }
