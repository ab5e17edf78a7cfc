#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include "codec/container_reader.hpp"
#include "core/bytes.hpp"
#include "core/element_values.hpp"
#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/sources/describe.hpp"
#include "core/spec.hpp"
#include "experiments/stage_registries.hpp"
#include "tools/codec_command.hpp"

namespace wcodec {
namespace {

struct Arguments {
  std::string file, layer, out;
  std::vector<std::string> plugins;
  bool floats = false, force = false;
};

// What is asked for: indices [first, last) of the first dimension.
struct Slice {
  std::size_t tensor = 0;
  i64 first = 0, last = 0;
  bool whole = true;
};

std::size_t find_tensor(const Checkpoint& checkpoint, sv name) {
  const auto& tensors = checkpoint.tensors();
  const auto it = std::find_if(tensors.begin(), tensors.end(), [&](const TensorInfo& t) { return t.name == name; });
  return static_cast<std::size_t>(it - tensors.begin());
}

[[noreturn]] void bad_rows(sv text, i64 length) {
  throw Error(ErrorKind::usage,
              fmt::format("[{}]: write [FIRST:LAST] or [INDEX] with numbers from 0 to {}", printable(text), length));
}

// "10:20", "10:", ":20", "10", as Python slices the first dimension, but only forwards and inside of it.
void parse_rows(sv text, i64 length, Slice& slice) {
  const auto number = [&](sv digits, i64 otherwise) {
    if (digits.empty()) return otherwise;
    i64 value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 0 || value > length) {
      bad_rows(text, length);
    }
    return value;
  };
  const auto colon = text.find(':');
  if (text.empty()) bad_rows(text, length);
  slice.whole = false;
  slice.first = number(text.substr(0, colon), 0);
  slice.last = colon == sv::npos ? slice.first + 1 : number(text.substr(colon + 1), length);
  if (slice.first > slice.last || slice.last > length) bad_rows(text, length);
}

Slice find_slice(const Checkpoint& checkpoint, const std::string& text, const std::string& file) {
  Slice slice;
  const auto length = [&] {
    const auto& shape = checkpoint.tensors()[slice.tensor].shape;
    return shape.empty() ? i64{1} : shape.front();
  };
  // A name may end in brackets itself.
  slice.tensor = find_tensor(checkpoint, text);
  if (slice.tensor < checkpoint.tensors().size()) {
    slice.last = length();
    return slice;
  }
  const auto bracket = text.rfind('[');
  const bool rows = bracket != std::string::npos && text.back() == ']';
  const std::string name = rows ? text.substr(0, bracket) : text;
  slice.tensor = find_tensor(checkpoint, name);
  if (slice.tensor == checkpoint.tensors().size()) {
    std::vector<sv> names;
    for (const TensorInfo& tensor : checkpoint.tensors()) names.push_back(tensor.name);
    names.resize(std::min<std::size_t>(names.size(), 1000));
    throw Error(ErrorKind::not_found, printable(file) + ": " + shown_name(unknown_name("layer", name, names)));
  }
  parse_rows(sv(text).substr(bracket + 1, text.size() - bracket - 2), length(), slice);
  return slice;
}

// The type that is written: codes of less than a byte take one.
DType written_type(DType dtype, bool floats) {
  if (floats) return DType::f32;
  if (info(dtype).bits >= 8) return dtype;
  return info(dtype).number == NumberClass::signed_int ? DType::int8 : DType::uint8;
}

std::string npy_type(DType dtype, sv name) {
  const DTypeInfo& d = info(dtype);
  if (dtype == DType::boolean) return "|b1";
  if (dtype == DType::c64) return "<c8";
  const bool known =
      d.number != NumberClass::floating || dtype == DType::f16 || dtype == DType::f32 || dtype == DType::f64;
  if (!known || dtype == DType::f8_e8m0) {
    throw Error(ErrorKind::unsupported,
                fmt::format("layer '{}': .npy has no type {}; write .safetensors, or convert it with --float32",
                            shown_name(name), d.name));
  }
  const char letter = d.number == NumberClass::floating ? 'f' : d.number == NumberClass::signed_int ? 'i' : 'u';
  return fmt::format("{}{}{}", d.memory_bytes == 1 ? '|' : '<', letter, d.memory_bytes);
}

// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0.
std::vector<u8> npy_header(DType dtype, const std::vector<i64>& shape, sv name) {
  std::string sides;
  for (const i64 side : shape) sides += fmt::format("{},", side);
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", npy_type(dtype, name), sides);
  constexpr std::size_t kPrefix = 10, kAlign = 64;
  text.append(kAlign - (kPrefix + text.size() + 1) % kAlign, ' ');
  text += '\n';
  ByteWriter out;
  out.append(Bytes(reinterpret_cast<const u8*>("\x93NUMPY\x01\x00"), 8));
  out.write(static_cast<u16>(text.size()));
  out.append(Bytes(reinterpret_cast<const u8*>(text.data()), text.size()));
  return out.bytes;
}

std::vector<u8> safetensors_header(DType dtype, const std::vector<i64>& shape, const std::string& name, u64 bytes) {
  const nlohmann::json json = {
      {name, {{"dtype", info(dtype).name}, {"shape", shape}, {"data_offsets", {u64{0}, bytes}}}}};
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  ByteWriter out;
  out.write(static_cast<u64>(text.size()));
  out.append(Bytes(reinterpret_cast<const u8*>(text.data()), text.size()));
  return out.bytes;
}

std::vector<u8> to_float32(DType dtype, Bytes bytes) {
  const std::size_t count = bytes.size() / static_cast<std::size_t>(info(dtype).memory_bytes);
  std::vector<double> values(count);
  element_values(dtype, bytes, values);
  std::vector<u8> out(count * sizeof(float));
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(values[i]);
    std::memcpy(out.data() + i * sizeof value, &value, sizeof value);
  }
  return out;
}

