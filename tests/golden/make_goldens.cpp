// Writes the goldens of the current format version: make_goldens FOLDER, which must not exist.
#include <filesystem>
#include <iostream>

#include "tests/codec/sample_tensor.hpp"
#include "tests/core/file_bytes.hpp"
#include "tests/golden/goldens.hpp"

namespace wcodec::golden {
namespace {

constexpr const char* kCoders[] = {"raw",
                                   "rans",
                                   "rans:precision=10",
                                   "rans:tables=tile",
                                   "rans:tables=row-scale,contexts=4",
                                   "rans:tables=col-scale,contexts=4",
                                   "rans:tables=row-col-scale,contexts=16",
                                   "rans:tables=exponent,contexts=8",
                                   "rans:tables=best",
                                   "prefix",
                                   "prefix:low=2",
                                   "prefix:low=3",
                                   "rans:precision=11,low=3"};
constexpr DType kTypes[] = {DType::int4, DType::uint4, DType::int8, DType::uint8, DType::int16, DType::f8_e4m3,
                            DType::f16,  DType::bf16,  DType::f32,  DType::f64,   DType::int6};
constexpr const char* kModes[] = {
    "none", "none+left", "none+left+top+avg+planar", "none+med+paeth", "none+row-mean+col-mean", "ls:neighbours=3"};
constexpr const char* kTransforms[] = {"identity", "identity", "identity", "dct8", "adst8", "probe"};
constexpr const char* kTiles[] = {"16x16", "8x32", "5x7", "64x64"};

class Writer {
 public:
  explicit Writer(std::string folder) : folder_(std::move(folder)) {
    std::filesystem::create_directory(folder_);
    manifest_ = kTitle;
  }

  void record(DType dtype, i64 rows, i64 cols, const char* coder, const char* tile, const char* modes,
              const char* transform) {
    Entry e{"", "", "", coder, tile, modes, transform, "", ""};
    if (e.coder.starts_with("zstd")) e.zstd = ZSTD_versionString();
    e.file = std::to_string(1000 + count_++).substr(1) + "-" + std::string(info(dtype).name) + ".wct";
    const QuantizedTensor tensor = sample_tensor(dtype, rows, cols, static_cast<u64>(count_));
    finish(e, content_of(tensor), encode_as(e, tensor));
  }

  void progressive(DType dtype, i64 rows, i64 cols, const char* order, const char* transform) {
    Entry e{"", "", "", order, "", "", transform, "", ""};
    e.file = std::to_string(1000 + count_++).substr(1) + "-" + std::string(info(dtype).name) + ".wcp";
    const QuantizedTensor tensor = sample_tensor(dtype, rows, cols, static_cast<u64>(count_));
    finish(e, content_of(tensor), encode_as(e, tensor));
  }

  void container(const std::string& source, const std::string& content, const char* coder) {
    Entry e{"", "", "", coder, "16x16", "none+left", "", source, ZSTD_versionString()};
    e.file = std::to_string(1000 + count_++).substr(1) + "-" + source + ".wcodec";
    const std::string from = folder_ + "/" + source, to = folder_ + "/" + e.file;
    const std::vector<u8> bytes(content.begin(), content.end());
    write_bytes(from, bytes);
    encode_as(e, from, to);
    finish(e, bytes, read_bytes(to));
    std::filesystem::remove(from);
  }

  void finish() const {
    write_bytes(folder_ + "/manifest.tsv", Bytes(reinterpret_cast<const u8*>(manifest_.data()), manifest_.size()));
    std::cout << count_ << " goldens, " << bytes_ << " bytes\n";
  }

 private:
  void finish(Entry& e, const std::vector<u8>& content, const std::vector<u8>& coded) {
    const std::string path = folder_ + "/" + e.file;
    write_bytes(path, content);
    e.content = sha256_file(path);
    write_bytes(path, coded);
    e.coded = sha256_file(path);
    manifest_ += line_of(e);
    bytes_ += coded.size();
  }

