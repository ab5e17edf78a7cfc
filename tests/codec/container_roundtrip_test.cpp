// Checkpoints through a container and back, byte for byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "codec/container_reader.hpp"
#include "core/sources/gguf_types.hpp"
#include "tests/codec/container_testing.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

// Encodes, decodes, compares; what encoding said.
CodecStats expect_round_trip(const TestDirectory& directory, const std::string& source,
                             const EncodeOptions& options = {}) {
  const std::string packed = directory.path("packed.wcodec"), back = directory.path("back");
  EncodeOptions replace = options;
  replace.overwrite = true;
  const CodecStats encoded = encode_checkpoint(source, packed, replace);
  EXPECT_EQ(encoded.ledger.total(), std::filesystem::file_size(packed));
  EXPECT_EQ(encoded.source_bytes, std::filesystem::file_size(source));
  DecodeOptions again;
  again.overwrite = true;
  again.threads = options.threads;
  const CodecStats decoded = decode_checkpoint(packed, back, again);
  EXPECT_TRUE(file_bytes(back) == file_bytes(source)) << source;
  EXPECT_EQ(decoded.ledger, encoded.ledger);
  EXPECT_EQ(decoded.source_bytes, encoded.source_bytes);
  EXPECT_EQ(decoded.weights, encoded.weights);
  EXPECT_EQ(decoded.parts, encoded.parts);
  VerifyOptions verify;
  verify.threads = options.threads;
  const VerifyReport report = verify_checkpoints(source, packed, verify);
  EXPECT_TRUE(report.equal());
  EXPECT_EQ(ContainerReader::open(packed)->ledger(), encoded.ledger);
  return encoded;
}

TEST(ContainerRoundTrip, EveryDtypeAndShapeInPartsOfEverySize) {
  const TestDirectory directory;
  const std::string source = directory.write("model.safetensors", varied_safetensors());
  for (const u64 part_weights : {u64{11}, u64{200}, kDefaultPartWeights}) {
    EncodeOptions options;
    options.part_weights = part_weights;
    options.threads = 2;
    const CodecStats stats = expect_round_trip(directory, source, options);
    EXPECT_EQ(stats.layers, 17u * 9);
  }
}

TEST(ContainerRoundTrip, FilesWithoutWeights) {
  const TestDirectory directory;
  expect_round_trip(directory, directory.write("none.safetensors", safetensors_bytes("{}")));
  expect_round_trip(directory, directory.write("empty.safetensors", make_safetensors({{"e", "F32", {0}, ""}})));
  expect_round_trip(directory, directory.write("one.safetensors", make_safetensors({{"s", "U8", {}, "x"}})));
}

TEST(ContainerRoundTrip, ATinyTensorGrowsByAFewDozenBytes) {
  const TestDirectory directory;
  for (const std::size_t size : {1u, 10u, 100u, 1000u}) {
    const std::string source = directory.write(
        "tiny.safetensors", make_safetensors({{"w", "U8", {static_cast<i64>(size)}, random_bytes(size, size)}}));
    EncodeOptions options;
    options.overwrite = true;
    encode_checkpoint(source, directory.path("tiny.wcodec"), options);
    EXPECT_LE(ContainerReader::open(directory.path("tiny.wcodec"))->layers()[0].coded_bytes, size + 48);
  }
}

TEST(ContainerRoundTrip, BytesDoNotDependOnThreadsOrMemory) {
  const TestDirectory directory;
  const std::string source = directory.write("model.safetensors", varied_safetensors());
  EncodeOptions options;
  options.part_weights = 64;
  options.threads = 1;
  encode_checkpoint(source, directory.path("one"), options);
  options.threads = 5;
  encode_checkpoint(source, directory.path("five"), options);
  options.memory_bytes = 1000;
  options.verify = false;
  encode_checkpoint(source, directory.path("tight"), options);
  EXPECT_EQ(file_bytes(directory.path("one")), file_bytes(directory.path("five")));
  EXPECT_EQ(file_bytes(directory.path("one")), file_bytes(directory.path("tight")));
}

