#include "entropy/rans_coder.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "entropy/chunked_stream.hpp"
#include "entropy/exponent_contexts.hpp"
#include "entropy/raw_coder.hpp"
#include "entropy/scale_contexts.hpp"

namespace wcodec {
namespace {

// On the wire: how the symbols of a plane share tables. Never renumber.
enum Tables : u8 {
  kStoredRaw = 0,
  kPerTensor = 1,
  kPerTile = 2,
  kRowScale = 3,
  kColumnScale = 4,
  kRowColumnScale = 5,
  kExponent = 6
};
// Not on the wire: for each plane the cheapest of one table, row and column scale, and exponent.
constexpr u8 kBest = 255;

constexpr OptionInfo kOptions[] = {
    {"tables", "tensor", "tensor|tile|row-scale|col-scale|row-col-scale|exponent|best",
     "which symbols share a frequency table; exponent: of a float's mantissa, others have one; best: tried for each "
     "plane"},
    {"contexts", "32", "2...64", "most contexts for tables keyed on scale; fewer are kept where they do not pay"},
    {"precision", "14", "8...15", "frequencies are multiples of 2^-precision"},
    kChunkOption};

CoderOptions prepare(const Spec& spec) {
  static constexpr sv kTables[] = {"tensor", "tile", "row-scale", "col-scale", "row-col-scale", "exponent"};
  const OptionReader options(spec, kOptions);
  const std::string tables = options.text("tables") == "best" ? "best" : options.choice("tables", kTables);
  CoderOptions out;
  for (std::size_t i = 0; i < std::size(kTables); ++i) {
    if (tables == kTables[i]) out.tables = static_cast<u8>(i + 1);
  }
  if (tables == "best") out.tables = kBest;
  out.contexts = static_cast<int>(options.integer("contexts", 2, kMaxContexts));
  out.precision = static_cast<int>(options.integer("precision", kMinPrecision, kMaxPrecision));
  out.log2_chunk = read_chunk_option(options);
  return out;
}

ContextKey context_key(u8 tables) noexcept { return static_cast<ContextKey>(tables - kRowScale); }

// A tile has a table and a stream of its own, whatever its size.
constexpr int kOneChunk = kMaxLog2Chunk;

// A table that knows one symbol leaves nothing to say.
bool is_constant(const FrequencyTable& table) noexcept {
  return std::any_of(table.frequency.begin(), table.frequency.end(),
                     [&](u16 f) { return f == u32{1} << table.precision; });
}

std::vector<FrequencyTable> write_tables(std::span<const std::array<u32, 256>> counts, int bits, int precision,
                                         LedgerWriter& out) {
  std::vector<FrequencyTable> tables;
  tables.reserve(counts.size());
  BitWriter packed;
  for (const auto& count : counts)
    tables.push_back(write_table(std::span(count).first(std::size_t{1} << bits), precision, packed));
  out.append(LedgerEntry::table, packed.finish());
  return tables;
}

void encode_stream(std::span<const u8> symbols, const u8* contexts, const std::vector<FrequencyTable>& tables, int bits,
                   int log2_chunk, LedgerWriter& out) {
  if (std::all_of(tables.begin(), tables.end(), is_constant)) return;
  const RansEncodeTables encoder(tables);
  encode_chunks(symbols, contexts, {symbols.size(), bits, 0, 0, log2_chunk}, StreamEncoder(encoder), out);
}

void encode_by_tile(const CoderInput& input, int precision, LedgerWriter& out) {
  const TileGrid& grid = input.geometry.grid;
  for (i64 tile = 0; tile < grid.tiles(); ++tile) {
    const auto symbols = input.residuals.subspan(static_cast<std::size_t>(grid.offset(tile)),
                                                 static_cast<std::size_t>(grid.tile_rows(tile) * grid.tile_cols(tile)));
    std::array<u32, 256> counts{};
    for (const u8 symbol : symbols) ++counts[symbol];
    encode_stream(symbols, nullptr, write_tables({&counts, 1}, input.geometry.bits, precision, out),
                  input.geometry.bits, kOneChunk, out);
  }
}

int choose_chunk(std::span<const std::array<u32, 256>> counts, const std::vector<FrequencyTable>& tables, u64 count,
                 int bits, const CoderOptions& options) {
  double implied = 0;
  for (std::size_t k = 0; k < counts.size(); ++k)
    implied += implied_bits(std::span(counts[k]).first(std::size_t{1} << bits), tables[k]);
  return choose_log2_chunk(options.log2_chunk, implied / static_cast<double>(count));
}

// One table for each of `count` contexts; of_symbol is empty for one.
void encode_by_context(const CoderInput& input, int count, const std::vector<u8>& of_symbol,
                       const CoderOptions& options, LedgerWriter& out) {
  const int bits = input.geometry.bits;
  std::vector<std::array<u32, 256>> counts(static_cast<std::size_t>(count));
  if (of_symbol.empty()) {
    for (const u8 symbol : input.residuals) ++counts[0][symbol];
  } else {
    for (std::size_t i = 0; i < input.residuals.size(); ++i) ++counts[of_symbol[i]][input.residuals[i]];
  }
  const std::vector<FrequencyTable> tables = write_tables(counts, bits, options.precision, out);
  const int log2_chunk = choose_chunk(counts, tables, input.residuals.size(), bits, options);
  out.write(LedgerEntry::header, static_cast<u8>(log2_chunk));
  encode_stream(input.residuals, of_symbol.empty() ? nullptr : of_symbol.data(), tables, bits, log2_chunk, out);
}

LedgerWriter encode_as(u8 tables, const CoderInput& input, const CoderOptions& options, bool dry) {
  const TileGrid& grid = input.geometry.grid;
  LedgerWriter out(dry);
  out.write(LedgerEntry::header, tables);
  out.write(LedgerEntry::header, static_cast<u8>(options.precision));
  if (tables == kPerTile) {
    encode_by_tile(input, options.precision, out);
  } else if (tables == kPerTensor) {
    encode_by_context(input, 1, {}, options, out);
  } else if (tables == kExponent) {
    const ExponentContexts contexts = choose_exponent_contexts(options.contexts, grid, input.geometry.first_plane,
                                                               input.residuals, input.geometry.bits);
    write_exponent_contexts(contexts, out);
    encode_by_context(input, contexts.count,
                      contexts.count > 1 ? contexts.expand(grid, input.geometry.first_plane) : std::vector<u8>(),
                      options, out);
  } else {
    const ScaleContexts contexts =
        choose_scale_contexts(context_key(tables), options.contexts, grid, input.symbols, input.zero, input.log_scale,
                              input.residuals, input.geometry.bits);
    write_scale_contexts(contexts, out);
    encode_by_context(input, contexts.count, contexts.count > 1 ? contexts.expand(grid) : std::vector<u8>(), options,
                      out);
  }
  return out;
}

void encode(const EntropyCoder&, const CoderInput& input, const CoderOptions& options, LedgerWriter& out) {
  if (input.residuals.empty()) return;
  const bool has_exponent = input.geometry.first_plane != nullptr;
  LedgerWriter coded;
  if (options.tables == kBest) {
    coded = encode_as(kPerTensor, input, options, out.dry());
    for (const u8 tables : {kRowColumnScale, kExponent}) {
      if (tables == kExponent && !has_exponent) continue;
      LedgerWriter other = encode_as(tables, input, options, out.dry());
      if (other.ledger().total() < coded.ledger().total()) coded = std::move(other);
    }
  } else {
    coded = encode_as(options.tables == kExponent && !has_exponent ? u8{kPerTensor} : options.tables, input, options,
                      out.dry());
  }
  const LedgerWriter::Mark before = out.mark();
  out.append_all(coded);
  store_if_longer(input, before, out);
}

std::vector<FrequencyTable> read_tables(ByteReader& in, int count, int bits, int precision) {
  std::vector<FrequencyTable> tables;
  BitReader reader(in);
  for (int i = 0; i < count; ++i) tables.push_back(read_table(bits, precision, reader));
  reader.finish();
  return tables;
}

void decode_stream(ByteReader& in, const u8* contexts, const std::vector<FrequencyTable>& tables, int bits,
                   int log2_chunk, MutBytes symbols) {
  if (std::all_of(tables.begin(), tables.end(), is_constant)) {
    std::array<u8, kMaxContexts> only{};
    for (std::size_t k = 0; k < tables.size(); ++k) {
      only[k] = static_cast<u8>(std::max_element(tables[k].frequency.begin(), tables[k].frequency.end()) -
                                tables[k].frequency.begin());
    }
    for (std::size_t i = 0; i < symbols.size(); ++i) symbols[i] = only[contexts ? contexts[i] : 0];
    return;
  }
  const StreamLayout layout{symbols.size(), bits, 0, 0, log2_chunk};
  const ChunkIndex index = read_chunk_index(in, layout);
  const RansDecodeTables decoder(tables);
  decode_chunks(index, layout, 0, layout.chunks(), contexts, StreamDecoder(decoder), symbols.data());
}

struct Kind {
  u8 tables;
  int precision;  // unless stored raw
};

Kind read_kind(ByteReader& in) {
  const u8 tables = in.read<u8>("rANS header");
  if (tables == kStoredRaw) return {tables, 0};
  if (tables > kExponent) throw Error(ErrorKind::corrupt, "rANS header: unknown kind of tables");
  const int precision = in.read<u8>("rANS header");
  if (precision < kMinPrecision || precision > kMaxPrecision)
    throw Error(ErrorKind::corrupt, "rANS header: precision out of range");
  return {tables, precision};
}

void decode(const EntropyCoder&, ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals) {
  if (residuals.empty()) return;
  const auto [tables, precision] = read_kind(in);
  if (tables == kStoredRaw) return read_raw(in, geometry, residuals);
  const TileGrid& grid = geometry.grid;
  if (tables == kPerTile) {
    for (i64 tile = 0; tile < grid.tiles(); ++tile) {
      const auto size = static_cast<std::size_t>(grid.tile_rows(tile) * grid.tile_cols(tile));
      decode_stream(in, nullptr, read_tables(in, 1, geometry.bits, precision), geometry.bits, kOneChunk,
                    residuals.subspan(static_cast<std::size_t>(grid.offset(tile)), size));
    }
    return;
  }
  int count = 1;
  std::vector<u8> of_symbol;
  if (tables == kExponent) {
    if (geometry.first_plane == nullptr) throw Error(ErrorKind::corrupt, "rANS header: there is no exponent to go by");
    const ExponentContexts contexts = read_exponent_contexts(in);
    count = contexts.count;
    if (count > 1) of_symbol = contexts.expand(grid, geometry.first_plane);
  } else if (tables != kPerTensor) {
    const ScaleContexts contexts = read_scale_contexts(context_key(tables), grid, in);
    count = contexts.count;
    if (count > 1) of_symbol = contexts.expand(grid);
  }
  const std::vector<FrequencyTable> shared = read_tables(in, count, geometry.bits, precision);
  const int log2_chunk = read_log2_chunk(in);
  decode_stream(in, of_symbol.empty() ? nullptr : of_symbol.data(), shared, geometry.bits, log2_chunk, residuals);
}

}  // namespace

std::optional<RansHeader> read_rans_header(ByteReader& in, int bits) {
  const auto [tables, precision] = read_kind(in);
  RansHeader header;
  header.is_stored = tables == kStoredRaw;
  if (header.is_stored) return header;
  if (tables != kPerTensor) return std::nullopt;
  header.table = read_tables(in, 1, bits, precision)[0];
  header.is_constant = is_constant(header.table);
  header.log2_chunk = read_log2_chunk(in);
  return header;
}

RansHeader write_rans_header(std::span<const u32> counts, u64 count, const CoderOptions& options, LedgerWriter& out) {
  std::array<u32, 256> padded{};
  std::copy(counts.begin(), counts.end(), padded.begin());
  const int bits = static_cast<int>(std::bit_width(counts.size() - 1));
  out.write(LedgerEntry::header, u8{kPerTensor});
  out.write(LedgerEntry::header, static_cast<u8>(options.precision));
  const std::vector<FrequencyTable> tables = write_tables({&padded, 1}, bits, options.precision, out);
  RansHeader header;
  header.table = tables[0];
  header.is_constant = is_constant(header.table);
  header.log2_chunk = choose_chunk({&padded, 1}, tables, count, bits, options);
  out.write(LedgerEntry::header, static_cast<u8>(header.log2_chunk));
  return header;
}

bool is_one_table(const CoderOptions& options) noexcept { return options.tables == kPerTensor; }

const EntropyCoder kRansCoder = {.name = "rans",
                                 .id = 1,
                                 .help = "static range asymmetric numeral system, 1 to 32 interleaved lanes",
                                 .options = kOptions,
                                 .prepare = &prepare,
                                 .encode = &encode,
                                 .decode = &decode};

}  // namespace wcodec
