// Real LevelDB as a program: carries out a script, or shows all that a database holds.
//
//   peer run DIR < SCRIPT     carries out the script on the database in DIR
//   peer dump DIR             prints every entry, one a line: KEY, a tab, VALUE
//   peer property DIR NAME    prints a property of LevelDB
//
// A script has one operation a line; its words are separated by single spaces. The bytes of keys
// and values are written as in a dump: \xNN for any byte, \\ \t \n \r as in C, "" for none.
//
//   open [OPTION=NUMBER...]        write_buffer_size, block_size, max_file_size, bloom (bits a
//                                  key), snappy, reuse_logs; 0 unless named, or LevelDB's default
//   sync 0|1                       whether the writes that follow are synced
//   put KEY VALUE
//   delete KEY
//   fill FIRST LAST SIZE [TAG]     puts key000FIRST to key000LAST, each with SIZE letters that do
//                                  not repeat; another TAG gives other letters
//   repeat FIRST LAST SIZE         the same with one letter, SIZE times
//   erase FIRST LAST               deletes them
//   batch N                        the next N operations are one batch; a fill counts as one
//   compact                        CompactRange of everything
//   close                          closes the database
//   kill                           ends the process at once, without closing it
//   rename FROM TO                 renames a file of the closed database
//   cut FILE BYTES                 takes that many bytes off the end of one
//
// dump opens with paranoid_checks, verifies every checksum, and demands that a walk backwards and
// a get of every key agree with the walk forwards. Any failure ends the program with code 1.

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "leveldb/db.h"
#include "leveldb/filter_policy.h"
#include "leveldb/write_batch.h"

namespace {

[[noreturn]] void Fail(const std::string& what) {
  std::cerr << "peer: " << what << "\n";
  std::_Exit(1);
}

void Check(const leveldb::Status& status, const std::string& what) {
  if (!status.ok()) Fail(what + ": " + status.ToString());
}

std::string Escape(const leveldb::Slice& bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); i++) {
    const unsigned char byte = static_cast<unsigned char>(bytes[i]);
    char hex[8];
    if (byte == '\\') {
      out += "\\\\";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\r') {
      out += "\\r";
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += static_cast<char>(byte);
    } else {
      std::snprintf(hex, sizeof(hex), "\\x%02x", byte);
      out += hex;
    }
  }
  return out;
}

std::string Unescape(const std::string& word) {
  if (word == "\"\"") return "";
  std::string out;
  for (size_t i = 0; i < word.size(); i++) {
    if (word[i] != '\\') {
      out += word[i];
      continue;
    }
    if (++i == word.size()) Fail("a lonely backslash in " + word);
    switch (word[i]) {
      case '\\': out += '\\'; break;
      case 't': out += '\t'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 'x':
        out += static_cast<char>(std::stoi(word.substr(i + 1, 2), nullptr, 16));
        i += 2;
        break;
      default: Fail("an unknown escape in " + word);
    }
  }
  return out;
}

std::string NumberedKey(uint64_t number) {
  char key[32];
  std::snprintf(key, sizeof(key), "key%06llu", static_cast<unsigned long long>(number));
  return key;
}

// SIZE letters that no compressor shortens by an eighth: 6 bits of each 8 are random.
std::string Letters(uint64_t number, uint64_t tag, size_t size) {
  static const char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  uint64_t state = (number + 1) * 0x9e3779b97f4a7c15u + tag;
  std::string out;
  while (out.size() < size) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    out += kLetters[(state >> 32) & 63];
  }
  return out;
}

class Script {
 public:
  explicit Script(std::string dir) : dir_(std::move(dir)) {}

  void Line(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> words;
    for (std::string word; std::getline(stream, word, ' ');) words.push_back(word);
    if (words.empty() || words[0][0] == '#') return;
    words.resize(8);
    const std::string& op = words[0];
    if (op == "open") {
      Open(words);
    } else if (op == "sync") {
      write_options_.sync = words[1] == "1";
    } else if (op == "put") {
      batch_.Put(Unescape(words[1]), Unescape(words[2]));
      Write();
    } else if (op == "delete") {
      batch_.Delete(Unescape(words[1]));
      Write();
    } else if (op == "fill" || op == "repeat" || op == "erase") {
      Range(words);
    } else if (op == "batch") {
      left_in_batch_ = std::stoull(words[1]);
      is_batch_ = true;
    } else if (op == "compact") {
      db_->CompactRange(nullptr, nullptr);
    } else if (op == "close") {
      db_.reset();
    } else if (op == "kill") {
      std::_Exit(0);
    } else if (op == "rename") {
      const std::string from = dir_ + "/" + words[1], to = dir_ + "/" + words[2];
      if (std::rename(from.c_str(), to.c_str()) != 0) Fail("rename " + from);
    } else if (op == "cut") {
      Cut(dir_ + "/" + words[1], std::stoll(words[2]));
    } else {
      Fail("unknown operation " + op);
    }
  }

