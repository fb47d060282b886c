#include "daemon/criu/record_file.h"

#include <cstring>

#include <endian.h>

#include "daemon/base/files.h"
#include "daemon/base/replace_file.h"

namespace crd::criu {
namespace {

// Takes a number off the front; false when there is not enough left.
bool TakeNumber(std::string_view& bytes, std::uint32_t& number) {
  if (bytes.size() < sizeof number) return false;
  std::memcpy(&number, bytes.data(), sizeof number);
  number = le32toh(number);
  bytes.remove_prefix(sizeof number);
  return true;
}

void PutNumber(std::string& bytes, std::size_t value) {
  const std::uint32_t number = htole32(static_cast<std::uint32_t>(value));
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

Error DamagedFile(const std::string& name, std::string_view why) {
  return {.code = Code::kDataLoss,
          .message = fmt::format("image '{}' is damaged: {}", name, why),
          .hint = "the checkpoint cannot be restored; use another one"};
}

Result<std::vector<std::string>> ReadRecords(FdRef directory, const std::string& name,
                                             const std::vector<std::uint32_t>& magics,
                                             std::size_t limit) {
  const auto content = ReadFileAt(directory, name);
  if (!content.ok()) {
    const Code code = content.error().code;
    // Missing, not a file, or larger than any of CRIU's; the others are failures of the machine.
    const bool damaged = code == Code::kNotFound || code == Code::kFailedPrecondition ||
                         code == Code::kResourceExhausted;
    if (damaged) return DamagedFile(name, content.error().message);
    return content.error();
  }
  std::string_view rest = *content;
  std::uint32_t number = 0;
  for (const std::uint32_t magic : magics) {
    if (!TakeNumber(rest, number)) return DamagedFile(name, "it ends within its header");
    if (number != magic) return DamagedFile(name, "its header is not that of such an image");
  }
  std::vector<std::string> records;
  while (!rest.empty()) {
    if (!TakeNumber(rest, number) || number > rest.size()) {
      return DamagedFile(name, "it ends within a record");
    }
    if (records.size() == limit) {
      return DamagedFile(name, fmt::format("it holds more than {} records", limit));
    }
    records.emplace_back(rest.substr(0, number));
    rest.remove_prefix(number);
  }
  return records;
}

Result<void> WriteRecords(FdRef directory, const std::string& name,
                          const std::vector<std::uint32_t>& magics,
                          const std::vector<std::string>& records) {
  std::string content;
  for (const std::uint32_t magic : magics) PutNumber(content, magic);
  for (const std::string& record : records) {
    PutNumber(content, record.size());
    content += record;
  }
  return ReplaceFileAt(directory, name, content);
}

}  // namespace crd::criu
