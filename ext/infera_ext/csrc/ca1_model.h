/* A loaded model and its sessions, as ca1_model.c and ca1_session.c see them. */
#ifndef INFERA_CA1_MODEL_H
#define INFERA_CA1_MODEL_H
#include "ca1_kernels.h"

typedef struct {
  float *attn_norm, *mlp_norm, *bias; /* bias: q, k, v one after the other; zeros where the model has none */
  int has_bias;
  ca1_matrix qkv, o, gate_up, down;
  uint32_t filled; /* a bit for every slot */
} ca1_layer;

struct ca1_model {
  ca1_config c;
  size_t q_rows, kv_rows;
  ca1_matrix embed, head; /* head.data is NULL where it is tied */
  float *norm, *cosines, *sines;
  ca1_layer *layers;
  uint32_t filled;
  int has_rope;
  uint64_t bytes;
};

#endif
