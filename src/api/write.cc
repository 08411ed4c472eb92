// SPDX-License-Identifier: Apache-2.0
// POST /api/v1/write: remote write. Decoded and applied on the I/O thread that read it; answered
// when the log says that it is durable.
#include <fmt/format.h>

#include <memory>

#include "api/call.h"
#include "api/routes.h"
#include "base/log.h"
#include "storage/db.h"
#include "wire/compression.h"
#include "wire/remote_write.h"

namespace varve::api {
namespace {

// A buffer that one huge request left behind is given back when it is larger than this.
constexpr std::size_t kKeptBufferBytes = std::size_t{8} << 20;
constexpr std::size_t kKeptOthers = 1000;

// What a thread keeps between requests so that none of them allocates.
struct Scratch {
  std::string plain;
  wire::WriteRequestDecoder decoder;
  storage::WriteBatch batch;

  void shrink() {
    if (plain.capacity() > kKeptBufferBytes) plain = {};
    // Histograms, exemplars and metadata hold memory of their own beside their places.
    if (batch.samples.capacity() * sizeof(Sample) +
                batch.series.capacity() * sizeof(storage::SeriesEntry) >
            kKeptBufferBytes ||
        batch.histograms.size() + batch.exemplars.size() + batch.metadata.size() > kKeptOthers) {
      batch = {};
    }
  }
};

// Shrinks when a request leaves, however it does.
struct Shrinking {
  Scratch& buffers;
  ~Shrinking() { buffers.shrink(); }
};

Scratch& scratch() {
  static thread_local Scratch kept;
  return kept;
}

void refuse(const Call& call, int status, std::string message) {
  http::Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  if (status == 503) response.headers.emplace_back("Retry-After", "5");
  response.body = std::move(message) + "\n";
  call.exchange->send(std::move(response));
}

void refuse(const Call& call, const Error& error) {
  switch (error.code()) {
    case ErrorCode::kUnavailable: return refuse(call, 503, error.message());
    case ErrorCode::kLimitExceeded: return refuse(call, 413, error.message());
    case ErrorCode::kInvalidArgument: return refuse(call, 400, error.message());
    default: break;
  }
  call.services.log->error("remote write failed", {{"err", error.message()}});
  refuse(call, 500, error.message());
}

// What the sender is told about samples that were refused; "" if none was. Prometheus answers 400
// then, so that the sender does not repeat what can never be stored.
std::string refusal(const wire::DecodeReport& report, const storage::WriteOutcome& outcome) {
  if (!outcome.all_accepted()) return outcome.first_error;
  return report.all_decoded() ? std::string() : report.first_error;
}

void write(const CallPtr& call) {
  if (!call->options.enable_remote_write) {
    return refuse(*call, 404,
                  "remote write receiver is switched off: remove "
                  "--no-web.enable-remote-write-receiver");
  }
  const http::Request& request = call->request();
  const auto version = wire::remote_write_version(request.header("Content-Type"));
  if (!version.ok()) return refuse(*call, 415, version.error().message());
  if (*version != wire::RemoteWriteVersion::k1) {
    return refuse(*call, 415,
                  "io.prometheus.write.v2.Request protobuf message is not accepted by this server; "
                  "accepted is prometheus.WriteRequest");
  }
  const std::string_view encoding = request.header("Content-Encoding");
  if (!encoding.empty() && encoding != "snappy") {
    return refuse(*call, 415, fmt::format("{} encoding (compression) is not accepted by this "
                                          "server; only snappy is acceptable", encoding));
  }
  Scratch& buffers = scratch();
  const Shrinking shrinking{buffers};
  if (Status status = wire::snappy_decompress(
          request.body, call->options.limits.write_uncompressed_max_bytes, buffers.plain);
      !status.ok()) {
    return refuse(*call, status.error());
  }
  static const wire::RemoteWriteKeyDecoder key_decoder;
  const auto report = buffers.decoder.decode(buffers.plain, buffers.batch);
  if (!report.ok()) return refuse(*call, report.error());
  buffers.batch.key_space = wire::kRemoteWrite1KeySpace;
  buffers.batch.decoder = &key_decoder;
  const auto outcome = call->storage->append(buffers.batch);
  if (!outcome.ok()) {
    // "Too many series" is a state of this server, not a fault of the request: to be sent again.
    if (outcome.error().code() == ErrorCode::kLimitExceeded) {
      return refuse(*call, 503, outcome.error().message());
    }
    return refuse(*call, outcome.error());
  }
  call->storage->when_durable(
      outcome->ticket, [call, message = refusal(*report, *outcome)](Status durable) mutable {
        if (!durable.ok()) return refuse(*call, 503, durable.error().message());
        if (!message.empty()) return refuse(*call, 400, std::move(message));
        http::Response response;
        response.status = 204;
        call->exchange->send(std::move(response));
      });
}

constexpr Route kRoutes[] = {
    {"POST", "/api/v1/write", Kind::kStorage, write},
};

}  // namespace

std::span<const Route> write_routes() { return kRoutes; }

}  // namespace varve::api
