#include "core/sources/view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "core/sources/describe.hpp"

namespace wcodec {
namespace {

constexpr OptionInfo kOptions[] = {
    {"nibbles", "low-first", "low-first|high-first", "int4, uint4: which half of a byte is the even column"},
    {"bias", "0", "0…255", "int4, uint4, int8, uint8: subtracted from the stored code, modulo the code's range"},
    {"cols", "0", "0…2^40", "int4, uint4: codes in a row, where the last byte of a row is half used (0: all used)"},
};

struct NamedType {
  sv name;
  DType dtype;
};
constexpr NamedType kTypes[] = {
    {"int4", DType::int4},       {"uint4", DType::uint4},     {"int8", DType::int8},   {"uint8", DType::uint8},
    {"int16", DType::int16},     {"uint16", DType::uint16},   {"int32", DType::int32}, {"uint32", DType::uint32},
    {"f8_e4m3", DType::f8_e4m3}, {"f8_e5m2", DType::f8_e5m2}, {"f16", DType::f16},     {"bf16", DType::bf16},
    {"f32", DType::f32},         {"f64", DType::f64},         {"int64", DType::int64}, {"uint64", DType::uint64},
};

struct View {
  DType dtype = DType::uint8;
  bool packed = false, high_first = false;
  u8 bias = 0;
  i64 cols = 0;
  std::string canonical_spec;
};

View parse_view(const std::string& text) {
  const Spec spec = parse_spec(text);
  const OptionReader reader(spec, kOptions);
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](auto& t) { return t.name == spec.name; });
  if (type == std::end(kTypes)) {
    std::vector<sv> names;
    for (const NamedType& t : kTypes) names.push_back(t.name);
    throw Error(ErrorKind::usage,
                fmt::format("view '{}': {}", printable(text), unknown_name("type", spec.name, names)));
  }
  View view;
  view.dtype = type->dtype;
  view.packed = info(view.dtype).bits == 4;
  static constexpr sv kOrders[] = {"low-first", "high-first"};
  view.high_first = reader.choice("nibbles", kOrders) == "high-first";
  view.bias = static_cast<u8>(reader.integer("bias", 0, view.packed ? 15 : 255));
  view.cols = reader.integer("cols", 0, i64{1} << 40);
  view.canonical_spec = canonical(spec, kOptions);
  const auto given = [&](const char* key) { return spec.options.count(key) != 0; };
  const bool byte_codes = view.packed || view.dtype == DType::int8 || view.dtype == DType::uint8;
  if ((!view.packed && (given("nibbles") || given("cols"))) || (!byte_codes && given("bias"))) {
    throw Error(ErrorKind::usage, fmt::format("view '{}': nibbles and cols go with int4 and uint4, bias with these and "
                                              "int8 and uint8",
                                              printable(text)));
  }
  return view;
}

// The code of a nibble as its byte in memory: 0…15, or sign-extended.
u8 nibble_value(const View& view, unsigned nibble) noexcept {
  const unsigned value = (nibble - view.bias) & 15u;
  return static_cast<u8>(view.dtype == DType::int4 && value >= 8 ? value | 0xf0u : value);
}

void unpack_row(const View& view, Bytes packed, MutBytes out) noexcept {
  const int even = view.high_first ? 4 : 0;
  for (std::size_t col = 0; col < out.size(); ++col) {
    const unsigned byte = packed[col / 2];
    out[col] = nibble_value(view, byte >> (col % 2 == 0 ? even : 4 - even) & 15u);
  }
}

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
    const View& view = views_[static_cast<std::size_t>(of_tensor_[index])];
    if (!view.packed) {
      base_->read_rows(index, first, count, out);
      for (u8& byte : out) byte = static_cast<u8>(byte - view.bias);  // bias is 0 for wider types
      return;
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
        unpack_row(view, Bytes(window).subspan(static_cast<std::size_t>(r) * packed_cols, packed_cols),
                   out.subspan(static_cast<std::size_t>(done + r) * cols, cols));
      }
    }
  }

  const Checkpoint& base() const noexcept { return *base_; }

 private:
  static constexpr std::size_t kWindow = std::size_t{1} << 18;

  void apply(const std::string& glob, View view) {
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

  static void retype(TensorInfo& tensor, const View& view, const std::string& glob) {
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
  std::vector<View> views_;
  std::vector<int> of_tensor_;  // index into views_, or −1
};

}  // namespace

std::span<const OptionInfo> view_options() noexcept { return kOptions; }

std::unique_ptr<Checkpoint> apply_views(std::unique_ptr<Checkpoint> base,
                                        const std::map<std::string, std::string>& views, u64 max_tensor_bytes) {
  return std::make_unique<Viewed>(std::move(base), views, max_tensor_bytes);
}

const Checkpoint& without_views(const Checkpoint& checkpoint) noexcept {
  const auto* viewed = dynamic_cast<const Viewed*>(&checkpoint);
  return viewed == nullptr ? checkpoint : viewed->base();
}

}  // namespace wcodec
