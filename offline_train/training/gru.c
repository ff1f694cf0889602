/* One step of a GRU for all rows, its gates fused, as torch.nn.GRU computes it; float32.
 *
 * Of each row: gates (3H) is x W_ih' + b_ih on the way in and r, z, n on the way out; from_hidden (3H)
 * is h W_hh'; candidate (H) is what r lets into n. See fused_gru.py, which calls this for each step.
 */
#include <math.h>

/* Below -80 it is 0 in any case, and e^-x would leave the range that fast division can take. */
static inline float logistic(float x) { return 1.0f / (1.0f + expf(-(x > -80.0f ? x : -80.0f))); }

void forward(long rows, long size, float *restrict gates, const float *restrict from_hidden,
             const float *restrict bias, const float *restrict hidden, float *restrict candidate,
             float *restrict next) {
  for (long row = 0; row < rows; ++row) {
    for (long k = 0; k < 2 * size; ++k) gates[k] = logistic(gates[k] + from_hidden[k] + bias[k]);
    const float *r = gates, *z = gates + size;
    float *n = gates + 2 * size;
    for (long k = 0; k < size; ++k) {
      candidate[k] = from_hidden[2 * size + k] + bias[2 * size + k];
      n[k] = 2.0f * logistic(2.0f * (n[k] + r[k] * candidate[k])) - 1.0f; /* tanh */
      next[k] = n[k] + z[k] * (hidden[k] - n[k]);
    }
    gates += 3 * size, from_hidden += 3 * size;
    hidden += size, candidate += size, next += size;
  }
}

/* d_out (H) and d_hidden (H) are the loss by what this step gives, outside and to the next step;
 * d_hidden becomes the part that went straight on, d_from_hidden and d_gates are filled. */
void backward(long rows, long size, const float *restrict d_out, const float *restrict gates,
              const float *restrict hidden, const float *restrict candidate,
              float *restrict d_from_hidden, float *restrict d_gates, float *restrict d_hidden) {
  for (long row = 0; row < rows; ++row) {
    const float *r = gates, *z = gates + size, *n = gates + 2 * size;
    for (long k = 0; k < size; ++k) {
      const float d = d_hidden[k] + d_out[k];
      const float dn = d * (1 - z[k]) * (1 - n[k] * n[k]);
      const float dr = dn * candidate[k] * r[k] * (1 - r[k]);
      const float dz = d * (hidden[k] - n[k]) * z[k] * (1 - z[k]);
      d_gates[k] = d_from_hidden[k] = dr;
      d_gates[size + k] = d_from_hidden[size + k] = dz;
      d_gates[2 * size + k] = dn;
      d_from_hidden[2 * size + k] = dn * r[k];
      d_hidden[k] = d * z[k];
    }
    gates += 3 * size, d_from_hidden += 3 * size, d_gates += 3 * size;
    d_out += size, hidden += size, candidate += size, d_hidden += size;
  }
}
