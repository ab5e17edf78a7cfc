#include "baselines/packing.hpp"

#include <gmock/gmock.h>

#include "core/error.hpp"
#include "core/philox.hpp"

namespace wcodec {
namespace {

using ::testing::ElementsAre;

TEST(Packing, FirstSymbolIsTheLowNibble) {
  EXPECT_THAT(pack_symbols(std::vector<u8>{1, 2, 15}, 4, Packing::nibbles), ElementsAre(0x21, 0x0f));
  EXPECT_THAT(pack_symbols(std::vector<u8>{1, 2, 15}, 4, Packing::bytes), ElementsAre(1, 2, 15));
}

TEST(Packing, NibblesRoundTripAtEveryLength) {
  Philox random(1, 0);
  for (std::size_t size = 0; size < 100; ++size) {
    std::vector<u8> symbols(size), back(size);
    for (u8& symbol : symbols) symbol = static_cast<u8>(random.below(16));
    const std::vector<u8> packed = pack_symbols(symbols, 4, Packing::nibbles);
    EXPECT_EQ(packed.size(), (size + 1) / 2);
    unpack_nibbles(packed, back);
    EXPECT_EQ(back, symbols);
  }
}

TEST(Packing, RefusesWiderAlphabets) {
  EXPECT_THROW(pack_symbols(std::vector<u8>{1}, 8, Packing::nibbles), Error);
  EXPECT_THROW(pack_symbols(std::vector<u8>{16}, 4, Packing::nibbles), Error);
  EXPECT_THROW(pack_symbols(std::vector<u8>{16}, 4, Packing::bytes), Error);
  EXPECT_EQ(pack_symbols(std::vector<u8>{255}, 8, Packing::bytes).size(), 1u);
}

}  // namespace
}  // namespace wcodec
