#include "experiments/fragment.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "experiments/store_json.hpp"

namespace wcodec {
namespace {

using nlohmann::json;

// Far above any record; a line without end must not fill the memory.
constexpr std::size_t kMaxLine = std::size_t{64} << 20;
constexpr std::size_t kDigits = 8;

u32 checksum(sv text) { return crc32(Bytes(reinterpret_cast<const u8*>(text.data()), text.size())); }

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw Error(ErrorKind::io, fmt::format("{} {} ({})", printable(path), what, std::strerror(errno)));
}

json cell_json(const CellRecord& record) {
  json out = {{"hash", record.hash}, {"status", to_string(record.status)}};
  if (record.status == CellStatus::finished) {
    out["result"] = to_json(record.result);
  } else {
    out["reason"] = record.reason;
  }
  return out;
}

CellRecord cell_record(const json& from) {
  CellRecord record;
  from.at("hash").get_to(record.hash);
  const auto name = from.at("status").get<std::string>();
  const auto at = std::find(kCellStatusNames.begin(), kCellStatusNames.end(), name);
  if (at == kCellStatusNames.end()) throw Error(ErrorKind::corrupt, "unknown status of a cell");
  record.status = static_cast<CellStatus>(at - kCellStatusNames.begin());
  if (record.status == CellStatus::finished) {
    record.result = cell_result_from_json(from.at("result"));
    if (record.result.hash != record.hash) throw Error(ErrorKind::corrupt, "a result of another cell");
  } else {
    from.at("reason").get_to(record.reason);
  }
  return record;
}

// False for a line that is not whole.
bool take(const std::string& line, Fragment& fragment) {
  u32 expected = 0;
  if (line.size() < kDigits + 2 || line[kDigits] != ' ') return false;
  const auto [end, error] = std::from_chars(line.data(), line.data() + kDigits, expected, 16);
  if (error != std::errc() || end != line.data() + kDigits) return false;
  const sv text = sv(line).substr(kDigits + 1);
  if (checksum(text) != expected) return false;
  try {
    const json object = json::parse(text);
    if (object.contains("cell")) {
      fragment.cells.push_back(cell_record(object["cell"]));
    } else if (object.contains("diagnostics")) {
      fragment.diagnostics.emplace_back(object.at("hash").get<std::string>(),
                                        diagnostics_from_json(object["diagnostics"]));
    } else if (object.contains("timing")) {
      fragment.timings.push_back(timing_from_json(object["timing"]));
    } else {
      fragment.failed_passes.emplace_back(object.at("failed_pass").get<std::string>(),
                                          object.at("reason").get<std::string>());
    }
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

}  // namespace

Fragment read_fragment(const std::string& path) {
  Fragment fragment;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return fragment;
    fail(path, "cannot be read");
  }
  std::string line;
  for (char c = 0; file.get(c);) {
    if (c != '\n') {
      if (line.size() < kMaxLine) line += c;
      continue;
    }
    if (!line.empty()) fragment.dropped += !take(line, fragment);
    line.clear();
  }
  if (file.bad()) fail(path, "cannot be read");
  if (!line.empty()) ++fragment.dropped;
  return fragment;
}

FragmentWriter::FragmentWriter(const std::string& path) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(path, "cannot be written");
  const off_t size = ::lseek(descriptor_, 0, SEEK_END);
  char last = '\n';
  if (size > 0 && ::pread(descriptor_, &last, 1, size - 1) != 1) fail(path_, "cannot be read");
  if (last != '\n' && ::write(descriptor_, "\n", 1) != 1) fail(path_, "cannot be written");
}

FragmentWriter::~FragmentWriter() { ::close(descriptor_); }

void FragmentWriter::append(const json& object) {
  const std::string text = object.dump(-1, ' ', false, json::error_handler_t::replace);
  const std::string line = fmt::format("{:08x} {}\n", checksum(text), text);
  for (std::size_t done = 0; done < line.size();) {
    const auto written = ::write(descriptor_, line.data() + done, line.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(path_, "cannot be written");
    done += static_cast<std::size_t>(written);
  }
}

void FragmentWriter::record(const CellRecord& record) { append({{"cell", cell_json(record)}}); }
void FragmentWriter::record_diagnostics(const std::string& hash, const Diagnostics& diagnostics) {
  append({{"diagnostics", to_json(diagnostics)}, {"hash", hash}});
}
void FragmentWriter::record_timing(const TimingRecord& record) { append({{"timing", to_json(record)}}); }
void FragmentWriter::record_failed_pass(const std::string& hash, const std::string& reason) {
  append({{"failed_pass", hash}, {"reason", reason}});
}

void FragmentWriter::sync() {
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail(path_, "cannot be flushed to its disk");
}

}  // namespace wcodec
