#include "experiments/arranged_record.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"

namespace wcodec {

Front parse_front(sv order, sv approx) { return {parse_order(order), parse_approx(approx)}; }

FrontedTensor apply_front(const QuantizedTensor& tensor, const Front& front) {
  FrontedTensor out;
  const Arrangement arrangement = front.order.find(tensor);
  write_arrangement(arrangement, out.side);
  out.tensor = subtract_approximation(arrange(tensor, arrangement), front.approx, out.side);
  return out;
}

EncodedTensor join_front(const FrontedTensor& fronted, const EncodedTensor& record) {
  LedgerWriter out;
  out.varint(LedgerEntry::index, record.bytes.size());
  out.append(record.ledger, record.bytes);
  out.append_all(fronted.side);
  out.write(LedgerEntry::crc, crc32(fronted.side.bytes()));
  EncodedTensor joined;
  joined.ledger = out.ledger();
  joined.bytes = out.take();
  return joined;
}

QuantizedTensor decode_fronted(Bytes bytes, u64 max_weights) {
  ByteReader in(bytes);
  const u64 size = in.varint("size of a tensor record");
  const Bytes record = in.take(size, "tensor record");
  if (in.remaining() < sizeof(u32)) throw Error(ErrorKind::truncated, "the checksum of an arrangement is missing");
  const Bytes side = in.take(in.remaining() - sizeof(u32), "arrangement");
  if (in.read<u32>("checksum") != crc32(side)) throw Error(ErrorKind::corrupt, "an arrangement fails its checksum");

  const QuantizedTensor residual = decode_tensor(record, max_weights);
  ByteReader rest(side);
  const Arrangement arrangement =
      read_arrangement(rest, static_cast<u64>(residual.rows), static_cast<u64>(residual.cols));
  const QuantizedTensor arranged = add_approximation(residual, rest);
  if (rest.remaining() != 0) throw Error(ErrorKind::corrupt, "bytes are left over after an arrangement");
  return restore(arranged, arrangement);
}

}  // namespace wcodec
