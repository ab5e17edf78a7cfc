// The C interface as a program meets it: through libwcodec.so, with its header alone.
#include <gmock/gmock.h>
#include <wcodec.h>

#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>
#include <wcodec.hpp>

namespace {

using testing::HasSubstr;
using wcodec::api::Decoder;
using wcodec::api::Encoder;
using wcodec::api::Options;
using ByteVector = std::vector<std::uint8_t>;

ByteVector vec(const wcodec::api::OwnedBytes& bytes) { return {bytes.data(), bytes.data() + bytes.size()}; }

constexpr wcodec_dtype kDTypes[] = {WCODEC_BOOL, WCODEC_U8,      WCODEC_I8,      WCODEC_U16, WCODEC_I16,    WCODEC_U32,
                                    WCODEC_I32,  WCODEC_U64,     WCODEC_I64,     WCODEC_F16, WCODEC_BF16,   WCODEC_F32,
                                    WCODEC_F64,  WCODEC_F8_E4M3, WCODEC_F8_E5M2, WCODEC_U4,  WCODEC_I4,     WCODEC_U5,
                                    WCODEC_I5,   WCODEC_U6,      WCODEC_I6,      WCODEC_C64, WCODEC_F8_E8M0};

// Any bytes; elements of a few bits stay within them.
ByteVector random_elements(wcodec_dtype dtype, std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  ByteVector bytes(count * wcodec_dtype_size(dtype));
  const std::string name = wcodec_dtype_name(dtype);
  const int bits = name.size() == 2 ? name[1] - '0' : 8;
  for (auto& byte : bytes) {
    const int value = static_cast<int>(random() & ((1u << bits) - 1));
    byte = static_cast<std::uint8_t>(bits < 8 && name[0] == 'I' ? value - (1 << (bits - 1)) : value);
  }
  return bytes;
}

ByteVector smooth_elements(std::size_t count) {
  ByteVector bytes(count);
  std::mt19937 random(5);
  std::normal_distribution<double> normal(0, 8);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(static_cast<int>(normal(random)));
  return bytes;
}

TEST(Version, IsThatOfTheHeader) {
  EXPECT_EQ(wcodec_version(), std::to_string(WCODEC_VERSION_MAJOR) + "." + std::to_string(WCODEC_VERSION_MINOR) + "." +
                                  std::to_string(WCODEC_VERSION_PATCH));
}

TEST(Names, AreThereForAllAndNothingElse) {
  for (const wcodec_dtype dtype : kDTypes) {
    wcodec_dtype parsed{};
    ASSERT_EQ(wcodec_dtype_parse(wcodec_dtype_name(dtype), &parsed), WCODEC_OK);
    EXPECT_EQ(parsed, dtype);
  }
  EXPECT_EQ(std::size(kDTypes), 23u);
  EXPECT_EQ(wcodec_dtype_size(static_cast<wcodec_dtype>(23)), 0u);
  EXPECT_EQ(wcodec_dtype_name(static_cast<wcodec_dtype>(0x7ffffffe)), nullptr);
  EXPECT_STREQ(wcodec_status_name(WCODEC_BUFFER_TOO_SMALL), "buffer too small");
  EXPECT_STREQ(wcodec_status_name(static_cast<wcodec_status>(99)), "unknown status");
  EXPECT_STREQ(wcodec_ledger_name(0), "payload_bytes");
  EXPECT_EQ(wcodec_ledger_name(WCODEC_LEDGER_ENTRIES), nullptr);
  std::size_t keys = 0;
  while (wcodec_option_key(keys) != nullptr) EXPECT_NE(wcodec_option_help(keys++), nullptr);
  EXPECT_GE(keys, 6u);
  EXPECT_EQ(wcodec_option_help(keys), nullptr);
}

TEST(Layers, RoundTripEveryTypeAndShapeWithinTheBound) {
  for (const char* modes : {"none", "none+left+row-mean+ls"}) {
    for (const char* tile : {"16x16", "1x1"}) {
      for (const char* coder : {"raw", "rans:tables=tile", "rans:tables=row-col-scale,contexts=64"}) {
        const Encoder encoder(Options().set("modes", modes).set("tile", tile).set("coder", coder));
        const Decoder decoder;
        for (const wcodec_dtype dtype : kDTypes) {
          for (const auto& [rows, cols] : {std::pair{0, 0}, {0, 7}, {7, 0}, {1, 1}, {13, 17}, {40, 33}}) {
            const auto count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
            const ByteVector elements = random_elements(dtype, count, 1);
            const std::uint64_t r = static_cast<unsigned>(rows), c = static_cast<unsigned>(cols);
            const auto layer = encoder.encode_layer(dtype, r, c, elements);
            ASSERT_LE(layer.record.size(), encoder.bound(dtype, r, c))
                << wcodec_dtype_name(dtype) << " " << modes << " " << tile << " " << coder << " " << rows;
            const auto back = decoder.decode_layer(layer.record.span());
            ASSERT_EQ(vec(back.elements), elements);
            ASSERT_EQ(back.info.rows, r);
            ASSERT_EQ(back.info.cols, c);
            ASSERT_EQ(wcodec_dtype_size(back.info.dtype), wcodec_dtype_size(dtype));
            ASSERT_EQ(layer.stats.encoded_bytes, layer.record.size());
            ASSERT_EQ(layer.stats.weights, count);
            std::uint64_t ledger = 0;
            for (const std::uint64_t part : layer.stats.ledger) ledger += part;
            ASSERT_EQ(ledger, layer.record.size());
          }
        }
      }
    }
  }
}

TEST(Layers, PresetsCompress) {
  const ByteVector elements = smooth_elements(256 * 256);
  for (const char* preset : {"ratio", "balanced", "speed"}) {
    const auto layer = Encoder(Options().set("preset", preset)).encode_layer(WCODEC_I8, 256, 256, elements);
    EXPECT_LT(layer.record.size(), elements.size() * 7 / 10) << preset;
    EXPECT_EQ(vec(Decoder().decode_layer(layer.record.span()).elements), elements) << preset;
  }
}

TEST(Layers, CallersBuffer) {
  const Encoder encoder;
  const ByteVector elements = smooth_elements(64 * 64);
  const ByteVector expected = vec(encoder.encode_layer(WCODEC_I8, 64, 64, elements).record);
  ByteVector room(encoder.bound(WCODEC_I8, 64, 64), 0xaa);
  const auto record = encoder.encode_layer(WCODEC_I8, 64, 64, elements, room);
  EXPECT_EQ(ByteVector(record.begin(), record.end()), expected);
  EXPECT_EQ(room[expected.size()], 0xaa);

  wcodec_encoder* plain = nullptr;
  ASSERT_EQ(wcodec_encoder_create(nullptr, &plain), WCODEC_OK);
  ByteVector small(expected.size() - 1, 0xaa);
  std::size_t size = 0;
  EXPECT_EQ(wcodec_encode_layer(plain, WCODEC_I8, 64, 64, elements.data(), elements.size(), small.data(), small.size(),
                                &size, nullptr),
            WCODEC_BUFFER_TOO_SMALL);
  EXPECT_EQ(size, expected.size());
  EXPECT_EQ(small, ByteVector(small.size(), 0xaa));
  wcodec_encoder_destroy(plain);
}

TEST(Layers, DecodedSizeIsChecked) {
  const ByteVector elements = smooth_elements(32 * 32);
  const ByteVector record = vec(Encoder().encode_layer(WCODEC_I8, 32, 32, elements).record);
  const auto status = [&](std::size_t size) {
    ByteVector room(size, 0xaa);
    try {
      Decoder().decode_layer(record, room);
    } catch (const wcodec::api::Error& error) {
      EXPECT_EQ(room, ByteVector(size, 0xaa));
      EXPECT_THAT(error.what(), HasSubstr("1024"));
      return error.status();
    }
    return WCODEC_OK;
  };
  EXPECT_EQ(status(1024), WCODEC_OK);
  EXPECT_EQ(status(1023), WCODEC_BUFFER_TOO_SMALL);
  EXPECT_EQ(status(0), WCODEC_BUFFER_TOO_SMALL);
  EXPECT_EQ(status(1025), WCODEC_USAGE);
}

TEST(Layers, DamageIsRefused) {
  const ByteVector elements = smooth_elements(24 * 24);
  const ByteVector record = vec(Encoder().encode_layer(WCODEC_I8, 24, 24, elements).record);
  const Decoder decoder;
  for (std::size_t size = 0; size < record.size(); ++size) {
    const ByteVector cut(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(decoder.decode_layer(cut), wcodec::api::Error) << size;
  }
  ByteVector room(elements.size(), 0xaa);
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    ByteVector flipped = record;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ 1u << bit % 8);
    EXPECT_THROW(decoder.decode_layer(flipped, room), wcodec::api::Error) << bit;
  }
  EXPECT_EQ(room, ByteVector(room.size(), 0xaa));
}

