// Golden files of a format version: small records (.wct), progressive records (.wcp) and containers (.wcodec), each
// with the stages it was made with and the checksums of itself and of what it decodes to, a line each in manifest.tsv.
#pragma once

#include <zstd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "codec/checkpoint_codec.hpp"
#include "codec/progressive.hpp"
#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"

namespace wcodec::golden {

struct Entry {
  std::string file;     // "int8-rans-….wct"
  std::string content;  // SHA-256 of what it decodes to: words, then scales; of the source file for containers
  std::string coded;    // SHA-256 of the golden itself
  std::string coder, tile, modes, transform;  // of progressive records: coder is the order of bits, no tile and modes
  std::string source;                         // of containers: the name of the file inside
  std::string zstd;                           // version of the library, where its bytes are among those of the golden
};

inline bool is_container_name(const std::string& file) { return file.ends_with(".wcodec"); }
inline bool is_progressive_name(const std::string& file) { return file.ends_with(".wcp"); }
inline bool is_record_name(const std::string& file) { return file.ends_with(".wct"); }

inline std::string line_of(const Entry& e) {
  return e.file + '\t' + e.content + '\t' + e.coded + '\t' + e.coder + '\t' + e.tile + '\t' + e.modes + '\t' +
         e.transform + '\t' + e.source + '\t' + e.zstd + '\n';
}
inline constexpr const char* kTitle =
    "file\tcontent_sha256\tcoded_sha256\tcoder\ttile\tmodes\ttransform\tsource\tzstd\n";

inline std::vector<Entry> read_manifest(const std::string& path) {
  std::ifstream file(path);
  std::vector<Entry> entries;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    Entry e;
    std::istringstream fields(line);
    for (std::string* field :
         {&e.file, &e.content, &e.coded, &e.coder, &e.tile, &e.modes, &e.transform, &e.source, &e.zstd})
      std::getline(fields, *field, '\t');
    entries.push_back(e);
  }
  return entries;
}

// Whether this build writes the same bytes: another zstd need not.
inline bool is_written_alike(const Entry& e) { return e.zstd.empty() || e.zstd == ZSTD_versionString(); }

inline std::vector<u8> read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorKind::not_found, path + ": no such file");
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, Bytes bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// What `content` is the checksum of.
inline std::vector<u8> content_of(const QuantizedTensor& tensor) {
  std::vector<u8> content = tensor.words;
  content.insert(content.end(), tensor.scales.begin(), tensor.scales.end());
  return content;
}

inline std::vector<std::string> split_plus(const std::string& joined) {
  std::vector<std::string> names;
  std::istringstream fields(joined);
  for (std::string name; std::getline(fields, name, '+');) names.push_back(name);
  return names;
}

inline std::vector<u8> encode_as(const Entry& e, const QuantizedTensor& tensor) {
  if (is_progressive_name(e.file))
    return encode_progressive(tensor, {parse_bit_order(e.coder), parse_transform_set(e.transform)}).bytes;
  return encode_tensor(tensor, parse_tile(e.tile), parse_mode_set(split_plus(e.modes)), parse_coder(e.coder),
                       parse_transform_set(e.transform))
      .bytes;
}

inline void encode_as(const Entry& e, const std::string& source, const std::string& destination) {
  EncodeOptions options;
  options.coder = e.coder;
  options.tile = e.tile;
  options.modes = split_plus(e.modes);
  options.part_weights = 256;
  options.model_name = "golden";
  options.overwrite = true;
  encode_checkpoint(source, destination, options);
}

}  // namespace wcodec::golden