  std::string folder_, manifest_;
  int count_ = 0;
  std::size_t bytes_ = 0;
};

void records(Writer& out) {
  int k = 0;
  for (const DType dtype : kTypes) {
    for (const char* coder : kCoders) {
      out.record(dtype, 20 + k % 7, 30 + k % 5, coder, kTiles[k % 4], kModes[k % 6], kTransforms[(k / 6 + k) % 6]);
      ++k;
    }
  }
  for (const auto& [rows, cols] : {std::pair{0, 0}, {0, 5}, {5, 0}, {1, 1}, {1, 97}, {97, 1}, {13, 17}})
    out.record(DType::int8, rows, cols, "rans", "16x16", "none+left", "identity");
  for (const DType dtype : {DType::int8, DType::bf16}) {
    out.record(dtype, 20, 30, "zstd", "16x16", "none+left", "identity");
    out.record(dtype, 20, 30, "bitplanes", "16x16", "none+left", "identity");
    out.record(dtype, 20, 30, "adaptive", "16x16", "none+left", "identity");
  }
  // 8 and 32 lanes, and several chunks.
  for (const char* coder : {"rans", "rans:chunk=1024", "prefix", "prefix:chunk=1024"}) {
    out.record(DType::int4, 40, 20, coder, "16x16", "none", "identity");
    out.record(DType::int4, 64, 60, coder, "16x16", "none+left", "identity");
  }
}

void containers(Writer& out) {
  using namespace gguf;
  const QuantizedTensor bf16 = sample_tensor(DType::bf16, 20, 30, 1), f32 = sample_tensor(DType::f32, 7, 9, 2);
  const auto text_of = [](const QuantizedTensor& t) { return std::string(t.words.begin(), t.words.end()); };
  const std::string safetensors = safetensors_bytes(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[20,30],"data_offsets":[0,1200]},)"
      R"("b":{"dtype":"F32","shape":[7,9],"data_offsets":[1200,1452]},)"
      R"("e":{"dtype":"I8","shape":[0,4],"data_offsets":[1452,1452]}}  )",
      text_of(bf16) + text_of(f32));
  const QuantizedTensor blocks = sample_tensor(DType::uint8, 1, 4 * 210, 3);
  const std::string data = text_of(blocks);
  for (const char* coder : {"raw", "rans", "prefix"}) {
    out.container("model.safetensors", safetensors, coder);
    out.container("q4_0.gguf", Gguf().tensor("w", {64, 2}, kTypeQ4_0, 0).bytes(data.substr(0, 72)), coder);
    out.container("q6_k.gguf", Gguf().tensor("w", {256, 4}, kTypeQ6_K, 0).bytes(data), coder);
  }
}

// Tables that came later, behind what was there.
void contexts(Writer& out) {
  for (const char* coder :
       {"rans:tables=position,contexts=8", "rans:tables=band,contexts=8", "rans:tables=neighbours,contexts=8"}) {
    for (const DType dtype : {DType::int4, DType::int8, DType::bf16}) {
      out.record(dtype, 64, 96, coder, "16x16", "none+left", "dct8");
      out.record(dtype, 70, 90, coder, "64x64", "none", "identity");
    }
  }
}

void planes(Writer& out) {
  for (const DType dtype : {DType::int4, DType::int8, DType::uint8}) {
    for (const char* order : {"offset", "sign-magnitude"}) {
      for (const char* transform : {"identity", "dct8", "probe"}) out.progressive(dtype, 40, 50, order, transform);
    }
  }
  for (const DType dtype :
       {DType::f8_e4m3, DType::f8_e5m2, DType::f16, DType::bf16, DType::f32, DType::int16, DType::uint16, DType::int32})
    out.progressive(dtype, 70, 40, "offset", "identity");
  out.progressive(DType::int8, 0, 5, "offset", "identity");
}

}  // namespace
}  // namespace wcodec::golden

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_goldens FOLDER\n";
    return 2;
  }
  wcodec::golden::Writer out(argv[1]);
  wcodec::golden::records(out);
  wcodec::golden::containers(out);
  wcodec::golden::contexts(out);
  wcodec::golden::planes(out);
  out.finish();
  return 0;
}
