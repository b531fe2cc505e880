// Row kernels: sums of broadcast parts with their activation, and log densities summed over an event. Plain C
// interface, float32, contiguous rows. Everything is computed in one pass over memory; nothing is stored for the
// backward pass beyond inputs and outputs that exist anyway. Shapes and strides are checked by the Python side.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

constexpr int kMaxDims = 6;

// Where the rows of one operand are: an offset per leading dimension (0 where it does not vary), and whether its rows
// hold one number per element (step 1) or a single one for all (step 0). Offsets are in elements.
struct Operand {
  float* data;
  int64_t strides[kMaxDims];
  int64_t step;
};

// The leading dimensions that all operands broadcast over, and the width of a row.
struct Frame {
  int64_t dims;
  int64_t sizes[kMaxDims];
  int64_t width;

  int64_t rows() const {
    int64_t total = 1;
    for (int64_t d = 0; d < dims; ++d) total *= sizes[d];
    return total;
  }
};

inline float* row_of(const Operand& operand, const Frame& frame, int64_t row) {
  int64_t offset = 0;
  for (int64_t d = frame.dims - 1; d >= 0; --d) {
    offset += (row % frame.sizes[d]) * operand.strides[d];
    row /= frame.sizes[d];
  }
  return operand.data + offset;
}

inline int threads_for(int64_t work, int64_t least) {
#ifdef _OPENMP
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(omp_get_max_threads(), work / least)));
#else
  return 1;
#endif
}

// --- elementary functions that vectorise; relative error below 3e-7 over the range of a float --------------------

