#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <unordered_map>

#include "codec/checkpoint_codec.hpp"
#include "codec/container_reader.hpp"
#include "codec/record_decoder.hpp"
#include "core/element_values.hpp"
#include "core/error.hpp"
#include "core/ordered_parallel.hpp"

namespace wcodec {
namespace {

// Rows [first, first + count) of a tensor that both sides have.
struct Piece {
  std::size_t in_a, in_b, report;
  i64 first, count;
};

struct PieceResult {
  u64 different = 0;
  double max_difference = 0;
};

std::string shape_text(const TensorInfo& tensor) {
  std::string text;
  for (const i64 side : tensor.shape) text += fmt::format("{}{}", text.empty() ? "" : "x", side);
  return text.empty() ? "scalar" : text;
}

i64 piece_rows(const Checkpoint& checkpoint, std::size_t index) {
  if (const auto* container = dynamic_cast<const ContainerReader*>(&checkpoint)) return container->rows_per_part(index);
  const i64 cols = std::max<i64>(1, checkpoint.tensors()[index].cols);
  return std::max<i64>(1, static_cast<i64>(kDefaultPartWeights) / cols);
}

// NaN against NaN is no difference where a tolerance is given: there is no number to compare.
double difference(double a, double b) noexcept {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double d = std::fabs(a - b);
  return std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
}

class Verifier {
 public:
  Verifier(const std::string& a, const std::string& b, const VerifyOptions& options)
      : options_(options),
        device_(choose_device(options.device, gpu(options))),
        decoder_(make_record_decoder(device_, thread_count(options.threads) + 2, gpu(options))),
        a_(open_any_checkpoint(a, {}, decoder_)),
        b_(open_any_checkpoint(b, {}, decoder_)) {
    if (!(options.atol >= 0)) throw Error(ErrorKind::usage, "atol must be a number of at least 0");
  }

  VerifyReport run() {
    const auto begun = std::chrono::steady_clock::now();
    pair_tensors();
    ordered_parallel(
        pieces_.size(), {options_.threads, options_.memory_bytes}, [&](u64 i) { return memory(pieces_[i]); },
        [&](u64 i) { return compare(pieces_[i]); }, [&](u64 i, const PieceResult& result) { add(pieces_[i], result); });
    const DecoderCounts counts = decoder_->counts();
    report_.device = device_.name();
    report_.gpu_records = counts.gpu_records;
    report_.cpu_records = counts.cpu_records;
    report_.note = device_.note.empty() ? counts.note : device_.note;
    report_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return std::move(report_);
  }

 private:
  static const GpuRuntime& gpu(const VerifyOptions& options) {
    return options.gpu != nullptr ? *options.gpu : gpu_runtime();
  }

  void pair_tensors() {
    std::unordered_map<sv, std::size_t> of_b;
    for (std::size_t i = 0; i < b_->tensors().size(); ++i) of_b.emplace(b_->tensors()[i].name, i);
    std::vector<bool> paired(b_->tensors().size());
    for (std::size_t i = 0; i < a_->tensors().size(); ++i) {
      const TensorInfo& tensor = a_->tensors()[i];
      TensorComparison& row = report_.tensors.emplace_back();
      row.name = tensor.name;
      row.weights = tensor.weights();
      report_.weights += row.weights;
      const auto it = of_b.find(tensor.name);
      if (it == of_b.end()) {
        row.problem = "only in A";
        continue;
      }
      paired[it->second] = true;
      compare_headers(tensor, b_->tensors()[it->second], row);
      if (row.problem.empty()) cut(i, it->second);
    }
    for (std::size_t i = 0; i < paired.size(); ++i) {
      if (paired[i]) continue;
      TensorComparison& row = report_.tensors.emplace_back();
      row.name = b_->tensors()[i].name;
      row.weights = b_->tensors()[i].weights();
      row.problem = "only in B";
    }
  }

  void compare_headers(const TensorInfo& a, const TensorInfo& b, TensorComparison& row) const {
    if (a.shape != b.shape) {
      row.problem = fmt::format("shape {} against {}", shape_text(a), shape_text(b));
    } else if (a.dtype != b.dtype &&
               (options_.atol == 0 || !has_element_values(a.dtype) || !has_element_values(b.dtype))) {
      row.problem = fmt::format("dtype {} against {}", info(a.dtype).name, info(b.dtype).name);
    }
  }

