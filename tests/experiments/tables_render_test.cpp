#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "core/error.hpp"
#include "experiments/csv.hpp"
#include "experiments/results_file.hpp"
#include "experiments/tables.hpp"

namespace wcodec {
namespace {

Table hostile() {
  return {"t",
          "A|title",
          {{"name", Align::left}, {"bit/weight", Align::right}},
          {{"a|b_c%d&e", "-0.5"}, {"[x]\x1b[31m\n\\$#{~^}", "1"}, {"<script>`*", ""}},
          {"50 % of it."}};
}

TEST(Markdown, EscapesAndPads) {
  EXPECT_EQ(to_markdown(hostile()),
            "### A\\|title\n"
            "\n"
            "| name                           | bit/weight |\n"
            "| ------------------------------ | ---------: |\n"
            "| a\\|b\\_c%d&amp;e                |       -0.5 |\n"
            "| \\[x\\]\\\\x1b\\[31m\\\\x0a\\\\\\$#{\\~^} |          1 |\n"
            "| &lt;script>\\`\\*                |            |\n"
            "\n"
            "50 % of it.\n");
}

TEST(Latex, Escapes) {
  EXPECT_EQ(to_latex(hostile()),
            "\\begin{table}\n"
            "  \\centering\n"
            "  \\caption{A\\textbar{}title}\n"
            "  \\label{tab:wcodec-t}\n"
            "  \\begin{tabular}{lr}\n"
            "    \\toprule\n"
            "    name & bit/weight \\\\\n"
            "    \\midrule\n"
            "    a\\textbar{}b\\_c\\%d\\&e & $-$0.5 \\\\\n"
            "    {[}x{]}\\textbackslash{}x1b{[}31m\\textbackslash{}x0a\\textbackslash{}\\$\\#\\{\\textasciitilde{}"
            "\\textasciicircum{}\\} & 1 \\\\\n"
            "    \\textless{}script\\textgreater{}{`}{*} &  \\\\\n"
            "    \\bottomrule\n"
            "  \\end{tabular}\n"
            "  \\par\\footnotesize 50 \\% of it.\n"
            "\\end{table}\n");
}

TEST(CsvTableOutput, ReadsBack) {
  const CsvTable table = parse_csv(to_csv(hostile()));
  EXPECT_EQ(table.rows[0][0], "a|b_c%d&e");
  EXPECT_EQ(table.rows[1][0], "[x]\\x1b[31m\\x0a\\$#{~^}");
  EXPECT_EQ(table.rows[0][1], "-0.5");
}

TEST(Tables, RefuseRaggedRows) {
  Table table = hostile();
  table.rows[1].pop_back();
  EXPECT_THROW(to_markdown(table), Error);
  EXPECT_THROW(to_csv(table), Error);
  EXPECT_THROW(to_latex(table), Error);
}

TEST(Tables, RefuseTwoColumnsOfOneName) {
  Table table = hostile();
  table.columns[1].heading = "name";
  EXPECT_THROW(to_csv(table), Error);
}

TEST(Tables, AreWrittenInThreeForms) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / ("wcodec-tables-" + std::to_string(::getpid()));
  const std::vector<Table> tables{hostile()};
  write_tables(folder.string(), tables);
  EXPECT_EQ(read_text_file((folder / "t.md").string()), to_markdown(tables[0]));
  EXPECT_EQ(read_text_file((folder / "t.csv").string()), to_csv(tables[0]));
  EXPECT_EQ(read_text_file((folder / "t.tex").string()), to_latex(tables[0]));
  std::filesystem::remove_all(folder);
}

TEST(Numbers, AreRoundedForPeople) {
  EXPECT_EQ(format_real(7.26049, 4), "7.2605");
  EXPECT_EQ(format_real(-0.00001, 3), "0.000");
  EXPECT_EQ(format_real(std::nan(""), 3), "");
  EXPECT_EQ(format_signed(0.0123, 3), "+0.012");
  EXPECT_EQ(format_signed(-0.0123, 3), "-0.012");
  EXPECT_EQ(format_signed(-0.0001, 3), "+0.000");
  EXPECT_EQ(format_signed(std::nan(""), 3), "");
  EXPECT_EQ(format_short(950), "950");
  EXPECT_EQ(format_short(999'499), "999 k");
  EXPECT_EQ(format_short(999'500), "1.00 M");
  EXPECT_EQ(format_short(22'713'216), "22.7 M");
  EXPECT_EQ(format_short(7'240'000'000), "7.24 G");
}

}  // namespace
}  // namespace wcodec
