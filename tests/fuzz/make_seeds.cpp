// Writes small valid inputs of every fuzz target, one folder a target: what mutations start from.
//   fuzz_seeds FOLDER
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "codec/checkpoint_codec.hpp"
#include "codec/progressive_file.hpp"
#include "codec/tensor_codec.hpp"
#include "tests/codec/sample_tensor.hpp"
#include "tests/core/file_bytes.hpp"

namespace wcodec {
namespace {

using Path = std::filesystem::path;

void write(const Path& folder, const std::string& name, sv bytes) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary) << bytes;
}

void write(const Path& folder, const std::string& name, Bytes bytes) {
  write(folder, name, sv(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void safetensors(const Path& folder) {
  write(folder, "empty", safetensors_bytes("{}"));
  write(folder, "two",
        safetensors_bytes(R"({"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
                          R"("b.weight":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}   )",
                          std::string(22, 'x')));
  write(folder, "metadata",
        safetensors_bytes(R"({"__metadata__":{"format":"pt","\u0041":"\n"},)"
                          R"("i":{"dtype":"I8","shape":[0,4],"data_offsets":[0,0]},)"
                          R"("s":{"dtype":"F8_E4M3","shape":[],"data_offsets":[0,1]}})",
                          "y"));
}

void gguf_files(const Path& folder) {
  using namespace gguf;
  Gguf values;
  values.key("a", kU8, "\x01").key("b", kString, text("value")).key("c", kF64, "abcdefgh");
  values.key("d", kArray, little_endian(u32{kString}) + little_endian(u64{2}) + text("x") + text("yz"));
  values.key("general.alignment", kU32, little_endian(u32{32}));
  values.tensor("late", {3}, kTypeI8, 32).tensor("early", {2, 3, 1}, kTypeF32, 0);
  write(folder, "values", values.bytes(std::string(35, 'x')));
  write(folder, "q4_0", Gguf().tensor("w", {64, 2}, kTypeQ4_0, 0).bytes(std::string(72, 'q')));
  write(folder, "q6_k", Gguf().tensor("w", {256, 1}, kTypeQ6_K, 0).bytes(std::string(210, 'k')));
}

// Without what is for people (scanning comments takes most of the time and finds nothing), and without what the target
// does not try.
std::string without_comments(std::istream& file) {
  std::string text, line;
  while (std::getline(file, line)) {
    line.erase(std::min(line.size(), line.find(" #")));
    const bool is_tried = line.find("nvcomp") == std::string::npos && !line.starts_with("question:");
    if (!line.empty() && line[0] != '#' && is_tried) text += line + "\n";
  }
  return text;
}

void yaml(const Path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(Path(WCODEC_SOURCE_DIR) / "configs")) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    write(folder, entry.path().stem().string(), without_comments(file));
  }
  write(
      folder, "anchors",
      "experiment: x\nzip: &z [[tile, modes]]\naxes: {tile: [8x8, 16x16], modes: [[none], [none, left]]}\nviews: *z\n");
}

// A coder's bytes behind the geometry that coder_target.hpp takes from the front.
std::string stream_of(const char* coder, const SymbolPlane& plane, TileGrid grid) {
  PlanePredictions predictions(plane, grid);
  const ModeChoice choice = predictions.choose(parse_mode_set({"none"}));
  LedgerWriter out(false);
  const CoderChoice chosen = parse_coder(coder);
  chosen.row->encode(
      *chosen.row,
      {{grid, plane.info.bits}, choice.residuals, plane.symbols.data(), plane.info.zero, plane.info.log_scale},
      chosen.options, out);
  std::string bytes = little_endian(static_cast<u8>(plane.info.bits - 1)) + little_endian(static_cast<u16>(grid.rows)) +
                      little_endian(static_cast<u16>(grid.cols)) +
                      little_endian(static_cast<u16>(grid.shape.rows - 1)) +
                      little_endian(static_cast<u16>(grid.shape.cols - 1));
  const std::vector<u8> coded = out.take();
  return bytes.append(coded.begin(), coded.end());
}

void coder_streams(const Path& folder, const std::vector<const char*>& coders) {
  int count = 0;
  for (const char* coder : coders) {
    for (const auto& [dtype, rows, cols] :
         {std::tuple{DType::int4, 5, 7}, {DType::int8, 40, 30}, {DType::int8, 128, 80}, {DType::bf16, 20, 30}}) {
      const auto planes = split_planes(sample_tensor(dtype, rows, cols, 1));
      write(folder, "seed" + std::to_string(count++), stream_of(coder, planes[0], {rows, cols, {16, 16}}));
    }
  }
}

void records(const Path& folder) {
  int count = 0;
  for (const char* coder :
       {"raw", "rans", "rans:tables=tile", "rans:tables=row-col-scale", "rans:tables=best", "rans:tables=position",
        "rans:tables=band", "rans:tables=neighbours", "prefix", "zstd", "bitplanes", "adaptive"}) {
    for (const DType dtype : {DType::int4, DType::int8, DType::bf16, DType::f32}) {
      const QuantizedTensor tensor = sample_tensor(dtype, 12, 20, 1);
      for (const auto& modes : {std::vector<std::string>{"none"}, {"none", "left", "row-mean", "ls"}}) {
        for (const char* transforms : {"identity", "probe"}) {
          write(
              folder, "seed" + std::to_string(count++),
              encode_tensor(tensor, {8, 8}, parse_mode_set(modes), parse_coder(coder), parse_transform_set(transforms))
                  .bytes);
        }
      }
    }
  }
}

void progressive(const Path& folder) {
  int count = 0;
  for (const DType dtype : {DType::int4, DType::int8, DType::uint8}) {
    for (const BitOrder order : {BitOrder::offset, BitOrder::sign_magnitude}) {
      for (const char* transforms : {"identity", "dct8", "probe"}) {
        write(folder, "seed" + std::to_string(count++),
              encode_progressive(sample_tensor(dtype, 18, 20, 1), {order, parse_transform_set(transforms)}).bytes);
      }
    }
  }
  for (const DType dtype : {DType::f8_e4m3, DType::bf16, DType::f32, DType::uint16})
    write(folder, "seed" + std::to_string(count++), encode_progressive(sample_tensor(dtype, 9, 10, 1)).bytes);
}

// Of a checkpoint of small, wide, floating and exact layers: whole, and cut behind some planes.
void progressive_files(const Path& folder) {
  std::filesystem::create_directories(folder);
  const QuantizedTensor codes = sample_tensor(DType::int8, 9, 10, 1), half = sample_tensor(DType::bf16, 6, 8, 2),
                        full = sample_tensor(DType::f32, 3, 4, 3), norm = sample_tensor(DType::f32, 1, 5, 4);
  const auto text_of = [](const QuantizedTensor& t) { return std::string(t.words.begin(), t.words.end()); };
  const Path source = folder / "source";
  std::ofstream(source, std::ios::binary)
      << safetensors_bytes(R"({"codes":{"dtype":"I8","shape":[9,10],"data_offsets":[0,90]},)"
                           R"("half":{"dtype":"BF16","shape":[6,8],"data_offsets":[90,186]},)"
                           R"("full":{"dtype":"F32","shape":[3,4],"data_offsets":[186,234]},)"
                           R"("norm":{"dtype":"F32","shape":[5],"data_offsets":[234,254]}})",
                           text_of(codes) + text_of(half) + text_of(full) + text_of(norm));
  int count = 0;
  for (const BitOrder order : {BitOrder::offset, BitOrder::sign_magnitude}) {
    for (const char* transforms : {"identity", "probe"}) {
      ProgressiveEncodeOptions options;
      options.progressive = {order, parse_transform_set(transforms)};
      const std::string whole = (folder / ("seed" + std::to_string(count))).string();
      encode_progressive_file(source.string(), whole, options);
      const u64 cut = ProgressiveFile::open(whole).bytes_for(count);
      std::filesystem::copy_file(whole, whole + "-cut", std::filesystem::copy_options::overwrite_existing);
      std::filesystem::resize_file(whole + "-cut", cut);
      ++count;
    }
  }
  std::filesystem::remove(source);
}

// Of the checkpoints above, in parts of few weights, so that there are several.
void containers(const Path& folder, const Path& checkpoints) {
  std::filesystem::create_directories(folder);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(checkpoints)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().stem().string();
    for (const u64 part_weights : {u64{1} << 20, u64{64}}) {
      EncodeOptions options;
      options.part_weights = part_weights;
      options.threads = 1;
      options.overwrite = true;
      encode_checkpoint(entry.path().string(), (folder / (name + "-" + std::to_string(part_weights))).string(),
                        options);
    }
  }
}

