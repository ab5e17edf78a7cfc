#include "entropy/rans_coder.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "entropy/chunked_stream.hpp"
#include "entropy/exponent_contexts.hpp"
#include "entropy/histogram.hpp"
#include "entropy/log2_cost.hpp"
#include "entropy/neighbour_contexts.hpp"
#include "entropy/place_contexts.hpp"
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
  kExponent = 6,
  kPosition = 7,
  kBand = 8,
  kNeighbours = 9
};
// Not on the wire: for each plane the cheapest of one table and the contexts that have paid on weights.
constexpr u8 kBest = 255;

constexpr OptionInfo kOptions[] = {
    {"tables", "tensor", "tensor|tile|row-scale|col-scale|row-col-scale|exponent|position|band|neighbours|best",
     "which symbols share a frequency table; exponent: of a float's mantissa, others have one; position: in the tile; "
     "band: of transform coefficients, without transforms there is one; neighbours: magnitudes decoded before; best: "
     "the cheapest of tensor, row-col-scale, exponent and band for each plane"},
    {"contexts", "32", "2...64", "most contexts for tables keyed on something; fewer are kept where they do not pay"},
    {"precision", "14", "8...15", "frequencies are multiples of 2^-precision"},
    {"low", "0", "0...7", "low bits of a symbol that stay uncoded, at least one is coded: less work, for GPUs"},
    kChunkOption};