TEST(ContainerRoundTrip, KeepsNanPayloadsMinusZeroAndSubnormals) {
  std::string bytes;
  for (const u32 word : {0x7fc12345u, 0xffc00001u, 0x7f800001u, 0x80000000u, 0x00000001u, 0xff800000u}) {
    bytes += little_endian(word);
  }
  const TestDirectory directory;
  expect_round_trip(directory, directory.write("nan.safetensors", make_safetensors({{"n", "F32", {2, 3}, bytes}})));
}

TEST(ContainerRoundTrip, EveryStageThatMayBeAskedFor) {
  const TestDirectory directory;
  const std::string source = directory.write(
      "model.safetensors", make_safetensors({{"a", "BF16", {48, 64}, weight_bytes(DType::bf16, 3072, 1)},
                                             {"b", "I8", {48, 64}, weight_bytes(DType::int8, 3072, 2)}}));
  for (const char* coder : {"raw", "rans", "rans:tables=tile", "rans:tables=row-col-scale,contexts=16"}) {
    EncodeOptions options;
    options.coder = coder;
    options.tile = "8x32";
    options.modes = {"none", "left", "ls"};
    expect_round_trip(directory, source, options);
    EXPECT_THAT(ContainerReader::open(directory.path("packed.wcodec"))->layers()[0].stages,
                HasSubstr("8x32 none+left+ls"));
  }
  EncodeOptions wrong;
  wrong.coder = "rant";
  EXPECT_THROW(encode_checkpoint(source, directory.path("x"), wrong), Error);
  wrong.coder = "";
  wrong.part_weights = 0;
  EXPECT_THROW(encode_checkpoint(source, directory.path("x"), wrong), Error);
  EXPECT_FALSE(std::filesystem::exists(directory.path("x")));
}

// --- views of packed codes -----------------------------------------------------------------------------------

TEST(ContainerViews, PackedCodesComeBackAsTheirBytes) {
  const TestDirectory directory;
  std::string packed(64 * 96, '\0');
  Philox random(3, 3);
  for (char& byte : packed) {
    const auto code = [&] {
      return static_cast<unsigned>(std::clamp(8 + static_cast<int>(random.normal() * 2), 0, 15));
    };
    byte = static_cast<char>(code() | code() << 4);
  }
  const std::string source =
      directory.write("packed.safetensors", make_safetensors({{"w.codes", "U8", {64, 96}, packed},
                                                              {"odd", "U8", {3, 5}, random_bytes(15, 1)},
                                                              {"bytes", "I8", {10, 10}, random_bytes(100, 2)},
                                                              {"halves", "U16", {9, 9}, random_bytes(162, 3)}}));
  const CodecStats plain = expect_round_trip(directory, source);
  EncodeOptions options;
  for (const char* spec : {"int4:nibbles=low-first,bias=8", "uint4:nibbles=high-first", "uint4:bias=15"}) {
    options.views = {{"w.codes", spec}, {"odd", "int4:cols=9"}, {"bytes", "uint8:bias=77"}, {"halves", "bf16"}};
    const CodecStats viewed = expect_round_trip(directory, source, options);
    EXPECT_LT(viewed.container_bytes, plain.container_bytes);
    EXPECT_GT(viewed.weights, plain.weights);
  }
  // What the container shows are the tensors of the file; a view may be laid over it as over the file.
  EXPECT_EQ(ContainerReader::open(directory.path("packed.wcodec"))->tensors()[0].dtype, DType::uint8);
  OpenOptions open;
  open.views = options.views;
  const auto a = open_any_checkpoint(source, open), b = open_any_checkpoint(directory.path("packed.wcodec"), open);
  ASSERT_EQ(b->tensors()[0].cols, 192);
  for (std::size_t i = 0; i < a->tensors().size(); ++i) EXPECT_EQ(a->read(i), b->read(i));
  options.views = {{"w.codes", "bf16"}};
  EXPECT_THROW(encode_checkpoint(source, directory.path("x"), options), Error);
  options.views = {{"absent*", "int4"}};
  EXPECT_THROW(encode_checkpoint(source, directory.path("x"), options), Error);
}