  void cut(std::size_t in_a, std::size_t in_b) {
    const TensorInfo& tensor = a_->tensors()[in_a];
    const i64 rows = std::max(piece_rows(*a_, in_a), piece_rows(*b_, in_b));
    for (i64 first = 0; first < tensor.rows; first += rows) {
      pieces_.push_back({in_a, in_b, report_.tensors.size() - 1, first, std::min(rows, tensor.rows - first)});
      total_bytes_ += bytes(*a_, in_a, pieces_.back());
    }
  }

  static u64 bytes(const Checkpoint& checkpoint, std::size_t index, const Piece& piece) {
    const TensorInfo& tensor = checkpoint.tensors()[index];
    return static_cast<u64>(piece.count) * static_cast<u64>(tensor.cols) *
           static_cast<u64>(info(tensor.dtype).memory_bytes);
  }
  // Both sides, what decoding takes, and values where they are compared.
  u64 memory(const Piece& piece) const { return 6 * (bytes(*a_, piece.in_a, piece) + bytes(*b_, piece.in_b, piece)); }

  PieceResult compare(const Piece& piece) const {
    std::vector<u8> a(bytes(*a_, piece.in_a, piece)), b(bytes(*b_, piece.in_b, piece));
    a_->read_rows(piece.in_a, piece.first, piece.count, a);
    b_->read_rows(piece.in_b, piece.first, piece.count, b);
    const DType type_a = a_->tensors()[piece.in_a].dtype, type_b = b_->tensors()[piece.in_b].dtype;
    PieceResult result;
    if (type_a == type_b && a == b) return result;
    const auto width_a = static_cast<std::size_t>(info(type_a).memory_bytes);
    const auto width_b = static_cast<std::size_t>(info(type_b).memory_bytes);
    const bool values = has_element_values(type_a) && has_element_values(type_b);
    constexpr std::size_t kWindow = 4096;
    std::vector<double> value_a(kWindow), value_b(kWindow);
    const std::size_t count = a.size() / width_a;
    for (std::size_t at = 0; at < count; at += kWindow) {
      const std::size_t size = std::min(kWindow, count - at);
      if (values) {
        element_values(type_a, Bytes(a).subspan(at * width_a, size * width_a), std::span(value_a).first(size));
        element_values(type_b, Bytes(b).subspan(at * width_b, size * width_b), std::span(value_b).first(size));
      }
      for (std::size_t i = 0; i < size; ++i) {
        const double d = values ? difference(value_a[i], value_b[i]) : 0;
        result.max_difference = std::max(result.max_difference, d);
        const bool exact = options_.atol == 0 || !values;
        const bool differs =
            exact ? std::memcmp(a.data() + (at + i) * width_a, b.data() + (at + i) * width_b, width_a) != 0
                  : d > options_.atol;
        result.different += differs ? 1 : 0;
      }
    }
    return result;
  }

  void add(const Piece& piece, const PieceResult& result) {
    TensorComparison& row = report_.tensors[piece.report];
    row.different += result.different;
    row.max_difference = std::max(row.max_difference, result.max_difference);
    done_bytes_ += bytes(*a_, piece.in_a, piece);
    if (options_.progress && !options_.progress({done_bytes_, total_bytes_, row.name})) {
      throw Error(ErrorKind::cancelled, "stopped as asked");
    }
  }

  const VerifyOptions& options_;
  Device device_;
  std::shared_ptr<RecordDecoder> decoder_;
  std::unique_ptr<Checkpoint> a_, b_;
  std::vector<Piece> pieces_;
  VerifyReport report_;
  u64 done_bytes_ = 0, total_bytes_ = 0;
};

}  // namespace

bool VerifyReport::equal() const noexcept {
  return std::all_of(tensors.begin(), tensors.end(), [](const TensorComparison& t) { return t.equal(); });
}

VerifyReport verify_checkpoints(const std::string& a, const std::string& b, const VerifyOptions& options) {
  return Verifier(a, b, options).run();
}

}  // namespace wcodec