int extract(const Arguments& arguments) {
  use_plugins(arguments.plugins);
  const std::unique_ptr<Checkpoint> checkpoint = open_any_checkpoint(arguments.file);
  const Slice slice = find_slice(*checkpoint, arguments.layer, arguments.file);
  const TensorInfo& tensor = checkpoint->tensors()[slice.tensor];
  if (arguments.floats && !has_element_values(tensor.dtype)) {
    throw Error(ErrorKind::unsupported,
                fmt::format("layer '{}': {} is no real number", shown_name(tensor.name), info(tensor.dtype).name));
  }
  std::vector<i64> shape = tensor.shape;
  if (!slice.whole && !shape.empty()) shape.front() = slice.last - slice.first;
  const DType dtype = written_type(tensor.dtype, arguments.floats);
  const u64 bytes = element_count(shape).value_or(0) * static_cast<u64>(info(dtype).memory_bytes);

  OutputFile output(arguments.out, arguments.force);
  if (arguments.out.ends_with(".npy")) output.append(npy_header(dtype, shape, tensor.name));
  if (arguments.out.ends_with(".safetensors")) output.append(safetensors_header(dtype, shape, tensor.name, bytes));
  // A 1-D tensor is one row, of which a part is asked for; otherwise an index of the first dimension is some rows.
  const bool flat = tensor.shape.size() < 2;
  const i64 rows_each = flat || tensor.shape.front() == 0 ? tensor.rows : tensor.rows / tensor.shape.front();
  const i64 first = flat ? 0 : slice.first * rows_each, last = flat ? tensor.rows : slice.last * rows_each;
  const auto width = static_cast<u64>(info(tensor.dtype).memory_bytes);
  const u64 row_bytes = static_cast<u64>(tensor.cols) * width;
  const i64 window = std::max<i64>(1, static_cast<i64>((u64{1} << 22) / std::max<u64>(row_bytes, 1)));
  for (i64 row = first; row < last && bytes != 0; row += window) {
    const i64 count = std::min(window, last - row);
    std::vector<u8> values(static_cast<u64>(count) * row_bytes);
    checkpoint->read_rows(slice.tensor, row, count, values);
    Bytes part(values);
    if (flat && !slice.whole) {
      part = part.subspan(static_cast<u64>(slice.first) * width, static_cast<u64>(slice.last - slice.first) * width);
    }
    output.append(arguments.floats ? Bytes(to_float32(tensor.dtype, part)) : part);
  }
  output.commit();
  return kAllFine;
}

}  // namespace

void add_extract(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("extract", "Write one layer, or some rows of it, without decoding the rest");
  command->add_option("file", arguments->file, "A .wcodec file, or any source of `wcodec list`")
      ->required()
      ->type_name("FILE");
  command->add_option("layer", arguments->layer, "Name of the layer; NAME[10:20] takes rows 10 to 19, NAME[7] one")
      ->required()
      ->type_name("LAYER");
  command
      ->add_option("-o,--out", arguments->out,
                   "File to write: .npy, .safetensors, or any other name for the bytes alone")
      ->required()
      ->type_name("OUT");
  command->add_flag("--float32", arguments->floats, "Convert values to float32");
  command->add_flag("-f,--force", arguments->force, "Replace OUT if it exists");
  declare_plugins(*command, arguments->plugins);
  command->footer(
      "Rows are indices of the first dimension. Codes of less than a byte are written as bytes. A quantized tensor of\n"
      "a GGUF file has layers NAME.codes, NAME.scales and so on; `wcodec stats FILE` lists them.\n\n"
      "Exit status: 0 all fine; 2 wrong usage or input, and nothing was written.\n\n"
      "Examples:\n"
      "  wcodec extract model.wcodec \"model.layers.0.mlp.up_proj.weight[0:16]\" -o rows.npy --float32\n"
      "  wcodec extract model.wcodec model.norm.weight -o norm.safetensors\n");
  command->callback([arguments, &action] { action = [arguments] { return extract(*arguments); }; });
}

}  // namespace wcodec
