#include "experiments/measure.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "baselines/registry.hpp"
#include "codec/stages.hpp"
#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "entropy/log2_cost.hpp"
#include "experiments/arranged_record.hpp"
#include "experiments/cell_device.hpp"
#include "experiments/controls.hpp"
#include "experiments/cpu_timing.hpp"
#include "experiments/diagnostics.hpp"
#include "experiments/gpu_cells.hpp"
#include "experiments/mixture_bound.hpp"
#include "experiments/reference_coding.hpp"
#include "experiments/stage_registries.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {
namespace {

QuantizedTensor quantize(const Checkpoint& checkpoint, std::size_t tensor, const std::string& quantizer) {
  const TensorInfo& t = checkpoint.tensors().at(tensor);
  const std::vector<u8> bytes = checkpoint.read(tensor);
  const QuantizerChoice choice = parse_quantizer(quantizer);
  if (choice.row->numeric && !is_quantizable(t.dtype)) {
    throw Error(ErrorKind::unsupported, "tensor '" + printable(t.name) + "' of type " + t.source_type +
                                            " cannot be quantized by " + quantizer + "; use 'lossless' for it");
  }
  return choice.row->quantize({t.name, t.dtype, t.rows, t.cols, bytes}, choice.spec);
}

PreparedBaseline available_baseline(const std::string& spec) {
  PreparedBaseline baseline = experiment_baselines().prepare(spec);
  if (const std::string why = why_unavailable(*baseline.row); !why.empty())
    throw Error(ErrorKind::unsupported, kUnavailable + why);
  return baseline;
}

// Words as an array's elements. FP8 words are bytes to every compressor there is.
DType element_type(const WordFormat& format) {
  const bool is_signed = format.number == NumberClass::signed_int;
  const bool is_float = format.number == NumberClass::floating;
  switch (format.memory_bytes) {
    case 1:
      return is_signed ? DType::int8 : DType::uint8;
    case 2:
      if (is_float) return format.exponent_bits == 8 ? DType::bf16 : DType::f16;
      return is_signed ? DType::int16 : DType::uint16;
    case 4:
      return is_float ? DType::f32 : is_signed ? DType::int32 : DType::uint32;
    default:
      return is_float ? DType::f64 : is_signed ? DType::int64 : DType::uint64;
  }
}

// What a baseline is given: symbols one a byte or packed, or the words as they stand in memory; and tells it, in its
// options, what they are.
std::vector<u8> baseline_input(const QuantizedTensor& tensor, PreparedBaseline& baseline) {
  const Packing packing = baseline.packing;
  const bool is_narrow = tensor.format.bits < 8;
  if (!is_narrow && packing == Packing::nibbles)
    throw Error(ErrorKind::usage, "pack=nibbles needs symbols of 4 bits or less");
  if (!is_narrow || (baseline.row->takes_arrays && packing == Packing::bytes)) {
    baseline.options.array = {element_type(tensor.format), tensor.rows, tensor.cols};
    return tensor.words;
  }
  std::vector<u8> symbols(tensor.words);
  for (u8& symbol : symbols) symbol &= static_cast<u8>((1 << tensor.format.bits) - 1);
  return pack_symbols(symbols, tensor.format.bits, packing);
}

// What codec cells of one order and one approximation share. By default the tensor itself.
class Fronted {
 public:
  Fronted(const QuantizedTensor& tensor, const std::string& order, const std::string& approx) : original_(tensor) {
    if (order == "identity" && approx == "none") return;
    fronted_.emplace(apply_front(tensor, parse_front(order, approx)));
  }
  bool is_default() const noexcept { return !fronted_; }
  // What the tensor codec gets.
  const QuantizedTensor& tensor() const noexcept { return fronted_ ? fronted_->tensor : original_; }
  // The bytes of a cell from those of the tensor codec.
  EncodedTensor finish(EncodedTensor record) const {
    return fronted_ ? join_front(*fronted_, record) : std::move(record);
  }
  QuantizedTensor decode(Bytes bytes) const {
    return fronted_ ? decode_fronted(bytes, original_.weights()) : decode_tensor(bytes, original_.weights());
  }

