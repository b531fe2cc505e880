// Row kernels: sums of broadcast parts with their activation, and log densities summed over an event. Plain C
// interface, contiguous rows of float32 or bfloat16, mixed as they come. A row goes block by block through the first
// level of cache, where everything is float32: numbers are converted as they are read and written, once. Nothing is
// stored for the backward pass beyond inputs and outputs that exist anyway. Shapes and strides are checked by the
// Python side.

#include <algorithm>
#include <cstdint>
#include <cstring>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

constexpr int kMaxDims = 6;
constexpr int kMaxParts = 16;
constexpr int64_t kBlock = 64;
constexpr int64_t kLanes = 16;

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

// --- float32 and bfloat16, the upper half of a float32 -------------------------------------------------------------

inline float widened(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// To the nearest, ties to even; infinities stay, and NaN stays NaN.
inline uint16_t narrowed(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return static_cast<uint16_t>((x == x ? rounded : bits | 0x400000u) >> 16);
}

// g(j) for j < n: the compiler sees the usual n.
template <class G>
inline void each(int64_t n, G g) {
  if (n == kBlock) {
    for (int64_t j = 0; j < kBlock; ++j) g(j);
  } else {
    for (int64_t j = 0; j < n; ++j) g(j);
  }
}

// The same up to the next full vector: what lies beyond n in a block is computed and never read.
template <class G>
inline void each_lane(int64_t n, G g) {
  for (int64_t begin = 0; begin < n; begin += kLanes) {
    for (int64_t j = begin; j < begin + kLanes; ++j) g(j);
  }
}

// One row of an operand: a number per element (step 1) or a single one for all (step 0).
struct Row {
  void* data;
  bool half, single;

  void load(int64_t begin, int64_t n, float* block) const {
    if (single) {
      const float one = half ? widened(*halves()) : *floats();
      each(n, [=](int64_t j) { block[j] = one; });
    } else if (half) {
      const uint16_t* from = halves() + begin;
      each(n, [=](int64_t j) { block[j] = widened(from[j]); });
    } else {
      const float* from = floats() + begin;
      each(n, [=](int64_t j) { block[j] = from[j]; });
    }
  }

  // Neither this nor `store` is for single numbers.
  void add_to(int64_t begin, int64_t n, float* block) const {
    if (half) {
      const uint16_t* from = halves() + begin;
      each(n, [=](int64_t j) { block[j] += widened(from[j]); });
    } else {
      const float* from = floats() + begin;
      each(n, [=](int64_t j) { block[j] += from[j]; });
    }
  }

  void store(int64_t begin, int64_t n, const float* block) const {
    if (half) {
      uint16_t* to = halves() + begin;
      each(n, [=](int64_t j) { to[j] = narrowed(block[j]); });
    } else {
      float* to = floats() + begin;
      each(n, [=](int64_t j) { to[j] = block[j]; });
    }
  }

  float* floats() const { return static_cast<float*>(data); }
  uint16_t* halves() const { return static_cast<uint16_t*>(data); }
};

// Where the rows of one operand are: an offset per leading dimension (0 where it does not vary), in elements. No data:
// nobody asks for it. half: bfloat16.
struct Operand {
  void* data;
  int64_t strides[kMaxDims];
  int64_t step;
  int64_t half;

  Row row(const Frame& frame, int64_t number) const {
    int64_t offset = 0;
    for (int64_t d = frame.dims - 1; d >= 0; --d) {
      offset += (number % frame.sizes[d]) * strides[d];
      number /= frame.sizes[d];
    }
    return {static_cast<char*>(data) + offset * (half ? 2 : 4), half != 0, step == 0};
  }
};

inline int threads_for(int64_t work, int64_t least) {
#ifdef _OPENMP
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(omp_get_max_threads(), work / least)));
#else
  return 1;
#endif
}

// --- elementary functions that vectorise; relative error below 3e-7 over the range of a float --------------------

// exp(x) = whole (1 + tail): whole = 2^n, x = n log 2 + r, |r| <= log 2 / 2, tail = exp(r) - 1; NaN stays NaN.
struct Exponential {
  float whole, tail;
};