// --- several files --------------------------------------------------------------------------------------------

class Shards : public ::testing::Test {
 protected:
  Shards() {
    write("model-00001-of-00002.safetensors",
          make_safetensors({{"a", "F32", {8, 9}, weight_bytes(DType::f32, 72, 1)}, {"b", "I8", {5}, "abcde"}}));
    write("model-00002-of-00002.safetensors",
          make_safetensors({{"c", "BF16", {16, 16}, weight_bytes(DType::bf16, 256, 2)}}));
    write("model.safetensors.index.json", R"({"metadata": {"total_size": 805}, "weight_map": {
      "a": "model-00001-of-00002.safetensors", "b": "model-00001-of-00002.safetensors",
      "c": "model-00002-of-00002.safetensors"}})");
    directory_.write("model/config.json", "{}");
  }
  void write(const std::string& name, const std::string& bytes) {
    directory_.write("model/" + name, bytes);
    files_[name] = bytes;
  }
  void expect_files(const std::string& folder) const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path(folder))) {
      names.insert(entry.path().filename().string());
      EXPECT_EQ(file_bytes(entry.path().string()), files_.at(entry.path().filename().string()));
    }
    EXPECT_EQ(names.size(), files_.size());
  }

  TestDirectory directory_;
  std::map<std::string, std::string> files_;
};

TEST_F(Shards, ComeBackAsADirectory) {
  for (const char* source : {"model", "model/model.safetensors.index.json"}) {
    EncodeOptions options;
    options.overwrite = true;
    const CodecStats stats = encode_checkpoint(directory_.path(source), directory_.path("m.wcodec"), options);
    EXPECT_EQ(stats.files, 3u);
    EXPECT_EQ(stats.layers, 3u);
    std::filesystem::remove_all(directory_.path("out"));
    if (source[5] != 0) std::filesystem::create_directory(directory_.path("out"));  // an empty one is replaced
    decode_checkpoint(directory_.path("m.wcodec"), directory_.path("out"));
    expect_files("out");
  }
  EXPECT_TRUE(verify_checkpoints(directory_.path("model"), directory_.path("m.wcodec")).equal());
  const auto reader = ContainerReader::open(directory_.path("m.wcodec"));
  EXPECT_EQ(reader->source_files()[0].name, "model.safetensors.index.json");
  EXPECT_EQ(reader->layers()[2].file, 2u);
  EXPECT_EQ(reader->metadata(0).size(), 0u);
  ASSERT_EQ(reader->metadata(1).size(), 1u);
  EXPECT_EQ(reader->metadata(1)[0].second, "pt");
}

TEST_F(Shards, NothingIsReplacedAndNothingIsLeft) {
  encode_checkpoint(directory_.path("model"), directory_.path("m.wcodec"));
  directory_.write("out/mine", "keep");
  EXPECT_THROW(decode_checkpoint(directory_.path("m.wcodec"), directory_.path("out")), Error);
  EXPECT_EQ(file_bytes(directory_.path("out/mine")), "keep");
  // The second shard is corrupt: the first has been written by then, under a name of its own.
  std::string bytes = file_bytes(directory_.path("m.wcodec"));
  const auto reader = ContainerReader::open(directory_.path("m.wcodec"));
  bytes[bytes.size() - 700] ^= 1;
  directory_.write("bad.wcodec", bytes);
  EXPECT_THROW(decode_checkpoint(directory_.path("bad.wcodec"), directory_.path("fresh")), Error);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path(""))) {
    names.insert(entry.path().filename().string());
  }
  EXPECT_EQ(names, (std::set<std::string>{"bad.wcodec", "m.wcodec", "model", "out"}));
}

TEST_F(Shards, AMissingShardIsNamed) {
  std::filesystem::remove(directory_.path("model/model-00002-of-00002.safetensors"));
  try {
    encode_checkpoint(directory_.path("model"), directory_.path("m.wcodec"));
    ADD_FAILURE() << "encoded";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr("model-00002-of-00002.safetensors"));
  }
}

// --- GGUF -----------------------------------------------------------------------------------------------------

