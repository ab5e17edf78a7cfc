#include "core/spec.hpp"

#include <gmock/gmock.h>

#include "core/error.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

TEST(Spec, ParsesAndPrintsCanonically) {
  const Spec spec = parse_spec("int8:clip=mse,axis=row");
  EXPECT_EQ(spec.name, "int8");
  EXPECT_EQ(to_string(spec), "int8:axis=row,clip=mse");
  EXPECT_EQ(to_string(parse_spec("none")), "none");
}

TEST(Spec, RefusesMalformedText) {
  for (const char* text : {"", ":", ":a=1", "x:", "x:a", "x:=1", "x:a=", "x:a=1,", "x:a=1,a=2"}) {
    EXPECT_THROW(parse_spec(text), Error) << text;
  }
}

TEST(Spec, CanonicalLeavesDefaultsOut) {
  static constexpr OptionInfo kOptions[] = {{"axis", "row", "row|tensor", ""}, {"clip", "absmax", "absmax|mse", ""}};
  EXPECT_EQ(canonical(parse_spec("int8:axis=row,clip=mse"), kOptions), "int8:clip=mse");
}

TEST(Spec, OptionErrorsNameTheNearest) {
  static constexpr OptionInfo kOptions[] = {{"level", "6", "1…9", ""}};
  const Spec wrong_key = parse_spec("gzip:levle=3");
  try {
    OptionReader reader(wrong_key, kOptions);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'level'"));
  }
  const Spec wrong_value = parse_spec("gzip:level=12");
  const OptionReader reader(wrong_value, kOptions);
  EXPECT_THROW(reader.integer("level", 1, 9), Error);
}

TEST(Glob, MatchesWholeText) {
  EXPECT_TRUE(glob_match("*.weight", "layers.0.weight"));
  EXPECT_FALSE(glob_match("*.weight", "layers.0.weights"));
  EXPECT_TRUE(glob_match("a?c*", "abcde"));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_TRUE(glob_match("***", ""));
}

}  // namespace
}  // namespace wcodec