// For x <= 88. Beside 1.5 * 2^23 only whole numbers fit: adding it rounds, and leaves n in the lowest bits.
inline Exponential exponential_below(float x) {
  constexpr float kRound = 12582912.0f;
  x = x < -87.0f ? -87.0f : x;
  const float rounded = x * 1.44269504f + kRound, n = rounded - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  uint32_t bits;
  std::memcpy(&bits, &rounded, sizeof bits);
  bits = (bits << 23) + 0x3f800000u;
  float whole;
  std::memcpy(&whole, &bits, sizeof whole);
  float p = 1.39503367e-3f;
  p = p * r + 8.36882181e-3f;
  p = p * r + 4.16662097e-2f;
  p = p * r + 1.66665196e-1f;
  p = p * r + 0.5f;
  return {whole, p * r * r + r};
}

inline Exponential exponential(float x) { return exponential_below(x > 88.0f ? 88.0f : x); }

// exp(x) - 1, with all its digits near zero.
inline float expm1_of(float x) {
  const Exponential e = exponential(x);
  return e.whole * e.tail + (e.whole - 1.0f);
}

// log(1 + t) for t in [0, 1]: 2 artanh(t / (2 + t)). Here and below: the polynomials of least largest error.
inline float log1p_unit(float t) {
  const float s = t / (2.0f + t), q = s * s;
  float p = 0.139937818f;
  p = p * q + 0.140037909f;
  p = p * q + 0.200105488f;
  p = p * q + 0.333332121f;
  return 2.0f * s * (p * q + 1.0f);
}

inline float absolute(float x) { return __builtin_fabsf(x); }

inline float exp_of_minus_abs(float x) {
  const Exponential e = exponential_below(-absolute(x));
  return e.whole * e.tail + e.whole;
}

inline float softplus_of(float x) { return (x < 0 ? 0.0f : x) + log1p_unit(exp_of_minus_abs(x)); }

inline float sigmoid_of(float x) {
  const float t = exp_of_minus_abs(x);
  return (x > 0 ? 1.0f : t) / (1.0f + t);
}

// --- activations, each with its derivative as a function of its output -------------------------------------------

struct Softplus {
  static float value(float x) { return softplus_of(x); }
  static float slope(float y) { return -expm1_of(-y); }
};

// A(sum of parts + shift) + floor.
template <class A>
void sum_activate(const Frame& frame, const Operand* parts, int64_t count, float shift, float floor,
                  const Operand& out) {
  const int64_t rows = frame.rows(), width = frame.width;
#pragma omp parallel for schedule(static) num_threads(threads_for(rows * width, 8192))
  for (int64_t row = 0; row < rows; ++row) {
    const Row target = out.row(frame, row);
    Row from[kMaxParts];
    for (int64_t k = 0; k < count; ++k) from[k] = parts[k].row(frame, row);
    float block[kBlock] = {0.0f};
    for (int64_t begin = 0; begin < width; begin += kBlock) {
      const int64_t n = std::min(kBlock, width - begin);
      from[0].load(begin, n, block);
      for (int64_t k = 1; k < count; ++k) from[k].add_to(begin, n, block);
      each_lane(n, [&](int64_t j) { block[j] = A::value(block[j] + shift) + floor; });
      target.store(begin, n, block);
    }
  }
}

