#include "experiments/headlines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.hpp"
#include "experiments/csv.hpp"

namespace wcodec {
namespace {

using nlohmann::json;

bool is_made_up(const SummaryRow& row) { return row.family == "synthetic"; }

std::string series_of(const ClaimRow& row) {
  std::string text = fmt::format("{} {} {}", row.checkpoint, row.quantizer, row.coder);
  if (!row.modes.empty()) text += fmt::format(" {} {}", row.modes, row.tile);
  return text;
}

// The first file that has the series.
std::string file_of(const Evidence& evidence, const ClaimRow& wanted) {
  for (const Evidence::Summary& summary : evidence.summaries) {
    for (const SummaryRow& row : summary.rows) {
      if (row.control == "original" && row.checkpoint == wanted.checkpoint && row.quantizer == wanted.quantizer &&
          row.coder == wanted.coder && row.tile == wanted.tile && row.modes_and_further() == wanted.modes) {
        return summary.file;
      }
    }
  }
  return {};
}

Headline ratio_headline(const Evidence& evidence, const std::string& hope, const std::string& claim_text,
                        bool about_made_up) {
  Claim claim = parse_claim(claim_text, 0);
  claim.high = std::numeric_limits<double>::infinity();
  std::vector<SummaryRow> rows;
  for (const Evidence::Summary& summary : evidence.summaries) {
    for (const SummaryRow& row : summary.rows) {
      if (is_made_up(row) == about_made_up) rows.push_back(row);
    }
  }
  const ClaimReport report = check_claim(claim, rows);
  Headline out{hope, report.answer, {}, "no series; wcodec run configs/study/claims.yaml", {}};
  // The best series of each checkpoint and quantizer: scales on both sides, on neither, and what the checkpoint's own
  // bytes would give. Only the first two are about the format that the hope names.
  struct Best {
    const ClaimRow *with_scales = nullptr, *symbols = nullptr, *source = nullptr;
  };
  std::map<std::pair<std::string, std::string>, Best> best;
  for (const ClaimRow& row : report.rows) {
    Best& entry = best[{row.checkpoint, row.quantizer}];
    const ClaimRow** slot = row.denominator == Denominator::with_scales ? &entry.with_scales
                            : row.denominator == Denominator::symbols   ? &entry.symbols
                            : row.denominator == Denominator::source    ? &entry.source
                                                                        : nullptr;
    if (slot != nullptr && (*slot == nullptr || row.ratio > (*slot)->ratio)) *slot = &row;
  }
  if (best.empty()) return out;
  u64 met = 0, partly = 0;
  double of_source = 0;
  const ClaimRow *least = nullptr, *most = nullptr;
  for (const auto& [where, entry] : best) {
    const bool with = entry.with_scales->ratio >= claim.low, without = entry.symbols->ratio >= claim.low;
    met += with && without ? 1 : 0;
    partly += with || without ? 1 : 0;
    of_source = std::max(of_source, entry.source->ratio);
    if (least == nullptr || entry.with_scales->ratio < least->ratio) least = entry.with_scales;
    if (most == nullptr || entry.with_scales->ratio > most->ratio) most = entry.with_scales;
  }
  out.mark = met == best.size() ? Answer::confirmed : partly > 0 ? Answer::depends : Answer::refuted;
  out.measured =
      fmt::format("{:.3f} to {:.3f}; {} of {} reach {:.3g}", least->ratio, most->ratio, met, best.size(), claim.low);
  out.shown_by = fmt::format("most: {}", series_of(*most));
  if (!std::isnan(most->shuffled)) out.shown_by += fmt::format(", shuffled {:.3f}", most->shuffled);
  if (least != most) out.shown_by += fmt::format("; least: {}", series_of(*least));
  if (!about_made_up && out.mark == Answer::refuted && of_source >= claim.low) {
    out.shown_by += fmt::format("; the checkpoint's own bytes over coded bytes: up to {:.3f}", of_source);
  }
  out.file = file_of(evidence, *most);
  return out;
}

// How much smaller rANS with one table is than the prefix code, the Huffman code of this project, for the same symbols.
Headline coder_headline(const Evidence& evidence) {
  constexpr double kHoped = 0.20;
  Headline out{"rANS 20–40 % better than Huffman", Answer::unmeasured, {}, "wcodec run configs/coders.yaml", {}};
  struct Bytes {
    double rans = 0, prefix = 0;
  };
  for (const Evidence::Summary& summary : evidence.summaries) {
    std::map<std::pair<std::string, std::string>, Bytes> found;
    for (const SummaryRow& row : summary.rows) {
      if (row.control != "original" || row.modes != "none" || row.role != "codec" || is_made_up(row)) continue;
      const double bytes = static_cast<double>(row.coded_bytes - row.scale_bytes());
      if (row.coder == "rans:tables=tensor") found[{row.checkpoint, row.quantizer}].rans += bytes;
      if (row.coder == "prefix") found[{row.checkpoint, row.quantizer}].prefix += bytes;
    }
    std::erase_if(found, [](const auto& entry) { return !(entry.second.rans > 0 && entry.second.prefix > 0); });
    if (found.empty()) continue;
    const auto saved = [](const auto& entry) { return 1 - entry.second.rans / entry.second.prefix; };
    const auto [low, high] = std::minmax_element(found.begin(), found.end(),
                                                 [&](const auto& a, const auto& b) { return saved(a) < saved(b); });
    out.measured = fmt::format("{:.2f} % to {:.2f} % smaller", 100 * saved(*low), 100 * saved(*high));
    out.shown_by = fmt::format("most: {} {}, rans:tables=tensor against prefix; least: {} {}", high->first.first,
                               high->first.second, low->first.first, low->first.second);
    out.file = summary.file;
    out.mark = saved(*low) >= kHoped ? Answer::confirmed : saved(*high) >= kHoped ? Answer::depends : Answer::refuted;
    return out;
  }
  return out;
}

// A figure of one data set, larger is better.
struct Figure {
  double value;
  std::string row, file;
};

Headline speed_headline(const std::string& hope, double hoped, const std::string& unit, const std::string& to_run,
                        const std::map<std::string, Figure>& best) {
  Headline out{hope, Answer::unmeasured, {}, to_run, {}};
  if (best.empty()) return out;
  const auto [low, high] = std::minmax_element(
      best.begin(), best.end(), [](const auto& a, const auto& b) { return a.second.value < b.second.value; });
  const Figure &least = low->second, &most = high->second;
  out.measured = fmt::format("{:.4g} to {:.4g} {}", least.value, most.value, unit);
  out.shown_by = fmt::format("most: {}; least: {}", most.row, least.row);
  out.file = most.file;
  out.mark = least.value >= hoped ? Answer::confirmed : most.value >= hoped ? Answer::depends : Answer::refuted;
  return out;
}

void keep_best(std::map<std::string, Figure>& best, const std::string& key, Figure figure) {
  if (!std::isfinite(figure.value)) return;
  const auto [slot, is_new] = best.try_emplace(key, figure);
  if (!is_new && slot->second.value < figure.value) slot->second = std::move(figure);
}

// One row of build/gpu_table --json, of our own coders.
struct GpuRow {
  std::string file, gpu, data, coder;
  double mebibytes, words_bytes, single_gbs, graph_gbs, limit_gbs;
};

// Missing or null: NaN.
double number(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? printable(found->get<std::string>()) : std::string();
}

json parsed(const std::pair<std::string, std::string>& file) {
  json value = json::parse(file.second, nullptr, false);
  if (value.is_discarded()) throw Error(ErrorKind::corrupt, fmt::format("{} is not JSON", printable(file.first)));
  return value;
}

std::vector<GpuRow> gpu_rows(const Evidence& evidence) {
  std::vector<GpuRow> rows;
  for (const auto& file : evidence.json) {
    const json whole = parsed(file);
    if (!whole.is_object() || !whole.contains("rows") || !whole["rows"].is_array()) continue;
    const std::string gpu =
        whole.contains("machine") && whole["machine"].is_object() ? text(whole["machine"], "gpu") : text(whole, "gpu");
    for (const json& row : whole["rows"]) {
      if (!row.is_object() || text(row, "family") != "wcodec" || !row.contains("single_gbs")) continue;
      rows.push_back({file.first, gpu, text(row, "model") + " " + text(row, "data"), text(row, "coder"),
                      number(row, "mebibytes"), number(row, "words_bytes"), number(row, "single_gbs"),
                      number(row, "graph_gbs"), number(row, "expand_graph_gbs")});
    }
  }
  return rows;
}

std::string row_text(const GpuRow& row) {
  return fmt::format("{}, {:.0f} MiB {} {}", row.gpu, row.mebibytes, row.data, row.coder);
}

// Decoding speed of the CPU's cores, one of them, by coder: build/cpu_table --json or timings.csv. In GB/s.
struct CpuRow {
  std::string data, coder;
  double ratio, gbs;
};

std::vector<CpuRow> cpu_rows(const Evidence& evidence) {
  std::vector<CpuRow> rows;
  for (const auto& file : evidence.json) {
    const json whole = parsed(file);
    if (!whole.is_array()) continue;
    for (const json& row : whole) {
      if (row.is_object() && row.contains("decode_mb_s")) {
        rows.push_back(
            {text(row, "column"), text(row, "codec"), number(row, "ratio"), number(row, "decode_mb_s") / 1e3});
      }
    }
  }
  return rows;
}

struct Timing {
  std::string file, device, key, coder;
  double decode_gbs, busy;
};

std::vector<Timing> timings(const Evidence& evidence) {
  std::vector<Timing> rows;
  for (const auto& [file, content] : evidence.timings) {
    const CsvTable table = parse_csv(content);
    const std::size_t device = table.column("device"), checkpoint = table.column("checkpoint"),
                      tensor = table.column("tensor"), quantizer = table.column("quantizer"),
                      coder = table.column("coder"), modes = table.column("modes"), role = table.column("role"),
                      decode = table.column("decode_MBps"), busy = table.column("busy");
    for (const auto& row : table.rows) {
      if (row[role] != "codec") continue;
      rows.push_back({file, row[device], row[checkpoint] + " " + row[tensor] + " " + row[quantizer] + " " + row[modes],
                      row[coder], csv_real(row[decode]) / 1e3, csv_real(row[busy])});
    }
  }
  return rows;
}

constexpr double kHundred = 100;

Headline hundredfold_headline(const std::vector<GpuRow>& gpu, const std::vector<CpuRow>& cpu,
                              const std::vector<Timing>& timed) {
  std::map<std::string, Figure> best;
  // The fastest one core decodes the same data with, whatever the coder: 100 × a slow coder would be no speed-up.
  std::map<std::string, double> core;
  for (const Timing& row : timed) {
    if (row.device == "cpu") core[row.key] = std::max(core[row.key], row.decode_gbs);
  }
  for (const Timing& row : timed) {
    const auto one = core.find(row.key);
    if (row.device != "cuda:0" || one == core.end()) continue;
    keep_best(
        best, row.key,
        {row.decode_gbs / one->second,
         fmt::format("{} {}, {:.4g} over {:.4g} GB/s", row.key, row.coder, row.decode_gbs, one->second), row.file});
  }
  std::map<std::string, double> fastest;
  for (const CpuRow& row : cpu) {
    if (!(row.ratio > 1)) continue;  // what does not compress is a copy
    fastest[row.data] = std::max(fastest[row.data], row.gbs);
  }
  for (const GpuRow& row : gpu) {
    const std::string data = row.data.substr(row.data.rfind(' ') + 1);
    const auto one = fastest.find(data);
    if (one == fastest.end()) continue;
    const double speed = std::max(row.single_gbs, row.graph_gbs);
    keep_best(best, data,
              {speed / one->second,
               fmt::format("{}, {:.4g} over one core's {:.4g} GB/s", row_text(row), speed, one->second), row.file});
  }
  return speed_headline("≥100× over the CPU (one core, its fastest coder)", kHundred, "×",
                        "both on one machine: wcodec run configs/gpu.yaml, timings.csv kept", best);
}

void add_speed_headlines(const Evidence& evidence, std::vector<Headline>& out) {
  const std::vector<GpuRow> gpu = gpu_rows(evidence);
  const std::vector<Timing> timed = timings(evidence);
  const std::string to_run = "build/gpu_table --json results/gpu/NAME.json, on a GPU";
  out.push_back(hundredfold_headline(gpu, cpu_rows(evidence), timed));
  std::map<std::string, Figure> speeds, layers, shares, busy;
  for (const GpuRow& row : gpu) {
    const std::string key = fmt::format("{} {}", row.data, row.mebibytes);
    const double speed = std::isnan(row.graph_gbs) ? row.single_gbs : std::max(row.single_gbs, row.graph_gbs);
    keep_best(speeds, key, {speed, row_text(row), row.file});
    if (row.mebibytes == 16) {
      const double milliseconds = row.words_bytes / row.single_gbs / 1e6;
      keep_best(layers, key, {1 / milliseconds, fmt::format("{}, {:.3f} ms", row_text(row), milliseconds), row.file});
    }
    keep_best(shares, key, {100 * row.graph_gbs / row.limit_gbs, row_text(row), row.file});
  }
  out.push_back(speed_headline("100–500 GB/s decoded", 100, "GB/s", to_run, speeds));
  out.push_back(speed_headline("under 1 ms a layer (4096 × 4096 INT8, one launch)", 1, "layers a ms", to_run, layers));
  for (const Timing& row : timed) {
    if (row.device == "cuda:0") keep_best(busy, row.key, {100 * row.busy, row.key + " " + row.coder, row.file});
  }
  out.push_back(speed_headline("GPU busy above 80 % (of the wall clock, launch and wait included)", 80, "%",
                               "wcodec run configs/gpu.yaml, timings.csv kept", busy));
  out.push_back(
      speed_headline("GPU busy above 80 % (of the speed at which it moves as many bytes)", 80, "%", to_run, shares));
}

// Lossless coding changes no accuracy: every row was decoded and compared, or it would be a failure.
Headline lossless_headline(const Evidence& evidence) {
  Headline out{"accuracy within 0.1 point: what coding itself costs", Answer::unmeasured, {}, {}, {}};
  u64 cells = 0, failed = 0;
  for (const Evidence::Summary& summary : evidence.summaries) cells += summary.rows.size();
  for (const auto& [file, content] : evidence.failures) {
    const CsvTable table = parse_csv(content);
    const std::size_t status = table.column("status");
    for (const auto& row : table.rows) {
      if (row[status] == "unavailable") continue;
      ++failed;
      out.file = file;
    }
  }
  out.measured = fmt::format("{} cells decoded bit for bit, {} failed", cells, failed);
  out.shown_by =
      failed == 0 ? "every row of every summary.csv: a mismatch is a failed cell, and none failed" : "the failed cells";
  if (failed == 0) out.file = fmt::format("all {} summary.csv", evidence.summaries.size());
  out.mark = failed == 0 ? Answer::confirmed : Answer::depends;
  return out;
}

// A warm-up lasts at least as long as copying the plain weights to the GPU takes, page-locked and at full speed; more
// of it is not known, so nothing more is granted. build/gpu_model --json has both times.
void add_warm_up_headlines(const Evidence& evidence, std::vector<Headline>& out) {
  std::map<std::string, Figure> resident, loaded;
  for (const auto& file : evidence.json) {
    const json whole = parsed(file);
    if (!whole.is_object() || !whole.contains("load") || !whole["load"].is_array()) continue;
    const double upload = number(whole, "upload_bytes_per_second");
    for (const json& load : whole["load"]) {
      if (!load.is_object()) continue;
      const double bytes = number(load, "decoded_bytes"), copy = bytes / upload, seconds = number(load, "seconds");
      const auto figure = [&](double taken, const char* what) {
        return Figure{copy / taken,
                      fmt::format("{}, {:.3g} GB of INT8 {} in {:.3g} ms, copied plain in {:.3g} ms",
                                  text(whole, "gpu"), bytes / 1e9, what, taken * 1e3, copy * 1e3),
                      file.first};
      };
      keep_best(loaded, file.first, figure(seconds, "loaded from page cache and decoded"));
      if (!whole.contains("resident") || !whole["resident"].is_object()) continue;
      keep_best(resident, file.first, figure(number(whole["resident"], "graph_seconds"), "decoded on the GPU"));
    }
  }
  const std::string to_run = "build/gpu_model --json results/gpu/NAME.json, on a GPU";
  out.push_back(speed_headline("decode within the model's warm-up (on the GPU, against copying plain weights there)", 1,
                               "× as fast", to_run, resident));
  out.push_back(speed_headline("decode within the model's warm-up (file in page cache, against the same copy)", 1,
                               "× as fast", to_run, loaded));
}

}  // namespace

std::vector<Headline> check_headlines(const Evidence& evidence) {
  std::vector<Headline> out;
  const auto ratio = [&](const std::string& hope, const std::string& claim, bool made_up = false) {
    out.push_back(ratio_headline(evidence, hope, claim, made_up));
  };
  ratio("2–3× on INT8", "2-3x int8");
  ratio("30–60 % smaller than INT8", "30-60% int8");
  ratio("30–60 % smaller than INT4", "30-60% int4");
  ratio("gzip 1.2–1.5× (INT8)", "1.2-1.5x gzip int8");
  ratio("zstd 1.3–1.8× (INT8)", "1.3-1.8x zstd int8");
  ratio("bzip2 1.4–1.9× (INT8)", "1.4-1.9x bzip2 int8");
  ratio("random data 1.2–1.5×", "1.2-1.5x int8 random", true);
  ratio("smooth data 3–5×", "3-5x int8 smooth", true);
  ratio("constant data 30×", "30x int8 constant", true);
  out.push_back(coder_headline(evidence));
  add_speed_headlines(evidence, out);
  out.push_back(lossless_headline(evidence));
  add_warm_up_headlines(evidence, out);
  return out;
}

Table headline_table(const std::vector<Headline>& headlines) {
  Table table;
  table.name = "headlines";
  table.title = "What was hoped for, and what was measured";
  table.columns = {{"hope"}, {"mark"}, {"measured"}, {"shown by"}, {"file"}};
  for (const Headline& headline : headlines) {
    table.rows.push_back(
        {headline.hope, std::string(to_string(headline.mark)), headline.measured, headline.shown_by, headline.file});
  }
  table.notes = {
      "Ratios: the best series of each checkpoint and granularity, scales on both sides; a hope counts as a minimum. "
      "\"depends\": some checkpoints or granularities have it and others have not, or only with the scales left out."};
  return table;
}

}  // namespace wcodec
