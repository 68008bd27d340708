// Zip, gzip and IDX sources, on every number of ranks.

#include <gtest/gtest.h>
#include <libdeflate.h>
#include <zip.h>

#include <memory>
#include <numeric>

#include "data/samples.h"
#include "lockstep/core/files.h"
#include "lockstep/data/row_share.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

struct Member {
  const char* name;
  std::string content;
  zip_int32_t method = ZIP_CM_DEFLATE;
  zip_uint16_t encryption = ZIP_EM_NONE;
};

// Rank 0 writes the archive; the others may read it afterwards.
std::string write_zip(const samples::SharedFolder& folder, const std::string& name,
                      const std::vector<Member>& members) {
  const std::string path = folder.path(name);
  if (test_comm().rank() == 0) {
    int code = 0;
    zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
    for (const Member& member : members) {
      zip_source_t* source =
          zip_source_buffer(archive, member.content.data(), member.content.size(), 0);
      const auto index =
          static_cast<zip_uint64_t>(zip_file_add(archive, member.name, source, ZIP_FL_ENC_UTF_8));
      zip_set_file_compression(archive, index, member.method, 0);
      if (member.encryption != ZIP_EM_NONE) {
        zip_file_set_encryption(archive, index, member.encryption, "secret");
      }
    }
    EXPECT_EQ(zip_close(archive), 0);
  }
  test_comm().barrier();
  return path;
}

std::string gzipped(const std::string& text) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(6), &libdeflate_free_compressor);
  std::string packed(libdeflate_gzip_compress_bound(compressor.get(), text.size()), '\0');
  packed.resize(libdeflate_gzip_compress(compressor.get(), text.data(), text.size(), packed.data(),
                                         packed.size()));
  return packed;
}

std::string big_endian(std::uint32_t word) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(word >> shift & 0xFF);
  return bytes;
}

std::string idx_images(int rows, std::uint32_t said_rows, std::uint32_t width = 9) {
  std::string text = big_endian(0x803) + big_endian(said_rows) + big_endian(5) + big_endian(width);
  for (int row = 0; row < rows; ++row) {
    for (int p = 0; p < 45; ++p) text += static_cast<char>(samples::pixel_of(row, p));
  }
  return text;
}

std::string idx_labels(int rows) {
  std::string text = big_endian(0x801) + big_endian(static_cast<std::uint32_t>(rows));
  for (int row = 0; row < rows; ++row) text += static_cast<char>(samples::label_of(row));
  return text;
}

RowShare load(const SourceOptions& source, Labels labels = Labels::kRequired) {
  return load_rows(test_comm(), source, samples::options(), labels);
}

void expect_rows(const RowShare& share, int rows, Labels labels) {
  ASSERT_EQ(share.total, rows);
  ASSERT_EQ(share.labelled(), labels == Labels::kRequired);
  for (std::int64_t i = 0; i < share.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const int row = static_cast<int>(share.first + i);
    ASSERT_EQ(share.numbers[at], static_cast<std::uint64_t>(row));
    if (share.labelled()) {
      ASSERT_EQ(share.labels[at], samples::label_of(row));
    }
    for (int p = 0; p < 45; ++p) {
      ASSERT_EQ(samples::pixels_of(share)[at * 45 + static_cast<std::size_t>(p)],
                samples::pixel_of(row, p));
    }
  }
  std::int64_t held = share.size();
  test_comm().sum(std::span(&held, 1));
  ASSERT_EQ(held, rows);
}

TEST(Zip, MembersDeflatedAndStored) {
  const samples::SharedFolder folder(test_comm());
  const std::string path = write_zip(folder, "rows.zip",
                                     {{"other.csv", "x"},
                                      {"deflated.csv", samples::csv(997, {.end = ""})},
                                      {"stored.csv", samples::csv(300), ZIP_CM_STORE}});
  expect_rows(load({path, "deflated.csv", ""}), 997, Labels::kRequired);
  expect_rows(load({path, "stored.csv", ""}), 300, Labels::kRequired);
}

