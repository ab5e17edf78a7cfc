#include "core/sources/view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "core/sources/describe.hpp"
#include "core/sources/view_spec.hpp"

namespace wcodec {
namespace {

class Viewed : public Checkpoint {
 public:
  Viewed(std::unique_ptr<Checkpoint> base, const std::map<std::string, std::string>& views, u64 max_tensor_bytes)
      : base_(std::move(base)), of_tensor_(base_->tensors().size(), -1) {
    tensors_ = base_->tensors();
    files_ = base_->files();
    for (const auto& [glob, text] : views) apply(glob, parse_view(text));
    for (const TensorInfo& tensor : tensors_) {
      check_tensor_size(files_.empty() ? sv("view") : sv(files_.front()), tensor, max_tensor_bytes);
    }
  }

  void read_rows(std::size_t index, i64 first, i64 count, MutBytes out) const override {
    const TensorInfo& tensor = tensors_.at(index);
    check_rows(tensor, first, count, out.size());
    if (of_tensor_[index] < 0) return base_->read_rows(index, first, count, out);
    const ViewSpec& view = views_[static_cast<std::size_t>(of_tensor_[index])];
    if (!view.packed) {
      base_->read_rows(index, first, count, out);
      return unpack_codes(view, out, out);
    }
    const auto packed_cols = static_cast<std::size_t>(base_->tensors()[index].cols);
    const auto cols = static_cast<std::size_t>(tensor.cols);
    const i64 window_rows = std::max<i64>(1, static_cast<i64>(kWindow / std::max<std::size_t>(packed_cols, 1)));
    std::vector<u8> window;
    for (i64 done = 0; done < count; done += window_rows) {
      const i64 rows = std::min(window_rows, count - done);
      window.resize(static_cast<std::size_t>(rows) * packed_cols);
      base_->read_rows(index, first + done, rows, window);
      for (i64 r = 0; r < rows; ++r) {
        unpack_codes(view, Bytes(window).subspan(static_cast<std::size_t>(r) * packed_cols, packed_cols),
                     out.subspan(static_cast<std::size_t>(done + r) * cols, cols));
      }
    }
  }

  const Checkpoint& base() const noexcept { return *base_; }

 private:
  static constexpr std::size_t kWindow = std::size_t{1} << 18;

  void apply(const std::string& glob, ViewSpec view) {
    bool matched = false;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (!glob_match(glob, base_->tensors()[i].name)) continue;
      matched = true;
      if (of_tensor_[i] >= 0) {
        throw Error(ErrorKind::usage, fmt::format("tensor '{}' has two views; '{}' is the second that matches it",
                                                  shown_name(tensors_[i].name), printable(glob)));
      }
      of_tensor_[i] = static_cast<int>(views_.size());
      retype(tensors_[i], view, glob);
    }
    if (!matched) {
      throw Error(ErrorKind::usage,
                  fmt::format("view '{}' matches no tensor; list the names with `wcodec stats`", printable(glob)));
    }
    views_.push_back(std::move(view));
  }

  static void retype(TensorInfo& tensor, const ViewSpec& view, const std::string& glob) {
    const DTypeInfo& from = info(tensor.dtype);
    const auto misfit = [&](const std::string& why) {
      throw Error(ErrorKind::usage, fmt::format("view '{}' as {} does not fit tensor '{}' ({}): {}", printable(glob),
                                                view.canonical_spec, shown_name(tensor.name), from.name, why));
    };
    const int width = view.packed ? 8 : info(view.dtype).bits;
    if (from.bits != width) misfit(fmt::format("it needs elements of {} bits", width));
    std::vector<i64> shape = tensor.shape;
    if (view.packed) {
      if (shape.empty()) shape.push_back(1);
      const i64 cols = view.cols != 0 ? view.cols : shape.back() * 2;
      if ((cols + 1) / 2 != shape.back())
        misfit(fmt::format("{} codes take {} bytes, not {}", cols, (cols + 1) / 2, shape.back()));
      shape.back() = cols;
      if (!element_count(shape)) misfit("its shape would have more than 2^63 elements");
    }
    tensor =
        describe_tensor(std::move(tensor.name), view.dtype, std::move(shape), tensor.source_bytes, view.canonical_spec);
  }

  std::unique_ptr<Checkpoint> base_;
  std::vector<ViewSpec> views_;
  std::vector<int> of_tensor_;  // index into views_, or −1
};

}  // namespace

std::unique_ptr<Checkpoint> apply_views(std::unique_ptr<Checkpoint> base,
                                        const std::map<std::string, std::string>& views, u64 max_tensor_bytes) {
  return std::make_unique<Viewed>(std::move(base), views, max_tensor_bytes);
}

const Checkpoint& without_views(const Checkpoint& checkpoint) noexcept {
  const auto* viewed = dynamic_cast<const Viewed*>(&checkpoint);
  return viewed == nullptr ? checkpoint : viewed->base();
}

}  // namespace wcodec
