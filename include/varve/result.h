// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. It carries what can go wrong in a correct program (I/O, input,
// limits, corruption); bugs are VARVE_CHECK's business. Nothing in Varve throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace varve {

enum class ErrorCode : std::uint8_t {
  kInvalidArgument,  // the caller's input is malformed
  kNotFound,
  kAlreadyExists,
  kOutOfOrder,     // a sample older than the newest of its series, outside the accepted window
  kTooOld,         // a sample before everything the database still accepts
  kDuplicate,      // another value for a timestamp that is already stored
  kLimitExceeded,  // a stated bound was passed
  kCorruption,     // bytes on disk are not what was written
  kIo,
  kUnavailable,  // try again later: overload, shutting down, log failed
  kTimeout,
  kCanceled,
  kExecution,      // a query that parses but cannot be evaluated
  kUnimplemented,  // a valid request for something Varve does not do yet
  kInternal,
};

// The name of a code as it appears in logs, such as "out_of_order".
std::string_view to_string(ErrorCode code);

// A code plus a message that gathers context on the way up. Cheap to move, safe to copy.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // Puts "context: " before the message.
  Error&& with(std::string_view context) && {
    message_.insert(0, ": ");
    message_.insert(0, context);
    return std::move(*this);
  }

 private:
  ErrorCode code_;
  std::string message_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition: ok().
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  // Precondition: !ok().
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }

  // Precondition: !ok().
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace varve
