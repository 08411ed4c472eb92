// SPDX-License-Identifier: Apache-2.0
// POST /api/v1/write: remote write 1 and 2, and VictoriaMetrics's variant of 1, which compresses
// with zstd. Decoded and applied on the I/O thread that read it; answered when the log says that it
// is durable.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "api/call.h"
#include "api/routes.h"
#include "api/write_counters.h"
#include "base/ascii_case.h"
#include "base/log.h"
#include "base/release_memory.h"
#include "base/try.h"
#include "http/content_coding.h"
#include "http/server.h"
#include "storage/db.h"
#include "wire/compression.h"
#include "wire/remote_write.h"
#include "wire/remote_write2.h"
#include "wire/remote_write_content.h"

namespace varve::api {
namespace {

using wire::RemoteWriteVersion;

// A buffer that one huge request left behind is given back when it is larger than this.
constexpr std::size_t kKeptBufferBytes = std::size_t{8} << 20;
constexpr std::size_t kKeptOthers = 1000;

constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";

// What a thread keeps between requests so that none of them allocates.
struct Scratch {
  std::string plain;
  wire::WriteRequestDecoder decoder;
  wire::WriteRequest2Decoder decoder2;
  storage::WriteBatch batch;
  storage::WriteBatch zeros;

  void shrink() {
    if (plain.capacity() > kKeptBufferBytes) base::release_memory(plain);
    if (decoder2.memory_bytes() > kKeptBufferBytes) decoder2.shrink();
    for (storage::WriteBatch* const each : {&batch, &zeros}) {
      // Histograms, exemplars and metadata hold memory of their own beside their places.
      if (each->samples.capacity() * sizeof(Sample) +
                  each->series.capacity() * sizeof(storage::SeriesEntry) >
              kKeptBufferBytes ||
          each->histograms.size() + each->exemplars.size() + each->metadata.size() > kKeptOthers) {
        *each = {};
      }
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

// What version 2 tells its sender about every request that could be read, however it ended.
struct Written {
  std::uint64_t samples = 0, histograms = 0, exemplars = 0;

  void add_to(http::Response& response) const {
    response.headers.emplace_back("X-Prometheus-Remote-Write-Samples-Written",
                                  std::to_string(samples));
    response.headers.emplace_back("X-Prometheus-Remote-Write-Histograms-Written",
                                  std::to_string(histograms));
    response.headers.emplace_back("X-Prometheus-Remote-Write-Exemplars-Written",
                                  std::to_string(exemplars));
  }
};

void refuse(const Call& call, int status, std::string message, const Written* written = nullptr) {
  http::Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  if (status == 503) response.headers.emplace_back("Retry-After", "5");
  if (written != nullptr) written->add_to(response);
  response.body = std::move(message) + "\n";
  call.exchange->send(std::move(response));
}

void refuse(const Call& call, const Error& error, const Written* written = nullptr) {
  switch (error.code()) {
    case ErrorCode::kUnavailable: return refuse(call, 503, error.message(), written);
    case ErrorCode::kLimitExceeded: return refuse(call, 413, error.message(), written);
    case ErrorCode::kInvalidArgument: return refuse(call, 400, error.message(), written);
    default: break;
  }
  call.services.log->error("remote write failed", {{"err", error.message()}});
  refuse(call, 500, error.message(), written);
}

// What the sender is told about samples that were refused; "" if none was. Prometheus answers 400
// then, so that the sender does not repeat what can never be stored.
std::string refusal(const wire::DecodeReport& report, const storage::WriteOutcome& outcome) {
  if (!outcome.all_accepted()) return outcome.first_error;
  return report.all_decoded() ? std::string() : report.first_error;
}

// The same for version 2, with how much more there was of it.
std::string refusal2(const wire::DecodeReport& report, const storage::WriteOutcome& outcome) {
  std::string message = report.all_decoded() ? std::string() : report.first_error;
  if (!outcome.all_accepted()) {
    if (!message.empty()) message += '\n';
    message += outcome.first_error;
  }
  const std::uint64_t refused = report.refused_series + report.refused_histograms +
                                outcome.out_of_order + outcome.too_old + outcome.too_far_ahead +
                                outcome.duplicate + outcome.invalid_series;
  const std::uint64_t told =
      (report.all_decoded() ? 0U : 1U) + (outcome.all_accepted() ? 0U : 1U);
  if (refused > told) message += fmt::format("\nand {} more refused", refused - told);
  return message;
}

// vmagent keeps blocks on disk in the coding it used when it made them, and old ones send them with
// the header of the coding they use now: where the bytes say otherwise, they are believed.
Status unpack(const http::Request& request, bool zstd, std::size_t max_bytes, std::string& out) {
  const bool looks_zstd = std::string_view(request.body).starts_with(kZstdMagic);
  if (zstd && looks_zstd) return http::zstd_decompress(request.body, max_bytes, out);
  Status status = wire::snappy_decompress(request.body, max_bytes, out);
  if (status.ok() || status.error().code() == ErrorCode::kLimitExceeded) return status;
  if (looks_zstd) return http::zstd_decompress(request.body, max_bytes, out);
  if (zstd) return Error(ErrorCode::kInvalidArgument, "zstd: corrupt input: not a zstd frame");
  return status;
}

// vmagent asks so whether it may send zstd.
bool answer_handshake(const Call& call) {
  const auto parameters = http::parse_form(call.request().query);
  if (!parameters.ok()) return false;
  for (const auto& [name, value] : *parameters) {
    if (name != "get_vm_proto_version" || value.empty()) continue;
    call.text(200, "1");
    return true;
  }
  return false;
}

// Of a request of version 1 whose series are what they look like; nullopt: nothing is applied, and
// the request has to be decoded with care.
std::optional<Result<storage::WriteOutcome>> append_guessed(storage::Appendable& storage,
                                                            Scratch& buffers,
                                                            wire::DecodeReport& report) {
  const auto guessed = buffers.decoder.guess(buffers.plain, buffers.batch);
  if (!guessed) return std::nullopt;
  Result<storage::WriteOutcome> outcome = storage.append(buffers.batch);
  if (!outcome.ok() && outcome.error().code() == ErrorCode::kCorruption) return std::nullopt;
  report = *guessed;
  return outcome;
}

void write(const CallPtr& call) {
  if (!call->options.enable_remote_write) {
    return refuse(*call, 404,
                  "remote write receiver is switched off: remove "
                  "--no-web.enable-remote-write-receiver");
  }
  const http::Request& request = call->request();
  if (!request.query.empty() && answer_handshake(*call)) return;
  const auto version = wire::remote_write_version(request.header("Content-Type"));
  if (!version.ok()) return refuse(*call, 415, version.error().message());
  const std::string_view encoding = request.header("Content-Encoding");
  const bool zstd = base::equals_in_any_case(encoding, "zstd");
  if (!encoding.empty() && !zstd && !base::equals_in_any_case(encoding, "snappy")) {
    return refuse(*call, 415, fmt::format("{} encoding (compression) is not accepted by this "
                                          "server; only snappy and zstd are acceptable", encoding));
  }
  Scratch& buffers = scratch();
  const Shrinking shrinking{buffers};
  if (Status status = unpack(request, zstd, call->options.limits.write_uncompressed_max_bytes,
                             buffers.plain);
      !status.ok()) {
    return refuse(*call, status.error());
  }
  const bool second = *version == RemoteWriteVersion::k2;
  const bool with_zeros = second && call->options.remote_write_start_zeros;
  Result<wire::DecodeReport> report = wire::DecodeReport();
  std::optional<Result<storage::WriteOutcome>> appended;
  if (!second) appended = append_guessed(*call->storage, buffers, *report);
  if (!appended) {
    const auto metadata_labels = call->options.remote_write_type_and_unit
                                     ? wire::MetadataLabels::kTypeAndUnit
                                     : wire::MetadataLabels::kNone;
    report = second
                 ? buffers.decoder2.decode(buffers.plain, buffers.batch,
                                           with_zeros ? &buffers.zeros : nullptr, metadata_labels)
                 : buffers.decoder.decode(buffers.plain, buffers.batch);
  }
  if (!report.ok()) return refuse(*call, report.error());
  const Written nothing;
  // Of starts that lie before what is stored nothing is heard: they have been told before.
  if (with_zeros && !buffers.zeros.series.empty()) {
    const auto started = call->storage->append(buffers.zeros);
    if (!started.ok()) {
      call->services.log->debug("remote write: appending start times failed",
                                {{"err", started.error().message()}});
    }
  }
  if (!appended) appended = call->storage->append(buffers.batch);
  const Result<storage::WriteOutcome>& outcome = *appended;
  if (!outcome.ok()) {
    buffers.decoder2.forget_told();
    const Written* const headers = second ? &nothing : nullptr;
    // "Too many series" is a state of this server, not a fault of the request: to be sent again.
    if (outcome.error().code() == ErrorCode::kLimitExceeded) {
      return refuse(*call, 503, outcome.error().message(), headers);
    }
    return refuse(*call, outcome.error(), headers);
  }
  WriteCounters(*call->services.metrics).count(*report, *outcome);
  const Written written{outcome->samples_appended, outcome->histograms_appended,
                        outcome->exemplars_appended};
  call->storage->when_durable(
      outcome->ticket,
      [call, second, written,
       message = second ? refusal2(*report, *outcome) : refusal(*report, *outcome)](
          Status durable) mutable {
        const Written none;
        if (!durable.ok()) {
          return refuse(*call, 503, durable.error().message(), second ? &none : nullptr);
        }
        if (!message.empty())
          return refuse(*call, 400, std::move(message), second ? &written : nullptr);
        http::Response response;
        response.status = 204;
        if (second) written.add_to(response);
        call->exchange->send(std::move(response));
      });
}

constexpr Route kRoutes[] = {
    {"POST", "/api/v1/write", Kind::kStorage, write},
};

}  // namespace

std::span<const Route> write_routes() { return kRoutes; }

}  // namespace varve::api
