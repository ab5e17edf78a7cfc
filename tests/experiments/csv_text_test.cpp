#include "experiments/csv.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace wcodec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr sv kTwo[] = {"a", "b"};

ErrorKind error_of(sv text, const CsvLimits& limits = {}) {
  try {
    parse_csv(text, limits);
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "accepted: " << printable(text);
  return ErrorKind::usage;
}

TEST(CsvNumber, IsTheShortestThatReadsBack) {
  EXPECT_EQ(csv_number(0.1), "0.1");
  EXPECT_EQ(csv_number(8), "8");
  EXPECT_EQ(csv_number(1.0 / 3), "0.3333333333333333");
  EXPECT_EQ(csv_number(-0.0), "0");
  EXPECT_EQ(csv_number(std::nan("")), "");
  EXPECT_THROW(csv_number(std::numeric_limits<double>::infinity()), Error);
}

RC_GTEST_PROP(CsvNumber, ReadsBackToTheSameDouble, (double value)) { RC_ASSERT(csv_real(csv_number(value)) == value); }

TEST(CsvWriter, QuotesWhereRfc4180Does) {
  CsvWriter csv(kTwo);
  csv.cell("x,y").cell("say \"hi\"").end_row();
  csv.cell("two\nlines").cell(" spaced ").end_row();
  csv.cell(u64{18446744073709551615u}).cell(-0.5).end_row();
  EXPECT_EQ(csv.text(), "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n\"two\nlines\", spaced \n18446744073709551615,-0.5\n");
}

TEST(CsvWriter, RefusesAnIncompleteRow) {
  CsvWriter csv(kTwo);
  csv.cell("x");
  EXPECT_THROW(csv.end_row(), Error);
}

RC_GTEST_PROP(Csv, AnyTableReadsBack, (const std::vector<std::vector<std::string>>& cells)) {
  const auto width = *rc::gen::inRange<std::size_t>(1, 5);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < width; ++i) names.push_back("c\"," + std::to_string(i));
  const std::vector<sv> columns(names.begin(), names.end());
  CsvWriter csv(columns);
  std::vector<std::vector<std::string>> rows;
  for (auto row : cells) {
    row.resize(width);
    for (const auto& cell : row) csv.cell(sv(cell));
    csv.end_row();
    rows.push_back(row);
  }
  const CsvTable table = parse_csv(csv.text());
  RC_ASSERT(table.columns == names);
  RC_ASSERT(table.rows == rows);
}

// Alphabet of the characters that mean something, so that random text meets every branch.
RC_GTEST_PROP(Csv, ArbitraryTextIsReadOrRefusedNeverMore, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::element('a', ',', '"', '\n', '\r', '\0', '\xff'));
  try {
    const CsvTable table = parse_csv(text);
    for (const auto& row : table.rows) RC_ASSERT(row.size() == table.columns.size());
  } catch (const Error& error) {
    RC_ASSERT(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::truncated);
  }
}

TEST(CsvParser, ReadsOtherWritersLineEnds) {
  const CsvTable table = parse_csv("a,b\r\n1,\"\"\r\n");
  EXPECT_THAT(table.columns, ElementsAre("a", "b"));
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("1", "")));
  EXPECT_EQ(table.column("b"), 1u);
  EXPECT_THROW(table.column("c"), Error);
}

TEST(CsvParser, RefusesWhatIsNotATable) {
  EXPECT_EQ(error_of(""), ErrorKind::truncated);
  EXPECT_EQ(error_of("a,b"), ErrorKind::truncated);
  EXPECT_EQ(error_of("a,b\n1,2"), ErrorKind::truncated);
  EXPECT_EQ(error_of("a,b\n1,\"2\n"), ErrorKind::truncated);
  EXPECT_EQ(error_of("a,b\r"), ErrorKind::truncated);
  EXPECT_EQ(error_of("a,a\n"), ErrorKind::corrupt);
  EXPECT_EQ(error_of("a,b\n1\n"), ErrorKind::corrupt);
  EXPECT_EQ(error_of("a,b\n1,2,3\n"), ErrorKind::corrupt);
  EXPECT_EQ(error_of("a,b\n\n"), ErrorKind::corrupt);
  EXPECT_EQ(error_of("a,b\n1\"2,3\n"), ErrorKind::corrupt);
  EXPECT_EQ(error_of("a,b\n\"1\"2,3\n"), ErrorKind::corrupt);
  EXPECT_EQ(error_of("a,b\n1\r2,3\n"), ErrorKind::corrupt);
}

TEST(CsvParser, NamesTheLine) {
  try {
    parse_csv("a,b\n\"1\n1\",2\n3\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("line 4: 1 cells where the header has 2"));
  }
}

TEST(CsvParser, KeepsToItsLimits) {
  EXPECT_EQ(error_of("a,b\n1,2\n", {.bytes = 7}), ErrorKind::limit);
  EXPECT_EQ(error_of("a,b\n1,2\n", {.columns = 1}), ErrorKind::limit);
  EXPECT_EQ(error_of("a,b\n1,2\n1,2\n", {.rows = 1}), ErrorKind::limit);
}

TEST(CsvCells, AreTheWholeNumber) {
  EXPECT_EQ(csv_count("18446744073709551615"), 18446744073709551615u);
  EXPECT_EQ(csv_integer("-3"), -3);
  EXPECT_TRUE(std::isnan(csv_real("")));
  for (const char* text : {"", "-1", "1.5", " 1", "1 ", "18446744073709551616"}) EXPECT_THROW(csv_count(text), Error);
  for (const char* text : {"inf", "nan", "1,5", "0x1p3 ", "1e999"}) EXPECT_THROW(csv_real(text), Error);
}

TEST(PlainText, EscapesWhatHarmsATerminalOrAReader) {
  EXPECT_EQ(plain_text("wörter.weight → ok"), "wörter.weight → ok");
  EXPECT_EQ(plain_text(sv("a\x1b[31m\0b", 8)), "a\\x1b[31m\\x00b");
  EXPECT_EQ(plain_text("\xc2\x9b"), "\\xc2\\x9b");           // C1
  EXPECT_EQ(plain_text("\xff\xc0\x80"), "\\xff\\xc0\\x80");  // not UTF-8: stray, overlong
  EXPECT_EQ(plain_text("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(plain_text("\xe2\x82"), "\\xe2\\x82");           // cut short
  EXPECT_EQ(plain_text("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
}

}  // namespace
}  // namespace wcodec