 private:
  const QuantizedTensor& original_;
  std::optional<FrontedTensor> fronted_;
};

// One control of one quantized tensor, and what its cells share.
class ControlledTensor {
 public:
  ControlledTensor(QuantizedTensor tensor, u64 source_bytes)
      : tensor_(std::move(tensor)), planes_(split_planes(tensor_)) {
    common_.weights = tensor_.weights();
    common_.source_bytes = source_bytes;
    common_.original_scale_bytes = tensor_.scales.size();
    common_.original_bytes = tensor_.symbol_bytes() + tensor_.scales.size();
    double bits = 0;
    for (const SymbolPlane& plane : planes_) {
      std::vector<u64> counts(256);
      for (const u8 symbol : plane.symbols) ++counts[symbol];
      bits += entropy_bits(counts);
    }
    common_.h0_bpw = bits / static_cast<double>(common_.weights);
    common_.gm_bpw = mixture_bound_bpw(tensor_);
  }

  // What a reference leaves of it. Keeps both this and the reference.
  ControlledTensor(const ControlledTensor& whole, const QuantizerChoice& quantizer, const ReferenceTensor& reference,
                   ReferenceFit fit)
      : common_(whole.common_), from_reference_({whole.tensor_, quantizer, reference, {}, {}}) {
    LedgerWriter side;
    tensor_ = subtract_reference(whole.tensor_, quantizer, reference, fit, side);
    side.write(LedgerEntry::crc, crc32(side.bytes()));
    planes_ = split_planes(tensor_);
    from_reference_->ledger = side.ledger();
    from_reference_->side = side.take();
  }

  const std::vector<SymbolPlane>& planes() const noexcept { return planes_; }
  const QuantizedTensor& tensor() const noexcept { return tensor_; }

  CellResult measure_baseline(const Cell& cell) const {
    PreparedBaseline baseline = available_baseline(cell.coder);
    const std::vector<u8> input = baseline_input(tensor_, baseline);
    std::vector<u8> coded(baseline.bound(input.size()));
    Failure why;
    const auto size = baseline.compress(input, coded, why);
    if (!size) throw Error(ErrorKind::unsupported, cell.coder + " failed to compress: " + std::string(why.text()));
    std::vector<u8> back(input.size());
    if (!baseline.decompress(Bytes(coded).first(*size), back, why) || back != input) {
      throw Error(ErrorKind::internal, cell.coder + " did not give the bytes back: " + std::string(why.text()));
    }
    CellResult result = start(cell);
    result.ledger[LedgerEntry::payload] = *size;
    result.ledger[LedgerEntry::scale] = tensor_.scales.size();
    result.residual_h0_bpw = result.best_bpw = std::nan("");
    result.coded_bytes = result.ledger.total();
    return result;
  }

  // `planes` are those of what `front` hands to the tensor codec.
  CellResult measure_codec(const Cell& cell, const Fronted& front, std::span<const SymbolPlane> planes, TileShape shape,
                           std::span<const PredictorChoice> modes, std::span<const ModeChoice> choices,
                           const TransformSet& transforms, std::span<const TransformedPlane> transformed) const {
    EncodedTensor record =
        encode_record(front.tensor(), planes, shape, modes, choices, parse_coder(cell.coder), transforms, transformed);
    if (const CellDevice device = parse_cell_device(cell.device); device.is_gpu()) {
      if (decode_words_on_gpu(record.bytes, device.gpu) != front.tensor().words)
        throw Error(ErrorKind::internal, "what the GPU decodes differs from the original");
    }
    const EncodedTensor encoded = front.finish(std::move(record));
    const QuantizedTensor back = front.decode(encoded.bytes);
    if (back.words != tensor_.words || back.scales != tensor_.scales || !(back.format == tensor_.format)) {
      throw Error(ErrorKind::internal, "the decoded tensor differs from the original");
    }
    CellResult result = start(cell);
    result.ledger = encoded.ledger;
    result.coded_bytes = encoded.bytes.size();
    if (from_reference_) {
      from_reference_->check(back);
      result.ledger += from_reference_->ledger;
      result.coded_bytes += from_reference_->side.size();
    }
    double residual_bits = 0, choice_bits = 0;
    for (std::size_t p = 0; p < planes.size(); ++p) {
      if (transformed.empty()) {
        residual_bits += entropy_bits(choices[p].residual_counts);
      } else {
        residual_bits +=
            entropy_bits(transformed[p].symbol_counts) + 8.0 * static_cast<double>(transformed[p].escapes.size());
        std::vector<u64> blocks(transforms.rows.size());
        for (const u8 choice : transformed[p].transform_of_block) ++blocks[choice];
        choice_bits += entropy_bits(blocks);
      }
      std::vector<u64> tiles;
      for (std::size_t m = 0; m < modes.size(); ++m) {
        tiles.push_back(choices[p].tiles_with(m));
        result.modes.push_back({std::string(planes[p].info.name), to_string(modes[m]), tiles.back()});
      }
      choice_bits += entropy_bits(tiles);
    }
    result.residual_h0_bpw = residual_bits / static_cast<double>(result.weights);
    result.best_bpw = (residual_bits + choice_bits) / static_cast<double>(result.weights);
    return result;
  }

