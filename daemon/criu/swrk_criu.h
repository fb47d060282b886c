#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/children.h"
#include "daemon/criu/compatibility.h"
#include "daemon/criu/connection.h"
#include "daemon/criu/criu.h"
#include "daemon/criu/patience.h"

namespace crd::criu {

// CRIU as a program: one `criu swrk` process per action.
class SwrkCriu final : public Criu {
 public:
  // Starts the program once, to ask for its version. Never fails: a CRIU that is missing or of no
  // use has a problem(), with which Dump() and Restore() refuse ("CRIU_UNUSABLE"). `path` is
  // absolute; `children` outlives the object.
  static std::unique_ptr<SwrkCriu> Create(std::string path, Children& children,
                                          const KernelTraits& kernel = ProbeKernel(),
                                          const Patience& patience = {});

  Result<DumpReport> Dump(const DumpRequest& request, const DumpObserver& observer,
                          const CancelToken& cancel) override;
  Result<RestoreReport> Restore(const RestoreRequest& request, const RestoreObserver& observer,
                                const CancelToken& cancel) override;
  [[nodiscard]] const std::string& path() const override { return path_; }
  [[nodiscard]] const Version& version() const override { return version_; }
  [[nodiscard]] const std::string& problem() const override { return problem_; }

 private:
  SwrkCriu(std::string path, Children& children, const Patience& patience)
      : path_(std::move(path)), children_(children), patience_(patience) {}

  [[nodiscard]] Result<Version> AskVersion() const;
  [[nodiscard]] Result<Connection> Start(const ConnectionSpec& spec) const;
  [[nodiscard]] Error Unusable(std::string_view why) const;

  const std::string path_;
  Children& children_;
  const Patience patience_;
  Version version_;
  std::string problem_;
};

}  // namespace crd::criu
