// Contexts by place, transform band and neighbours: where they pay, where they vanish, and what damage they refuse.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "entropy/lane_kernels.hpp"
#include "entropy/neighbour_contexts.hpp"
#include "entropy/place_contexts.hpp"
#include "entropy/registry.hpp"

namespace wcodec {
namespace {

struct Plane {
  PlaneGeometry geometry;
  std::vector<u8> residuals;  // in coding order; also the symbols, which no context here looks at
  CoderInput input() const { return {geometry, residuals, residuals.data(), 0, false}; }
};

// Gaussian residuals whose spread is sigma(i) at place i of coding order.
template <class Sigma>
Plane make_plane(TileGrid grid, int bits, u64 seed, Sigma&& sigma) {
  Philox random(seed, 0);
  Plane plane{{grid, bits}, {}};
  for (std::size_t i = 0; i < static_cast<std::size_t>(grid.rows * grid.cols); ++i) {
    const long value = std::lround(random.normal() * sigma(i));
    plane.residuals.push_back(static_cast<u8>(value & ((1 << bits) - 1)));
  }
  return plane;
}

LedgerWriter encoded(const char* coder, const Plane& plane) {
  const CoderChoice choice = parse_coder(coder);
  LedgerWriter out;
  choice.row->encode(*choice.row, plane.input(), choice.options, out);
  return out;
}

std::vector<u8> decoded(Bytes bytes, const Plane& plane) {
  std::vector<u8> back(plane.residuals.size(), 0xee);
  ByteReader in(bytes);
  const EntropyCoder& row = *parse_coder("rans").row;
  row.decode(row, in, plane.geometry, back);
  EXPECT_EQ(in.remaining(), 0u);
  return back;
}

void expect_round_trip(const char* coder, const Plane& plane) {
  const LedgerWriter out = encoded(coder, plane);
  for (const LaneKernels& kernels : all_lane_kernels()) {
    force_lane_kernels(kernels.name);
    EXPECT_EQ(decoded(out.bytes(), plane), plane.residuals) << coder << " " << kernels.name;
  }
  force_lane_kernels({});
}

// Less by a share of `gain` than one table, with an account of contexts.
void expect_gain(const char* coder, const Plane& plane, double gain) {
  const LedgerWriter one = encoded("rans", plane), keyed = encoded(coder, plane);
  EXPECT_LT(static_cast<double>(keyed.ledger().total()), (1 - gain) * static_cast<double>(one.ledger().total()));
  EXPECT_GT(keyed.ledger()[LedgerEntry::context], 1u);
  // What `best` tries is never larger than one table; positions and neighbours are not among it.
  const LedgerWriter best = encoded("rans:tables=best", plane);
  EXPECT_LE(best.ledger().total(), one.ledger().total());
  if (plane.geometry.bands != nullptr) {
    EXPECT_LE(best.ledger().total(), keyed.ledger().total());
  }
  expect_round_trip(coder, plane);
  expect_round_trip("rans:tables=best", plane);
}

constexpr TileGrid kTiled{128, 256, {16, 16}};

TEST(PlaceContexts, PayWhereTheFirstRowsOfTilesDiffer) {
  const Plane plane = make_plane(kTiled, 8, 1, [](std::size_t i) { return i / 16 % 16 == 0 ? 60.0 : 6.0; });
  expect_gain("rans:tables=position", plane, 0.02);
}

TEST(PlaceContexts, PayWhereBandsDiffer) {
  std::vector<u8> bands;
  for (std::size_t i = 0; i < 128 * 256; ++i)
    bands.push_back(static_cast<u8>(i < 64 * 256 ? 0 : 1 + i / 16 % 8 * 8 + i % 8));
  Plane plane = make_plane(kTiled, 8, 2, [&](std::size_t i) { return bands[i] == 0 ? 30.0 : 60.0 / bands[i]; });
  plane.geometry.bands = bands.data();
  expect_gain("rans:tables=band,contexts=16", plane, 0.1);
}

TEST(PlaceContexts, AreNotThereWithoutBands) {
  const Plane plane = make_plane(kTiled, 8, 2, [](std::size_t) { return 20.0; });
  EXPECT_EQ(encoded("rans:tables=band", plane).bytes(), encoded("rans", plane).bytes());
  std::vector<u8> bytes = encoded("rans", plane).bytes();
  bytes[0] = 8;
  EXPECT_THROW(decoded(bytes, plane), Error);
}

TEST(NeighbourContexts, PayWhereScaleDrifts) {
  // Columns differ, and their scale drifts from row to row: a map would have to be sent for both.
  const auto sigma = [](std::size_t i) {
    const auto column = static_cast<double>(i % 256), row = static_cast<double>(i / 256);
    return std::exp2(2 + 1.5 * std::sin(column * column) + std::sin(row / 20));
  };
  const TileGrid rows{512, 256, {1, 4096}};
  expect_gain("rans:tables=neighbours", make_plane(rows, 8, 3, sigma), 0.05);
  expect_gain("rans:tables=neighbours,contexts=64,precision=12,chunk=4096", make_plane(rows, 8, 4, sigma), 0.03);
  // Of 8 and 1 lanes, and a last round that is not whole.
  expect_round_trip("rans:tables=neighbours", make_plane({7, 100, {1, 4096}}, 8, 5, sigma));
  expect_round_trip("rans:tables=neighbours,chunk=1024", make_plane({37, 77, {8, 8}}, 4, 6, sigma));
  expect_round_trip("rans:tables=neighbours", make_plane({3, 5, {8, 8}}, 4, 7, sigma));
}

TEST(EveryContext, VanishesWhereThereIsNothingToTellApart) {
  const Plane plane = make_plane(kTiled, 8, 8, [](std::size_t) { return 20.0; });
  const u64 one = encoded("rans", plane).ledger().total();
  for (const char* coder : {"rans:tables=position", "rans:tables=neighbours"}) {
    EXPECT_LE(encoded(coder, plane).ledger().total(), one + 1) << coder;  // a byte says that there is one
    EXPECT_EQ(encoded(coder, plane).ledger()[LedgerEntry::context], 1u) << coder;
  }
}

TEST(NeighbourContexts, ConstantContextsCodeNothing) {
  // Runs of rows that are 0 and 3 throughout: each class of neighbours knows one symbol but where runs begin.
  const Plane plane = make_plane({64, 64, {1, 4096}}, 4, 9, [](std::size_t) { return 0.0; });
  expect_round_trip("rans:tables=neighbours", plane);
  NeighbourContexts contexts;
  contexts.rule.distance = 64;
  contexts.classes.count = 2;
  contexts.classes.context_of.assign(kNeighbourClasses, 1);
  contexts.classes.context_of[kNeighbourClasses - 1] = 0;
  const std::array<u8, 2> only{5, 2};
  std::vector<u8> out(3000);
  fill_neighbour_chunks({out.size(), 4, 0, 0, 10}, contexts, only, out.data());
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], i % 1024 < 32 ? 5 : 2) << i;
}