TEST(Zip, AnEmptyMemberHasNoRows) {
  const samples::SharedFolder folder(test_comm());
  const std::string path =
      write_zip(folder, "rows.zip", {{"deflated.csv", ""}, {"stored.csv", "", ZIP_CM_STORE}});
  for (const std::string member : {"deflated.csv", "stored.csv"}) {
    EXPECT_EQ(samples::error_of([&] {
                load({path, member, ""});
              }),
              path + ":" + member + ":1:1: the file is empty; expected rows of a label and pixels");
  }
}

TEST(Zip, FaultsNameTheMember) {
  const samples::SharedFolder folder(test_comm());
  const std::string path =
      write_zip(folder, "rows.zip",
                {{"train.csv", samples::csv(3) + "x\n"},
                 {"locked.csv", samples::csv(3), ZIP_CM_DEFLATE, ZIP_EM_AES_256}});
  const auto error = [&](const std::string& member) {
    return samples::error_of([&] { load({path, member, ""}); });
  };
  EXPECT_EQ(error("trian.csv"), path +
                                    ": has no member \"trian.csv\"; did you mean \"train.csv\"?"
                                    "; its members: train.csv, locked.csv");
  EXPECT_EQ(error(""), path +
                           ": is a zip archive; expected the name of a member too: train.csv, "
                           "locked.csv");
  EXPECT_EQ(error("locked.csv"),
            path + ":locked.csv: is encrypted; expected a member without a password");
  EXPECT_EQ(error("train.csv"), path +
                                    ":train.csv:5:1: column \"label\": \"x\" is not a whole "
                                    "number; expected a label from 0 to 6");
}

TEST(Zip, DamageIsNoticed) {
  const samples::SharedFolder folder(test_comm());
  const std::string whole_path =
      write_zip(folder, "whole.zip",
                {{"rows.csv", samples::csv(997)}, {"stored.csv", samples::csv(9), ZIP_CM_STORE}});
  const std::string whole = read_file(whole_path);
  // A byte in the middle of each member's data, and the size in the central directory.
  const auto flipped = [&](std::size_t at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
    return bytes;
  };
  const std::size_t stored = whole.find("label,", 60) + 500;
  const std::size_t directory = whole.find("PK\x01\x02");
  const struct {
    const char* file;
    const char* member;
    std::size_t at;
  } cases[] = {{"a.zip", "rows.csv", 2000},
               {"b.zip", "stored.csv", stored},
               {"c.zip", "rows.csv", directory + 24},   // inflated size, lowest byte
               {"d.zip", "rows.csv", directory + 27}};  // inflated size, highest byte
  for (const auto& each : cases) {
    const std::string path = folder.write(each.file, flipped(each.at));
    EXPECT_NE(samples::error_of([&] { load({path, each.member, ""}); }), "") << each.file;
  }
  const std::string cut = folder.write("cut.zip", whole.substr(0, whole.size() / 2));
  EXPECT_NE(samples::error_of([&] {
              load({cut, "rows.csv", ""});
            }).find("cannot be read as a zip archive"),
            std::string::npos);
  const std::string text = folder.write("text.csv", samples::csv(3));
  EXPECT_NE(samples::error_of([&] {
              load({text, "rows.csv", ""});
            }).find("cannot be read as a zip archive"),
            std::string::npos);
  EXPECT_NE(samples::error_of([&] {
              load({folder.path("none.zip"), "rows.csv", ""});
            }).find("none.zip"),
            std::string::npos);
}

TEST(Idx, PlainAndGzipped) {
  const samples::SharedFolder folder(test_comm());
  const std::string images = folder.write("images", idx_images(997, 997));
  const std::string labels = folder.write("labels", idx_labels(997));
  const std::string images_gz = folder.write("images.gz", gzipped(idx_images(997, 997)));
  const std::string labels_gz = folder.write("labels.gz", gzipped(idx_labels(997)));
  expect_rows(load({images, "", labels}), 997, Labels::kRequired);
  expect_rows(load({images_gz, "", labels_gz}), 997, Labels::kRequired);
  expect_rows(load({images_gz, "", ""}, Labels::kOptional), 997, Labels::kOptional);
}

