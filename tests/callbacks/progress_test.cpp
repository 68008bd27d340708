#include "lockstep/callbacks/progress.h"

#include <pty.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "callbacks/events.h"

namespace lockstep {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

constexpr const char* kHead =
    "training 798 rows, validation 199 rows; 3 epochs of 8 steps, global batch 100; "
    "3 ranks, 1 worker each\n";
constexpr const char* kTableHead =
    "epoch  train loss  train acc  val loss  val acc        lr  images/s  seconds\n";

// A Progress that writes to memory.
class Screen {
 public:
  explicit Screen(ProgressStyle style, int columns = 80)
      : stream_(::open_memstream(&text_, &size_)), progress_({stream_, style, columns}, {}) {}
  ~Screen() {
    std::fclose(stream_);
    std::free(text_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  Progress& progress() { return progress_; }

  // What was written since the last call.
  std::string take() {
    std::fflush(stream_);
    const std::string fresh(text_ + taken_, size_ - taken_);
    taken_ = size_;
    return fresh;
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::size_t taken_ = 0;
  std::FILE* stream_;
  Progress progress_;
};

EpochEvent finished(int epoch, double val_loss, double val_accuracy) {
  EpochEvent event;
  event.epoch = epoch;
  event.step = 8 * (epoch + 1);
  event.train_loss = 0.12345;
  event.train_accuracy = 0.98765;
  event.val_loss = val_loss;
  event.val_accuracy = val_accuracy;
  event.learning_rate = 1e-3;
  event.images_per_second = 12345.6;
  event.seconds = 3.25;
  return event;
}

TEST(Progress, IsPlainLinesInAFile) {
  Screen screen(ProgressStyle::kPlain);
  screen.progress().on_run_begin(run_event());
  EXPECT_EQ(screen.take(), std::string(kHead) + kTableHead);
  screen.progress().on_epoch_end(finished(0, 0.5, 0.5));
  screen.progress().on_epoch_end(finished(1, 0.25, 0.25));
  screen.progress().on_epoch_end(finished(2, kNan, 1));
  EXPECT_EQ(screen.take(),
            "    1      0.1235     98.77%    0.5000   50.00%  1.00e-03     12346      3.2 *\n"
            "    2      0.1235     98.77%    0.2500   25.00%  1.00e-03     12346      3.2\n"
            "    3      0.1235     98.77%         -  100.00%  1.00e-03     12346      3.2 *\n");
}

TEST(Progress, HasAColumnForTheTopKAccuracy) {
  Screen screen(ProgressStyle::kPlain);
  RunEvent event = run_event();
  event.top_k = 5;
  screen.progress().on_run_begin(event);
  EXPECT_EQ(screen.take(),
            std::string(kHead) +
                "epoch  train loss  train acc  val loss  val acc  val top-5        lr  "
                "images/s  seconds\n");
  EpochEvent epoch = finished(0, 0.25, 0.5);
  epoch.top_k = 5;
  epoch.val_top_k_accuracy = 0.875;
  screen.progress().on_epoch_end(epoch);
  EXPECT_NE(screen.take().find("  0.2500   50.00%     87.50%  "), std::string::npos);
}

TEST(Progress, MarksNothingWithoutValidationRows) {
  Screen screen(ProgressStyle::kPlain);
  screen.progress().on_epoch_end(finished(0, kNan, kNan));
  EXPECT_EQ(screen.take(),
            "    1      0.1235     98.77%         -        -  1.00e-03     12346      3.2\n");
}

TEST(Progress, NamesTheRankThatTheOthersWaitFor) {
  Screen screen(ProgressStyle::kPlain);
  screen.progress().on_run_begin(run_event());
  screen.take();
  EpochEvent event = finished(0, 0.5, 0.75);
  screen.progress().on_epoch_end(event);
  const std::string row = screen.take();
  event.straggler = {.rank = 2, .excess = 0.254, .cause = Cause::kData};
  event.val_accuracy = 0;  // not the best a second time
  screen.progress().on_epoch_end(event);
  const std::string text = screen.take();
  EXPECT_EQ(text.substr(text.find('\n') + 1),
            "          slowest: rank 2, 25 % over the median, for data\n");
  EXPECT_EQ(std::count(row.begin(), row.end(), '\n'), 1);
  screen.progress().on_epoch_end(event);  // the same one is no news
  const std::string same = screen.take();
  EXPECT_EQ(std::count(same.begin(), same.end(), '\n'), 1);
  event.straggler.rank = 1;
  event.straggler.excess = 0.2;  // too little to speak of
  screen.progress().on_epoch_end(event);
  const std::string little = screen.take();
  EXPECT_EQ(std::count(little.begin(), little.end(), '\n'), 1);
  event.straggler = {.rank = 1, .excess = 0, .cause = Cause::kNetwork};
  screen.progress().on_epoch_end(event);
  EXPECT_NE(screen.take().find("all ranks wait for the network, rank 1 longest\n"),
            std::string::npos);
}

TEST(Progress, SaysWhereAResumedRunGoesOn) {
  Screen screen(ProgressStyle::kPlain);
  RunEvent resumed = run_event();
  resumed.first_epoch = 1;
  resumed.first_step = 11;
  screen.progress().on_run_begin(resumed);
  EXPECT_EQ(screen.take(),
            std::string(kHead) + "going on after step 11, in epoch 2\n" + kTableHead);
}

TEST(Progress, WritesAPlainStepEveryTenSeconds) {
  Screen screen(ProgressStyle::kPlain);
  screen.progress().on_run_begin(run_event());
  screen.take();
  screen.progress().on_step(step_event(0, 1, 4));
  screen.progress().on_step(step_event(0, 2, 9.5));
  EXPECT_EQ(screen.take(), "");
  screen.progress().on_step(step_event(0, 3, 15));
  EXPECT_EQ(screen.take(),  // 5.5 s a step, 21 steps left: 115.5 s
            "epoch 1/3, step 3/8: loss 0.2500, acc 87.50%, 200 images/s, 1:56 left\n");
  screen.progress().on_step(step_event(0, 4, 24.5));
  EXPECT_EQ(screen.take(), "");
}

TEST(Progress, SumsUpAtTheEnd) {
  Screen screen(ProgressStyle::kPlain);
  screen.progress().on_epoch_end(finished(0, 0.5, 0.5));
  screen.take();
  EndEvent end;
  end.epochs = 1;
  end.step = 8;
  end.seconds = 3723;
  end.reason = "all epochs done";
  screen.progress().on_run_end(end);
  EXPECT_EQ(screen.take(),
            "ended after 1 epoch, 8 steps, 1:02:03: all epochs done\n"
            "best val_accuracy: 0.5 in epoch 1\n");
}

TEST(Progress, DrawsOneLiveLineOnATerminal) {
  Screen screen(ProgressStyle::kLive, 100);
  screen.progress().on_run_begin(run_event());
  EXPECT_EQ(screen.take(), "\r\x1b[K" + std::string(kHead) + "\r\x1b[K" + kTableHead);
  screen.progress().on_step(step_event(0, 2, 0.5));
  EXPECT_EQ(screen.take(),
            "\r\x1b[K[#######-----------------------] epoch 1/3 step 2/8 loss 0.2500 acc 87.50% "
            "200 images/s -:-- left");
  screen.progress().on_step(step_event(0, 8, 3.5));  // 0.5 s a step, 16 steps left
  EXPECT_EQ(screen.take(),
            "\r\x1b[K[##############################] epoch 1/3 step 8/8 loss 0.2500 acc 87.50% "
            "200 images/s 0:08 left");
  screen.progress().on_epoch_end(finished(0, 0.5, 0.5));
  EXPECT_EQ(screen.take(),
            "\r\x1b[K    1      0.1235     98.77%    0.5000   50.00%  1.00e-03     12346      "
            "3.2 *\n");
}

TEST(Progress, RedrawsAtMostTenTimesASecond) {
  Screen screen(ProgressStyle::kLive);
  screen.progress().on_run_begin(run_event());
  screen.take();
  screen.progress().on_step(step_event(0, 1, 0));
  EXPECT_NE(screen.take(), "");
  screen.progress().on_step(step_event(0, 2, 0.0625));
  EXPECT_EQ(screen.take(), "");
  screen.progress().on_step(step_event(0, 3, 0.125));
  EXPECT_NE(screen.take(), "");
}

TEST(Progress, FitsTheLiveLineToTheTerminal) {
  const std::string text =
      "epoch 1/3 step 2/8 loss 0.2500 acc 87.50% 200 images/s -:-- left";  // 64 columns
  const auto line = [](int columns) {
    Screen screen(ProgressStyle::kLive, columns);
    screen.progress().on_run_begin(run_event());
    screen.take();
    screen.progress().on_step(step_event(0, 2, 0));
    return screen.take().substr(4);
  };
  EXPECT_EQ(line(77), "[##-------] " + text);  // 9 cells: the last column stays free
  EXPECT_EQ(line(73), "[#----] " + text);
  EXPECT_EQ(line(72), text);
  EXPECT_EQ(line(65), text);
  EXPECT_EQ(line(64), text.substr(0, 63));
  EXPECT_EQ(line(11), "epoch 1/3 ");
}

TEST(Progress, ColoursTheBestRowOnly) {
  Screen screen(ProgressStyle::kColour);
  screen.progress().on_epoch_end(finished(0, 0.5, 0.5));
  EXPECT_EQ(screen.take(),
            "\r\x1b[K\x1b[1;32m    1      0.1235     98.77%    0.5000   50.00%  1.00e-03     "
            "12346      3.2 *\x1b[0m\n");
  screen.progress().on_epoch_end(finished(1, 0.5, 0.5));
  EXPECT_EQ(screen.take(),
            "\r\x1b[K    2      0.1235     98.77%    0.5000   50.00%  1.00e-03     12346      "
            "3.2\n");
}

TEST(Progress, KnowsTheBestAfterAResume) {
  Screen before(ProgressStyle::kPlain);
  before.progress().on_epoch_end(finished(0, 0.5, 0.7));
  Screen after(ProgressStyle::kPlain);
  after.progress().load_state(before.progress().save_state());
  after.progress().on_epoch_end(finished(1, 0.5, 0.7));
  EXPECT_EQ(after.take().find('*'), std::string::npos);
}

TEST(ProgressOutput, IsPlainWhereThereIsNoTerminal) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(terminal_columns(file), 0);
  EXPECT_EQ(detect_progress_output(file).style, ProgressStyle::kPlain);
  EXPECT_EQ(detect_progress_output(file).stream, file);
  std::fclose(file);
}

// The output that is chosen for a terminal of this width.
ProgressOutput chosen(unsigned short columns, const char* term, const char* no_color) {
  int master = -1;
  int slave = -1;
  ::winsize size{};
  size.ws_col = columns;
  EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
  ::setenv("TERM", term, 1);
  ::setenv("NO_COLOR", no_color, 1);
  std::FILE* stream = ::fdopen(slave, "w");
  const ProgressOutput output = detect_progress_output(stream);
  std::fclose(stream);
  ::close(master);
  return output;
}

TEST(ProgressOutput, IsLiveOnATerminal) {
  EXPECT_EQ(chosen(100, "xterm", "").style, ProgressStyle::kColour);
  EXPECT_EQ(chosen(100, "xterm", "").columns, 100);
  EXPECT_EQ(chosen(100, "xterm", "1").style, ProgressStyle::kLive);
}

TEST(ProgressOutput, IsPlainOnADumbTerminalOrOneWithoutWidth) {
  EXPECT_EQ(chosen(100, "dumb", "").style, ProgressStyle::kPlain);
  EXPECT_EQ(chosen(0, "xterm", "").style, ProgressStyle::kPlain);
}

}  // namespace
}  // namespace lockstep
