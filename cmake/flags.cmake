# Flags and the include root of everything we write. The root goes in with -iquote: with -I, our
# net/ and systemd/ would shadow the system's headers of these names.
add_library(crd_flags INTERFACE)
target_compile_options(crd_flags INTERFACE
  "SHELL:-iquote ${PROJECT_SOURCE_DIR}"
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wcast-qual -Wformat=2 -Wimplicit-fallthrough -Wextra-semi
  # Designated initialisers leave out what has a default; that is their point.
  -Wno-missing-field-initializers)
if(CRD_WERROR)
  target_compile_options(crd_flags INTERFACE -Werror)
endif()
target_compile_definitions(crd_flags INTERFACE CRD_VERSION="${PROJECT_VERSION}")