 private:
  CellResult start(const Cell& cell) const {
    CellResult result = common_;
    result.hash = cell.hash;
    return result;
  }

  // How the words come back from a residual.
  struct FromReference {
    void check(const QuantizedTensor& residual) const {
      ByteReader in(side);
      const QuantizedTensor back = add_reference(residual, quantizer, reference, in);
      if (in.read<u32>("checksum of a reference's side information") != crc32(Bytes(side).first(side.size() - 4)) ||
          in.remaining() != 0) {
        throw Error(ErrorKind::internal, "the side information of a reference does not read back");
      }
      if (back.words != tensor.words || back.scales != tensor.scales || !(back.format == tensor.format))
        throw Error(ErrorKind::internal, "the tensor restored by its reference differs from the original");
    }

    const QuantizedTensor& tensor;
    const QuantizerChoice& quantizer;
    const ReferenceTensor& reference;
    std::vector<u8> side;
    Ledger ledger;
  };

  QuantizedTensor tensor_;  // what is coded
  std::vector<SymbolPlane> planes_;
  CellResult common_;
  std::optional<FromReference> from_reference_;
};

// References of one task, each read and quantized when it is first asked for.
class References {
 public:
  References(const std::string& quantizer, const ReferenceOpener& open)
      : quantizer_(parse_quantizer(quantizer)), spec_(quantizer), open_(open) {}

  const QuantizerChoice& quantizer() const noexcept { return quantizer_; }
  const ReferenceTensor& at(const ReferencePlace& place) {
    const auto key = std::pair(place.checkpoint, place.tensor);
    const auto known = kept_.find(key);
    if (known != kept_.end()) return known->second;
    return kept_.emplace(key, make_reference(quantize(open_(place.checkpoint), place.tensor, spec_), quantizer_))
        .first->second;
  }

