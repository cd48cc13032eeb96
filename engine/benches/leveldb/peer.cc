// Real LevelDB as the other side of a benchmark: does what the lines of its standard input say, and
// answers each with the nanoseconds that it took and how many entries it met.
//
//   peer SNAPPY CACHE        whether tables are compressed (0 or 1); bytes of the block cache
//
//   open DIR
//   get COUNT BOUND SEED     gets of random keys with numbers below BOUND
//   scan                     every entry, forwards
//   back                     every entry, backwards
//   close
//
// Keys are sixteen digits; the numbers come from the generator of the other side, a xorshift64.
// Checksums are verified wherever LevelDB can.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "leveldb/cache.h"
#include "leveldb/db.h"

namespace {

void Check(const leveldb::Status& status) {
  if (status.ok()) return;
  std::cerr << "peer: " << status.ToString() << "\n";
  std::exit(1);
}

void SetKey(std::string* key, uint64_t number) {
  key->assign(16, '0');
  for (size_t i = 16; i-- > 0; number /= 10) (*key)[i] = static_cast<char>('0' + number % 10);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  leveldb::Options options;
  options.compression =
      std::string(argv[1]) == "1" ? leveldb::kSnappyCompression : leveldb::kNoCompression;
  std::unique_ptr<leveldb::Cache> cache(leveldb::NewLRUCache(std::stoull(argv[2])));
  options.block_cache = cache.get();
  leveldb::ReadOptions read;
  read.verify_checksums = true;
  leveldb::DB* db = nullptr;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string what;
    words >> what;
    uint64_t met = 0;
    const auto start = std::chrono::steady_clock::now();
    if (what == "open") {
      std::string dir;
      words >> dir;
      Check(leveldb::DB::Open(options, dir, &db));
    } else if (what == "get") {
      uint64_t count, bound, random;
      words >> count >> bound >> random;
      std::string key, value;
      for (uint64_t i = 0; i < count; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        SetKey(&key, random % bound);
        const leveldb::Status status = db->Get(read, key, &value);
        if (!status.IsNotFound()) Check(status);
        met += status.ok();
      }
    } else if (what == "scan" || what == "back") {
      std::unique_ptr<leveldb::Iterator> it(db->NewIterator(read));
      uint64_t sum = 0;
      if (what == "scan") {
        for (it->SeekToFirst(); it->Valid(); it->Next(), met++) {
          sum += it->key().size() + it->value()[0];
        }
      } else {
        for (it->SeekToLast(); it->Valid(); it->Prev(), met++) {
          sum += it->key().size() + it->value()[0];
        }
      }
      Check(it->status());
      if (sum == 1) std::cerr << "unlikely\n";
    } else if (what == "close") {
      delete db;
      db = nullptr;
    }
    const auto took = std::chrono::steady_clock::now() - start;
    std::cout << std::chrono::duration_cast<std::chrono::nanoseconds>(took).count() << " " << met
              << std::endl;
  }
  delete db;
  return 0;
}
