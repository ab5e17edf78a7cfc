// Whole checkpoints and single layers of a container, through libwcodec.so.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>
#include <wcodec.hpp>

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using wcodec::api::Options;
using wcodec::api::Reader;

std::string file_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Checkpoints : public testing::Test {
 protected:
  Checkpoints() {
    std::string pattern = (fs::temp_directory_path() / "wcodec-api-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    for (auto& value : weights_) value = static_cast<float>(normal_(random_));
    std::string header =
        R"({"__metadata__":{"format":"pt","made":"here"},"a.weight":{"dtype":"F32","shape":[60,50],"data_offsets":[0,12000]},)"
        R"("b.bias":{"dtype":"I8","shape":[7],"data_offsets":[12000,12007]}})";
    while (header.size() % 8 != 0) header += ' ';
    const std::uint64_t size = header.size();
    std::ofstream file(source(), std::ios::binary);
    file.write(reinterpret_cast<const char*>(&size), 8);
    file << header;
    file.write(reinterpret_cast<const char*>(weights_.data()), 12000);
    file << "\x01\x02\x03\xff\xfe\x05\x06";
  }
  ~Checkpoints() override { fs::remove_all(folder_); }

  std::string path(const char* name) const { return (folder_ / name).string(); }
  std::string source() const { return path("model.safetensors"); }
  std::string container() const { return path("model.wcodec"); }
  void encode() const {
    wcodec::api::encode_checkpoint(source(), container(),
                                   Options().set("model_name", "tiny").set("part_weights", "1000").set("threads", "2"));
  }

  fs::path folder_;
  std::mt19937 random_{7};
  std::normal_distribution<double> normal_{0, 0.02};
  std::vector<float> weights_ = std::vector<float>(3000);
};

TEST_F(Checkpoints, ComeBackByteForByte) {
  std::uint64_t last = 0, total = 0;
  const auto stats = wcodec::api::encode_checkpoint(source(), container(), Options().set("preset", "ratio"),
                                                    [&](auto done, auto all, auto) {
                                                      EXPECT_GE(done, last);
                                                      last = done;
                                                      total = all;
                                                      return true;
                                                    });
  EXPECT_EQ(last, total);
  EXPECT_GT(total, 12000u);
  EXPECT_EQ(stats.source_bytes, fs::file_size(source()));
  EXPECT_EQ(stats.encoded_bytes, fs::file_size(container()));
  EXPECT_EQ(stats.tensor_bytes, 12007u);
  EXPECT_EQ(stats.layers, 2u);
  EXPECT_EQ(stats.files, 1u);
  std::uint64_t ledger = 0;
  for (const std::uint64_t part : stats.ledger) ledger += part;
  EXPECT_EQ(ledger, stats.encoded_bytes);
  EXPECT_EQ(wcodec_is_container(container().c_str()), 1);
  EXPECT_EQ(wcodec_is_container(source().c_str()), 0);
  EXPECT_EQ(wcodec_is_container(path("absent").c_str()), 0);

  const auto decoded = wcodec::api::decode_checkpoint(container(), path("back.safetensors"));
  EXPECT_EQ(file_bytes(path("back.safetensors")), file_bytes(source()));
  EXPECT_EQ(decoded.encoded_bytes, stats.encoded_bytes);
}

TEST_F(Checkpoints, AreCompared) {
  encode();
  EXPECT_TRUE(wcodec::api::verify_checkpoints(source(), container()).equal);
  std::string other = file_bytes(source());
  other.back() = static_cast<char>(other.back() + 2);
  std::ofstream(path("other.safetensors"), std::ios::binary) << other;
  const auto found = wcodec::api::verify_checkpoints(container(), path("other.safetensors"));
  EXPECT_FALSE(found.equal);
  ASSERT_EQ(found.layers.size(), 2u);
  EXPECT_EQ(found.layers[0].different, 0u);
  EXPECT_EQ(found.layers[1].layer, "b.bias");
  EXPECT_EQ(found.layers[1].different, 1u);
  EXPECT_EQ(found.layers[1].max_difference, 2);
  const auto near = wcodec::api::verify_checkpoints(container(), path("other.safetensors"), Options().set("atol", "2"));
  EXPECT_TRUE(near.equal);
}

TEST_F(Checkpoints, AreReadByRows) {
  encode();
  const Reader reader(container());
  ASSERT_EQ(reader.size(), 2u);
  EXPECT_EQ(reader.model_name(), "tiny");
  EXPECT_THAT(reader.metadata(), testing::ElementsAre(std::pair("format", "pt"), std::pair("made", "here")));
  EXPECT_EQ(reader.stats().encoded_bytes, fs::file_size(container()));
  const auto info = reader.layer(reader.find("a.weight"));
  EXPECT_EQ(std::string(info.name, info.name_size), "a.weight");
  EXPECT_EQ(info.dtype, WCODEC_F32);
  EXPECT_EQ(info.rows, 60u);
  EXPECT_EQ(info.cols, 50u);
  EXPECT_EQ(info.dimensions, 2u);
  EXPECT_EQ(info.shape[1], 50);
  EXPECT_EQ(info.decoded_bytes, 12000u);
  EXPECT_EQ(info.source_bytes, 12000u);
  EXPECT_STREQ(info.source_type, "F32");
  EXPECT_GE(info.rows_per_part, 1u);
  for (const auto& [first, count] : {std::pair{0, 60}, {0, 0}, {60, 0}, {59, 1}, {17, 25}}) {
    std::vector<float> rows(static_cast<std::size_t>(count) * 50);
    reader.read_rows(0, static_cast<unsigned>(first), static_cast<unsigned>(count),
                     {reinterpret_cast<std::uint8_t*>(rows.data()), rows.size() * 4});
    EXPECT_TRUE(std::equal(rows.begin(), rows.end(), weights_.begin() + first * 50)) << first;
  }
  EXPECT_EQ(reader.layer(1).rows, 1u);
  EXPECT_EQ(reader.layer(1).cols, 7u);
}

TEST_F(Checkpoints, ReadersAreShared) {
  encode();
  const Reader reader(container());
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      std::vector<float> row(50);
      for (unsigned i = 0; i < 40; ++i) {
        const unsigned at = (i * 13 + t * 7) % 60;
        reader.read_rows(0, at, 1, {reinterpret_cast<std::uint8_t*>(row.data()), 200});
        EXPECT_EQ(std::memcmp(row.data(), weights_.data() + at * 50, 200), 0);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

// The error of a call that must fail.
template <class Call>
wcodec::api::Error error_of(Call call) {
  try {
    call();
  } catch (const wcodec::api::Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return wcodec::api::Error({WCODEC_OK, "", "", "", 0});
}

TEST_F(Checkpoints, ErrorsSayWhere) {
  encode();
  const Reader reader(container());
  std::vector<std::uint8_t> room(200);
  EXPECT_EQ(error_of([&] { reader.layer(2); }).status(), WCODEC_USAGE);
  EXPECT_EQ(error_of([&] { reader.read_rows(0, 60, 1, room); }).status(), WCODEC_USAGE);
  EXPECT_EQ(error_of([&] { reader.read_rows(0, UINT64_MAX, 2, room); }).status(), WCODEC_USAGE);
  EXPECT_EQ(error_of([&] { reader.read_rows(0, 0, 2, room); }).layer(), "a.weight");
  const auto absent = error_of([&] { reader.find("c\x1b"); });
  EXPECT_EQ(absent.status(), WCODEC_NOT_FOUND);
  EXPECT_EQ(absent.layer(), "c\\x1b");
  EXPECT_EQ(absent.file(), container());

  const auto gone = error_of([&] { Reader(path("absent.wcodec")); });
  EXPECT_EQ(gone.status(), WCODEC_NOT_FOUND);
  EXPECT_EQ(gone.file(), path("absent.wcodec"));
  EXPECT_EQ(error_of([&] { wcodec::api::encode_checkpoint(path("absent.safetensors"), path("x.wcodec")); }).file(),
            path("absent.safetensors"));
  const auto exists = error_of([&] { wcodec::api::encode_checkpoint(source(), container()); });
  EXPECT_EQ(exists.status(), WCODEC_USAGE);
  EXPECT_EQ(exists.file(), container());
  wcodec::api::encode_checkpoint(source(), container(), Options().set("overwrite", "true"));
}

TEST_F(Checkpoints, DamageNamesFileLayerAndOffset) {
  encode();
  std::string bytes = file_bytes(container());
  bytes[700] = static_cast<char>(bytes[700] ^ 0x40);  // within the first layer's records
  std::ofstream(path("damaged.wcodec"), std::ios::binary) << bytes;
  const Reader reader(path("damaged.wcodec"));
  std::vector<std::uint8_t> room(12000, 0xaa);
  const auto error = error_of([&] { reader.read_rows(0, 0, 60, room); });
  EXPECT_EQ(error.status(), WCODEC_CORRUPT);
  EXPECT_EQ(error.file(), path("damaged.wcodec"));
  EXPECT_EQ(error.layer(), "a.weight");
  EXPECT_GT(error.offset(), 0);
  EXPECT_LE(error.offset(), 700);
  EXPECT_EQ(error_of([&] { wcodec::api::decode_checkpoint(path("damaged.wcodec"), path("out.safetensors")); }).status(),
            WCODEC_CORRUPT);
  EXPECT_FALSE(fs::exists(path("out.safetensors")));
}

TEST_F(Checkpoints, StopWhenAsked) {
  const auto stop = error_of(
      [&] { wcodec::api::encode_checkpoint(source(), container(), {}, [](auto, auto, auto) { return false; }); });
  EXPECT_EQ(stop.status(), WCODEC_CANCELLED);
  EXPECT_FALSE(fs::exists(container()));
  struct Mine {};
  EXPECT_THROW(
      wcodec::api::encode_checkpoint(source(), container(), {}, [](auto, auto, auto) -> bool { throw Mine{}; }), Mine);
  encode();
  EXPECT_EQ(error_of([&] {
              wcodec::api::decode_checkpoint(container(), path("out"), {}, [](auto, auto, auto) { return false; });
            }).status(),
            WCODEC_CANCELLED);
  EXPECT_FALSE(fs::exists(path("out")));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 2);
}

TEST_F(Checkpoints, ByPlanesAnyBeginningDecodes) {
  std::uint64_t last = 0;
  const auto stats =
      wcodec::api::encode_progressive_checkpoint(source(), path("model.wcp"), {}, [&](auto done, auto, auto) {
        last = done;
        return true;
      });
  EXPECT_EQ(last, 12007u);
  EXPECT_EQ(stats.source_bytes, 12007u);
  EXPECT_EQ(stats.weights, 3007u);
  EXPECT_EQ(stats.layers, 2u);
  EXPECT_EQ(stats.encoded_bytes, fs::file_size(path("model.wcp")));
  std::uint64_t ledger = 0;
  for (const std::uint64_t part : stats.ledger) ledger += part;
  EXPECT_EQ(ledger, stats.encoded_bytes);

  const Options replace = Options().set("overwrite", "1");
  double before = 1e9;
  for (int planes = 0; planes <= WCODEC_MAX_PLANES; ++planes) {
    const auto layers =
        wcodec::api::decode_progressive_checkpoint(path("model.wcp"), path("out.safetensors"), planes, replace);
    ASSERT_EQ(layers.size(), 2u);
    EXPECT_EQ(layers[0].layer, "a.weight");
    EXPECT_EQ(layers[0].planes, std::min<std::uint32_t>(static_cast<std::uint32_t>(planes), layers[0].all_planes));
    EXPECT_LE(layers[0].value_bound, before);
    before = layers[0].value_bound;
    const std::string bytes = file_bytes(path("out.safetensors"));
    std::vector<float> back(3000);
    std::memcpy(back.data(), bytes.data() + bytes.size() - 12007, 12000);
    for (std::size_t i = 0; i < back.size(); ++i) ASSERT_LE(std::abs(back[i] - weights_[i]), before) << planes;
    EXPECT_EQ(layers[1].bound, 0u);  // one dimension: exact
    EXPECT_EQ(bytes.substr(bytes.size() - 7), "\x01\x02\x03\xff\xfe\x05\x06");
  }
  EXPECT_EQ(before, 0);

  // The beginning of the file is as good as the planes that are whole in it.
  fs::copy_file(path("model.wcp"), path("cut.wcp"));
  fs::resize_file(path("cut.wcp"), stats.encoded_bytes / 2);
  const auto half = wcodec::api::decode_progressive_checkpoint(path("cut.wcp"), path("half.safetensors"));
  EXPECT_GT(half[0].planes, 8u);
  EXPECT_LT(half[0].value_bound, 0.01);
  EXPECT_EQ(error_of([&] {
              wcodec::api::decode_progressive_checkpoint(path("cut.wcp"), path("x.safetensors"), 33);
            }).status(),
            WCODEC_USAGE);
  EXPECT_EQ(error_of([&] { wcodec::api::decode_progressive_checkpoint(source(), path("x.safetensors")); }).status(),
            WCODEC_CORRUPT);
  EXPECT_EQ(error_of([&] {
              wcodec::api::decode_progressive_checkpoint(path("model.wcp"), path("x.safetensors"), -1, {},
                                                         [](auto, auto, auto) { return false; });
            }).status(),
            WCODEC_CANCELLED);
  EXPECT_FALSE(fs::exists(path("x.safetensors")));
}

}  // namespace
