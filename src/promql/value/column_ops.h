// SPDX-License-Identifier: Apache-2.0
// What is done to whole columns of numbers, several at a time where the machine can: the loops that
// every sample and every point of a query goes through. Each gives the same bits as its plain twin,
// which runs where there is no AVX2 and against which it is tested.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace varve::promql {

// Whether one of the values has exactly these bits.
bool contains_bits(std::span<const double> values, std::uint64_t bits);
bool contains_bits_plain(std::span<const double> values, std::uint64_t bits);

// Whether no value is below the one before it and none is a NaN.
bool rises(std::span<const double> values);
bool rises_plain(std::span<const double> values);

// Appends the positions of values below the one before them, ascending. NaN is below nothing.
void find_falls(std::span<const double> values, std::vector<std::uint32_t>& falls);
void find_falls_plain(std::span<const double> values, std::vector<std::uint32_t>& falls);

// model::add_compensated(terms[i], sums[i], compensations[i]) for each i in [0, count).
void add_compensated(const double* terms, std::size_t count, double* sums, double* compensations);
void add_compensated_plain(const double* terms, std::size_t count, double* sums,
                           double* compensations);

// sums[i] and compensations[i] as what they and a later sum had together: its own compensation is
// added where the sum is not infinite.
void merge_compensated(const double* later_sums, const double* later_compensations,
                       std::size_t count, double* sums, double* compensations);

// Adds 1 to each.
void count_up(std::uint32_t* counts, std::size_t count);

}  // namespace varve::promql
