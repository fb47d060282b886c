# crd_client_grpc: gRPC and protobuf for crctl, from their static archives where the system has
# them. Loading and relocating the shared ones costs more than everything else that crctl does
# (measured with gRPC 1.51.1: 9 ms of 11 for `crctl version`).
#
# The imported targets of Debian's packages know the shared libraries only, and the "Libs.private"
# of its .pc files lack some archives, so all there are go into one group: the linker takes from
# them what is needed, and the trial below shows whether that was enough.
option(CRD_STATIC_CLIENT "Link crctl against static gRPC where possible" ON)
add_library(crd_client_grpc INTERFACE)
set(CRD_CLIENT_IS_STATIC OFF)

function(crd_find_static_grpc result)
  set(found "")
  foreach(name grpc++_unsecure grpc_unsecure gpr protobuf upb address_sorting re2 cares z)
    find_library(CRD_ARCHIVE_${name} NAMES lib${name}.a)
    mark_as_advanced(CRD_ARCHIVE_${name})
    if(NOT CRD_ARCHIVE_${name})
      message(STATUS "crctl: no lib${name}.a")
      set(${result} "" PARENT_SCOPE)
      return()
    endif()
    list(APPEND found ${CRD_ARCHIVE_${name}})
  endforeach()
  cmake_path(GET CRD_ARCHIVE_gpr PARENT_PATH folder)
  # protobuf from 22 on needs utf8_range, gRPC from 1.60 on more archives of upb.
  file(GLOB more ${folder}/libabsl_*.a ${folder}/libutf8_*.a ${folder}/libupb_*.a)
  set(${result} -Wl,--start-group ${found} ${more} -Wl,--end-group ${CMAKE_DL_LIBS} rt m PARENT_SCOPE)
endfunction()

# Sanitizers replace what a static C++ library would bring along.
if(CRD_STATIC_CLIENT AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  crd_find_static_grpc(archives)
  if(archives)
    include(CheckCXXSourceCompiles)
    set(CMAKE_REQUIRED_LIBRARIES ${archives} Threads::Threads)
    check_cxx_source_compiles("
      #include <google/protobuf/empty.pb.h>
      #include <google/protobuf/util/json_util.h>
      #include <grpcpp/create_channel_posix.h>
      #include <grpcpp/server_builder.h>
      int main() {
        std::string json;
        (void)google::protobuf::util::MessageToJsonString(google::protobuf::Empty(), &json);
        return grpc::CreateInsecureChannelFromFd(json, 0) == nullptr &&
               grpc::ServerBuilder().BuildAndStart() == nullptr;
      }" CRD_STATIC_GRPC_LINKS)
    unset(CMAKE_REQUIRED_LIBRARIES)
    set(CRD_CLIENT_IS_STATIC ${CRD_STATIC_GRPC_LINKS})
  endif()
endif()

if(CRD_CLIENT_IS_STATIC)
  target_link_libraries(crd_client_grpc INTERFACE ${archives} Threads::Threads)
else()
  message(STATUS "crctl: linked against shared gRPC; it starts about 10 ms slower")
  target_link_libraries(crd_client_grpc INTERFACE gRPC::grpc++_unsecure protobuf::libprotobuf)
endif()
