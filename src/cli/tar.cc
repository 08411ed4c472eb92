// SPDX-License-Identifier: Apache-2.0
#include "cli/tar.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <memory>

#include "base/check.h"

namespace varve::cli {
namespace {

constexpr std::size_t kBlockBytes = 512;
constexpr std::size_t kNameMaxBytes = 100;

std::string header(std::string_view name, std::size_t size_bytes, Timestamp time_ms) {
  VARVE_CHECK(name.size() <= kNameMaxBytes);
  std::string block(kBlockBytes, '\0');
  const auto put = [&](std::size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), block.begin() + static_cast<std::ptrdiff_t>(at));
  };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", size_bytes));
  put(136, fmt::format("{:011o}", time_ms / 1000));
  put(148, "        ");  // the checksum counts itself as spaces
  put(156, "0");
  put(257, std::string_view("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum));
  block[154] = '\0';
  return block;
}

}  // namespace

std::string tar_archive(const std::vector<std::pair<std::string, std::string>>& files,
                        Timestamp time_ms) {
  std::string out;
  for (const auto& [name, content] : files) {
    out += header(name, content.size(), time_ms);
    out += content;
    out.append((kBlockBytes - content.size() % kBlockBytes) % kBlockBytes, '\0');
  }
  return out.append(2 * kBlockBytes, '\0');
}

Result<std::string> gzip(std::string_view content) {
  constexpr int kLevel = 6;
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(kLevel), libdeflate_free_compressor);
  if (!compressor) return Error(ErrorCode::kLimitExceeded, "gzip: no memory");
  std::string out(libdeflate_gzip_compress_bound(compressor.get(), content.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor.get(), content.data(), content.size(), out.data(),
                                      out.size()));
  if (out.empty()) return Error(ErrorCode::kInternal, "gzip: the result does not fit its bound");
  return out;
}

}  // namespace varve::cli
