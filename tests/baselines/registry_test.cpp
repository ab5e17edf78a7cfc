#include "baselines/registry.hpp"

#include <gmock/gmock.h>

#include <set>

#include "core/error.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

std::string refusal(sv spec) {
  try {
    BaselineRegistry().prepare(spec);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "accepted";
}

TEST(BaselineRegistry, CanonicalSpecsLeaveDefaultsOutButSayTheLevel) {
  const BaselineRegistry registry;
  EXPECT_EQ(registry.prepare("zstd:pack=nibbles,level=19").spec, "zstd:level=19,pack=nibbles");
  EXPECT_EQ(registry.prepare("zstd:pack=bytes").spec, "zstd:level=3");
  EXPECT_EQ(registry.prepare("gzip:level=06").spec, "gzip:level=6");
  EXPECT_EQ(registry.prepare("external:decompress=gzip -dc,timeout=600,compress=gzip -c").spec,
            "external:compress=gzip -c,decompress=gzip -dc");
}

TEST(BaselineRegistry, EveryRowTakesPacking) {
  const BaselineRegistry registry;
  for (const Baseline* row : registry.rows()) {
    const sv commands = row->name == "external" ? "compress=cat,decompress=cat," : "";
    const PreparedBaseline baseline =
        registry.prepare(std::string(row->name) + ":" + std::string(commands) + "pack=nibbles");
    EXPECT_EQ(baseline.packing, Packing::nibbles);
    EXPECT_EQ(BaselineRegistry::options(*row).back().key, "pack");
  }
}

TEST(BaselineRegistry, RowsAreNamedOnceAndDescribed) {
  std::set<sv> names;
  const BaselineRegistry registry;
  for (const Baseline* row : registry.rows()) {
    EXPECT_TRUE(names.insert(row->name).second) << row->name;
    EXPECT_FALSE(row->help.empty());
    EXPECT_FALSE(row->version(*row).empty());
    for (const OptionInfo& option : row->options) EXPECT_FALSE(option.help.empty()) << row->name;
  }
}

TEST(BaselineRegistry, IdentityNamesTheLibraryVersion) {
  EXPECT_THAT(BaselineRegistry().prepare("zstd:level=19").identity, HasSubstr("zstd:level=19 (zstd 1."));
}

TEST(BaselineRegistry, ErrorsNameTheNearest) {
  EXPECT_THAT(refusal("zsdt"), HasSubstr("did you mean 'zstd'"));
  EXPECT_THAT(refusal("gzip:levle=3"), HasSubstr("did you mean 'level'"));
  EXPECT_THAT(refusal("gzip:level=10"), HasSubstr("from 1 to 9"));
  EXPECT_THAT(refusal("gzip:pack=nibble"), HasSubstr("did you mean 'nibbles'"));
  EXPECT_THAT(refusal("lz4:level=2"), HasSubstr("use 1 (fast) or 3 to 12"));
  EXPECT_THAT(refusal("memcpy:level=1"), HasSubstr("unknown option 'level'"));
  EXPECT_THAT(refusal("external"), HasSubstr("needs compress=COMMAND"));
  EXPECT_THAT(refusal("external:compress=cat"), HasSubstr("needs decompress=COMMAND"));
  EXPECT_THAT(refusal("external:compress= ,decompress=cat"), HasSubstr("needs compress=COMMAND"));
  EXPECT_THAT(refusal("external:compress=cat,decompress=cat,timeout=0"), HasSubstr("timeout"));
}

}  // namespace
}  // namespace wcodec