CoderOptions prepare(const Spec& spec) {
  static constexpr sv kTables[] = {"tensor",   "tile",     "row-scale", "col-scale", "row-col-scale",
                                   "exponent", "position", "band",      "neighbours"};
  const OptionReader options(spec, kOptions);
  const std::string tables = options.text("tables") == "best" ? "best" : options.choice("tables", kTables);
  CoderOptions out;
  for (std::size_t i = 0; i < std::size(kTables); ++i) {
    if (tables == kTables[i]) out.tables = static_cast<u8>(i + 1);
  }
  if (tables == "best") out.tables = kBest;
  out.contexts = static_cast<int>(options.integer("contexts", 2, kMaxContexts));
  out.precision = static_cast<int>(options.integer("precision", kMinPrecision, kMaxPrecision));
  out.low_bits = static_cast<int>(options.integer("low", 0, 7));
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

// Bits of a symbol, uncoded ones of these.
struct Width {
  int bits, low;
  int high() const noexcept { return bits - low; }
};

void encode_stream(std::span<const u8> symbols, const u8* contexts, const std::vector<FrequencyTable>& tables,
                   Width width, int log2_chunk, LedgerWriter& out, bool in_rounds = false) {
  if (width.low == 0 && std::all_of(tables.begin(), tables.end(), is_constant)) return;
  const RansEncodeTables encoder(tables);
  encode_chunks(symbols, contexts, {symbols.size(), width.bits, width.low, 0, log2_chunk, 0, in_rounds},
                StreamEncoder(encoder), out);
}

void encode_by_tile(const CoderInput& input, int precision, Width width, LedgerWriter& out) {
  const TileGrid& grid = input.geometry.grid;
  for (i64 tile = 0; tile < grid.tiles(); ++tile) {
    const auto symbols = input.residuals.subspan(static_cast<std::size_t>(grid.offset(tile)),
                                                 static_cast<std::size_t>(grid.tile_rows(tile) * grid.tile_cols(tile)));
    std::array<u32, 256> counts{};
    for (const u8 symbol : symbols) ++counts[symbol >> width.low];
    encode_stream(symbols, nullptr, write_tables({&counts, 1}, width.high(), precision, out), width, kOneChunk, out);
  }
}

int choose_chunk(std::span<const std::array<u32, 256>> counts, const std::vector<FrequencyTable>& tables, u64 count,
                 Width width, const CoderOptions& options) {
  double implied = 0;
  for (std::size_t k = 0; k < counts.size(); ++k)
    implied += implied_bits(std::span(counts[k]).first(std::size_t{1} << width.high()), tables[k]);
  return choose_log2_chunk(options.log2_chunk, width.low + implied / static_cast<double>(count));
}

// One table for each of `count` contexts; of_symbol is empty for one.
void encode_by_context(const CoderInput& input, int count, const std::vector<u8>& of_symbol,
                       const CoderOptions& options, Width width, LedgerWriter& out, bool in_rounds = false) {
  std::vector<std::array<u32, 256>> counts(static_cast<std::size_t>(count));
  if (of_symbol.empty()) {
    ByteCounts counted;
    counted.add(input.residuals);
    const std::array<u32, 256> whole = counted.counts();
    for (std::size_t u = 0; u < whole.size(); ++u) counts[0][u >> width.low] += whole[u];
  } else {
    for (std::size_t i = 0; i < input.residuals.size(); ++i) ++counts[of_symbol[i]][input.residuals[i] >> width.low];
  }
  const std::vector<FrequencyTable> tables = write_tables(counts, width.high(), options.precision, out);
  const int log2_chunk = choose_chunk(counts, tables, input.residuals.size(), width, options);
  out.write(LedgerEntry::header, static_cast<u8>(log2_chunk));
  encode_stream(input.residuals, of_symbol.empty() ? nullptr : of_symbol.data(), tables, width, log2_chunk, out,
                in_rounds);
}

void encode_by_scale(ContextKey key, const CoderInput& input, const CoderOptions& options, Width width,
                     LedgerWriter& out) {
  const TileGrid& grid = input.geometry.grid;
  const ScaleContexts contexts = choose_scale_contexts(key, options.contexts, grid, input.symbols, input.zero,
                                                       input.log_scale, input.residuals, input.geometry.bits);
  write_scale_contexts(contexts, out);
  encode_by_context(input, contexts.count, contexts.count > 1 ? contexts.expand(grid) : std::vector<u8>(), options,
                    width, out);
}

void encode_by_exponent(const CoderInput& input, const CoderOptions& options, Width width, LedgerWriter& out) {
  const auto& [grid, bits, first_plane, bands] = input.geometry;
  const ExponentContexts contexts =
      choose_exponent_contexts(options.contexts, grid, first_plane, input.residuals, bits);
  write_exponent_contexts(contexts, out);
  encode_by_context(input, contexts.count, contexts.count > 1 ? contexts.expand(grid, first_plane) : std::vector<u8>(),
                    options, width, out);
}

void encode_by_place(PlaceKey key, const CoderInput& input, const CoderOptions& options, Width width,
                     LedgerWriter& out) {
  const auto& [grid, bits, first_plane, bands] = input.geometry;
  const ClassContexts contexts = choose_place_contexts(key, options.contexts, grid, bands, input.residuals, bits);
  write_class_contexts(contexts, out);
  encode_by_context(input, contexts.count,
                    contexts.count > 1 ? expand_place_contexts(contexts, key, grid, bands) : std::vector<u8>(), options,
                    width, out);
}

// Neighbours are of the same chunk, so chunks are cut first: by what one table would cost.
void encode_by_neighbours(const CoderInput& input, CoderOptions options, LedgerWriter& out) {
  const int bits = input.geometry.bits;
  ByteCounts counted;
  counted.add(input.residuals);
  options.log2_chunk = choose_log2_chunk(
      options.log2_chunk, fast_entropy_bits(counted.counts()) / static_cast<double>(input.residuals.size()));
  NeighbourContexts contexts;
  contexts.rule =
      choose_neighbour_rule(input.geometry.grid, input.geometry.bands != nullptr, input.log_scale, input.residuals);
  std::vector<u8> of_symbol = neighbour_classes(contexts.rule, input.residuals, bits, options.log2_chunk);
  std::vector<u32> histograms(static_cast<std::size_t>(kNeighbourClasses) << bits);
  for (std::size_t i = 0; i < of_symbol.size(); ++i)
    ++histograms[(std::size_t{of_symbol[i]} << bits) | input.residuals[i]];
  contexts.classes = choose_class_contexts(histograms, bits, options.contexts);
  write_neighbour_contexts(contexts, out);
  if (contexts.classes.count == 1) {
    of_symbol.clear();
  } else {
    for (u8& context : of_symbol) context = contexts.classes.context_of[context];
  }
  encode_by_context(input, contexts.classes.count, of_symbol, options, {bits, 0}, out, contexts.classes.count > 1);
}

LedgerWriter encode_as(u8 tables, const CoderInput& input, const CoderOptions& options, bool dry) {
  LedgerWriter out(dry);
  out.write(LedgerEntry::header, tables);
  // Neighbours' magnitudes need all of their bits.
  const int low = tables == kNeighbours ? 0 : std::min(options.low_bits, input.geometry.bits - 1);
  const Width width{input.geometry.bits, low};
  out.write(LedgerEntry::header, static_cast<u8>(options.precision | low << 4));
  switch (tables) {
    case kPerTile:
      encode_by_tile(input, options.precision, width, out);
      break;
    case kPerTensor:
      encode_by_context(input, 1, {}, options, width, out);
      break;
    case kExponent:
      encode_by_exponent(input, options, width, out);
      break;
    case kPosition:
      encode_by_place(PlaceKey::in_tile, input, options, width, out);
      break;
    case kBand:
      encode_by_place(PlaceKey::band, input, options, width, out);
      break;
    case kNeighbours:
      encode_by_neighbours(input, options, out);
      break;
    default:
      encode_by_scale(context_key(tables), input, options, width, out);
  }
  return out;
}

// Whether a plane has what the tables are keyed on.
bool is_offered(u8 tables, const PlaneGeometry& geometry) noexcept {
  return (tables != kExponent || geometry.first_plane != nullptr) && (tables != kBand || geometry.bands != nullptr);
}

void encode(const EntropyCoder&, const CoderInput& input, const CoderOptions& options, LedgerWriter& out) {
  if (input.residuals.empty()) return;
  LedgerWriter coded;
  if (options.tables == kBest) {
    coded = encode_as(kPerTensor, input, options, out.dry());
    // Neighbours and positions cost most of the time and save nothing that scale does not (docs/decisions.md).
    for (const u8 tables : {kRowColumnScale, kExponent, kBand}) {
      if (!is_offered(tables, input.geometry)) continue;
      LedgerWriter other = encode_as(tables, input, options, out.dry());
      if (other.ledger().total() < coded.ledger().total()) coded = std::move(other);
    }
  } else {
    coded = encode_as(is_offered(options.tables, input.geometry) ? options.tables : u8{kPerTensor}, input, options,
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

// What each context's table knows, if it is one symbol everywhere; nothing was coded then.
std::optional<std::array<u8, kMaxContexts>> constant_symbols(const std::vector<FrequencyTable>& tables) {
  if (!std::all_of(tables.begin(), tables.end(), is_constant)) return std::nullopt;
  std::array<u8, kMaxContexts> only{};
  for (std::size_t k = 0; k < tables.size(); ++k) {
    only[k] = static_cast<u8>(std::max_element(tables[k].frequency.begin(), tables[k].frequency.end()) -
                              tables[k].frequency.begin());
  }
  return only;
}

void decode_stream(ByteReader& in, const u8* contexts, const std::vector<FrequencyTable>& tables, Width width,
                   int log2_chunk, MutBytes symbols) {
  if (const auto only = width.low == 0 ? constant_symbols(tables) : std::nullopt) {
    for (std::size_t i = 0; i < symbols.size(); ++i) symbols[i] = (*only)[contexts ? contexts[i] : 0];
    return;
  }
  const StreamLayout layout{symbols.size(), width.bits, width.low, 0, log2_chunk};
  const ChunkIndex index = read_chunk_index(in, layout);
  const RansDecodeTables decoder(tables);
  decode_chunks(index, layout, 0, layout.chunks(), contexts, StreamDecoder(decoder), symbols.data());
}

void decode_by_neighbours(ByteReader& in, int bits, int precision, MutBytes symbols) {
  const NeighbourContexts contexts = read_neighbour_contexts(in);
  const std::vector<FrequencyTable> tables = read_tables(in, contexts.classes.count, bits, precision);
  const int log2_chunk = read_log2_chunk(in);
  if (contexts.classes.count == 1) return decode_stream(in, nullptr, tables, {bits, 0}, log2_chunk, symbols);
  const StreamLayout layout{symbols.size(), bits, 0, 0, log2_chunk, 0, true};
  if (const auto only = constant_symbols(tables)) return fill_neighbour_chunks(layout, contexts, *only, symbols.data());
  const ChunkIndex index = read_chunk_index(in, layout);
  const RansDecodeTables decoder(tables);
  decode_neighbour_chunks(index, layout, contexts, StreamDecoder(decoder), symbols.data());
}

struct Kind {
  u8 tables;
  int precision;  // unless stored raw, as what follows
  Width width;
};

Kind read_kind(ByteReader& in, int bits) {
  const u8 tables = in.read<u8>("rANS header");
  if (tables == kStoredRaw) return {tables, 0, {bits, 0}};
  if (tables > kNeighbours) throw Error(ErrorKind::corrupt, "rANS header: unknown kind of tables");
  const u8 both = in.read<u8>("rANS header");
  const int precision = both & 15, low = both >> 4;
  if (precision < kMinPrecision) throw Error(ErrorKind::corrupt, "rANS header: precision out of range");
  if (low >= bits || (low > 0 && tables == kNeighbours))
    throw Error(ErrorKind::corrupt, "rANS header: more uncoded bits than there can be");
  return {tables, precision, {bits, low}};
}

void decode(const EntropyCoder&, ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals) {
  if (residuals.empty()) return;
  const auto [tables, precision, width] = read_kind(in, geometry.bits);
  if (tables == kStoredRaw) return read_raw(in, geometry, residuals);
  const TileGrid& grid = geometry.grid;
  if (tables == kPerTile) {
    for (i64 tile = 0; tile < grid.tiles(); ++tile) {
      const auto size = static_cast<std::size_t>(grid.tile_rows(tile) * grid.tile_cols(tile));
      decode_stream(in, nullptr, read_tables(in, 1, width.high(), precision), width, kOneChunk,
                    residuals.subspan(static_cast<std::size_t>(grid.offset(tile)), size));
    }
    return;
  }
  if (tables == kNeighbours) return decode_by_neighbours(in, geometry.bits, precision, residuals);
  int count = 1;
  std::vector<u8> of_symbol;
  if (tables == kPosition || tables == kBand) {
    const PlaceKey key = tables == kBand ? PlaceKey::band : PlaceKey::in_tile;
    if (tables == kBand && geometry.bands == nullptr)
      throw Error(ErrorKind::corrupt, "rANS header: there are no transform bands to go by");
    const ClassContexts contexts = read_class_contexts(place_classes(key), in);
    count = contexts.count;
    if (count > 1) of_symbol = expand_place_contexts(contexts, key, grid, geometry.bands);
  } else if (tables == kExponent) {
    if (geometry.first_plane == nullptr) throw Error(ErrorKind::corrupt, "rANS header: there is no exponent to go by");
    const ExponentContexts contexts = read_exponent_contexts(in);
    count = contexts.count;
    if (count > 1) of_symbol = contexts.expand(grid, geometry.first_plane);
  } else if (tables != kPerTensor) {
    const ScaleContexts contexts = read_scale_contexts(context_key(tables), grid, in);
    count = contexts.count;
    if (count > 1) of_symbol = contexts.expand(grid);
  }
  const std::vector<FrequencyTable> shared = read_tables(in, count, width.high(), precision);
  const int log2_chunk = read_log2_chunk(in);
  decode_stream(in, of_symbol.empty() ? nullptr : of_symbol.data(), shared, width, log2_chunk, residuals);
}

}  // namespace

std::optional<RansHeader> read_rans_header(ByteReader& in, int bits, u64 count) {
  const auto [tables, precision, width] = read_kind(in, bits);
  RansHeader header;
  header.is_stored = tables == kStoredRaw;
  if (header.is_stored) return header;
  if (tables != kPerTensor) return std::nullopt;
  header.table = read_tables(in, 1, width.high(), precision)[0];
  header.is_constant = width.low == 0 && is_constant(header.table);
  header.layout = {count, bits, width.low, 0, read_log2_chunk(in)};
  return header;
}

RansHeader write_rans_header(std::span<const u32> counts, u64 count, const CoderOptions& options, LedgerWriter& out) {
  const int bits = static_cast<int>(std::bit_width(counts.size() - 1));
  const Width width{bits, std::min(options.low_bits, bits - 1)};
  std::array<u32, 256> high{};
  for (std::size_t s = 0; s < counts.size(); ++s) high[s >> width.low] += counts[s];
  out.write(LedgerEntry::header, u8{kPerTensor});
  out.write(LedgerEntry::header, static_cast<u8>(options.precision | width.low << 4));
  const std::vector<FrequencyTable> tables = write_tables({&high, 1}, width.high(), options.precision, out);
  RansHeader header;
  header.table = tables[0];
  header.is_constant = width.low == 0 && is_constant(header.table);
  const int log2_chunk = choose_chunk({&high, 1}, tables, count, width, options);
  header.layout = {count, bits, width.low, 0, log2_chunk};
  out.write(LedgerEntry::header, static_cast<u8>(log2_chunk));
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
