// A byte string under construction in which every byte is booked when it is written.
#pragma once

#include "core/bytes.hpp"
#include "core/ledger.hpp"

namespace wcodec {

// In dry mode only the ledger grows: the same code then yields a cost instead of bytes.
class LedgerWriter {
 public:
  explicit LedgerWriter(bool dry = false) noexcept : dry_(dry) {}
  bool dry() const noexcept { return dry_; }
  const Ledger& ledger() const noexcept { return ledger_; }
  const std::vector<u8>& bytes() const noexcept { return out_.bytes; }
  std::vector<u8> take() noexcept { return std::move(out_.bytes); }

  void append(LedgerEntry entry, Bytes part) {
    ledger_[entry] += part.size();
    if (!dry_) out_.append(part);
  }
  // Bytes whose entries the caller has added up.
  void append(const Ledger& entries, Bytes part) {
    ledger_ += entries;
    if (!dry_) out_.append(part);
  }
  // To go back to what was written before: a way out for what turns out too long.
  struct Mark {
    Ledger ledger;
    std::size_t size;
  };
  Mark mark() const noexcept { return {ledger_, out_.bytes.size()}; }
  void rollback(const Mark& mark) {
    ledger_ = mark.ledger;
    out_.bytes.resize(mark.size);
  }
  void reserve(std::size_t size) { out_.bytes.reserve(size); }
  // Books bytes that a dry run did not make.
  void book(LedgerEntry entry, u64 size) noexcept { ledger_[entry] += size; }
  template <class T>
  void write(LedgerEntry entry, T value) {
    ledger_[entry] += sizeof(T);
    if (!dry_) out_.write(value);
  }
  void varint(LedgerEntry entry, u64 value) {
    ByteWriter small;
    small.varint(value);
    append(entry, small.bytes);
  }
  void append_all(const LedgerWriter& other) {
    ledger_ += other.ledger_;
    if (!dry_) out_.append(other.out_.bytes);
  }

 private:
  bool dry_;
  ByteWriter out_;
  Ledger ledger_;
};

}  // namespace wcodec