 private:
  void Open(const std::vector<std::string>& words) {
    std::map<std::string, uint64_t> given;
    for (size_t i = 1; i < words.size() && !words[i].empty(); i++) {
      const size_t equals = words[i].find('=');
      given[words[i].substr(0, equals)] = std::stoull(words[i].substr(equals + 1));
    }
    leveldb::Options options;
    options.create_if_missing = true;
    options.compression =
        given["snappy"] ? leveldb::kSnappyCompression : leveldb::kNoCompression;
    options.reuse_logs = given["reuse_logs"] != 0;
    if (given["write_buffer_size"]) options.write_buffer_size = given["write_buffer_size"];
    if (given["block_size"]) options.block_size = given["block_size"];
    if (given["max_file_size"]) options.max_file_size = given["max_file_size"];
    if (given["bloom"]) {
      filter_.reset(leveldb::NewBloomFilterPolicy(static_cast<int>(given["bloom"])));
      options.filter_policy = filter_.get();
    }
    leveldb::DB* db = nullptr;
    Check(leveldb::DB::Open(options, dir_, &db), "open " + dir_);
    db_.reset(db);
  }

  static void Cut(const std::string& file, off_t bytes) {
    struct stat found;
    if (stat(file.c_str(), &found) != 0 || truncate(file.c_str(), found.st_size - bytes) != 0) {
      Fail("cut " + file);
    }
  }

  void Range(const std::vector<std::string>& words) {
    const uint64_t first = std::stoull(words[1]), last = std::stoull(words[2]);
    const size_t size = words[3].empty() ? 0 : std::stoull(words[3]);
    const uint64_t tag = words[4].empty() ? 0 : std::stoull(words[4]);
    for (uint64_t number = first; number <= last; number++) {
      if (words[0] == "erase") {
        batch_.Delete(NumberedKey(number));
      } else if (words[0] == "repeat") {
        batch_.Put(NumberedKey(number), std::string(size, static_cast<char>('a' + number % 26)));
      } else {
        batch_.Put(NumberedKey(number), Letters(number, tag, size));
      }
      if (!is_batch_) Write();
    }
    if (is_batch_) Write();
  }

  void Write() {
    if (is_batch_ && --left_in_batch_ > 0) return;
    Check(db_->Write(write_options_, &batch_), "write");
    batch_.Clear();
    is_batch_ = false;
  }

  const std::string dir_;
  // Outlives the database that uses it.
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::DB> db_;
  leveldb::WriteOptions write_options_;
  leveldb::WriteBatch batch_;
  bool is_batch_ = false;
  uint64_t left_in_batch_ = 0;
};

std::unique_ptr<leveldb::DB> OpenToRead(const std::string& dir,
                                        const leveldb::FilterPolicy* filter) {
  leveldb::Options options;
  options.paranoid_checks = true;
  options.filter_policy = filter;
  leveldb::DB* db = nullptr;
  Check(leveldb::DB::Open(options, dir, &db), "open " + dir);
  return std::unique_ptr<leveldb::DB>(db);
}

void Dump(const std::string& dir) {
  // With the policy at hand the gets go through the filters, if the tables have any.
  std::unique_ptr<const leveldb::FilterPolicy> filter(leveldb::NewBloomFilterPolicy(10));
  std::unique_ptr<leveldb::DB> db = OpenToRead(dir, filter.get());
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  std::unique_ptr<leveldb::Iterator> it(db->NewIterator(options));
  std::vector<std::pair<std::string, std::string>> entries;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    entries.emplace_back(it->key().ToString(), it->value().ToString());
  }
  Check(it->status(), "walk forwards");
  size_t left = entries.size();
  for (it->SeekToLast(); it->Valid(); it->Prev()) {
    if (left == 0) Fail("the walk backwards is longer");
    left--;
    if (it->key() != entries[left].first || it->value() != entries[left].second) {
      Fail("the walk backwards differs at " + Escape(it->key()));
    }
  }
  Check(it->status(), "walk backwards");
  if (left != 0) Fail("the walk backwards is shorter");
  for (const auto& entry : entries) {
    std::string value;
    Check(db->Get(options, entry.first, &value), "get " + Escape(entry.first));
    if (value != entry.second) Fail("get differs at " + Escape(entry.first));
  }
  for (const auto& entry : entries) {
    std::cout << Escape(entry.first) << "\t" << Escape(entry.second) << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const std::string command = argc > 2 ? argv[1] : "";
  if (command == "run") {
    Script script(argv[2]);
    for (std::string line; std::getline(std::cin, line);) script.Line(line);
  } else if (command == "dump") {
    Dump(argv[2]);
  } else if (command == "property" && argc > 3) {
    std::string value;
    if (!OpenToRead(argv[2], nullptr)->GetProperty(argv[3], &value)) Fail("no such property");
    std::cout << value;
  } else {
    Fail("run DIR | dump DIR | property DIR NAME");
  }
  std::cout.flush();
  return std::cout ? 0 : 1;
}
