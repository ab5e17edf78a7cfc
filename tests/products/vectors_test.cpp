// What a product refuses before anything is launched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "products/packed_matrix.hpp"
#include "products/product_task.hpp"

namespace wcodec {
namespace {

alignas(128) u8 memory[1024];

struct Case {
  const char* said;
  void (*spoil)(ProductVectors&, const u8*&);
};

TEST(ProductTask, RefusesVectorsThatAreNotAsDescribed) {
  const PackedMatrix matrix = pack_bf16_plain(16, 64, std::vector<u16>(16 * 64));
  const Case cases[] = {
      {"batch is 0; it must be 1 to 32", [](ProductVectors& v, const u8*&) { v.batch = 0; }},
      {"batch is 33", [](ProductVectors& v, const u8*&) { v.batch = 33; }},
      {"null", [](ProductVectors& v, const u8*&) { v.x = nullptr; }},
      {"null", [](ProductVectors& v, const u8*&) { v.y = nullptr; }},
      {"null", [](ProductVectors&, const u8*& image) { image = nullptr; }},
      {"image must begin at a multiple of 128", [](ProductVectors&, const u8*& image) { image += 64; }},
      {"x must begin at a multiple of 16", [](ProductVectors& v, const u8*&) { v.x += 1; }},
      {"y must begin at a multiple of 2", [](ProductVectors& v, const u8*&) { v.y = memory + 1; }},
      {"y must begin at a multiple of 4",
       [](ProductVectors& v, const u8*&) {
         v.output = ProductOutput::f32;
         v.y = memory + 2;
       }},
      {"x_stride is 65", [](ProductVectors& v, const u8*&) { v.x_stride = 65; }},
      {"x_stride is 56", [](ProductVectors& v, const u8*&) { v.x_stride = 56; }},
      {"y_stride is 15", [](ProductVectors& v, const u8*&) { v.y_stride = 15; }},
  };
  for (const Case& c : cases) {
    ProductVectors vectors{reinterpret_cast<const u16*>(memory), 64, memory, 16, ProductOutput::bf16, 2};
    const u8* image = memory;
    EXPECT_NO_THROW(product_task(matrix.shape, image, vectors));
    c.spoil(vectors, image);
    try {
      product_task(matrix.shape, image, vectors);
      ADD_FAILURE() << "accepted; wanted: " << c.said;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_THAT(error.what(), testing::HasSubstr(c.said));
    }
  }
}

TEST(ProductTask, OneVectorNeedsNoStrides) {
  const PackedMatrix matrix = pack_bf16_plain(16, 64, std::vector<u16>(16 * 64));
  const ProductVectors vectors{.x = reinterpret_cast<const u16*>(memory), .y = memory};
  EXPECT_NO_THROW(product_task(matrix.shape, memory, vectors));
}

}  // namespace
}  // namespace wcodec
