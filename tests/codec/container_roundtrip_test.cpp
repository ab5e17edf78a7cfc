// Checkpoints through a container and back, byte for byte.
#include <gtest/gtest.h>

#include "codec/checkpoint_codec.hpp"
#include "codec/container_reader.hpp"
#include "tests/codec/container_testing.hpp"

namespace wcodec {
namespace {

TEST(ContainerRoundTrip, EveryDtypeAndShape) {
  const TestDirectory directory;
  const std::string source = directory.write("model.safetensors", varied_safetensors());
  EncodeOptions options;
  options.threads = 2;
  const CodecStats encoded = encode_checkpoint(source, directory.path("model.wcodec"), options);
  EXPECT_EQ(encoded.ledger.total(), file_bytes(directory.path("model.wcodec")).size());
  const CodecStats decoded = decode_checkpoint(directory.path("model.wcodec"), directory.path("back.safetensors"));
  EXPECT_EQ(file_bytes(directory.path("back.safetensors")), file_bytes(source));
  EXPECT_EQ(decoded.ledger, encoded.ledger);
  EXPECT_EQ(decoded.source_bytes, encoded.source_bytes);
  EXPECT_TRUE(verify_checkpoints(source, directory.path("model.wcodec")).equal());
}

}  // namespace
}  // namespace wcodec