// whole (perhaps without data): the gradient of the sum, for parts that do not broadcast. sums: for each part that does
// its gradient, float32, to which rows are added. Threads share the columns: each adds to numbers of its own.
template <class A>
void sum_activate_backward(const Frame& frame, const Operand& grad, const Operand& out, float floor,
                           const Operand& whole, const Operand* sums, int64_t count) {
  const int64_t rows = frame.rows(), width = frame.width;
  const int threads = threads_for(std::min<int64_t>(rows * width / 8192, width / 32), 1);
  const int64_t share = ((width + threads - 1) / threads + kLanes - 1) / kLanes * kLanes;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int thread = 0; thread < threads; ++thread) {
    const int64_t first = std::min<int64_t>(width, thread * share), last = std::min<int64_t>(width, first + share);
    float g[kBlock] = {0.0f}, y[kBlock] = {0.0f};
    for (int64_t row = 0; row < rows; ++row) {
      const Row slopes = grad.row(frame, row), values = out.row(frame, row), target = whole.row(frame, row);
      float* totals[kMaxParts];
      for (int64_t k = 0; k < count; ++k) totals[k] = sums[k].row(frame, row).floats();
      for (int64_t begin = first; begin < last; begin += kBlock) {
        const int64_t n = std::min(kBlock, last - begin);
        slopes.load(begin, n, g);
        values.load(begin, n, y);
        each_lane(n, [&](int64_t j) { g[j] *= A::slope(y[j] - floor); });
        if (whole.data) target.store(begin, n, g);
        for (int64_t k = 0; k < count; ++k) {
          float* total = totals[k] + begin;
          each(n, [&](int64_t j) { total[j] += g[j]; });
        }
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

// Sums go block by block: 64 running sums, then one pairwise round, so that long rows lose no digits.
template <class F>
void row_sums(const Frame& frame, const Operand* inputs, float* out) {
  const int64_t rows = frame.rows(), width = frame.width;
#pragma omp parallel for schedule(static) num_threads(threads_for(rows * width, 4096))
  for (int64_t row = 0; row < rows; ++row) {
    Row from[F::kInputs];
    for (int k = 0; k < F::kInputs; ++k) from[k] = inputs[k].row(frame, row);
    float block[F::kInputs][kBlock] = {{0.0f}}, values[kBlock], sums[kBlock] = {0.0f};
    for (int64_t begin = 0; begin < width; begin += kBlock) {
      const int64_t n = std::min(kBlock, width - begin);
      for (int k = 0; k < F::kInputs; ++k) from[k].load(begin, n, block[k]);
      each_lane(n, [&](int64_t j) {
        float p[F::kInputs];
        for (int k = 0; k < F::kInputs; ++k) p[k] = block[k][j];
        values[j] = F::value(p);
      });
      each(n, [&](int64_t j) { sums[j] += values[j]; });
    }
    double total = 0.0;
    for (int64_t j = 0; j < kBlock; ++j) total += sums[j];
    out[row] = static_cast<float>(total);
  }
}

// grads: for each input its gradient at every row, without data where nobody asks.
template <class F>
void row_sums_backward(const Frame& frame, const Operand* inputs, const float* grad, const Operand* grads) {
  const int64_t rows = frame.rows(), width = frame.width;
#pragma omp parallel for schedule(static) num_threads(threads_for(rows * width, 4096))
  for (int64_t row = 0; row < rows; ++row) {
    Row from[F::kInputs], to[F::kInputs];
    for (int k = 0; k < F::kInputs; ++k) {
      from[k] = inputs[k].row(frame, row);
      to[k] = grads[k].row(frame, row);
    }
    const float g = grad[row];
    float block[F::kInputs][kBlock] = {{0.0f}}, slopes[F::kInputs][kBlock];
    for (int64_t begin = 0; begin < width; begin += kBlock) {
      const int64_t n = std::min(kBlock, width - begin);
      for (int k = 0; k < F::kInputs; ++k) from[k].load(begin, n, block[k]);
      each_lane(n, [&](int64_t j) {
        float p[F::kInputs], d[F::kInputs];
        for (int k = 0; k < F::kInputs; ++k) p[k] = block[k][j];
        F::gradient(p, d);
        for (int k = 0; k < F::kInputs; ++k) slopes[k][j] = g * d[k];
      });
      for (int k = 0; k < F::kInputs; ++k) {
        if (grads[k].data) to[k].store(begin, n, slopes[k]);
      }
    }
  }
}

}  // namespace

extern "C" {

#define ACTIVATION(NAME, TYPE)                                                                                       \
  void activate_##NAME(const Frame* frame, const Operand* parts, int64_t count, float shift, float floor,            \
                       const Operand* out) {                                                                         \
    sum_activate<TYPE>(*frame, parts, count, shift, floor, *out);                                                    \
  }                                                                                                                  \
  void activate_backward_##NAME(const Frame* frame, const Operand* grad, const Operand* out, float floor,            \
                                const Operand* whole, const Operand* sums, int64_t count) {                          \
    sum_activate_backward<TYPE>(*frame, *grad, *out, floor, *whole, sums, count);                                    \
  }

#define DENSITY(NAME, TYPE)                                                                                          \
  void density_##NAME(const Frame* frame, const Operand* inputs, float* out) {                                       \
    row_sums<TYPE>(*frame, inputs, out);                                                                             \
  }                                                                                                                  \
  void density_backward_##NAME(const Frame* frame, const Operand* inputs, const float* grad, const Operand* grads) { \
    row_sums_backward<TYPE>(*frame, inputs, grad, grads);                                                            \
  }

ACTIVATION(softplus, Softplus)

DENSITY(bernoulli, Bernoulli)
}
