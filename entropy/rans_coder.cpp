#include "entropy/rans_coder.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "entropy/chunked_stream.hpp"
#include "entropy/raw_coder.hpp"
#include "entropy/scale_contexts.hpp"

namespace wcodec {
namespace {

// On the wire: how the symbols of a plane share tables. Never renumber.
enum Tables : u8 { kStoredRaw = 0, kPerTensor = 1, kPerTile = 2, kRowScale = 3, kColumnScale = 4, kRowColumnScale = 5 };

constexpr OptionInfo kOptions[] = {
    {"tables", "tensor", "tensor|tile|row-scale|col-scale|row-col-scale", "which symbols share a frequency table"},
    {"contexts", "32", "2...64", "most contexts for tables keyed on scale; fewer are kept where they do not pay"},
    {"precision", "14", "8...15", "frequencies are multiples of 2^-precision"},
    kChunkOption};

CoderOptions prepare(const Spec& spec) {
  static constexpr sv kTables[] = {"tensor", "tile", "row-scale", "col-scale", "row-col-scale"};
  const OptionReader options(spec, kOptions);
  const std::string tables = options.choice("tables", kTables);
  CoderOptions out;
  for (std::size_t i = 0; i < std::size(kTables); ++i) {
    if (tables == kTables[i]) out.tables = static_cast<u8>(i + 1);
  }
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

void encode_by_context(const CoderInput& input, const ScaleContexts& contexts, const CoderOptions& options,
                       LedgerWriter& out) {
  const std::vector<u8> of_symbol = contexts.count > 1 ? contexts.expand(input.geometry.grid) : std::vector<u8>();
  std::vector<std::array<u32, 256>> counts(static_cast<std::size_t>(contexts.count));
  if (of_symbol.empty()) {
    for (const u8 symbol : input.residuals) ++counts[0][symbol];
  } else {
    for (std::size_t i = 0; i < input.residuals.size(); ++i) ++counts[of_symbol[i]][input.residuals[i]];
  }
  const std::vector<FrequencyTable> tables = write_tables(counts, input.geometry.bits, options.precision, out);
  double implied = 0;
  for (std::size_t k = 0; k < counts.size(); ++k)
    implied += implied_bits(std::span(counts[k]).first(std::size_t{1} << input.geometry.bits), tables[k]);
  const int log2_chunk = choose_log2_chunk(options.log2_chunk, implied / static_cast<double>(input.residuals.size()));
  out.write(LedgerEntry::header, static_cast<u8>(log2_chunk));
  encode_stream(input.residuals, of_symbol.empty() ? nullptr : of_symbol.data(), tables, input.geometry.bits,
                log2_chunk, out);
}

void encode(const EntropyCoder&, const CoderInput& input, const CoderOptions& options, LedgerWriter& out) {
  if (input.residuals.empty()) return;
  LedgerWriter coded(out.dry());
  coded.write(LedgerEntry::header, options.tables);
  coded.write(LedgerEntry::header, static_cast<u8>(options.precision));
  if (options.tables == kPerTile) {
    encode_by_tile(input, options.precision, coded);
  } else {
    ScaleContexts contexts;
    if (options.tables != kPerTensor) {
      contexts =
          choose_scale_contexts(context_key(options.tables), options.contexts, input.geometry.grid, input.symbols,
                                input.zero, input.log_scale, input.residuals, input.geometry.bits);
      write_scale_contexts(contexts, coded);
    }
    encode_by_context(input, contexts, options, coded);
  }
  if (coded.ledger().total() <= raw_size(input.geometry)) {
    out.append_all(coded);
  } else {
    out.write(LedgerEntry::header, u8{kStoredRaw});
    write_raw(input, out);
  }
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

void decode(const EntropyCoder&, ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals) {
  if (residuals.empty()) return;
  const u8 tables = in.read<u8>("rANS header");
  if (tables == kStoredRaw) return read_raw(in, geometry, residuals);
  if (tables > kRowColumnScale) throw Error(ErrorKind::corrupt, "rANS header: unknown kind of tables");
  const int precision = in.read<u8>("rANS header");
  if (precision < kMinPrecision || precision > kMaxPrecision)
    throw Error(ErrorKind::corrupt, "rANS header: precision out of range");
  const TileGrid& grid = geometry.grid;
  if (tables == kPerTile) {
    for (i64 tile = 0; tile < grid.tiles(); ++tile) {
      const auto size = static_cast<std::size_t>(grid.tile_rows(tile) * grid.tile_cols(tile));
      decode_stream(in, nullptr, read_tables(in, 1, geometry.bits, precision), geometry.bits, kOneChunk,
                    residuals.subspan(static_cast<std::size_t>(grid.offset(tile)), size));
    }
    return;
  }
  ScaleContexts contexts;
  if (tables != kPerTensor) contexts = read_scale_contexts(context_key(tables), grid, in);
  const std::vector<u8> of_symbol = contexts.count > 1 ? contexts.expand(grid) : std::vector<u8>();
  const std::vector<FrequencyTable> shared = read_tables(in, contexts.count, geometry.bits, precision);
  const int log2_chunk = read_log2_chunk(in);
  decode_stream(in, of_symbol.empty() ? nullptr : of_symbol.data(), shared, geometry.bits, log2_chunk, residuals);
}

}  // namespace

const EntropyCoder kRansCoder = {.name = "rans",
                                 .id = 1,
                                 .help = "static range asymmetric numeral system, 1 to 32 interleaved lanes",
                                 .options = kOptions,
                                 .prepare = &prepare,
                                 .encode = &encode,
                                 .decode = &decode};

}  // namespace wcodec