constexpr u32 kGgufTypes[] = {0,  1,  2,  3,  6,  7,  8,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                              20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 34, 35, 39, 40, 41};

// Every readable type, with bytes of metadata before, gaps of padding that is not zero between, and a tail.
std::string varied_gguf() {
  const auto text = [](const std::string& value) { return little_endian(static_cast<u64>(value.size())) + value; };
  std::string tensors, data;
  u64 count = 0;
  for (const u32 id : kGgufTypes) {
    const GgufType& type = *find_gguf_type(id);
    for (const u64 rows : {1u, 5u}) {
      const u64 cols = static_cast<u64>(type.block) * 3;
      while (data.size() % 32 != 0) data += static_cast<char>('p' + data.size() % 7);
      tensors += text(fmt::format("blk.{}.{}.weight", id, rows)) + little_endian(u32{2}) + little_endian(cols) +
                 little_endian(u64{rows}) + little_endian(id) + little_endian(static_cast<u64>(data.size()));
      data += random_bytes(3 * rows * static_cast<std::size_t>(type.block_bytes), id * 10 + rows);
      ++count;
    }
  }
  std::string out = "GGUF" + little_endian(u32{3}) + little_endian(count) + little_endian(u64{1}) +
                    text("general.name") + little_endian(u32{8}) + text("a model") + tensors;
  out.resize((out.size() + 31) / 32 * 32, '\0');
  return out + data + "behind the last";
}

TEST(ContainerGguf, EveryBlockTypeComesBackByteForByte) {
  const TestDirectory directory;
  const std::string source = directory.write("model.gguf", varied_gguf());
  for (const u64 part_weights : {u64{1}, u64{600}, kDefaultPartWeights}) {
    EncodeOptions options;
    options.part_weights = part_weights;
    const CodecStats stats = expect_round_trip(directory, source, options);
    EXPECT_EQ(stats.layers, 2 * std::size(kGgufTypes));
    // Planes and their rows read alike from either side.
    const auto a = open_any_checkpoint(source), b = open_any_checkpoint(directory.path("packed.wcodec"));
    ASSERT_EQ(a->tensors().size(), b->tensors().size());
    for (std::size_t i = 0; i < a->tensors().size(); ++i) {
      const TensorInfo &x = a->tensors()[i], &y = b->tensors()[i];
      EXPECT_EQ(x.name, y.name);
      EXPECT_EQ(x.shape, y.shape);
      EXPECT_EQ(x.dtype, y.dtype);
      EXPECT_EQ(x.source_bytes, y.source_bytes) << x.name;
      EXPECT_EQ(x.source_type, y.source_type);
      EXPECT_EQ(x.kind, y.kind);
      EXPECT_EQ(a->read(i), b->read(i)) << x.name;
    }
  }
}

// --- random access --------------------------------------------------------------------------------------------

TEST(ContainerRows, AreThoseOfTheSource) {
  const TestDirectory directory;
  const std::string source = directory.write("model.safetensors", varied_safetensors());
  for (const u64 part_weights : {u64{50}, u64{500}}) {
    EncodeOptions options;
    options.part_weights = part_weights;
    options.overwrite = true;
    encode_checkpoint(source, directory.path("m.wcodec"), options);
    const auto a = open_checkpoint(source);
    const auto b = ContainerReader::open(directory.path("m.wcodec"));
    Philox random(part_weights, 1);
    for (std::size_t i = 0; i < a->tensors().size(); ++i) {
      const TensorInfo& tensor = a->tensors()[i];
      ASSERT_EQ(tensor.name, b->tensors()[i].name);
      ASSERT_EQ(tensor.shape, b->tensors()[i].shape);
      for (int round = 0; round < 4; ++round) {
        const i64 first = tensor.rows == 0 ? 0 : random.below(static_cast<u32>(tensor.rows));
        const i64 count = random.below(static_cast<u32>(tensor.rows - first + 1));
        std::vector<u8> x(static_cast<u64>(count * tensor.cols * info(tensor.dtype).memory_bytes)), y(x.size());
        a->read_rows(i, first, count, x);
        b->read_rows(i, first, count, y);
        ASSERT_EQ(x, y) << tensor.name << " " << first << "+" << count;
      }
    }
    std::vector<u8> out(1);
    EXPECT_THROW(b->read_rows(0, 0, 5, out), Error);
  }
}

