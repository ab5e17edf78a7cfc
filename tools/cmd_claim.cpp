#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "codec/container_reader.hpp"
#include "core/error.hpp"
#include "experiments/claim.hpp"
#include "experiments/claim_sample.hpp"
#include "experiments/headlines.hpp"
#include "experiments/results_file.hpp"
#include "tools/command.hpp"

namespace wcodec {
namespace {

struct Arguments {
  std::vector<std::string> claims, results, tensors, roots = {"results"};
  std::string checkpoint;
  double tolerance = 0.02;
  u64 limit = 8;
  bool headlines = false, json = false;
};

std::vector<SummaryRow> read_summaries(const std::vector<std::string>& folders) {
  std::vector<SummaryRow> rows;
  for (const std::string& folder : folders) {
    const std::string path = folder + "/summary.csv";
    std::string text;
    try {
      text = read_text_file(path);
    } catch (const Error& error) {
      throw Error(error.kind(),
                  fmt::format("{} cannot be read; name folders that `wcodec run` has finished, or measure "
                              "a model with --checkpoint",
                              printable(path)));
    }
    for (SummaryRow& row : parse_summary_csv(text)) rows.push_back(std::move(row));
  }
  return rows;
}

nlohmann::json real(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

nlohmann::json to_json(const ClaimReport& report) {
  nlohmann::json rows = nlohmann::json::array();
  for (const ClaimRow& row : report.rows) {
    rows.push_back({{"checkpoint", row.checkpoint},
                    {"quantizer", row.quantizer},
                    {"coder", row.coder},
                    {"modes", row.modes},
                    {"tile", row.tile},
                    {"denominator", to_string(row.denominator)},
                    {"ratio", real(row.ratio)},
                    {"shuffled", real(row.shuffled)},
                    {"bpw", real(row.bpw)},
                    {"meets", row.meets}});
  }
  return {{"claim", report.claim.text},
          {"low", real(report.claim.low)},
          {"high", real(report.claim.high)},
          {"answer", to_string(report.answer)},
          {"outlier_sigmas", real(report.outlier_sigmas)},
          {"rows", std::move(rows)}};
}

nlohmann::json to_json(const std::vector<OutlierRow>& outliers) {
  nlohmann::json out = nlohmann::json::array();
  for (const OutlierRow& row : outliers) {
    nlohmann::json ratios = nlohmann::json::array();
    for (std::size_t i = 0; i < row.ratio.size(); ++i) {
      ratios.push_back({{"left_out", OutlierRow::kShares[i]}, {"ratio", real(row.ratio[i])}});
    }
    out.push_back({{"tensor", row.tensor},
                   {"weights", row.weights},
                   {"sigmas", real(row.sigmas)},
                   {"order0_ratios", std::move(ratios)}});
  }
  return out;
}

void print_json(const nlohmann::json& value) {
  print_line(value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

int print_headlines(const Arguments& arguments) {
  const std::vector<Headline> headlines = check_headlines(read_evidence(arguments.roots));
  if (!arguments.json) {
    print_line(to_markdown(headline_table(headlines)));
    return kAllFine;
  }
  nlohmann::json out = nlohmann::json::array();
  for (const Headline& row : headlines) {
    out.push_back({{"hope", row.hope},
                   {"mark", to_string(row.mark)},
                   {"measured", row.measured},
                   {"shown_by", row.shown_by},
                   {"file", row.file}});
  }
  print_json(out);
  return kAllFine;
}

ClaimMeasurement measure(const Arguments& arguments, const Claim& claim, const Checkpoint& checkpoint) {
  ClaimSample sample;
  if (!arguments.tensors.empty()) sample.include = arguments.tensors;
  sample.tensors = arguments.limit;
  sample.name = printable(std::filesystem::path(arguments.checkpoint).filename().string());
  if (sample.name.empty()) sample.name = "checkpoint";
  return measure_for_claim(claim, checkpoint, sample, [](const TensorInfo& tensor) {
    std::cerr << fmt::format("measuring {} ({} x {})\n", printable(tensor.name), tensor.rows, tensor.cols);
  });
}

int check_claims(const Arguments& arguments) {
  std::vector<Claim> claims;  // all of them read before anything is measured
  for (const std::string& text : arguments.claims) claims.push_back(parse_claim(text, arguments.tolerance));
  const bool measured = !arguments.checkpoint.empty();
  std::unique_ptr<Checkpoint> checkpoint;
  std::vector<SummaryRow> rows;
  if (measured) {
    checkpoint = open_any_checkpoint(arguments.checkpoint);
  } else {
    rows = read_summaries(arguments.results);
  }
  nlohmann::json all = nlohmann::json::array();
  for (const Claim& claim : claims) {
    ClaimMeasurement measurement;
    if (measured) measurement = measure(arguments, claim, *checkpoint);
    const ClaimReport report = check_claim(claim, measured ? measurement.rows : rows);
    if (arguments.json) {
      all.push_back(to_json(report));
      if (!measured) continue;
      all.back()["measured"] = {
          {"tensors", measurement.tensors}, {"matrices", measurement.matrices}, {"weights", measurement.weights}};
      all.back()["outliers"] = to_json(measurement.outliers);
      continue;
    }
    std::string out = (&claim == &claims.front() ? "" : "\n") + describe(report);
    if (measured) {
      out += describe(measurement.outliers);
      out += fmt::format("\nmeasured: {} of {} matrices, {} weights, each cell decoded and compared\n",
                         measurement.tensors, measurement.matrices, measurement.weights);
    }
    print_line(out);
  }
  if (arguments.json) print_json(all);
  return kAllFine;
}

int run(const Arguments& arguments) {
  if (arguments.headlines) {
    if (!arguments.claims.empty()) throw Error(ErrorKind::usage, "--headlines has its own claims: leave yours out");
    return print_headlines(arguments);
  }
  if (arguments.claims.empty()) {
    throw Error(ErrorKind::usage, "no claim given; write one like \"1.54x int8\", or ask for --headlines");
  }
  return check_claims(arguments);
}

}  // namespace

void add_claim(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  arguments->results = {"results/minilm", "results/shared"};
  CLI::App* command = app.add_subcommand(
      "claim", "Hold a published ratio against what is measured: what was divided by what to get it?");
  command->add_option("claim", arguments->claims, "Such as \"1.54x int8\", \"2-3x int8\", \"30-60% smaller int4\"")
      ->type_name("TEXT");
  CLI::Option* results = command->add_option("--results", arguments->results, "Results folder to look in; repeatable")
                             ->type_name("DIR")
                             ->allow_extra_args(false)
                             ->capture_default_str();
  command
      ->add_option("--checkpoint", arguments->checkpoint,
                   "Measure this model instead: a file, a directory, or any source of `wcodec list`")
      ->type_name("FILE")
      ->excludes(results);
  command->add_option("--tensor", arguments->tensors, "With --checkpoint: only tensors whose name matches; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false)
      ->needs("--checkpoint");
  command
      ->add_option("--limit", arguments->limit,
                   "With --checkpoint: at most so many matrices, evenly spaced over the file; 0 = all")
      ->type_name("N")
      ->capture_default_str()
      ->needs("--checkpoint");
  command->add_option("--tolerance", arguments->tolerance, "How near one number must be met, relatively")
      ->type_name("X")
      ->check(CLI::Range(0.0, 0.5))
      ->capture_default_str();
  command->add_flag("--headlines", arguments->headlines,
                    "Check the hopes that this project began with against all results below --root");
  command->add_option("--root", arguments->roots, "With --headlines: read this folder and all below it; repeatable")
      ->type_name("DIR")
      ->allow_extra_args(false)
      ->capture_default_str()
      ->needs("--headlines");
  command->add_flag("--json", arguments->json, "Print everything as JSON");
  command->footer(
      "Words beside the ratio say what it is about: a format (int8, int4, bf16 …), an option (axis=tensor), a coder or "
      "a\n"
      "peer (gzip, zstd, rans), a checkpoint. A ratio is looked for under eight denominators, those that published\n"
      "figures use and those that leave something out; the shuffled control stands beside, since what it shows as "
      "well\n"
      "is no structure. With --checkpoint INT8 and INT4 are made by tensor, row, column and group, with absmax and "
      "mse\n"
      "clip, and a table shows what the largest weights do to a scale for all of a tensor.\n\n"
      "Examples:\n"
      "  wcodec claim \"1.54x int8\"\n"
      "  wcodec claim \"1.54x int8\" --checkpoint model.safetensors\n"
      "  wcodec claim \"1.3-1.8x zstd int8\" \"1.5x bf16\" --results results/shared\n"
      "  wcodec claim --headlines\n");
  command->callback([arguments, &action] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace wcodec
