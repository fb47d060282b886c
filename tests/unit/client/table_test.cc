#include "client/table.h"

#include <gtest/gtest.h>

#include "client/printable.h"

namespace crd::client {
namespace {

TEST(Table, AlignsItsColumns) {
  Table table({{"ID"}, {"SIZE", Table::Align::kRight}, {"COMMAND"}});
  table.Add({"4f2a", "1.5 KiB", "redis-server"});
  table.Add({"77c0d1", "3 B", "sh"});
  EXPECT_EQ(table.Render(),
            "ID         SIZE  COMMAND\n"
            "4f2a    1.5 KiB  redis-server\n"
            "77c0d1      3 B  sh\n");
}

TEST(Table, WithoutRowsShowsItsHeadings) {
  EXPECT_EQ(Table({{"ID"}, {"NAME"}}).Render(), "ID  NAME\n");
}

TEST(Table, ShowsADashForAnEmptyCell) {
  Table table({{"A"}, {"B"}});
  table.Add({"", "x"});
  EXPECT_EQ(table.Render(), "A  B\n-  x\n");
}

TEST(Table, CountsCharactersAndNotBytes) {
  Table table({{"A"}, {"B"}});
  table.Add({"größe", "x"});
  table.Add({"sizes", "y"});
  EXPECT_EQ(table.Render(), "A      B\ngröße  x\nsizes  y\n");
}

TEST(Table, LetsNoControlCharacterThrough) {
  Table table({{"COMMAND"}});
  table.Add({"evil\x1b]0;title\x07\nnext"});
  EXPECT_EQ(table.Render(), "COMMAND\nevil?]0;title??next\n");
}

TEST(Printable, ReplacesC1ControlsButKeepsOtherUtf8) {
  EXPECT_EQ(Printable("a\xc2\x9b"
                      "31mb\xc3\xbc\x7f"),
            "a?31mb\xc3\xbc?");
}

TEST(Details, AlignsValuesAndLeavesOutWhatHasNone) {
  Details details;
  details.Add("id", "4f2a");
  details.Add("problem", "");
  details.Add("directory", "/var/lib/crd");
  details.Add("stages", std::vector<std::string>{"freeze 1 ms", "dump 2 ms"});
  details.Add("restored as", std::vector<std::string>{});
  EXPECT_EQ(details.Render(),
            "id:         4f2a\n"
            "directory:  /var/lib/crd\n"
            "stages:     freeze 1 ms\n"
            "            dump 2 ms\n");
}

}  // namespace
}  // namespace crd::client
