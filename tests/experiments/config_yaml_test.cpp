// The YAML tree: what is refused, where, and within which bounds. Row numbers are those of the list of hostile inputs.
#include <chrono>

#include "experiments/yaml_field.hpp"
#include "tests/experiments/config_testing.hpp"

namespace wcodec {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refusal(const std::string& text) {
  return error_of([&] { yaml::parse("f.yaml", text); });
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

double seconds_of(const std::function<void()>& action) {
  const auto begin = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TEST(Yaml, NodesKnowWhereTheyStand) {
  const auto root = yaml::parse("f.yaml", "a: 1\nlist:\n  - x\n  - {k: \"v\"}\n");
  ASSERT_EQ(root->kind, yaml::Kind::map);
  EXPECT_EQ(root->find("list")->mark.line, 2);
  const auto& list = *root->find("list")->value;
  EXPECT_EQ(list.items[0]->mark.line, 3);
  EXPECT_EQ(list.items[0]->mark.column, 5);
  EXPECT_FALSE(list.items[0]->quoted);
  EXPECT_TRUE(list.items[1]->find("k")->value->quoted);
}

TEST(Yaml, ErrorsShowTheLineAndACaret) {
  EXPECT_EQ(refusal("a: 1\nb: !!int 2\n"),
            "f.yaml:2:4: tag 'tag:yaml.org,2002:int': tags are not allowed; write the plain value\n"
            "  b: !!int 2\n"
            "     ^");
}

TEST(Yaml, CaretStandsRightAfterTabsAndWideText) {
  const std::string message = refusal("größe: {a: 1, a: 2}\n");
  EXPECT_THAT(message, HasSubstr("\n  größe: {a: 1, a: 2}\n                ^"));
}

TEST(Yaml, LongLinesAreCutAroundTheColumn) {
  const std::string message =
      refusal("a: \"" + std::string(5000, 'x') + "\"\nb: [" + repeated("yyyy, ", 500) + "!!z z]\n");
  EXPECT_LT(message.size(), 400u);
  EXPECT_THAT(message, HasSubstr("yyyy, !!z z]"));
}

TEST(YamlHostile, Row37DeepNestingIsRefusedSoonAndOnASmallStack) {
  for (const char* text : {"[", "{", "- ", "{a: ", "[{a: ", "? "}) {
    std::string message;
    const double seconds = seconds_of([&] { message = refusal(repeated(text, 16'384)); });
    EXPECT_THAT(message, StartsWith("f.yaml:1:")) << text;
    EXPECT_LT(seconds, 2.0) << text;
  }
  EXPECT_THAT(refusal("a: " + repeated("[", 16'384)), HasSubstr("f.yaml:1:36: nested more than 32 levels deep"));
  EXPECT_THAT(refusal(repeated("[", 40) + "1" + repeated("]", 40)), HasSubstr("nested more than 32 levels deep"));
  EXPECT_NO_THROW(yaml::parse("f.yaml", repeated("[", 32) + "1" + repeated("]", 32)));
  EXPECT_NO_THROW(yaml::parse("f.yaml", "a: \"" + repeated("[", 99) + "\"  # " + repeated("{", 99) + "\nb: 1\n"));
}

TEST(YamlHostile, Row38AliasBombMeetsTheNodeLimit) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + below + repeated(", " + below, 8) + "]\n";
  }
  EXPECT_THAT(refusal(bomb), HasSubstr("more than 20000 values"));
  std::string chain = "a0: &a0 {k: 1}\n";
  for (int i = 1; i < 100; ++i) {
    chain += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {k: *a" + std::to_string(i - 1) + "}\n";
  }
  EXPECT_THAT(refusal(chain), HasSubstr("nested more than 32 levels deep"));
  EXPECT_THAT(refusal("a: &x [1, *x]\n"), HasSubstr("f.yaml:1:11: this alias stands inside what it refers to"));
  EXPECT_THAT(refusal("a: *nowhere\n"), StartsWith("f.yaml:1:4: not valid YAML"));
  EXPECT_THAT(refusal("[" + repeated("1,", 30'000) + "]"), HasSubstr("more than 20000 values"));
  const auto root = yaml::parse("f.yaml", "a: &x [1, 2]\nb: *x\n");
  EXPECT_EQ(root->find("b")->value->items.size(), 2u);
}

TEST(YamlHostile, Row39TagsAreRefused) {
  EXPECT_THAT(refusal("a: !!python/object/apply:os.system [ls]\n"), StartsWith("f.yaml:1:4: tag "));
  EXPECT_THAT(refusal("a: !!python/object:os.system {}\n"), HasSubstr("tags are not allowed"));
  EXPECT_THAT(refusal("!local a\n"), HasSubstr("tag '!local'"));
  EXPECT_THAT(refusal("!!python/name:os.system : 1\n"), HasSubstr("tags are not allowed"));
}

TEST(YamlHostile, Row40DuplicateKeysNameBothLines) {
  EXPECT_THAT(refusal("a: 1\nb: 2\na: 3\n"), StartsWith("f.yaml:3:1: key 'a' is given twice, first in line 1\n"));
  EXPECT_THAT(refusal("x: {k: 1, \"k\": 2}\n"), StartsWith("f.yaml:1:11: key 'k' is given twice, first in line 1\n"));
  EXPECT_THAT(refusal("x: {k: 1, \"\\x6b\": 2}\n"), HasSubstr("key 'k' is given twice"));
  EXPECT_NO_THROW(yaml::parse("f.yaml", "a: {k: 1}\nb: {k: 1}\n"));
}

TEST(YamlHostile, MergesDocumentsKeysAndBytes) {
  EXPECT_THAT(refusal("a: &a {x: 1}\nb:\n  <<: *a\n"), StartsWith("f.yaml:3:3: merge keys ('<<') are not supported"));
  EXPECT_THAT(refusal("a: 1\n---\nb: 2\n"), StartsWith("f.yaml:2:1: a second document begins here"));
  EXPECT_THAT(refusal("[a]: 1\n"), HasSubstr("a key must be text"));
  EXPECT_THAT(refusal("~: 1\n"), HasSubstr("a key must be text"));
  EXPECT_THAT(refusal("? {a: 1}\n: 1\n"), HasSubstr("a key must be text"));
  EXPECT_THAT(refusal(std::string(300, 'k') + ": 1\n"), HasSubstr("key longer than 256 bytes"));
  EXPECT_THAT(refusal(std::string("a: x\0y\n", 7)), StartsWith("f.yaml:1:5: neither text nor white space"));
  EXPECT_THAT(refusal("a: 1\nb: \x1b[31m\n"), StartsWith("f.yaml:2:4: neither text"));
  for (const char* bad :
       {"\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\x80", "\xe0\x80\x80"}) {
    EXPECT_THAT(refusal("a: " + std::string(bad)), StartsWith("f.yaml:1:4: neither text"));
  }
  EXPECT_NO_THROW(yaml::parse("f.yaml", "a: \"\u00e9 \u20ac \U0001F600\"\r\n"));
  EXPECT_THAT(refusal(""), HasSubstr("the file is empty"));
  EXPECT_THAT(refusal("a: [1\n"), StartsWith("f.yaml:2:1: not valid YAML: "));
  EXPECT_THAT(refusal("a: 1\nb: \"x\n"), StartsWith("f.yaml:2:4: the quote that opens here is never closed"));
  EXPECT_THAT(refusal("b: 'it''s\n"), StartsWith("f.yaml:1:4: "));
  EXPECT_THAT(refusal("é: \"x\\\"\n"), StartsWith("f.yaml:1:5: "));
  EXPECT_NO_THROW(yaml::parse("f.yaml", "é: \"a\\\"b\"\nb: 'it''s'\n"));
  EXPECT_THAT(refusal(std::string((1 << 20) + 1, ' ')), HasSubstr("larger than 1048576 bytes"));
}

// Row 42: each spelling that YAML readers disagree about.
struct Spelling {
  const char* value;
  const char* message;
};

std::string field_error(const std::string& value, const std::function<void(const yaml::Field&)>& read) {
  return error_of([&] { read(*yaml::Field(yaml::parse("f.yaml", "x: " + value)).find("x")); });
}

TEST(YamlHostile, Row42WholeNumbers) {
  const Spelling cases[] = {
      {"010", "'010' must be a whole number from 0 to 100 without leading zeros"},
      {"1e1", "'1e1' must be a whole number from 0 to 100: write 10"},
      {"10.0", "'10.0' must be a whole number from 0 to 100: write 10"},
      {"+10", ": write 10"},
      {"0x10", "'0x10' must be a whole number"},
      {"1_0", "'1_0' must be a whole number"},
      {"NaN", "'NaN' must be a whole number"},
      {".nan", "'.nan' must be a whole number"},
      {".inf", "'.inf' must be a whole number"},
      {"1.5", "'1.5' must be a whole number"},
      {"no", "'no' must be a whole number"},
      {"101", "'101' must be a whole number from 0 to 100"},
      {"-1", "'-1' must be a whole number from 0 to 100"},
      {"99999999999999999999", "must be a whole number"},
      {"1e99", "'1e99' must be a whole number from 0 to 100"},
      {"\"10\"", "must be a whole number from 0 to 100, not text: write it without quotes"},
      {"[1]", "must be a whole number from 0 to 100, not a list"},
      {"{a: 1}", "not a map"},
      {"", "has no value"},
      {"~", "has no value"},
  };
  for (const Spelling& c : cases) {
    const std::string message = field_error(c.value, [](const yaml::Field& f) { f.integer(0, 100); });
    EXPECT_THAT(message, StartsWith("f.yaml:1:")) << c.value;
    EXPECT_THAT(message, HasSubstr("key 'x': ")) << c.value;
    EXPECT_THAT(message, HasSubstr(c.message)) << c.value;
  }
  const auto read = [](const std::string& text) {
    return yaml::Field(yaml::parse("f.yaml", "x: " + text)).find("x")->integer(-100, 100);
  };
  EXPECT_EQ(read("10"), 10);
  EXPECT_EQ(read("-7"), -7);
  EXPECT_EQ(read("0"), 0);
}

TEST(YamlHostile, Row42FlagsRealsAndText) {
  const auto flag = [](const yaml::Field& f) { f.flag(); };
  EXPECT_THAT(field_error("no", flag), HasSubstr("'no' must be true or false: write false"));
  EXPECT_THAT(field_error("Yes", flag), HasSubstr("'Yes' must be true or false: write true"));
  EXPECT_THAT(field_error("TRUE", flag), HasSubstr("write true"));
  EXPECT_THAT(field_error("1", flag), HasSubstr("'1' must be true or false"));
  EXPECT_THAT(field_error("\"true\"", flag), HasSubstr("without quotes"));
  const auto real = [](const yaml::Field& f) { f.real(0, 10); };
  for (const char* value : {"NaN", ".nan", "inf", "-.inf", "1e99", "-1", "no", "0x1", "1,5", "+1"}) {
    EXPECT_THAT(field_error(value, real), HasSubstr("must be a number from 0 to 10")) << value;
  }
  EXPECT_THAT(field_error("01.5", real), HasSubstr("without leading zeros"));
  const auto text = [](const yaml::Field& f) { f.text(); };
  EXPECT_THAT(field_error("no", text), HasSubstr("write \"no\" in quotes"));
  EXPECT_THAT(field_error("010", text), HasSubstr("write \"010\" in quotes"));
  EXPECT_THAT(field_error("1e3", text), HasSubstr("write \"1e3\" in quotes"));
  EXPECT_THAT(field_error("NaN", text), HasSubstr("write \"NaN\" in quotes"));
  EXPECT_THAT(field_error("12:30", text), HasSubstr("in quotes"));
  EXPECT_THAT(field_error("\"\"", text), HasSubstr("must not be empty"));
  const auto root = yaml::parse("f.yaml", "{a: \"no\", b: 0.5, c: 1e-3, d: true, e: 16x16, f: 1.2.3}");
  const yaml::Field field(root);
  EXPECT_EQ(field.find("a")->text(), "no");
  EXPECT_EQ(field.find("b")->real(0, 1), 0.5);
  EXPECT_EQ(field.find("c")->real(0, 1), 1e-3);
  EXPECT_TRUE(field.find("d")->flag());
  EXPECT_EQ(field.find("e")->text(), "16x16");
  EXPECT_EQ(field.find("f")->text(), "1.2.3");
}

TEST(Yaml, OverlayMergesMapsAndReplacesTheRest) {
  const auto base = yaml::parse("b.yaml", "a: {x: 1, y: [1, 2]}\nb: 1\n");
  const auto over = yaml::parse("o.yaml", "a: {y: [3]}\nc: 2\n");
  const auto merged = yaml::overlay(base, over);
  EXPECT_EQ(merged->find("a")->value->find("x")->value->text, "1");
  EXPECT_EQ(merged->find("a")->value->find("y")->value->items.size(), 1u);
  EXPECT_EQ(merged->find("a")->value->find("x")->value->mark.source->name, "b.yaml");
  EXPECT_EQ(merged->entries.size(), 3u);
}

}  // namespace
}  // namespace wcodec