void pipeline(const Path& folder) {
  for (int i = 0; i < 32; ++i) {
    Philox random(2, static_cast<u64>(i));
    std::string bytes;
    // coder, tile ×2, modes ×2, transforms, dtype, large, rows ×2, columns ×2, scales, how; then words
    for (const int choice :
         {i, 7 + i, 15, static_cast<int>(random.below(256)), i % 4, i % 5, i, i % 8 == 0 ? 255 : 0,
          static_cast<int>(random.below(130)), 0, static_cast<int>(random.below(130)), 0, i % 9, i % 4}) {
      bytes += static_cast<char>(choice);
    }
    for (int w = 0; w < 64; ++w) bytes += static_cast<char>(random.below(256));
    write(folder, "seed" + std::to_string(i), bytes);
  }
}

}  // namespace
}  // namespace wcodec

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz_seeds FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  wcodec::safetensors(folder / "safetensors");
  wcodec::gguf_files(folder / "gguf");
  wcodec::yaml(folder / "yaml");
  wcodec::coder_streams(folder / "rans",
                        {"rans", "rans:precision=8", "rans:tables=tile", "rans:tables=row-col-scale,contexts=8",
                         "rans:chunk=1024", "rans:tables=neighbours,contexts=4", "rans:tables=position,contexts=4"});
  wcodec::coder_streams(folder / "prefix", {"prefix", "prefix:low=0", "prefix:low=4", "prefix:chunk=1024"});
  wcodec::records(folder / "record");
  wcodec::progressive(folder / "progressive");
  wcodec::progressive_files(folder / "progressive_file");
  wcodec::containers(folder / "container", folder / "gguf");
  wcodec::containers(folder / "container", folder / "safetensors");
  wcodec::pipeline(folder / "pipeline");
  return 0;
}