 private:
  QuantizerChoice quantizer_;
  const std::string& spec_;
  const ReferenceOpener& open_;
  std::map<std::pair<std::size_t, std::size_t>, ReferenceTensor> kept_;
};

// Runs one cell and turns what goes wrong into a record of it. Out of memory is a failure of the cell, not of the
// sweep.
template <class Body>
void attempt(std::size_t index, const MeasureCallbacks& callbacks, Body&& body) {
  try {
    callbacks.begin(index);
    callbacks.done(index, body());
  } catch (const std::bad_alloc&) {
    callbacks.failed(index, "out of memory");
  } catch (const Error& error) {
    callbacks.failed(index, error.what());
  }
}

// Codec cells of one order and one approximation.
void measure_fronted(const ControlledTensor& controlled, const Fronted& front, std::span<const SymbolPlane> planes,
                     std::span<const Cell> cells, const std::vector<std::size_t>& chosen,
                     const std::string& diagnostic_tile, Diagnostics* diagnostics, const MeasureCallbacks& callbacks) {
  std::map<std::string, std::map<std::string, std::vector<std::size_t>>> by_tile;  // tile → modes → cells
  for (const std::size_t index : chosen) by_tile[cells[index].tile][cells[index].modes].push_back(index);
  for (const auto& [tile, by_modes] : by_tile) {
    const TileGrid grid{front.tensor().rows, front.tensor().cols, parse_tile(tile)};
    std::vector<PlanePredictions> predictions;
    for (const SymbolPlane& plane : planes) predictions.emplace_back(plane, grid);
    std::vector<std::string> met;  // predictors, for the histograms
    for (const auto& [modes_name, indices] : by_modes) {
      const std::vector<std::string> names = split_modes(modes_name);
      met.insert(met.end(), names.begin(), names.end());
      const std::vector<PredictorChoice> modes = parse_mode_set(names);
      std::vector<ModeChoice> choices;
      // Cells of one transform stand together, so that one transform at a time is kept.
      std::vector<std::size_t> ordered = indices;
      std::stable_sort(ordered.begin(), ordered.end(),
                       [&](std::size_t a, std::size_t b) { return cells[a].transform < cells[b].transform; });
      std::string transform = "identity";
      std::vector<TransformedPlane> transformed;
      for (const std::size_t index : ordered) {
        attempt(index, callbacks, [&] {
          if (choices.empty()) {
            for (PlanePredictions& plane : predictions) choices.push_back(plane.choose(modes));
          }
          const TransformSet set = parse_transform_set(cells[index].transform);
          if (cells[index].transform != transform) {
            transformed = transform_planes(planes, choices, grid, set);
            transform = cells[index].transform;
          }
          return controlled.measure_codec(cells[index], front, planes, grid.shape, modes, choices, set, transformed);
        });
      }
    }
    if (diagnostics != nullptr && tile == diagnostic_tile) {
      for (PlanePredictions& plane : predictions) add_histograms(plane, parse_mode_set(met), *diagnostics);
    }
  }
}

void measure_control(const ControlledTensor& controlled, std::span<const Cell> cells,
                     const std::vector<std::size_t>& chosen, const std::string& diagnostic_tile,
                     Diagnostics* diagnostics, const MeasureCallbacks& callbacks) {
  std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> by_front;  // order, approximation → cells
  for (const std::size_t index : chosen) {
    if (cells[index].role == Role::baseline) {
      attempt(index, callbacks, [&] { return controlled.measure_baseline(cells[index]); });
    } else {
      by_front[{cells[index].order, cells[index].approx}].push_back(index);
    }
  }
  for (const auto& [names, indices] : by_front) {
    const Fronted front(controlled.tensor(), names.first, names.second);
    if (front.is_default()) {
      measure_fronted(controlled, front, controlled.planes(), cells, indices, diagnostic_tile, diagnostics, callbacks);
    } else {
      // Diagnostics are of the weights as they are.
      measure_fronted(controlled, front, split_planes(front.tensor()), cells, indices, {}, nullptr, callbacks);
    }
  }
  const QuantizedTensor& tensor = controlled.tensor();
  if (diagnostics != nullptr) add_correlations(controlled.planes().front(), tensor.rows, tensor.cols, *diagnostics);
}

// All cells of one control: those without a reference first, then one reference after the other.
void measure_references(const ControlledTensor& tensor, std::span<const Cell> cells,
                        const std::vector<std::size_t>& indices, References& references,
                        const std::string& diagnostic_tile, Diagnostics* diagnostics, const MeasureCallbacks& callbacks,
                        const std::function<void(const std::vector<std::size_t>&, const char*)>& fail) {
  std::map<std::string, std::vector<std::size_t>> by_reference;
  for (const std::size_t index : indices) by_reference[cells[index].reference].push_back(index);
  measure_control(tensor, cells, by_reference["none"], diagnostic_tile, diagnostics, callbacks);
  by_reference.erase("none");
  for (const auto& [reference, chosen] : by_reference) {
    try {
      const ControlledTensor residual(tensor, references.quantizer(),
                                      references.at(cells[chosen.front()].reference_place),
                                      parse_reference(reference).fit);
      measure_control(residual, cells, chosen, diagnostic_tile, nullptr, callbacks);
    } catch (const std::bad_alloc&) {
      fail(chosen, "out of memory");
    } catch (const Error& error) {
      fail(chosen, error.what());
    }
  }
}

}  // namespace

