// SPDX-License-Identifier: Apache-2.0
#include "promql/value/column_ops.h"

#include <bit>
#include <cmath>
#include <limits>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "model/compensated_sum.h"

namespace varve::promql {

bool contains_bits_plain(std::span<const double> values, std::uint64_t bits) {
  for (const double value : values) {
    if (std::bit_cast<std::uint64_t>(value) == bits) return true;
  }
  return false;
}

bool rises_plain(std::span<const double> values) {
  if (values.empty()) return true;
  if (std::isnan(values[0])) return false;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (!(values[i] >= values[i - 1])) return false;
  }
  return true;
}

void find_falls_plain(std::span<const double> values, std::vector<std::uint32_t>& falls) {
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] < values[i - 1]) falls.push_back(static_cast<std::uint32_t>(i));
  }
}

void add_compensated_plain(const double* terms, std::size_t count, double* sums,
                           double* compensations) {
  for (std::size_t i = 0; i < count; ++i) {
    model::add_compensated(terms[i], sums[i], compensations[i]);
  }
}

void count_up(std::uint32_t* counts, std::size_t count) {
  std::size_t i = 0;
#ifdef __x86_64__
  const __m128i one = _mm_set1_epi32(1);
  for (; i + 4 <= count; i += 4) {
    auto* four = reinterpret_cast<__m128i*>(counts + i);
    _mm_storeu_si128(four, _mm_add_epi32(_mm_loadu_si128(four), one));
  }
#endif
  for (; i < count; ++i) ++counts[i];
}

#ifdef __x86_64__
namespace {

// Values looked at between two branches.
constexpr std::size_t kStride = 16;

__attribute__((target("avx2"))) bool contains_bits_avx2(std::span<const double> values,
                                                        std::uint64_t bits) {
  const __m256i wanted = _mm256_set1_epi64x(static_cast<long long>(bits));
  const auto equal = [&](std::size_t i) __attribute__((target("avx2"), always_inline)) {
    const auto* four = reinterpret_cast<const __m256i*>(values.data() + i);
    return _mm256_cmpeq_epi64(_mm256_loadu_si256(four), wanted);
  };
  std::size_t i = 0;
  for (; i + kStride <= values.size(); i += kStride) {
    const __m256i any = _mm256_or_si256(_mm256_or_si256(equal(i), equal(i + 4)),
                                        _mm256_or_si256(equal(i + 8), equal(i + 12)));
    if (_mm256_testz_si256(any, any) == 0) return true;
  }
  return contains_bits_plain(values.subspan(i), bits);
}

__attribute__((target("avx2"))) bool rises_avx2(std::span<const double> values) {
  const double* data = values.data();
  const auto not_above = [data](std::size_t i) __attribute__((target("avx2"), always_inline)) {
    return _mm256_cmp_pd(_mm256_loadu_pd(data + i), _mm256_loadu_pd(data + i - 1), _CMP_NGE_UQ);
  };
  std::size_t i = 1;
  for (; i + kStride <= values.size(); i += kStride) {
    const __m256d any = _mm256_or_pd(_mm256_or_pd(not_above(i), not_above(i + 4)),
                                     _mm256_or_pd(not_above(i + 8), not_above(i + 12)));
    if (_mm256_movemask_pd(any) != 0) return false;
  }
  return rises_plain(values.subspan(i - 1));
}

__attribute__((target("avx2"))) void find_falls_avx2(std::span<const double> values,
                                                     std::vector<std::uint32_t>& falls) {
  const double* data = values.data();
  const auto below = [data](std::size_t i) __attribute__((target("avx2"), always_inline)) {
    return _mm256_cmp_pd(_mm256_loadu_pd(data + i), _mm256_loadu_pd(data + i - 1), _CMP_LT_OQ);
  };
  std::size_t i = 1;
  for (; i + kStride <= values.size(); i += kStride) {
    const __m256d any = _mm256_or_pd(_mm256_or_pd(below(i), below(i + 4)),
                                     _mm256_or_pd(below(i + 8), below(i + 12)));
    if (_mm256_movemask_pd(any) == 0) continue;
    for (std::size_t at = i; at < i + kStride; ++at) {
      if (data[at] < data[at - 1]) falls.push_back(static_cast<std::uint32_t>(at));
    }
  }
  for (; i < values.size(); ++i) {
    if (data[i] < data[i - 1]) falls.push_back(static_cast<std::uint32_t>(i));
  }
}

// `more`, if not null, is added to compensations too.
__attribute__((target("avx2"))) void add_compensated_avx2(const double* terms, const double* more,
                                                          std::size_t count, double* sums,
                                                          double* compensations) {
  const __m256d sign = _mm256_set1_pd(-0.0);
  const __m256d largest = _mm256_set1_pd(std::numeric_limits<double>::max());
  for (std::size_t i = 0; i < count; i += 4) {
    const __m256d term = _mm256_loadu_pd(terms + i);
    const __m256d sum = _mm256_loadu_pd(sums + i);
    const __m256d total = _mm256_add_pd(sum, term);
    const __m256d sum_is_larger =
        _mm256_cmp_pd(_mm256_andnot_pd(sign, sum), _mm256_andnot_pd(sign, term), _CMP_GE_OQ);
    const __m256d larger = _mm256_blendv_pd(term, sum, sum_is_larger);
    const __m256d smaller = _mm256_blendv_pd(sum, term, sum_is_larger);
    const __m256d lost = _mm256_add_pd(_mm256_sub_pd(larger, total), smaller);
    const __m256d infinite = _mm256_cmp_pd(_mm256_andnot_pd(sign, total), largest, _CMP_GT_OQ);
    __m256d compensation = _mm256_add_pd(_mm256_loadu_pd(compensations + i), lost);
    if (more != nullptr) compensation = _mm256_add_pd(compensation, _mm256_loadu_pd(more + i));
    _mm256_storeu_pd(sums + i, total);
    _mm256_storeu_pd(compensations + i, _mm256_andnot_pd(infinite, compensation));
  }
}

const bool kHaveAvx2 = __builtin_cpu_supports("avx2") != 0;

}  // namespace
#endif

