#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <api/v1/types.pb.h>

namespace crd::client {

// The options of a dump, one flag for each field of DumpOptions. `options` must outlive `app`.
void AddDumpFlags(CLI::App& app, v1::DumpOptions& options);

// The flags that lead to these options.
std::vector<std::string> DumpFlags(const v1::DumpOptions& options);

}  // namespace crd::client
