// SPDX-License-Identifier: Apache-2.0
// The one Block there is: two mapped files. Its methods are spread over file_block.cc (opening,
// labels), file_block_select.cc, file_block_chunks.cc and file_block_verify.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/block/block.h"
#include "storage/block/layout.h"
#include "storage/block/packed.h"
#include "storage/block/paged_file.h"
#include "storage/block/passed.h"

namespace varve::storage::block {

class FileBlock final : public Block, public Passed {
 public:
  static Result<std::shared_ptr<Block>> open(fs::FileSystem& files, std::string directory,
                                             std::uint64_t hash_fingerprint,
                                             std::uint64_t deletes_min);

  const BlockMeta& meta() const override { return meta_; }
  const std::string& directory() const override { return directory_; }
  std::size_t series_count() const override { return count_; }
  Result<std::vector<BlockPart>> parts() const override;

  Result<Ordinals> select(std::span<const model::Matcher> matchers) const override;
  Result<Labels> labels(std::uint32_t ordinal) const override;
  Result<std::vector<Labels>> labels(OrdinalSpan ordinals) const override;
  Result<index::SeriesHash> hash(std::uint32_t ordinal) const override;
  Status hashes(OrdinalSpan ordinals, std::span<index::SeriesHash> out) const override;
  Result<BlockLabelColumn> label_column(OrdinalSpan ordinals, std::string_view name) const override;
  Result<std::vector<std::string>> label_names() const override;
  Result<std::vector<std::string>> label_names(OrdinalSpan ordinals) const override;
  Result<std::vector<std::string>> label_values(std::string_view name) const override;
  Result<std::vector<std::string>> label_values(std::string_view name,
                                                OrdinalSpan ordinals) const override;

  Status chunks(std::uint32_t ordinal, TimeRange range, std::vector<ChunkView>& out) const override;
  Result<Column> column(std::uint32_t id) const override;
  std::size_t column_count() const override { return layout_.columns; }
  bool forget(std::uint32_t begin, std::uint32_t end, std::uint64_t bytes_min) const override;

  std::shared_ptr<const Tombstones> tombstones() const override;
  Status set_tombstones(fs::FileSystem& files, Tombstones tombstones) override;

  std::size_t verify(const std::function<void(const Error&)>& report) const override;

  // For selecting, and for verify().
  std::uint32_t count() const { return count_; }
  Result<const std::vector<Name>*> names() const;
  // nullptr if no series has it.
  Result<const Name*> find_name(std::string_view name) const;

 private:
  FileBlock() = default;
  Result<const ColumnRecord*> column_records() const;
  // Ranks of the names in a shape, ascending.
  Result<std::vector<std::uint32_t>> shape(std::uint32_t id) const;
  Status labels_of_shape(std::uint32_t shape_id, OrdinalSpan ordinals,
                         std::span<const std::uint32_t> places, std::vector<Labels>& out) const;

  std::string directory_;
  BlockMeta meta_;
  std::uint32_t count_ = 0;
  std::unique_ptr<PagedFile> index_;
  std::unique_ptr<PagedFile> data_;
  Layout layout_;
  PackedArray series_starts_;
  PackedArray list_starts_;
  PackedArray shape_starts_;
  IdColumn shape_of_series_;

  mutable std::mutex mutex_;  // guards the making of names_, and tombstones_
  mutable std::vector<Name> names_;
  mutable std::atomic<bool> names_made_{false};
  mutable std::atomic<const ColumnRecord*> column_records_{nullptr};  // once verified
  std::shared_ptr<const Tombstones> tombstones_;
};

}  // namespace varve::storage::block