bool contains_bits(std::span<const double> values, std::uint64_t bits) {
#ifdef __x86_64__
  if (kHaveAvx2) return contains_bits_avx2(values, bits);
#endif
  return contains_bits_plain(values, bits);
}

bool rises(std::span<const double> values) {
#ifdef __x86_64__
  if (kHaveAvx2 && !values.empty()) return rises_avx2(values);
#endif
  return rises_plain(values);
}

void find_falls(std::span<const double> values, std::vector<std::uint32_t>& falls) {
#ifdef __x86_64__
  if (kHaveAvx2) return find_falls_avx2(values, falls);
#endif
  find_falls_plain(values, falls);
}

void add_compensated(const double* terms, std::size_t count, double* sums, double* compensations) {
  std::size_t done = 0;
#ifdef __x86_64__
  if (kHaveAvx2) {
    done = count & ~std::size_t{3};
    add_compensated_avx2(terms, nullptr, done, sums, compensations);
  }
#endif
  add_compensated_plain(terms + done, count - done, sums + done, compensations + done);
}

void merge_compensated(const double* later_sums, const double* later_compensations,
                       std::size_t count, double* sums, double* compensations) {
  std::size_t i = 0;
#ifdef __x86_64__
  if (kHaveAvx2) {
    i = count & ~std::size_t{3};
    add_compensated_avx2(later_sums, later_compensations, i, sums, compensations);
  }
#endif
  for (; i < count; ++i) {
    model::add_compensated(later_sums[i], sums[i], compensations[i]);
    if (!std::isinf(sums[i])) compensations[i] += later_compensations[i];
  }
}

}  // namespace varve::promql
