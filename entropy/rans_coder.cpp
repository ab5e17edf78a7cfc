#include "entropy/rans_coder.hpp"

#include <array>
#include <optional>
#include <vector>

#include "entropy/rans.hpp"
#include "entropy/raw_coder.hpp"
#include "entropy/scale_contexts.hpp"

namespace wcodec {
namespace {

// On the wire: how the symbols of a plane share tables. Never renumber.
enum Tables : u8 { kStoredRaw = 0, kPerTensor = 1, kPerTile = 2, kRowScale = 3, kColumnScale = 4, kRowColumnScale = 5 };

constexpr OptionInfo kOptions[] = {
    {"tables", "tensor", "tensor|tile|row-scale|col-scale|row-col-scale", "which symbols share a frequency table"},
    {"contexts", "32", "2...64", "most contexts for tables keyed on scale; fewer are kept where they do not pay"},
    {"precision", "14", "8...15", "frequencies are multiples of 2^-precision"}};

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
  return out;
}

ContextKey context_key(u8 tables) noexcept { return static_cast<ContextKey>(tables - kRowScale); }

void write_words(const std::vector<u16>& buffer, std::size_t count, LedgerWriter& out) {
  const auto* first = reinterpret_cast<const u8*>(buffer.data() + (buffer.size() - count));
  out.append(LedgerEntry::payload, Bytes(first, 2 * count));
}

// Reused between planes of one thread: a plane's words take up to two bytes a symbol.
std::vector<u16>& word_buffer(std::size_t count) {
  thread_local std::vector<u16> buffer;
  if (buffer.size() < count) buffer.resize(count);
  return buffer;
}

void encode_stream(std::span<const u8> symbols, const u8* contexts, const std::vector<RansEncodeTable>& tables,
                   LedgerWriter& out) {
  const int lanes = rans_lanes(symbols.size());
  std::array<u32, 32> states{};
  std::vector<u16>& words = word_buffer(symbols.size());
  u16* const end = out.dry() ? nullptr : words.data() + words.size();
  const std::size_t count =
      rans_encode(symbols.data(), contexts, symbols.size(), tables.data(), lanes, states.data(), end);
  for (int lane = 0; lane < lanes; ++lane) out.write(LedgerEntry::state, states[static_cast<std::size_t>(lane)]);
  if (out.dry()) {
    out.book(LedgerEntry::payload, 2 * count);
  } else {
    write_words(words, count, out);
  }
}

std::vector<RansEncodeTable> write_tables(std::span<const std::array<u32, 256>> counts, const CoderInput& input,
                                          int precision, LedgerWriter& out) {
  std::vector<RansEncodeTable> tables;
  tables.reserve(counts.size());
  BitWriter bits;
  for (const auto& count : counts) {
    tables.emplace_back(write_table(std::span(count).first(std::size_t{1} << input.geometry.bits), precision, bits));
  }
  out.append(LedgerEntry::table, bits.finish());
  return tables;
}

void encode_by_tile(const CoderInput& input, int precision, LedgerWriter& out) {
  const TileGrid& grid = input.geometry.grid;
  for (i64 tile = 0; tile < grid.tiles(); ++tile) {
    const auto symbols = input.residuals.subspan(static_cast<std::size_t>(grid.offset(tile)),
                                                 static_cast<std::size_t>(grid.tile_rows(tile) * grid.tile_cols(tile)));
    std::array<u32, 256> counts{};
    for (const u8 symbol : symbols) ++counts[symbol];
    encode_stream(symbols, nullptr, write_tables({&counts, 1}, input, precision, out), out);
  }
}

void encode_by_context(const CoderInput& input, const ScaleContexts& contexts, int precision, LedgerWriter& out) {
  const std::vector<u8> of_symbol = contexts.count > 1 ? contexts.expand(input.geometry.grid) : std::vector<u8>();
  std::vector<std::array<u32, 256>> counts(static_cast<std::size_t>(contexts.count));
  if (of_symbol.empty()) {
    for (const u8 symbol : input.residuals) ++counts[0][symbol];
  } else {
    for (std::size_t i = 0; i < input.residuals.size(); ++i) ++counts[of_symbol[i]][input.residuals[i]];
  }
  encode_stream(input.residuals, of_symbol.empty() ? nullptr : of_symbol.data(),
                write_tables(counts, input, precision, out), out);
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
    encode_by_context(input, contexts, options.precision, coded);
  }
  if (coded.ledger().total() <= raw_size(input.geometry)) {
    out.append_all(coded);
  } else {
    out.write(LedgerEntry::header, u8{kStoredRaw});
    write_raw(input, out);
  }
}

std::vector<RansDecodeTable> read_tables(ByteReader& in, int count, int bits, int precision) {
  std::vector<RansDecodeTable> tables;
  BitReader reader(in);
  for (int i = 0; i < count; ++i) tables.emplace_back(read_table(bits, precision, reader));
  reader.finish();
  return tables;
}

void decode_stream(ByteReader& in, const u8* contexts, const std::vector<RansDecodeTable>& tables, MutBytes symbols) {
  const int lanes = rans_lanes(symbols.size());
  std::array<u32, 32> states{};
  for (int lane = 0; lane < lanes; ++lane) states[static_cast<std::size_t>(lane)] = in.read<u32>("rANS states");
  const Bytes words = in.peek();
  const std::ptrdiff_t used = rans_decode_prefix(words.data(), words.size() / 2, states.data(), contexts,
                                                 symbols.size(), tables.data(), lanes, symbols.data());
  if (used < 0)
    throw Error(ErrorKind::corrupt,
                "rANS stream at offset " + std::to_string(in.position()) + " does not end as it must");
  in.take(2 * static_cast<std::size_t>(used), "rANS words");
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
      decode_stream(in, nullptr, read_tables(in, 1, geometry.bits, precision),
                    residuals.subspan(static_cast<std::size_t>(grid.offset(tile)), size));
    }
    return;
  }
  ScaleContexts contexts;
  if (tables != kPerTensor) contexts = read_scale_contexts(context_key(tables), grid, in);
  const std::vector<u8> of_symbol = contexts.count > 1 ? contexts.expand(grid) : std::vector<u8>();
  decode_stream(in, of_symbol.empty() ? nullptr : of_symbol.data(),
                read_tables(in, contexts.count, geometry.bits, precision), residuals);
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
