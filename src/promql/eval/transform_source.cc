// SPDX-License-Identifier: Apache-2.0
#include "promql/eval/transform_source.h"

#include <utility>

#include "base/try.h"

namespace varve::promql {
namespace {

class TransformSource final : public SeriesSource {
 public:
  TransformSource(SeriesSourcePtr source, bool drops_name, SeriesTransform apply)
      : source_(std::move(source)), drops_name_(drops_name), apply_(std::move(apply)) {}

  std::size_t size() const override { return source_->size(); }
  std::size_t steps() const override { return source_->steps(); }
  Labels labels(std::size_t series) const override { return source_->labels(series); }
  storage::LabelColumn label_column(std::string_view name) const override {
    return source_->label_column(name);
  }
  bool drops_name(std::size_t series) const override {
    return drops_name_ || source_->drops_name(series);
  }
  bool unique_without_name() const override { return source_->unique_without_name(); }
  std::uint64_t work_per_series() const override { return source_->work_per_series(); }

  Result<std::unique_ptr<SeriesReader>> reader(std::size_t begin, std::size_t end,
                                               AnnotationSink& sink) const override {
    VARVE_TRY_ASSIGN(auto inner, source_->reader(begin, end, sink));
    return std::unique_ptr<SeriesReader>(
        std::make_unique<Reader>(std::move(inner), apply_, sink));
  }

 private:
  class Reader final : public SeriesReader {
   public:
    Reader(std::unique_ptr<SeriesReader> inner, const SeriesTransform& apply,
           AnnotationSink& sink)
        : inner_(std::move(inner)), apply_(apply), sink_(sink) {}
    Status read(std::size_t series, StepSeries& out) override {
      VARVE_TRY(inner_->read(series, out));
      apply_(out, sink_);
      return {};
    }

   private:
    std::unique_ptr<SeriesReader> inner_;
    const SeriesTransform& apply_;
    AnnotationSink& sink_;
  };

  SeriesSourcePtr source_;
  bool drops_name_;
  SeriesTransform apply_;
};

}  // namespace

SeriesSourcePtr transform(SeriesSourcePtr source, bool drops_name, SeriesTransform apply) {
  return std::make_unique<TransformSource>(std::move(source), drops_name, std::move(apply));
}

}  // namespace varve::promql
