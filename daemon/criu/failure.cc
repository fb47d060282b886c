#include "daemon/criu/failure.h"

#include <cerrno>
#include <string>
#include <utility>

#include "daemon/criu/criu_log.h"

namespace crd::criu {
namespace {

// CRIU tells an errno for very few failures (as of 4.3: ESRCH, EEXIST, EBADRQC, ENOTSUP), but those
// it tells even when its log is of no use.
std::optional<Diagnosis> DiagnoseErrno(int number) {
  switch (number) {
    case ESRCH:
      return Diagnosis{.code = Code::kNotFound,
                       .reason = "PROCESS_GONE",
                       .message = "there is no such process",
                       .hint = "look it up again: it may have ended"};
    case EEXIST:
      return Diagnosis{.code = Code::kAlreadyExists,
                       .reason = "PID_TAKEN",
                       .message = "a process id that the tree needs is taken",
                       .hint = "end the process that has it, or restore after it has gone"};
    default:
      return std::nullopt;
  }
}

// What was wrong on the connection itself.
std::string Trouble(const SessionEnd& end) {
  if (!end.nonsense.empty()) return end.nonsense;
  if (end.answer) return "CRIU answered something else than it was asked";
  std::string text = end.ending.ToString() + " without an answer";
  if (!end.complaints.empty()) text += ": " + Printable(end.complaints);
  return text;
}

std::string Headline(const SessionEnd& end, const LogFindings& findings) {
  if (findings.diagnosis) return findings.diagnosis->message;
  const bool refused = end.answer && !end.answer->success();
  if (!refused) return Trouble(end);
  if (findings.lines.empty()) return "CRIU refused and gave no reason";
  return "CRIU says: " + Printable(WithoutPrefix(findings.lines.front()));
}

}  // namespace

Error ExplainFailure(const SessionEnd& end, std::string_view log, std::string_view attempt) {
  LogFindings findings = StudyLog(log);
  if (findings.lines.empty() && end.answer && !end.answer->cr_errmsg().empty()) {
    findings = StudyLog(end.answer->cr_errmsg());
  }
  const bool violent = !end.answer && end.ending.Violent();
  if (end.stopped) {
    Error error = *end.stopped;
    if (violent) error.reason = "CRIU_KILLED";
    if (violent) error.message += "; " + end.ending.ToString();
    if (error.log_lines.empty() && violent) error.log_lines = std::move(findings.lines);
    return error;
  }
  const int number = end.answer ? end.answer->cr_errno() : 0;
  if (!findings.diagnosis && end.answer) findings.diagnosis = DiagnoseErrno(number);
  Error error{.code = Code::kInternal,
              .message = fmt::format("cannot {}: {}", attempt, Headline(end, findings)),
              .sys_errno = number};
  if (findings.diagnosis) {
    error.code = findings.diagnosis->code;
    error.reason = findings.diagnosis->reason;
    error.hint = findings.diagnosis->hint;
  }
  if (violent) error.reason = "CRIU_KILLED";
  error.log_lines = std::move(findings.lines);
  return error;
}

}  // namespace crd::criu