void measure_cells(const Checkpoint& checkpoint, std::size_t tensor, const std::string& quantizer,
                   std::span<const Cell> cells, const std::string& diagnostic_tile, const MeasureCallbacks& outer,
                   const ReferenceOpener& reference) {
  // What goes wrong between cells fails those that have not been reported yet, and no other.
  std::vector<bool> reported(cells.size());
  MeasureCallbacks callbacks = outer;
  callbacks.done = [&](std::size_t cell, const CellResult& result) {
    reported[cell] = true;
    outer.done(cell, result);
  };
  callbacks.failed = [&](std::size_t cell, const std::string& reason) {
    reported[cell] = true;
    outer.failed(cell, reason);
  };
  // Controls in order of first appearance; the seed is part of what makes a control.
  std::vector<std::pair<std::pair<std::string, u64>, std::vector<std::size_t>>> groups;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto key = std::pair(cells[i].control, cells[i].seed);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == key; });
    if (group == groups.end()) group = groups.insert(groups.end(), {key, {}});
    group->second.push_back(i);
  }
  const auto fail = [&](const std::vector<std::size_t>& indices, const char* reason) {
    for (const std::size_t index : indices) {
      if (reported[index]) continue;
      callbacks.begin(index);
      callbacks.failed(index, reason);
    }
  };
  const ReferenceOpener open = reference ? reference : [&](std::size_t) -> const Checkpoint& { return checkpoint; };
  References references(quantizer, open);
  std::optional<QuantizedTensor> quantized;
  for (const auto& [key, indices] : groups) {
    try {
      if (!quantized) quantized = quantize(checkpoint, tensor, quantizer);
      const ControlledTensor controlled(apply_control(*quantized, key.first, key.second, cells[indices[0]].tensor_hash),
                                        checkpoint.tensors()[tensor].source_bytes);
      Diagnostics diagnostics{key.first, quantizer, {}, {}};
      const bool wanted = !diagnostic_tile.empty() && callbacks.diagnostics;
      measure_references(controlled, cells, indices, references, diagnostic_tile, wanted ? &diagnostics : nullptr,
                         callbacks, fail);
      if (wanted) callbacks.diagnostics(diagnostics);
    } catch (const std::bad_alloc&) {
      fail(indices, "out of memory");
    } catch (const Error& error) {
      fail(indices, error.what());
    }
  }
}

std::unique_ptr<TimingSubject> make_timing_subject(const Checkpoint& checkpoint, std::size_t tensor, const Cell& cell) {
  QuantizedTensor quantized =
      apply_control(quantize(checkpoint, tensor, cell.quantizer), cell.control, cell.seed, cell.tensor_hash);
  const CellDevice device = parse_cell_device(cell.device);
  if (cell.role == Role::baseline) {
    PreparedBaseline baseline = available_baseline(cell.coder);
    const std::vector<u8> input = baseline_input(quantized, baseline);
    if (device.is_gpu())
      return make_gpu_baseline_subject(cell.coder, input, quantized.symbol_bytes(), quantized.scales.size());
    return make_baseline_subject(baseline, input, quantized.symbol_bytes(), quantized.scales.size());
  }
  if (!device.is_gpu()) return make_codec_subject(std::move(quantized), cell, device);
  if (cell.order != "identity" || cell.approx != "none") {
    throw Error(ErrorKind::unsupported,
                "an order or approximation is undone on the CPU alone; time it on cpu, or leave it out by "
                "measure.timing.only");
  }
  const auto tensor_to_encode = std::make_shared<const QuantizedTensor>(std::move(quantized));
  const auto encode = [tensor_to_encode, shape = parse_tile(cell.tile), modes = parse_mode_set(split_modes(cell.modes)),
                       coder = parse_coder(cell.coder), transforms = parse_transform_set(cell.transform)] {
    return encode_tensor(*tensor_to_encode, shape, modes, coder, transforms).bytes;
  };
  return make_gpu_codec_subject(device.gpu, *tensor_to_encode, encode);
}

}  // namespace wcodec
