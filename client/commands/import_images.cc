#include <memory>
#include <string>
#include <utility>

#include "client/commands/commands.h"
#include "client/commands/make_checkpoint.h"
#include "client/commands/validators.h"

namespace crd::client {
namespace {

struct Args {
  std::string directory;
  std::string bundle;
  std::string root;
  v1::ImportImagesRequest request;
};

Result<int> Run(Session& session, const Args& args) {
  v1::ImportImagesRequest request = args.request;
  request.set_directory(args.directory);
  request.set_bundle(args.bundle);
  request.set_runtime_root(args.root);
  return MakeCheckpoint(session, &v1::ImageService::Stub::ImportImages, std::move(request));
}

}  // namespace

void AddImportImages(CLI::App& app, Command& chosen) {
  auto args = std::make_shared<Args>();
  app.add_option("DIR", args->directory, "What criu dump, runc checkpoint or crun checkpoint wrote")
      ->required()
      ->transform(AsAbsolutePath())
      ->option_text(" ");
  app.add_option("--bundle", args->bundle, "Of a container: the bundle that it was made of")
      ->transform(AsAbsolutePath())
      ->option_text("DIR");
  app.add_option_function<std::string>(
         "--name", [args](const std::string& name) { args->request.set_name(name); },
         "A name for the checkpoint")
      ->option_text("NAME");
  app.add_option_function<std::string>(
         "--runtime", [args](const std::string& name) { args->request.set_runtime(name); },
         "The runtime that is to have the container (runc)")
      ->check(CLI::IsMember({"runc", "crun"}))
      ->option_text("runc|crun");
  app.add_option_function<std::string>(
         "--id", [args](const std::string& id) { args->request.set_container(id); },
         "What the runtime is to call it (as the bundle's directory is called)")
      ->option_text("ID");
  app.add_option("--root", args->root, "The state directory of the runtime")
      ->transform(AsAbsolutePath())
      ->option_text("DIR");
  app.footer(
      "Prints the checkpoint's id. The images are copied; their directory can go. Of a container "
      "its\n"
      "runtime makes one that it lists as stopped until the restore.\n\n"
      "Examples:\n"
      "  criu dump -t 4711 -D /tmp/images && crctl import-images /tmp/images\n"
      "  runc checkpoint --image-path /tmp/images web &&\n"
      "    crctl import-images /tmp/images --bundle /srv/web --id web");
  app.callback(
      [args, &chosen] { chosen = [args](Session& session) { return Run(session, *args); }; });
}

}  // namespace crd::client