// The definition, place by place.
u8 class_of(const NeighbourRule& rule, const std::vector<u8>& symbols, std::size_t begin, std::size_t i, int bits) {
  const std::size_t place = i - begin;
  if (place < 32) return 57;
  const auto level = [&](std::size_t at) {
    const int half = 1 << (bits - 1), s = symbols[begin + at];
    const int x = s >= half ? 2 * half - s : s;
    const int all = rule.floor > 0 ? s - rule.floor : static_cast<int>(std::bit_width(static_cast<unsigned>(x)));
    return static_cast<u64>(std::min(std::max(all, 0), 7));
  };
  u64 w = 0;
  for (std::size_t at = (place / 32 - 1) * 32; at < place / 32 * 32; ++at) w += level(at);
  u64 s = w;
  for (u64 k = 1; k <= 8; ++k) s += 4 * (k * rule.distance <= place ? level(place - k * rule.distance) : w / 32);
  return static_cast<u8>(s / 8);
}

TEST(NeighbourClasses, AreWhatTheirDefinitionSays) {
  const Plane plane =
      make_plane({50, 63, {1, 63}}, 8, 10, [](std::size_t i) { return 1.0 + static_cast<double>(i % 70); });
  for (const u64 distance : {u64{32}, u64{33}, u64{63}, u64{100}, u64{1} << 24}) {
    for (const int floor : {0, 100}) {
      const NeighbourRule rule{distance, static_cast<u8>(floor)};
      const std::vector<u8> classes = neighbour_classes(rule, plane.residuals, 8, 10);
      for (std::size_t i = 0; i < classes.size(); ++i) {
        ASSERT_EQ(classes[i], class_of(rule, plane.residuals, i / 1024 * 1024, i, 8))
            << "distance " << distance << ", floor " << floor << ", place " << i;
      }
    }
  }
}

TEST(NeighbourRule, NeighboursAreOfTheSameColumn) {
  const std::vector<u8> residuals = {90, 120, 127};
  EXPECT_EQ(choose_neighbour_rule({64, 384, {1, 4096}}, false, false, residuals).distance, 384u);
  EXPECT_EQ(choose_neighbour_rule({64, 384, {16, 16}}, false, false, residuals).distance, 32u);
  EXPECT_EQ(choose_neighbour_rule({64, 384, {16, 24}}, false, false, residuals).distance, 48u);
  EXPECT_EQ(choose_neighbour_rule({64, 384, {16, 16}}, true, false, residuals).distance, 128u);
  EXPECT_EQ(choose_neighbour_rule({64, 1, {16, 16}}, false, true, residuals).distance, 32u);
  EXPECT_EQ(choose_neighbour_rule({64, 1, {16, 16}}, false, true, residuals).floor, 120);
}

TEST(HostileContexts, AreRefused) {
  const auto refused = [](auto read, std::vector<u8> bytes, const char* what) {
    ByteReader in(bytes);
    try {
      read(in);
      ADD_FAILURE() << what;
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::truncated) << error.what();
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    }
  };
  const auto classes = [](ByteReader& in) { return read_class_contexts(kPlaces, in); };
  const auto neighbours = [](ByteReader& in) { return read_neighbour_contexts(in); };
  refused(classes, {}, "class contexts");
  refused(classes, {0}, "out of range");
  refused(classes, {65}, "out of range");
  refused(classes, {2, 0, 1}, "has no class");  // all have the second
  refused(classes, {2, 0, 2}, "class contexts");
  ClassContexts map{2, std::vector<u8>(kNeighbourClasses)};
  map.context_of[3] = 1;
  LedgerWriter out;
  write_class_contexts(map, out);
  std::vector<u8> bytes = out.bytes();
  refused(neighbours, bytes, "distance");
  bytes.push_back(31);
  refused(neighbours, bytes, "distance");
  bytes.back() = 32;
  refused(neighbours, bytes, "neighbour contexts");
  bytes.push_back(0);
  ByteReader in(bytes);
  EXPECT_EQ(read_neighbour_contexts(in).rule.distance, 32u);
}

}  // namespace
}  // namespace wcodec