// --- verify ---------------------------------------------------------------------------------------------------

TEST(Verify, FindsWhatDiffers) {
  const TestDirectory directory;
  std::string f32 = weight_bytes(DType::f32, 64, 1), near = f32;
  float value;
  std::memcpy(&value, near.data() + 40, 4);
  value += 0.25f;
  std::memcpy(near.data() + 40, &value, 4);
  const std::string a = directory.write(
      "a.safetensors",
      make_safetensors({{"same", "I8", {4}, "abcd"}, {"w", "F32", {8, 8}, f32}, {"mine", "I8", {1}, "x"}}));
  const std::string b = directory.write(
      "b.safetensors",
      make_safetensors({{"same", "I8", {4}, "abcd"}, {"w", "F32", {8, 8}, near}, {"yours", "I8", {1}, "x"}}));
  encode_checkpoint(b, directory.path("b.wcodec"));
  VerifyReport report = verify_checkpoints(a, directory.path("b.wcodec"));
  ASSERT_EQ(report.tensors.size(), 4u);
  EXPECT_TRUE(report.tensors[0].equal());
  EXPECT_EQ(report.tensors[1].different, 1u);
  EXPECT_NEAR(report.tensors[1].max_difference, 0.25, 1e-6);
  EXPECT_EQ(report.tensors[2].problem, "only in A");
  EXPECT_EQ(report.tensors[3].problem, "only in B");
  EXPECT_FALSE(report.equal());
  VerifyOptions loose;
  loose.atol = 0.3;
  report = verify_checkpoints(a, b, loose);
  EXPECT_TRUE(report.tensors[1].equal());
  loose.atol = 0.2;
  EXPECT_FALSE(verify_checkpoints(a, b, loose).tensors[1].equal());
  loose.atol = -1;
  EXPECT_THROW(verify_checkpoints(a, b, loose), Error);
}

TEST(Verify, NanEqualsItselfBitForBitAndByTolerance) {
  const TestDirectory directory;
  const std::string nan = little_endian(0x7fc00001u) + little_endian(0x3f800000u);
  const std::string other = little_endian(0x3f800000u) + little_endian(0x3f800000u);
  const std::string a = directory.write("a.safetensors", make_safetensors({{"w", "F32", {2}, nan}}));
  const std::string b = directory.write("b.safetensors", make_safetensors({{"w", "F32", {2}, other}}));
  EXPECT_TRUE(verify_checkpoints(a, a).equal());
  VerifyOptions loose;
  loose.atol = 10;
  EXPECT_TRUE(verify_checkpoints(a, a, loose).equal());
  EXPECT_FALSE(verify_checkpoints(a, b, loose).equal());
}

// --- checkpoints of others ------------------------------------------------------------------------------------

TEST(ContainerRoundTrip, TheReferenceModel) {
  const TestDirectory directory;
  expect_round_trip(directory, std::string(WCODEC_SOURCE_DIR) + "/checkpoints/wcodec-ref-2m/model.safetensors");
}

TEST(ContainerRoundTrip, EveryCheckpointAtHand) {
  const char* folder = std::getenv("WCODEC_CHECKPOINTS");
  const std::filesystem::path root = folder == nullptr ? WCODEC_SOURCE_DIR "/../shared/checkpoints" : folder;
  std::error_code error;
  std::vector<std::string> files;
  for (std::filesystem::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    if (path.ends_with(".safetensors") || path.ends_with(".gguf")) files.push_back(path);
  }
  if (files.empty()) GTEST_SKIP() << "no checkpoints: set WCODEC_CHECKPOINTS to a folder of them";
  for (const std::string& file : files) {
    if (std::filesystem::file_size(file) > 16 << 20) continue;  // tests/codec_slow takes the larger ones
    const TestDirectory directory;
    expect_round_trip(directory, file);
  }
}

}  // namespace
}  // namespace wcodec