TEST(Layers, ClaimsAboveTheLimitAreRefused) {
  const ByteVector elements = smooth_elements(24 * 24);
  const ByteVector record = vec(Encoder().encode_layer(WCODEC_I8, 24, 24, elements).record);
  const Decoder careful(Options().set("max_weights", "575"));
  ByteVector room(elements.size());
  try {
    careful.decode_layer(record, room);
    ADD_FAILURE();
  } catch (const wcodec::api::Error& error) {
    EXPECT_EQ(error.status(), WCODEC_LIMIT);
  }
  std::size_t bound = 0;
  wcodec_encoder* encoder = nullptr;
  ASSERT_EQ(wcodec_encoder_create(nullptr, &encoder), WCODEC_OK);
  EXPECT_EQ(wcodec_encode_bound(encoder, WCODEC_F64, UINT64_MAX, UINT64_MAX, &bound), WCODEC_LIMIT);
  EXPECT_EQ(wcodec_encode_bound(encoder, WCODEC_F64, UINT64_C(1) << 33, UINT64_C(1) << 33, &bound), WCODEC_LIMIT);
  wcodec_encoder_destroy(encoder);
}

TEST(Errors, SayWhat) {
  const auto message = [](wcodec_status status, wcodec_status expected) {
    EXPECT_EQ(status, expected);
    EXPECT_EQ(wcodec_last_error()->status, expected);
    EXPECT_EQ(wcodec_last_error()->offset, -1);
    return std::string(wcodec_last_error()->message);
  };
  wcodec_options* options = nullptr;
  ASSERT_EQ(wcodec_options_create(&options), WCODEC_OK);
  EXPECT_THAT(message(wcodec_options_set(options, "tiles", "16x16"), WCODEC_USAGE), HasSubstr("'tile'"));
  EXPECT_THAT(message(wcodec_options_set(options, "tile", "0x16"), WCODEC_USAGE), HasSubstr("0x16"));
  EXPECT_THAT(message(wcodec_options_set(options, "modes", "none+lft"), WCODEC_USAGE), HasSubstr("'left'"));
  EXPECT_THAT(message(wcodec_options_set(options, "coder", "ranss"), WCODEC_USAGE), HasSubstr("'rans'"));
  EXPECT_THAT(message(wcodec_options_set(options, "preset", "fast"), WCODEC_USAGE), HasSubstr("balanced"));
  EXPECT_THAT(message(wcodec_options_set(options, "threads", "-1"), WCODEC_USAGE), HasSubstr("1024"));
  EXPECT_THAT(message(wcodec_options_set(options, "threads", "4 "), WCODEC_USAGE), HasSubstr("threads"));
  EXPECT_THAT(message(wcodec_options_set(options, nullptr, "4"), WCODEC_USAGE), HasSubstr("key is NULL"));
  EXPECT_THAT(message(wcodec_options_set(nullptr, "tile", "4x4"), WCODEC_USAGE), HasSubstr("options is NULL"));
  wcodec_options_destroy(options);
  EXPECT_THAT(message(wcodec_encoder_create(nullptr, nullptr), WCODEC_USAGE), HasSubstr("encoder is NULL"));

  wcodec_encoder* encoder = nullptr;
  ASSERT_EQ(wcodec_encoder_create(nullptr, &encoder), WCODEC_OK);
  void* record = nullptr;
  std::size_t size = 0;
  const std::uint8_t wide[] = {1, 2, 3, 99};
  EXPECT_THAT(
      message(wcodec_encode_layer_alloc(encoder, WCODEC_I8, 2, 3, wide, 4, &record, &size, nullptr), WCODEC_USAGE),
      HasSubstr("6 bytes, not 4"));
  EXPECT_THAT(
      message(wcodec_encode_layer_alloc(encoder, WCODEC_U4, 2, 2, wide, 4, &record, &size, nullptr), WCODEC_USAGE),
      HasSubstr("element 3 is 0x63"));
  EXPECT_THAT(
      message(wcodec_encode_layer_alloc(encoder, static_cast<wcodec_dtype>(77), 2, 2, wide, 4, &record, &size, nullptr),
              WCODEC_USAGE),
      HasSubstr("77"));
  EXPECT_THAT(
      message(wcodec_encode_layer_alloc(encoder, WCODEC_I8, 2, 2, nullptr, 4, &record, &size, nullptr), WCODEC_USAGE),
      HasSubstr("elements is NULL"));
  // A capacity may be 0, and the library's own memory serves an empty layer too.
  EXPECT_EQ(vec(Decoder().decode_layer(Encoder().encode_layer(WCODEC_F32, 0, 9, {}).record.span()).elements).size(),
            0u);
  wcodec_stats unset{};
  EXPECT_THAT(
      message(wcodec_encode_layer_alloc(encoder, WCODEC_I8, 2, 2, wide, 4, &record, &size, &unset), WCODEC_USAGE),
      HasSubstr("stats.struct_size"));
  EXPECT_EQ(record, nullptr);
  wcodec_encoder_destroy(encoder);
  wcodec_record_info info{};
  info.struct_size = sizeof info;
  EXPECT_THAT(message(wcodec_describe_record("nonsense.......", 15, &info), WCODEC_CORRUPT), HasSubstr("magic"));
}