TEST(Idx, SizesMustAgree) {
  const samples::SharedFolder folder(test_comm());
  const std::string good = folder.write("images", idx_images(20, 20));
  const std::string labels = folder.write("labels", idx_labels(20));
  const auto error = [](const std::string& images, const std::string& label_file) {
    return samples::error_of([&] { load({images, "", label_file}); });
  };
  const std::string many = folder.write("many", idx_images(20, 0xFFFFFFFF));
  EXPECT_EQ(error(many, labels), many +
                                     ": its header says 4294967295 x 5 x 9; that does not agree "
                                     "with its 916 bytes");
  const std::string fewer = folder.write("fewer", idx_images(19, 20));
  EXPECT_EQ(error(fewer, labels),
            fewer + ": its header says 20 x 5 x 9; that does not agree with its 871 bytes");
  const std::string wide = folder.write("wide", idx_images(20, 10, 18));
  EXPECT_EQ(error(wide, labels), wide + ": images of 5x18x1; expected 5x9x1");
  const std::string more_labels = folder.write("more", idx_labels(21));
  EXPECT_EQ(error(good, more_labels),
            more_labels + ": 21 labels; expected 20, as there are images");
  EXPECT_EQ(error(good, good),
            good + ": starts with 0x00000803; expected the 0x00000801 of IDX labels");
  const std::string text = folder.write("text.csv", samples::csv(3));
  EXPECT_EQ(error(text, labels),
            text + ": starts with 0x6c616265; expected the 0x00000803 of IDX images");
  EXPECT_EQ(error(good, ""), good +
                                 ": IDX images without labels; expected the field `labels` of "
                                 "the source too");
  std::string bad = idx_labels(20);
  bad[8 + 13] = 7;
  const std::string bad_labels = folder.write("bad", bad);
  EXPECT_EQ(error(good, bad_labels),
            bad_labels + ": row 13: \"7\" is out of range; expected a label from 0 to 6");
}

TEST(Gzip, DamageIsNoticed) {
  const samples::SharedFolder folder(test_comm());
  const std::string labels = folder.write("labels", idx_labels(997));
  const std::string whole = gzipped(idx_images(997, 997));
  const auto error = [&](const std::string& name, const std::string& bytes) {
    const std::string path = folder.write(name, bytes);
    return samples::error_of([&] { load({path, "", labels}); });
  };
  std::string flipped = whole;
  flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 0x10);
  EXPECT_NE(error("flipped.gz", flipped).find("damaged gzip file"), std::string::npos);
  std::string sized = whole;
  sized.back() = '\x7f';
  EXPECT_NE(error("sized.gz", sized).find("cannot inflate to the"), std::string::npos);
  EXPECT_NE(error("cut.gz", whole.substr(0, 1000)).find("damaged gzip file"), std::string::npos);
  EXPECT_NE(error("short.gz", whole.substr(0, 12)).find("damaged gzip file"), std::string::npos);
  EXPECT_NE(error("more.gz", whole + "x").find("damaged gzip file"), std::string::npos);
}

// Sums found with Python's gzip module in the files that Debian ships.
TEST(Idx, FashionMnist) {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  DataOptions options;
  options.classes = 10;
  const RowShare share = load_rows(
      test_comm(), {folder + "t10k-images-idx3-ubyte.gz", "", folder + "t10k-labels-idx1-ubyte.gz"},
      options, Labels::kRequired);
  std::int64_t sums[] = {std::accumulate(samples::pixels_of(share).begin(),
                                         samples::pixels_of(share).end(), std::int64_t{0}),
                         0};
  for (std::size_t i = 0; i < share.labels.size(); ++i) {
    sums[1] += static_cast<std::int64_t>(share.numbers[i]) * share.labels[i];
  }
  test_comm().sum(sums);
  EXPECT_EQ(share.total, 10000);
  EXPECT_EQ(sums[0], 573'469'082);
  EXPECT_EQ(sums[1], 225'732'341);
}

}  // namespace

}  // namespace lockstep
