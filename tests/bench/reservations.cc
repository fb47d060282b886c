// usage: bench_reservations SOCKET NETWORK ADDRESS SECONDS CALLERS
// How many calls about reservations crd answers in a second: each caller on a connection of its
// own, one call after the other.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <api/v1/network.grpc.pb.h>
#include <grpcpp/grpcpp.h>

namespace {

namespace v1 = crd::v1;
using Clock = std::chrono::steady_clock;
using Stub = v1::NetworkService::Stub;

struct Arguments {
  std::string socket;
  std::string network;
  std::chrono::seconds time{0};
  int callers = 0;
};

// Calls made, each as long as all of its requests.
using Caller = std::function<int(Stub&)>;

void Check(const grpc::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "bench_reservations: %s\n", status.error_message().c_str());
  std::_Exit(1);
}

void Measure(const Arguments& arguments, const char* what, const Caller& call) {
  std::vector<long> counts(static_cast<std::size_t>(arguments.callers));
  std::vector<std::thread> callers;
  const auto begin = Clock::now();
  const auto end = begin + arguments.time;
  for (long& count : counts) {
    callers.emplace_back([&, id = callers.size()] {
      grpc::ChannelArguments own;
      own.SetInt("caller", static_cast<int>(id));  // no connection is shared
      Stub stub(grpc::CreateCustomChannel("unix://" + arguments.socket,
                                          grpc::InsecureChannelCredentials(), own));
      while (Clock::now() < end) count += call(stub);
    });
  }
  for (std::thread& caller : callers) caller.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  long calls = 0;
  for (const long count : counts) calls += count;
  std::printf("%-40s %8.0f calls/s with %d callers\n", what, static_cast<double>(calls) / seconds,
              arguments.callers);
}

int ReserveAndRelease(Stub& stub, const std::string& network) {
  v1::ReserveRequest request;
  request.set_network(network);
  v1::Reservation reserved;
  grpc::ClientContext first;
  Check(stub.Reserve(&first, request, &reserved));
  v1::ReleaseRequest back;
  back.set_reservation(reserved.id());
  grpc::ClientContext second;
  Check(stub.Release(&second, back, &reserved));
  return 2;
}

int CheckAddress(Stub& stub, const std::string& network, const std::string& address) {
  v1::CheckAddressRequest request;
  request.set_network(network);
  request.set_address(address);
  v1::CheckAddressResponse response;
  grpc::ClientContext context;
  Check(stub.CheckAddress(&context, request, &response));
  return 1;
}

int FreeAddress(Stub& stub, const std::string& network) {
  v1::FreeAddressRequest request;
  request.set_network(network);
  v1::FreeAddressResponse response;
  grpc::ClientContext context;
  Check(stub.FreeAddress(&context, request, &response));
  return 1;
}

}  // namespace

int main(int count, char** words) {
  if (count != 6) {
    std::fprintf(stderr, "usage: bench_reservations SOCKET NETWORK ADDRESS SECONDS CALLERS\n");
    return 2;
  }
  const Arguments arguments{.socket = words[1],
                            .network = words[2],
                            .time = std::chrono::seconds(std::atoi(words[4])),
                            .callers = std::atoi(words[5])};
  const std::string address = words[3];
  Measure(arguments, "may I use this address?",
          [&](Stub& stub) { return CheckAddress(stub, arguments.network, address); });
  Measure(arguments, "give me a free one",
          [&](Stub& stub) { return FreeAddress(stub, arguments.network); });
  Measure(arguments, "reserve and release (each durable)",
          [&](Stub& stub) { return ReserveAndRelease(stub, arguments.network); });
}