inline float power_of_two(float n) {
  int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// exp(x) = 2^n (1 + tail), x = n log 2 + r, |r| <= log 2 / 2, tail = exp(r) - 1; NaN stays NaN.
struct Exponential {
  float whole, tail;
};

inline Exponential exponential(float x) {
  x = x > 88.0f ? 88.0f : x;
  x = x < -87.0f ? -87.0f : x;
  const float n = __builtin_rintf(x * 1.44269504f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return {power_of_two(n), p * r * r + r};
}

inline float exp_of(float x) {
  const Exponential e = exponential(x);
  return e.whole * e.tail + e.whole;
}

// exp(x) - 1, with all its digits near zero.
inline float expm1_of(float x) {
  const Exponential e = exponential(x);
  return e.whole * e.tail + (e.whole - 1.0f);
}

// log(1 + t) for t in [0, 1]: 2 artanh(t / (2 + t)).
inline float log1p_unit(float t) {
  const float s = t / (2.0f + t), q = s * s;
  float p = 1.0f / 15;
  p = p * q + 1.0f / 13;
  p = p * q + 1.0f / 11;
  p = p * q + 1.0f / 9;
  p = p * q + 1.0f / 7;
  p = p * q + 1.0f / 5;
  p = p * q + 1.0f / 3;
  return 2.0f * s * (p * q + 1.0f);
}

// log of a positive normal number: exponent, then 2 artanh((m - 1) / (m + 1)) for m in [1 / sqrt 2, sqrt 2).
inline float log_of(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const int32_t shifted = bits - 0x3f3504f3;
  const float exponent = static_cast<float>(shifted >> 23);
  bits = (shifted & 0x007fffff) + 0x3f3504f3;
  float m;
  std::memcpy(&m, &bits, sizeof m);
  const float s = (m - 1.0f) / (m + 1.0f), q = s * s;
  float p = 1.0f / 9;
  p = p * q + 1.0f / 7;
  p = p * q + 1.0f / 5;
  p = p * q + 1.0f / 3;
  return exponent * 0.693147181f + 2.0f * s * (p * q + 1.0f);
}

inline float absolute(float x) { return x < 0 ? -x : x; }

inline float exp_of_minus_abs(float x) { return exp_of(-absolute(x)); }

inline float softplus_of(float x) { return (x < 0 ? 0.0f : x) + log1p_unit(exp_of_minus_abs(x)); }

inline float sigmoid_of(float x) {
  const float t = exp_of_minus_abs(x);
  return (x > 0 ? 1.0f : t) / (1.0f + t);
}

// --- activations, each with its derivative as a function of its output -------------------------------------------

struct Identity {
  static float value(float x) { return x; }
  static float slope(float) { return 1.0f; }
};
struct Relu {
  static float value(float x) { return x < 0 ? 0.0f : x; }
  static float slope(float y) { return y > 0 ? 1.0f : 0.0f; }
};
struct LeakyRelu {
  static float value(float x) { return x > 0 ? x : 0.01f * x; }
  static float slope(float y) { return y > 0 ? 1.0f : 0.01f; }
};
struct Elu {
  static float value(float x) { return x > 0 ? x : expm1_of(x); }
  static float slope(float y) { return y > 0 ? 1.0f : y + 1.0f; }
};
struct Softplus {
  static float value(float x) { return softplus_of(x); }
  static float slope(float y) { return -expm1_of(-y); }
};
struct Sigmoid {
  static float value(float x) { return sigmoid_of(x); }
  static float slope(float y) { return y * (1.0f - y); }
};
struct Tanh {
  // expm1(-2 |x|) / (expm1(-2 |x|) + 2), with the sign put back
  static float value(float x) {
    const float e = expm1_of(-2.0f * absolute(x));
    const float magnitude = -e / (e + 2.0f);
    return x < 0 ? -magnitude : magnitude;
  }
  static float slope(float y) { return 1.0f - y * y; }
};

template <class A>
void sum_activate(const Frame& frame, const Operand* parts, int64_t count, float* out) {
  const int64_t rows = frame.rows(), width = frame.width;
#pragma omp parallel for schedule(static) num_threads(threads_for(rows * width, 8192))
  for (int64_t row = 0; row < rows; ++row) {
    float* target = out + row * width;
    const float* first = row_of(parts[0], frame, row);
    if (count == 1) {
      for (int64_t j = 0; j < width; ++j) target[j] = A::value(first[j]);
      continue;
    }
    const float* second = row_of(parts[1], frame, row);
    if (count == 2) {
      for (int64_t j = 0; j < width; ++j) target[j] = A::value(first[j] + second[j]);
      continue;
    }
    for (int64_t j = 0; j < width; ++j) target[j] = first[j] + second[j];
    for (int64_t k = 2; k + 1 < count; ++k) {
      const float* next = row_of(parts[k], frame, row);
      for (int64_t j = 0; j < width; ++j) target[j] += next[j];
    }
    const float* last = row_of(parts[count - 1], frame, row);
    for (int64_t j = 0; j < width; ++j) target[j] = A::value(target[j] + last[j]);
  }
}

// grad_sum (may be null): the gradient of the sum, [rows, width]. sums: parts that broadcast, whose gradients add up.
// Threads share the columns, so that each adds to numbers of its own.
template <class A>
void sum_activate_backward(const Frame& frame, const float* grad, const float* out, float* grad_sum,
                           const Operand* sums, int64_t count) {
  const int64_t rows = frame.rows(), width = frame.width;
  const int threads = threads_for(std::min<int64_t>(rows * width / 8192, width / 32), 1);
  const int64_t share = ((width + threads - 1) / threads + 15) / 16 * 16;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int thread = 0; thread < threads; ++thread) {
    const int64_t begin = std::min<int64_t>(width, thread * share), end = std::min<int64_t>(width, begin + share);
    std::vector<float> buffer(static_cast<size_t>(std::max<int64_t>(end - begin, 1)));
    for (int64_t row = 0; row < rows; ++row) {
      const float* g = grad + row * width;
      const float* y = out + row * width;
      float* target = grad_sum ? grad_sum + row * width + begin : buffer.data();
      for (int64_t j = begin; j < end; ++j) target[j - begin] = g[j] * A::slope(y[j]);
      for (int64_t k = 0; k < count; ++k) {
        float* total = row_of(sums[k], frame, row) + begin;
        for (int64_t j = 0; j < end - begin; ++j) total[j] += target[j];
      }
    }
  }
}

// --- densities: value and derivatives of one element --------------------------------------------------------------
// p: parameters; the last entry of p is the value. gradient: d value / d p, in the same order.

struct Bernoulli {  // logits, value
  static constexpr int kInputs = 2;
  static float value(const float* p) { return p[1] * p[0] - softplus_of(p[0]); }
  static void gradient(const float* p, float* d) {
    d[0] = p[1] - sigmoid_of(p[0]);
    d[1] = p[0];
  }
};
struct Normal {  // loc, scale, value
  static constexpr int kInputs = 3;
  static float value(const float* p) {
    const float z = (p[2] - p[0]) / p[1];
    return -0.5f * z * z - log_of(p[1]) - 0.918938533f;
  }
  static void gradient(const float* p, float* d) {
    const float inverse = 1.0f / p[1], z = (p[2] - p[0]) * inverse;
    d[0] = z * inverse;
    d[1] = (z * z - 1.0f) * inverse;
    d[2] = -d[0];
  }
};
struct Laplace {  // loc, scale, value
  static constexpr int kInputs = 3;
  static float value(const float* p) { return -absolute(p[2] - p[0]) / p[1] - log_of(p[1]) - 0.693147181f; }
  static void gradient(const float* p, float* d) {
    const float inverse = 1.0f / p[1], shift = p[2] - p[0];
    const float sign = shift > 0 ? 1.0f : (shift < 0 ? -1.0f : 0.0f);
    d[0] = sign * inverse;
    d[1] = (absolute(shift) * inverse - 1.0f) * inverse;
    d[2] = -d[0];
  }
};
struct NormalDivergence {  // q's loc and scale, p's loc and scale: KL(q || p)
  static constexpr int kInputs = 4;
  static float value(const float* p) {
    const float ratio = p[1] / p[3], shift = (p[0] - p[2]) / p[3];
    return 0.5f * (ratio * ratio + shift * shift - 1.0f) - log_of(ratio);
  }
  static void gradient(const float* p, float* d) {
    const float inverse = 1.0f / p[3], ratio = p[1] * inverse, shift = (p[0] - p[2]) * inverse;
    d[0] = shift * inverse;
    d[1] = ratio * inverse - 1.0f / p[1];
    d[2] = -d[0];
    d[3] = (1.0f - ratio * ratio - shift * shift) * inverse;
  }
};

constexpr int64_t kBlock = 64;

// Sums go block by block: 64 running sums, then one pairwise round, so that long rows lose no digits.
template <class F>
void row_sums(const Frame& frame, const Operand* inputs, float* out) {
  const int64_t rows = frame.rows(), width = frame.width;
#pragma omp parallel for schedule(static) num_threads(threads_for(rows * width, 4096))
  for (int64_t row = 0; row < rows; ++row) {
    const float* at[F::kInputs];
    for (int k = 0; k < F::kInputs; ++k) at[k] = row_of(inputs[k], frame, row);
    float sums[kBlock] = {0.0f};
    for (int64_t begin = 0; begin < width; begin += kBlock) {
      const int64_t n = std::min(kBlock, width - begin);
      float block[F::kInputs][kBlock];
      for (int k = 0; k < F::kInputs; ++k) {
        if (inputs[k].step) {
          for (int64_t j = 0; j < n; ++j) block[k][j] = at[k][begin + j];
        } else {
          for (int64_t j = 0; j < n; ++j) block[k][j] = at[k][0];
        }
      }
      for (int64_t j = 0; j < n; ++j) {
        float p[F::kInputs];
        for (int k = 0; k < F::kInputs; ++k) p[k] = block[k][j];
        sums[j] += F::value(p);
      }
    }
    double total = 0.0;
    for (int64_t j = 0; j < kBlock; ++j) total += sums[j];
    out[row] = static_cast<float>(total);
  }
}

// grads: for each input its gradient [rows, width], or null where nobody asks.
template <class F>
void row_sums_backward(const Frame& frame, const Operand* inputs, const float* grad, float* const* grads) {
  const int64_t rows = frame.rows(), width = frame.width;
#pragma omp parallel for schedule(static) num_threads(threads_for(rows * width, 4096))
  for (int64_t row = 0; row < rows; ++row) {
    const float* at[F::kInputs];
    for (int k = 0; k < F::kInputs; ++k) at[k] = row_of(inputs[k], frame, row);
    const float g = grad[row];
    for (int64_t begin = 0; begin < width; begin += kBlock) {
      const int64_t n = std::min(kBlock, width - begin);
      float block[F::kInputs][kBlock], slopes[F::kInputs][kBlock];
      for (int k = 0; k < F::kInputs; ++k) {
        if (inputs[k].step) {
          for (int64_t j = 0; j < n; ++j) block[k][j] = at[k][begin + j];
        } else {
          for (int64_t j = 0; j < n; ++j) block[k][j] = at[k][0];
        }
      }
      for (int64_t j = 0; j < n; ++j) {
        float p[F::kInputs], d[F::kInputs];
        for (int k = 0; k < F::kInputs; ++k) p[k] = block[k][j];
        F::gradient(p, d);
        for (int k = 0; k < F::kInputs; ++k) slopes[k][j] = d[k];
      }
      for (int k = 0; k < F::kInputs; ++k) {
        if (!grads[k]) continue;
        float* target = grads[k] + row * width + begin;
        for (int64_t j = 0; j < n; ++j) target[j] = g * slopes[k][j];
      }
    }
  }
}

}  // namespace