TEST(Errors, AreKeptForEachThread) {
  EXPECT_EQ(wcodec_options_set(nullptr, "tile", "4x4"), WCODEC_USAGE);
  std::thread([] {
    EXPECT_EQ(wcodec_last_error()->status, WCODEC_OK);
    EXPECT_STREQ(wcodec_last_error()->message, "");
  }).join();
  EXPECT_EQ(wcodec_last_error()->status, WCODEC_USAGE);
}

TEST(Structs, OfAnOlderProgramAreFilledAsFarAsTheyGo) {
  const ByteVector record = vec(Encoder().encode_layer(WCODEC_I8, 8, 4, smooth_elements(32)).record);
  wcodec_record_info info{};
  std::memset(&info, 0x55, sizeof info);
  info.struct_size = offsetof(wcodec_record_info, cols);
  ASSERT_EQ(wcodec_describe_record(record.data(), record.size(), &info), WCODEC_OK);
  EXPECT_EQ(info.rows, 8u);
  EXPECT_EQ(info.struct_size, offsetof(wcodec_record_info, cols));
  EXPECT_EQ(info.cols, UINT64_C(0x5555555555555555));
}

TEST(Threads, ShareHandles) {
  const Encoder encoder;
  const Decoder decoder;
  const ByteVector elements = smooth_elements(96 * 64);
  const ByteVector expected = vec(encoder.encode_layer(WCODEC_I8, 96, 64, elements).record);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(vec(encoder.encode_layer(WCODEC_I8, 96, 64, elements).record), expected);
        EXPECT_EQ(vec(decoder.decode_layer(expected).elements), elements);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