extern "C" {

#define ACTIVATION(NAME, TYPE)                                                                                       \
  void activate_##NAME(const Frame* frame, const Operand* parts, int64_t count, float* out) {                        \
    sum_activate<TYPE>(*frame, parts, count, out);                                                                   \
  }                                                                                                                  \
  void activate_backward_##NAME(const Frame* frame, const float* grad, const float* out, float* grad_sum,            \
                                const Operand* sums, int64_t count) {                                                \
    sum_activate_backward<TYPE>(*frame, grad, out, grad_sum, sums, count);                                           \
  }

#define DENSITY(NAME, TYPE)                                                                                          \
  void density_##NAME(const Frame* frame, const Operand* inputs, float* out) {                                       \
    row_sums<TYPE>(*frame, inputs, out);                                                                             \
  }                                                                                                                  \
  void density_backward_##NAME(const Frame* frame, const Operand* inputs, const float* grad, float* const* grads) {  \
    row_sums_backward<TYPE>(*frame, inputs, grad, grads);                                                            \
  }

ACTIVATION(identity, Identity)
ACTIVATION(relu, Relu)
ACTIVATION(leaky_relu, LeakyRelu)
ACTIVATION(elu, Elu)
ACTIVATION(softplus, Softplus)
ACTIVATION(sigmoid, Sigmoid)
ACTIVATION(tanh, Tanh)

DENSITY(bernoulli, Bernoulli)
DENSITY(normal, Normal)
DENSITY(laplace, Laplace)
DENSITY(normal_divergence, NormalDivergence)
}
